//! The disk fails, is slow or is full: nobody is told what is not so, nobody waits for long, and it goes on by itself afterwards.

use std::time::{Duration, Instant};

use super::load::PATIENCE;
use super::program::{Program, Start};
use super::rig::{Fault, Rig, tell};
use super::told::Heard;

/// How long the clients ask beneath what is injected.
const HURT: Duration = Duration::from_millis(500);
/// More memory than that is not taken while the disk is slow, in KiB.
const MORE_KIB: u64 = 64 * 1024;

/// What strace does to some calls on the journal's first segment: the ledger beside it has calls of its own.
fn injecting(rig: &Rig, calls: &str, what: &str) -> Vec<String> {
    let mut options = vec![
        "-e".to_owned(),
        format!("trace={calls}"),
        "-e".to_owned(),
        format!("inject={calls}:{what}"),
    ];
    for name in ["journal-next.tmp", "journal-0000000000000000.qgj"] {
        let path = rig.data().join(name).display().to_string();
        options.extend(["-P".to_owned(), path]);
    }
    options
}

/// Clients ask until it is told; how many were answered UNAVAILABLE. None may have waited in vain.
fn ask_for(rig: &mut Rig, program: &Program, time: Duration) -> Result<u64, Fault> {
    let before = rig.ledger.counted.unavailable;
    let Some(loading) = rig.begin(program, u32::MAX)? else {
        return Err(rig.fault("it is gone"));
    };
    std::thread::sleep(time);
    loading.stop();
    rig.finish(loading, Instant::now())?;
    Ok(rig.ledger.counted.unavailable - before)
}

/// Asks until clients are answered again and none is refused for want of the disk.
fn until_it_resumes(rig: &mut Rig, program: &Program) -> Result<(), Fault> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let acknowledged = rig.ledger.counted.allowed;
        let refused = ask_for(rig, program, Duration::from_millis(100))?;
        if refused == 0 && rig.ledger.counted.allowed > acknowledged {
            return Ok(());
        }
        if Instant::now() > deadline {
            let noted = rig.noted.iter().flatten();
            let mut said = noted.filter_map(|it| match &it.heard {
                Heard::Unavailable(said) => Some(said.as_str()),
                _ => None,
            });
            let said = said.next_back().unwrap_or("nothing").to_owned();
            return Err(rig.fault(&format!("it does not resume; it says: {said}")));
        }
    }
}

/// A run whose disk fails by strace, until it resumes; killed, and judged once more.
fn fail(level: &'static str, calls: &str, what: &str, seed: u64) -> Result<u64, Fault> {
    let mut rig = Rig::new(level, "", seed);
    let options = injecting(&rig, calls, what);
    let Start::Ready(mut program) = rig.start(Some(&options)) else {
        // It may refuse to begin on a disk that fails at once; what is there must stay readable.
        drop(rig.judge_now()?);
        return Ok(0);
    };
    let refused = ask_for(&mut rig, &program, HURT)?;
    until_it_resumes(&mut rig, &program)?;
    program.kill();
    drop(rig.judge_now()?);
    Ok(refused)
}

#[test]
fn a_call_that_fails_acknowledges_nothing_and_it_goes_on() {
    let single = ["error=EIO:when=9", "error=ENOSPC:when=30"];
    let several = ["error=EIO:when=5..8", "error=ENOSPC:when=4..12"];
    for (level, calls, injected) in [
        (
            "process",
            "pwrite64",
            &[single[0], several[0], several[1]][..],
        ),
        ("process", "fdatasync", &[single[0], several[0]]),
        // Room is made ahead, so that this need not be noticed.
        ("process", "fallocate", &["error=ENOSPC:when=2..9"]),
        ("power", "pwrite64", &[single[1], several[0]]),
        ("power", "fdatasync", &[single[0], single[1], several[1]]),
    ] {
        let mut told = format!("refused at level {level} while {calls} failed:");
        let mut all = 0;
        for what in injected {
            let refused = fail(level, calls, what, 1);
            let refused =
                refused.unwrap_or_else(|fault| panic!("{level}, {calls}, {what}: {fault}"));
            told.push_str(&[" ", &refused.to_string(), " by ", what, ";"].concat());
            all += refused;
        }
        assert!(all > 0 || calls == "fallocate", "{told}: nothing failed");
        tell(&told);
    }
}

#[test]
fn a_slow_disk_keeps_nobody_waiting() {
    // Late enough for the clients to be at work.
    for (level, calls, micros, from) in [
        ("power", "fdatasync", 300_000, 40),
        ("power", "fdatasync", 3_000_000, 40),
        ("process", "pwrite64", 300_000, 60),
        ("process", "pwrite64", 2_000_000, 60),
        ("process", "fdatasync", 3_000_000, 8),
    ] {
        let mut rig = Rig::new(level, "", 2);
        let what = format!("delay_enter={micros}:when={from}..{}", from + 2);
        let options = injecting(&rig, calls, &what);
        let Start::Ready(mut program) = rig.start(Some(&options)) else {
            panic!("{level}, {calls}, {what}: it does not start");
        };
        let outcome = slow(&mut rig, &program);
        let slowest = outcome.unwrap_or_else(|fault| panic!("{level}, {calls}, {what}: {fault}"));
        tell(&format!(
            "{level}, {calls}, {what}: slowest answer {slowest:?}"
        ));
        program.kill();
        let judged = rig.judge_now();
        drop(judged.unwrap_or_else(|fault| panic!("{level}, {calls}, {what}: {fault}")));
    }
}

/// The slowest answer, and whether some were refused. One that does not come within [`PATIENCE`] is a fault by itself.
fn slow(rig: &mut Rig, program: &Program) -> Result<(Duration, bool), Fault> {
    let before = program.resident_kib();
    ask_for(rig, program, 6 * HURT)?;
    let noted = rig.noted.iter().flatten();
    let answered = noted.filter(|it| !matches!(it.heard, Heard::Silence));
    let slowest = answered.map(|it| it.took).max().unwrap_or_default();
    let refused = rig.ledger.counted.unavailable > 0;
    until_it_resumes(rig, program)?;
    let after = program.resident_kib();
    if after > before + MORE_KIB {
        return Err(rig.fault(&format!("memory grew from {before} to {after} KiB")));
    }
    Ok((slowest, refused))
}

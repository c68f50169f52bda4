//! Killed at every system call that changes what is on the disk, one after the other, by strace.
//!
//! strace counts calls for each thread and each system call by itself, so the first thread to reach the number dies, and a
//! number is meaningful whichever thread it is. `--seccomp-bpf` would be faster, but with it strace 6.1 loses the signals.

use std::fs;
use std::time::{Duration, Instant};

use super::load::PATIENCE;
use super::program::Start;
use super::rig::{Ended, Ending, Fault, Rig, tell};

/// What may be killed at: a name, and the system calls.
const CALLS: [(&str, &str); 10] = [
    ("write", "write,writev"), // pipes and sockets too
    ("pwrite", "pwrite64,pwritev,pwritev2"),
    ("fsync", "fsync"),
    ("fdatasync", "fdatasync"),
    ("rename", "rename,renameat,renameat2"),
    ("unlink", "unlink,unlinkat"),
    ("ftruncate", "ftruncate,truncate"),
    ("fallocate", "fallocate"),
    ("open", "openat"),
    // An answer, of what is written by then.
    ("answer", "sendto,sendmsg"),
];
/// Questions of each client in a run.
const QUESTIONS: u32 = 12;
/// Numbers that are tried one by one; beyond, each is a third more than the last.
const EVERY: u32 = 8;

/// Files and directories of the data that have a part in a snapshot: calls for others are not counted where one is taken.
const OF_SNAPSHOTS: [&str; 4] = [
    "data",
    "data/snapshot-next.tmp",
    "data/names-next.tmp",
    "data/journal-0000000000000000.qgj",
];

/// Options of strace to kill at a call.
fn killing(calls: &str, number: u32) -> Vec<String> {
    let trace = format!("trace={calls}");
    let inject = format!("inject={calls}:signal=KILL:when={number}");
    vec!["-e".to_owned(), trace, "-e".to_owned(), inject]
}

/// Kills at each number until a run ends without reaching it; how many runs were killed.
fn kill_at_each(level: &'static str, calls: &str, points_max: u32) -> Result<u32, Fault> {
    let mut kept = Rig::new(level, "snapshot_mib = 1", 1);
    let (mut number, mut killed) = (1, 0);
    for point in 0..points_max {
        let options = killing(calls, number);
        // In turns on a new directory and on one that has been through it all.
        let mut fresh;
        let rig = if point % 2 == 0 {
            fresh = Rig::new(level, "snapshot_mib = 1", u64::from(number));
            &mut fresh
        } else {
            &mut kept
        };
        let ended = rig.run(Some(&options), Ending::Stopped(QUESTIONS))?;
        rig.judge_now()?.kill();
        if ended == Ended::AsMeant {
            break;
        }
        killed += 1;
        number += 1 + number.saturating_sub(EVERY) / 3;
    }
    Ok(killed)
}

/// A directory whose journal has grown enough for a snapshot, with none yet.
fn grown() -> Result<Rig, Fault> {
    let mut rig = Rig::new("process", "snapshot_mib = 1000", 1);
    rig.filled = 70;
    rig.run(None, Ending::Stopped(QUESTIONS))?;
    let gateway = rig.dir().join("gateway.toml");
    let text = fs::read_to_string(&gateway).expect("a file");
    let soon = text.replace("snapshot_mib = 1000", "snapshot_mib = 1");
    fs::write(&gateway, soon).expect("written");
    rig.filled = 0;
    Ok(rig)
}

/// Kills at each call while a snapshot is taken: until one ends without reaching the number.
fn kill_in_snapshot(grown: &Rig, calls: &str, points_max: u32) -> Result<u32, Fault> {
    let mut number = 1;
    while number <= points_max {
        let mut rig = grown.copied();
        let mut options = killing(calls, number);
        for path in OF_SNAPSHOTS {
            let path = rig.dir().join(path).display().to_string();
            options.extend(["-P".to_owned(), path]);
        }
        if let Start::Ready(mut program) = rig.start(Some(&options)) {
            let deadline = Instant::now() + PATIENCE;
            while !program.has_ended() && rig.snapshots().is_empty() {
                if Instant::now() > deadline {
                    return Err(rig.fault("no snapshot is taken"));
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            // What the snapshot replaces goes after it.
            std::thread::sleep(Duration::from_millis(50));
            if !program.has_ended() {
                program.kill();
                drop(rig.judge_now()?);
                break;
            }
        }
        drop(rig.judge_now()?);
        number += 1;
    }
    Ok(number - 1)
}

#[test]
fn a_kill_in_a_snapshot_loses_nothing() {
    let grown = grown().unwrap_or_else(|fault| panic!("{fault}"));
    let mut told = "killed in snapshots:".to_owned();
    for (name, calls) in CALLS {
        let killed = kill_in_snapshot(&grown, calls, 30);
        let killed = killed.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        told.push_str(&[" ", name, " ", &killed.to_string()].concat());
    }
    tell(&told);
}

fn all(level: &'static str, points_max: u32) {
    let mut told = format!("killed at level {level}:");
    for (name, calls) in CALLS {
        let killed = kill_at_each(level, calls, points_max);
        let killed = killed.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        told.push_str(&[" ", name, " ", &killed.to_string()].concat());
    }
    tell(&told);
}

#[test]
fn a_kill_at_any_call_loses_nothing() {
    all("process", 16);
}

#[test]
fn a_kill_at_any_call_loses_nothing_at_level_power() {
    all("power", 6);
}

//! Killed at every system call that changes what is on the disk, one after the other, by strace.
//!
//! strace counts calls for each thread and each system call by itself, so the first thread to reach the number dies, and a
//! number is meaningful whichever thread it is. `--seccomp-bpf` would be faster, but with it strace 6.1 loses the signals.

use std::io::Write as _;

use super::rig::{Ended, Ending, Fault, Rig};

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

/// Options of strace to kill at a call.
fn killing(calls: &str, number: u32) -> [String; 4] {
    let trace = format!("trace={calls}");
    let inject = format!("inject={calls}:signal=KILL:when={number}");
    ["-e".to_owned(), trace, "-e".to_owned(), inject]
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

fn all(level: &'static str, points_max: u32) {
    let mut told = format!("killed at level {level}:");
    for (name, calls) in CALLS {
        let killed = kill_at_each(level, calls, points_max);
        let killed = killed.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        told += &format!(" {name} {killed}");
    }
    std::io::stderr()
        .write_all(format!("{told}\n").as_bytes())
        .expect("stderr");
}

#[test]
fn a_kill_at_any_call_loses_nothing() {
    all("process", 16);
}

#[test]
fn a_kill_at_any_call_loses_nothing_at_level_power() {
    all("power", 6);
}

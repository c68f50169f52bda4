//! How long a start takes with a large state, and how much memory.

use std::sync::Arc;
use std::time::Instant;

use quotagate::journal::{Directory, Level, Options};
use quotagate::recovery;

use crate::common;
use crate::report::{Report, Samples, Target};
use crate::state::{self, task, tell};
use crate::{Bench, Large};

pub const RECOVER: &str = "recover-state";

impl Bench {
    /// Recovers the large state in a process of its own.
    pub fn restart(&self, report: &mut Report) {
        let Large { dir, built } = self.large();
        let mib = |name| built.get(name) / 1_048_576.0;
        println!(
            "{} users: a snapshot of {:.0} MiB, {:.0} MiB of journal after it, {:.0} MiB resident when it was built",
            self.large_users,
            mib("snapshot"),
            mib("journal"),
            mib("resident")
        );
        let mut samples = [(); 4].map(|()| Samples::new());
        for _ in 0..self.rounds.min(3) {
            state::chill(dir.path());
            let told = state::run(RECOVER, self.large_users, dir.path());
            println!(
                "recovered {} users, {} edges",
                told.get("users"),
                told.get("edges")
            );
            let names = ["seconds", "processor seconds", "peak", "resident"];
            for (samples, name) in samples.iter_mut().zip(names) {
                samples.push(told.get(name));
            }
        }
        let [seconds, busy, peak, resident] = samples;
        let million = self.large_users as f64 / 1e6;
        let name = format!("restart with {million} million users: s");
        report.alone(&name, &seconds, Target::AtMost(30.0));
        report.alone("the same: s of processor time", &busy, Target::None);
        let running = Samples::of(built.get("resident"));
        let name = "the same: bytes at most resident, against the running state";
        report.compared(name, &peak, &running, Target::AtMost(1.3));
        let name = "the same: bytes resident afterwards";
        report.compared(name, &resident, &running, Target::None);
    }
}

/// In the child: recovers, and tells what it took.
pub fn recover() {
    let (_, dir) = task();
    let terms = common::open_terms();
    let today = terms.zone.day(common::NOW);
    let options = Options {
        level: Level::Process,
        ..Options::default()
    };
    let storage = Arc::new(Directory::new(dir));
    let start = Instant::now();
    let mut before = start;
    let mut stage = "";
    let recovered = recovery::recover(storage, options, &|_| Some(today), &mut |progress| {
        let next = match progress {
            recovery::Progress::Snapshot(..) => "snapshot",
            recovery::Progress::Journal(..) => "journal",
            recovery::Progress::Apps(..) => "index",
        };
        if next != stage {
            if !stage.is_empty() {
                eprintln!("  {stage} {:.1} s", before.elapsed().as_secs_f64());
            }
            (stage, before) = (next, Instant::now());
        }
    });
    let recovered = recovered.expect("good files");
    eprintln!("  {stage} {:.1} s", before.elapsed().as_secs_f64());
    tell("seconds", start.elapsed().as_secs_f64());
    tell("processor seconds", processor_seconds());
    tell("peak", peak() as f64);
    tell("resident", common::resident() as f64);
    tell("users", recovered.summary().users as f64);
    tell("edges", recovered.summary().edges as f64);
    std::process::exit(0);
}

/// Seconds that this thread has been on a processor.
fn processor_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map_or(0.0, |nanos: f64| nanos / 1e9)
}

/// The most bytes that were ever resident.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a size") << 10
}

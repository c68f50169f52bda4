//! What does it cost that the gateway remembers: in processor time, in waiting, in a start, in memory, on the disk?
//!
//! `cargo bench --bench journal [-- [--quick] [--rounds N] [--seconds N] [--users N] [--large-users N] [MEASURE...]]`, where
//! a measure is levels, streams, power, restart, stall or churn; all of them if none is named. Data lies in the directory for
//! temporary files (`TMPDIR`), which should be on a disk; 10 GB are enough.
//!
//! `levels` and `streams` hold the program at level `process` against the same at `memory`, as the transport bench does it
//! (server and client on the first processor, neighbouring rounds, medians of ratios); snapshots are put off, and `streams`
//! has a row with them. `power` has 64 clients of one call at a time, and 512 calls under way, on all processors. The others
//! run in processes of their own, without a network: `restart` recovers a state of 10 million users with ten memberships and
//! ten friend entries each from files that are not in memory, a third of it from the journal; `stall` admits one by one while
//! a snapshot of that state is written; `churn` lets users and groups come and go as fast as it can, and looks at the room
//! that the files take on the disk.
//!
//! `--quick` has small states and short rounds: it shows that everything runs, and its figures mean little. The exit status
//! is 0 whatever was measured.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::cast_precision_loss,
    clippy::decimal_bitwise_operands,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::struct_field_names,
    reason = "a bench divides and averages, uses what it needs of another's parts, and may panic"
)]

#[path = "../common/mod.rs"]
mod common;

#[path = "../transport/blast.rs"]
mod blast;
#[path = "../transport/frames.rs"]
mod frames;
#[path = "../transport/load.rs"]
mod load;
#[path = "../transport/procs.rs"]
mod procs;
#[path = "../transport/report.rs"]
mod report;
#[path = "../transport/talk.rs"]
mod talk;

// Of the talk, what is asked of the echo.
#[path = "../transport/echo.rs"]
mod echo;

mod churn;
mod restart;
mod stall;
mod state;
mod wire;

use std::cell::OnceCell;
use std::time::Duration;

use load::Load;
use report::Report;
use tempfile::TempDir;

/// How often, how long and how large.
pub struct Bench {
    rounds: u64,
    load: Load,
    /// Users of the state that is recovered.
    large_users: u64,
    /// Users that come and go, and for how many seconds.
    churn: (u64, u64),
    /// The large state, once it is built.
    large: OnceCell<Large>,
}

/// A state in files, and what the process that built it had.
pub struct Large {
    dir: TempDir,
    built: state::Told,
}

/// A measure, by the name that runs it alone.
type Measure = (&'static str, fn(&Bench, &mut Report));

const MEASURES: [Measure; 6] = [
    ("levels", Bench::levels),
    ("streams", Bench::streams),
    ("power", Bench::power),
    ("restart", Bench::restart),
    ("stall", Bench::stall),
    ("churn", Bench::churn),
];

fn main() {
    common::settle_allocator();
    if let Some(part) = state::part() {
        return part();
    }
    let is_quick = common::is_part("--quick");
    let (rounds, round, users, large_users, churn) = if is_quick {
        (1, Duration::from_millis(200), 2_000, 5_000, (5_000, 1))
    } else {
        let churn = (1_000_000, 40);
        (5, Duration::from_secs(4), 1_000_000, 10_000_000, churn)
    };
    let number = common::number_after;
    let bench = Bench {
        rounds: number("--rounds").unwrap_or(rounds),
        load: Load::new(
            number("--seconds").map_or(round, Duration::from_secs),
            number("--users").unwrap_or(users),
        ),
        large_users: number("--large-users").unwrap_or(large_users),
        churn,
        large: OnceCell::new(),
    };
    println!("{}", report::machine());
    println!("data in {}", std::env::temp_dir().display());
    let mut report = Report::new(["measured", "against"]);
    let is_any_named = MEASURES.iter().any(|(name, _)| common::is_part(name));
    for (name, measure) in MEASURES {
        if !is_any_named || common::is_part(name) {
            measure(&bench, &mut report);
        }
    }
    report.print();
}

impl Bench {
    /// The large state, which is built when it is first asked for.
    fn large(&self) -> &Large {
        self.large.get_or_init(|| {
            let dir = tempfile::tempdir().expect("a directory");
            let built = state::run(state::BUILD, self.large_users, dir.path());
            Large { dir, built }
        })
    }
}

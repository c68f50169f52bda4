//! Loads a gateway as many IM servers would, and says how fast it answers. Read `run`: set up, load in threads, add up.
//!
//! Invariants: a run ends by itself, whatever the server does; in an open loop a message's time runs from the instant at which
//! it was due, not from when it could be sent; the set-up and the warm-up are not counted.
//! What is asked is in `mix`. Absent on purpose: checking that the answers are right; tests do that.

mod address;
mod answer;
mod calls;
mod feed;
mod line;
mod mix;
mod pace;
mod prepare;
mod socket;
mod tally;
mod worker;

use std::io;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

pub use address::{Address, AddressError};
pub use tally::{Latency, Report};

use crate::clock::Stopwatch;

/// The type of the groups.
const GROUP_TYPE: &str = "Public";

/// More threads than these would take the processors from the server.
const THREADS_MAX: u32 = 2;

/// Most groups: editions allow no more new ones in a day.
const GROUPS_MAX: u32 = 10_000;

/// Most groups that a user owns: beside those that it joins, far below every limit.
const OWNED_MAX: u32 = 100;

/// What to load, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The gateway.
    pub server: Address,
    /// How operations are sent.
    pub mode: Mode,
    /// Operations in a batch; 1 to 1,000.
    pub batch: u32,
    /// Connections.
    pub connections: u32,
    /// Most calls, or batches, under way on a connection.
    pub in_flight: u32,
    /// Operations a second over all connections, in an open loop; one after another if absent.
    pub rate: Option<u64>,
    /// How long it is measured.
    pub duration: Duration,
    /// Who and what there is.
    pub population: Population,
}

/// How operations are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// One a call, by `Admit`.
    Unary,
    /// A batch a call, by `AdmitBatch`.
    Batch,
    /// Batches in one `AdmitStream` a connection.
    Stream,
}

/// The app with its users, `u0` and so on, and its groups, `g0` and so on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Population {
    /// Its SDKAppID.
    pub app: u32,
    /// Users; at least 2.
    pub users: u32,
    /// Groups; at least 1.
    pub groups: u32,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An option is out of its range.
    #[error("{0}")]
    Option(String),
    /// The server cannot be reached.
    #[error(
        "cannot reach {server}: {why}; start it with `quotagate serve`, or name another with --server"
    )]
    Unreachable {
        /// Where it should be.
        server: String,
        /// What the system says.
        why: String,
    },
    /// The app, its users or its groups cannot be made.
    #[error("{what} has failed: {why}")]
    SetUp {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        why: String,
    },
    /// The server went away, or answers nothing but errors.
    #[error("{server} has answered nothing for {seconds} s: {trouble}; see what the server says")]
    NothingAnswered {
        /// Where it was.
        server: String,
        /// For how long.
        seconds: u64,
        /// The last error.
        trouble: String,
    },
    /// The system does not let the thread wait.
    #[error("cannot wait for the connections")]
    Wait(#[source] io::Error),
    /// The system gives no runtime.
    #[error("cannot start the runtime of the set-up")]
    Runtime(#[source] io::Error),
}

impl Options {
    /// How long it runs before it is measured.
    pub fn warm_up(&self) -> Duration {
        (self.duration / 10).min(Duration::from_secs(1))
    }

    fn operations_per_message(&self) -> u32 {
        match self.mode {
            Mode::Unary => 1,
            Mode::Batch | Mode::Stream => self.batch,
        }
    }

    fn check(&self) -> Result<(), LoadError> {
        let Population { users, groups, .. } = self.population;
        if groups > GROUPS_MAX {
            return Err(LoadError::Option(format!(
                "--groups {groups} is too many: no edition allows more than {GROUPS_MAX} new groups a day; \
                 ask for {GROUPS_MAX} at most"
            )));
        }
        if groups > users.saturating_mul(OWNED_MAX) {
            return Err(LoadError::Option(format!(
                "--groups {groups} is too many for --users {users}: nobody should own more than {OWNED_MAX}; \
                 ask for more users or fewer groups"
            )));
        }
        Ok(())
    }
}

impl Population {
    /// Who owns a group.
    fn owner(self, group: u32) -> u32 {
        group % self.users.max(1)
    }
}

/// Prepares the app, loads the gateway, and reports what came of it.
pub fn run(options: &Options) -> Result<Report, LoadError> {
    options.check()?;
    prepare::prepare(options)?;
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let processors = u32::try_from(processors).unwrap_or(THREADS_MAX);
    let threads = THREADS_MAX.min(processors).min(options.connections).max(1);
    let clock = Stopwatch::start();
    let tallies = thread::scope(|scope| {
        let every = threads as usize;
        let part = |first| {
            scope.spawn(move || {
                let numbers = (first..options.connections).step_by(every);
                worker::run(options, numbers, clock)
            })
        };
        let running: Vec<_> = (0..threads).map(part).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().expect("a thread that does not panic")
        };
        running.into_iter().map(join).collect::<Vec<_>>()
    });
    let mut all = tally::Tally::new(options.warm_up()..options.warm_up() + options.duration);
    for tally in tallies {
        all.add(tally?);
    }
    let report = all.report();
    if report.operations > 0 {
        return Ok(report);
    }
    Err(LoadError::NothingAnswered {
        server: options.server.to_string(),
        seconds: report.seconds.as_secs(),
        trouble: report.trouble.unwrap_or_else(|| "no answer".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(users: u32, groups: u32) -> Result<(), String> {
        let options = Options {
            server: Address::Tcp("localhost:1".into()),
            mode: Mode::Unary,
            batch: 128,
            connections: 1,
            in_flight: 1,
            rate: None,
            duration: Duration::from_secs(1),
            population: Population {
                app: 1,
                users,
                groups,
            },
        };
        options.check().map_err(|error| error.to_string())
    }

    #[test]
    fn more_groups_than_can_be_made_are_refused_with_the_reason() {
        assert_eq!(asked(100_000, 10_000), Ok(()));
        assert_eq!(asked(100, 10_000), Ok(()));
        let a_day = asked(100_000, 10_001).unwrap_err();
        assert!(a_day.contains("10000 new groups a day"), "{a_day}");
        let owners = asked(99, 10_000).unwrap_err();
        assert!(owners.contains("--users 99"), "{owners}");
    }
}

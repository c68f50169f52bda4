//! What the journal promises, whether it takes more, and what it counts: for its callers and for operators.
//!
//! Absent on purpose: the names of metrics, and gRPC's codes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::entry::Position;

/// When something that was decided may be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Level {
    /// Once it survives a loss of power.
    Power,
    /// Once it survives the end of the process.
    #[default]
    Process,
    /// At once.
    Memory,
}

/// What a change asks of the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It adds something, and is refused when the disk is full.
    Adds,
    /// It takes something away, for which some room is kept.
    Removes,
}

/// How the journal stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It takes everything.
    Open,
    /// There is no room on the disk: only what takes away is taken, as long as the room that was kept lasts.
    Full,
    /// The disk does not keep up: nothing is taken until it has.
    Stalled,
    /// A write or a sync has failed: nothing is taken until the files are founded anew.
    Failed,
    /// It was closed.
    Closed,
}

/// Why nothing can be promised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// No room on the disk.
    Full,
    /// The disk does not keep up.
    Stalled,
    /// A write or a sync has failed.
    Failed,
    /// The gateway is stopping.
    Closed,
}

/// Nothing can be promised now; perhaps it has been applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}: try again in {retry_ms} ms")]
pub struct Unavailable {
    /// Why.
    pub reason: Reason,
    /// When it may be worth trying again.
    pub retry_ms: u32,
}

/// What the journal has counted, and how it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    /// How it stands.
    pub state: State,
    /// Where the last entry ends.
    pub appended: Position,
    /// Up to where the kernel has it.
    pub written: Position,
    /// Up to where the disk has it.
    pub durable: Position,
    /// Bytes of entries that wait to be written.
    pub pending_bytes: u64,
    /// Frames written.
    pub writes: u64,
    /// Times that what was written was made durable.
    pub syncs: u64,
    /// Writes and syncs that have failed.
    pub failures: u64,
    /// How long the slowest write of the last seconds took.
    pub slowest_write: Duration,
    /// How long the slowest sync of the last seconds took.
    pub slowest_sync: Duration,
    /// Segments on the disk.
    pub segments: u64,
}

impl Level {
    /// Every level.
    pub const ALL: [Self; 3] = [Self::Power, Self::Process, Self::Memory];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Process => "process",
            Self::Memory => "memory",
        }
    }
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Full,
        Self::Stalled,
        Self::Failed,
        Self::Closed,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Full => "full",
            Self::Stalled => "stalled",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

impl From<Reason> for Unavailable {
    fn from(reason: Reason) -> Self {
        // A disk that is only slow may have caught up soon; the others take somebody, or a snapshot.
        let retry_ms = match reason {
            Reason::Stalled => 200,
            Reason::Full | Reason::Failed | Reason::Closed => 1_000,
        };
        Self { reason, retry_ms }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the gateway's disk is full, only removals are taken while the room kept for them lasts",
            Self::Stalled => "the gateway's disk does not keep up",
            Self::Failed => "the gateway's disk has failed to keep what was written, and is being written anew",
            Self::Closed => "the gateway is stopping",
        })
    }
}

/// The longest of a few seconds: of those that run, and of those before.
#[derive(Debug, Default)]
pub(super) struct Slowest {
    now_ns: AtomicU64,
    before_ns: AtomicU64,
}

// Relaxed everywhere: a figure for people, which publishes nothing.
impl Slowest {
    #[inline]
    pub(super) fn took(&self, elapsed: Duration) {
        let ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        if ns > self.now_ns.load(Ordering::Relaxed) {
            self.now_ns.fetch_max(ns, Ordering::Relaxed);
        }
    }

    pub(super) fn turn(&self) {
        let now = self.now_ns.swap(0, Ordering::Relaxed);
        self.before_ns.store(now, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Duration {
        let now = self.now_ns.load(Ordering::Relaxed);
        Duration::from_nanos(now.max(self.before_ns.load(Ordering::Relaxed)))
    }
}

/// What is counted while the journal is written.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) writes: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) segments: AtomicU64,
    pub(super) write: Slowest,
    pub(super) sync: Slowest,
}

/// One more. Relaxed: each count stands alone.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_is_forgotten_after_two_turns() {
        let slowest = Slowest::default();
        let ms = Duration::from_millis;
        slowest.took(ms(5));
        slowest.took(ms(3));
        slowest.turn();
        slowest.took(ms(2));
        assert_eq!(slowest.get(), ms(5));
        slowest.turn();
        assert_eq!(slowest.get(), ms(2));
    }

    #[test]
    fn why_is_said_and_when_to_try_again() {
        let said = Unavailable::from(Reason::Stalled).to_string();
        assert_eq!(
            said,
            "the gateway's disk does not keep up: try again in 200 ms"
        );
    }
}

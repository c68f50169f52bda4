//! What the gateway counts of itself: decisions and how long calls took, for whoever scrapes them.
//!
//! Invariant: counting never waits; each thread that serves calls has counters of its own, added up when they are read.
//! Absent on purpose: the names and the text of metrics; see `server`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::admission::{OperationKind, Outcome};
use crate::catalog::Reason;
use crate::time::Timestamp;

/// What became of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Allowed.
    Allowed,
    /// Allowed, though a limit in shadow would have denied it.
    Shadowed(Reason),
    /// Denied.
    Denied(Reason),
}

/// The calls that are timed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// `Admit`.
    Admit,
    /// `AdmitBatch`.
    AdmitBatch,
    /// A batch of `AdmitStream`.
    StreamBatch,
}

/// Bounds of the buckets of durations, in nanoseconds; the last bucket has none.
pub const BUCKETS_NS: [u64; 14] = [
    1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 125_000, 250_000, 500_000, 1_000_000,
    4_000_000, 16_000_000, 64_000_000,
];

const REASONS: usize = Reason::ALL.len();
const VERDICTS: usize = 1 + 2 * REASONS;
const OPERATIONS: usize = OperationKind::ALL.len();

impl Verdict {
    /// Every verdict.
    pub fn all() -> impl Iterator<Item = Self> {
        let shadowed = Reason::ALL.into_iter().map(Self::Shadowed);
        let denied = Reason::ALL.into_iter().map(Self::Denied);
        std::iter::once(Self::Allowed).chain(shadowed).chain(denied)
    }

    const fn place(self) -> usize {
        match self {
            Self::Allowed => 0,
            Self::Shadowed(reason) => 1 + reason as usize,
            Self::Denied(reason) => 1 + REASONS + reason as usize,
        }
    }
}

impl From<&Outcome> for Verdict {
    #[inline]
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Allowed => Self::Allowed,
            Outcome::Shadowed(denial) => Self::Shadowed(denial.reason),
            Outcome::Denied(denial) => Self::Denied(denial.reason),
        }
    }
}

impl Call {
    /// Every call that is timed.
    pub const ALL: [Self; 3] = [Self::Admit, Self::AdmitBatch, Self::StreamBatch];

    /// The name of its method.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admit => "Admit",
            Self::AdmitBatch => "AdmitBatch",
            Self::StreamBatch => "AdmitStream",
        }
    }
}

/// How long calls of one kind took.
#[derive(Debug, Default)]
struct Durations {
    buckets: [AtomicU64; BUCKETS_NS.len() + 1],
    sum_ns: AtomicU64,
}

/// The counters of one thread that serves calls. Aligned so that no two threads write to one cache line.
#[derive(Debug)]
#[repr(align(128))]
pub struct Counters {
    decisions: [[AtomicU64; VERDICTS]; OPERATIONS],
    durations: [Durations; Call::ALL.len()],
    refused: AtomicU64,
    cut_off: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            decisions: [const { [const { AtomicU64::new(0) }; VERDICTS] }; OPERATIONS],
            durations: Default::default(),
            refused: AtomicU64::default(),
            cut_off: AtomicU64::default(),
        }
    }
}

// Relaxed everywhere: each count stands alone, no memory is published by it.
#[expect(
    clippy::indexing_slicing,
    reason = "one element for each case of the enums, by construction"
)]
impl Counters {
    /// Counts a decision.
    #[inline]
    pub fn decided(&self, operation: OperationKind, outcome: &Outcome) {
        self.count(operation, outcome.into(), 1);
    }

    /// Counts decisions of a batch; neighbours that are alike at once.
    pub fn all_decided<'o>(&self, decisions: impl Iterator<Item = (OperationKind, &'o Outcome)>) {
        let mut last = (OperationKind::RegisterUser, Verdict::Allowed);
        let mut alike = 0;
        for (operation, outcome) in decisions {
            let this = (operation, Verdict::from(outcome));
            if this != last {
                self.count(last.0, last.1, alike);
                (last, alike) = (this, 0);
            }
            alike += 1;
        }
        self.count(last.0, last.1, alike);
    }

    #[inline]
    fn count(&self, operation: OperationKind, verdict: Verdict, times: u64) {
        self.decisions[operation as usize][verdict.place()].fetch_add(times, Ordering::Relaxed);
    }

    /// Counts calls that were answered so long after they were read.
    #[inline]
    pub fn took(&self, call: Call, calls: usize, elapsed: Duration) {
        let calls = u64::try_from(calls).unwrap_or(u64::MAX);
        let ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_NS.partition_point(|bound| *bound < ns);
        let durations = &self.durations[call as usize];
        durations.buckets[bucket].fetch_add(calls, Ordering::Relaxed);
        durations
            .sum_ns
            .fetch_add(ns.saturating_mul(calls), Ordering::Relaxed);
    }

    /// Counts a call, or a batch of a stream, that was refused as wrong.
    #[cold]
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer, or a stream, that was cut off because its peer did not read it.
    #[cold]
    pub fn cut_off(&self) {
        self.cut_off.fetch_add(1, Ordering::Relaxed);
    }
}

/// The counters of all threads.
#[derive(Clone, Debug)]
pub struct Telemetry {
    threads: Vec<Arc<Counters>>,
    clock_jumps: Arc<AtomicU64>,
    streams: Arc<StreamCounts>,
}

/// What is counted of the usage stream.
#[derive(Debug, Default)]
pub struct StreamCounts {
    open: AtomicU64,
    records: AtomicU64,
    /// When each named subscriber acknowledged something last.
    acknowledged: Mutex<BTreeMap<String, Timestamp>>,
}

/// A stream of usage that counts as open until this is dropped.
#[derive(Debug)]
pub struct OpenStream(Arc<StreamCounts>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl StreamCounts {
    /// Counts a stream for as long as what it gives is held.
    pub fn opened(self: &Arc<Self>) -> OpenStream {
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenStream(Arc::clone(self))
    }

    /// Counts records that were sent.
    pub fn sent(&self, records: usize) {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Notes when each named subscriber acknowledged something last, in place of what was noted.
    pub fn acknowledged(&self, all: impl Iterator<Item = (String, Timestamp)>) {
        *self.acknowledged.lock() = all.collect();
    }

    /// Streams that are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Records sent so far.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Each named subscriber, with when it acknowledged something last.
    pub fn subscribers(&self) -> Vec<(String, Timestamp)> {
        let noted = self.acknowledged.lock();
        noted.iter().map(|(name, at)| (name.clone(), *at)).collect()
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "one element for each case of the enums, by construction"
)]
impl Telemetry {
    /// Counters for so many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            threads: std::iter::repeat_with(Arc::default).take(threads).collect(),
            clock_jumps: Arc::default(),
            streams: Arc::default(),
        }
    }

    /// The counters of each thread.
    pub fn counters(&self) -> impl Iterator<Item = &Arc<Counters>> {
        self.threads.iter()
    }

    /// What is counted of the usage stream.
    pub fn streams(&self) -> &Arc<StreamCounts> {
        &self.streams
    }

    /// Counts that the machine's clock has jumped.
    pub fn clock_jumped(&self) {
        self.clock_jumps.fetch_add(1, Ordering::Relaxed);
    }

    /// Times that it has.
    pub fn clock_jumps(&self) -> u64 {
        self.clock_jumps.load(Ordering::Relaxed)
    }

    fn sum(&self, of: impl Fn(&Counters) -> &AtomicU64) -> u64 {
        self.threads
            .iter()
            .map(|one| of(one).load(Ordering::Relaxed))
            .sum()
    }

    /// Decisions so far.
    pub fn decisions(&self, operation: OperationKind, verdict: Verdict) -> u64 {
        self.sum(|one| &one.decisions[operation as usize][verdict.place()])
    }

    /// Calls by how long they took, one number for each bucket of [`BUCKETS_NS`] and one beyond.
    pub fn durations(&self, call: Call) -> [u64; BUCKETS_NS.len() + 1] {
        std::array::from_fn(|bucket| self.sum(|one| &one.durations[call as usize].buckets[bucket]))
    }

    /// How long all calls took together.
    pub fn time_in(&self, call: Call) -> Duration {
        Duration::from_nanos(self.sum(|one| &one.durations[call as usize].sum_ns))
    }

    /// Calls, and batches of streams, that were refused as wrong.
    pub fn refused(&self) -> u64 {
        self.sum(|one| &one.refused)
    }

    /// Answers and streams that were cut off because their peers did not read them.
    pub fn cut_off(&self) -> u64 {
        self.sum(|one| &one.cut_off)
    }
}

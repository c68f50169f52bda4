//! The journal as it is written: the one that all threads share.
//!
//! Three locks, always taken in this order: `upkeep`, by the one thread that makes room, syncs and changes segments; `file`,
//! by whoever writes; `pending`, for the moment of an append. Invariants: the buffer is taken under the lock of the file, so
//! frames have the order of their positions; `reached` never holds a position that its level does not, and none is added
//! after a failure until the files have been founded anew. Absent on purpose: threads and timers; see `scribe`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::entry::{Position, RECORDS_BYTES_MAX, SetId};
use super::frame::Seal;
use super::pending::Pending;
use super::scribe::Kick;
use super::status::{Change, Counts, Level, Reason, State, Tally, Unavailable};
use super::storage::Storage;
use super::upkeep::Upkeep;
use super::waiting::Waiting;
use super::write::{Active, Wrote};
use crate::id::SdkAppId;
use crate::time::Timestamp;

/// How the journal is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// When something may be answered.
    pub level: Level,
    /// A segment of so many bytes is followed by another.
    pub segment_bytes: u64,
    /// Room that is kept ahead.
    pub ahead_bytes: u64,
    /// When more bytes of entries wait, no change is taken.
    pub pending_bytes_max: u64,
    /// How long a task waits before it is told that the disk does not keep up.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            level: Level::default(),
            segment_bytes: 64 * 1024 * 1024,
            ahead_bytes: 4 * 1024 * 1024,
            pending_bytes_max: 8 * 1024 * 1024,
            patience: Duration::from_millis(500),
        }
    }
}

/// How long a thread that has decided waits for another that writes: some tens of writes.
const FILE_PATIENCE: Duration = Duration::from_micros(100);
/// Bits of what the journal refuses.
pub(super) const FULL: u8 = 1;
pub(super) const STALLED: u8 = 2;
pub(super) const FAILED: u8 = 4;
pub(super) const CLOSED: u8 = 8;

/// The journal, to be appended to.
#[derive(Debug)]
pub struct Log {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) set: SetId,
    pub(super) seal: Seal,
    pub(super) options: Options,
    pub(super) upkeep: Mutex<Upkeep>,
    pub(super) file: Mutex<Active>,
    pub(super) pending: Mutex<Pending>,
    /// Where the last entry ends: `pending.end`.
    pub(super) appended: AtomicU64,
    /// Bytes of entries in `pending`.
    pub(super) pending_bytes: AtomicU64,
    /// What may be answered: the one word that says so.
    pub(super) reached: AtomicU64,
    /// Room left in the active segment.
    pub(super) room: AtomicU64,
    /// Copies of what is in `file`, for those who must not wait for a disk to be told about it.
    pub(super) written: AtomicU64,
    pub(super) durable: AtomicU64,
    pub(super) refusing: AtomicU8,
    pub(super) is_slow: AtomicBool,
    pub(super) waiting: Waiting,
    /// Kicks the thread that does the upkeep.
    pub(super) kick: Kick,
    /// Kicks the one that writes for those who decide, at level `process`: a sync under way does not hold it up.
    pub(super) pen: Kick,
    pub(super) tally: Tally,
}

impl Log {
    pub(super) fn assemble(
        storage: Arc<dyn Storage>,
        set: SetId,
        options: Options,
        upkeep: Upkeep,
        file: Active,
        last_at: Timestamp,
    ) -> Self {
        let end = file.written;
        let log = Self {
            storage,
            set,
            seal: Seal::new(set),
            options,
            pending: Mutex::new(Pending::new(end, last_at)),
            appended: AtomicU64::new(end.get()),
            pending_bytes: AtomicU64::new(0),
            reached: AtomicU64::new(0),
            room: AtomicU64::new(0),
            written: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            refusing: AtomicU8::new(0),
            is_slow: AtomicBool::new(false),
            waiting: Waiting::default(),
            kick: Kick::default(),
            pen: Kick::default(),
            tally: Tally::default(),
            upkeep: Mutex::new(upkeep),
            file: Mutex::new(file),
        };
        log.mark(&log.file.lock());
        log
    }

    /// Which data set it is.
    pub const fn set(&self) -> SetId {
        self.set
    }

    /// Adds an entry, and says where it ends. Called under the app's lock, so that entries of an app have the order of its
    /// decisions. It cannot fail: whether there is room was asked before ([`accepts`](Self::accepts)).
    #[inline]
    pub fn append(&self, app: SdkAppId, now: Timestamp, records: &[u8]) -> Position {
        assert!(
            records.len() <= RECORDS_BYTES_MAX,
            "a decision's records are bounded by the bounds of requests"
        );
        let mut pending = self.pending.lock();
        pending.push(app, now, records);
        // The lock orders the stores, whoever has decided on what this thread did comes after it by the app's lock and sees its
        // value or a later one, and what they count is read under the lock. Release: pairs with `position`, so that whoever
        // reads a position sees what was done before the appends up to there.
        self.appended.store(pending.end.get(), Ordering::Release);
        self.pending_bytes.store(pending.bytes, Ordering::Relaxed);
        pending.end
    }

    /// Where the last entry ends.
    #[inline]
    pub fn position(&self) -> Position {
        // Acquire: see `append`.
        Position::new(self.appended.load(Ordering::Acquire))
    }

    /// Whether what ends there may be answered.
    #[inline]
    pub fn reached(&self, position: Position) -> bool {
        // Acquire: pairs with the release in `mark`; the answer comes after the write that it relies on.
        position.get() <= self.reached.load(Ordering::Acquire)
    }

    /// Sees to it that what was appended is written, as far as the level asks for it: by this thread if it can be at once,
    /// else by the scribe. Called without the app's lock; [`poll_reached`](Self::poll_reached) waits for the outcome.
    #[inline]
    pub fn commit(&self) {
        // Relaxed: this thread's own appends are seen, or that they have been taken.
        if self.pending_bytes.load(Ordering::Relaxed) > 0 {
            self.commit_pending();
        }
    }

    fn commit_pending(&self) {
        match self.options.level {
            Level::Memory => {}
            Level::Power => self.kick.kick(),
            // Relaxed: a hint.
            Level::Process if self.is_slow.load(Ordering::Relaxed) => self.pen.kick(),
            Level::Process => match self.file.try_lock_for(FILE_PATIENCE) {
                None => self.pen.kick(),
                Some(file) => self.write_pending(file),
            },
        }
    }

    /// Writes what is pending, and wakes those who wait for it.
    pub(super) fn write_pending(&self, mut file: MutexGuard<'_, Active>) {
        let wrote = self.write(&mut file);
        drop(file);
        self.wake();
        if wrote == Wrote::NoRoom {
            self.kick.kick();
        }
    }

    /// Waits for a position, if it can be waited for. The task is woken when it is reached, or cannot be, or
    /// [`watch`](Self::watch) says that it takes too long.
    #[inline]
    pub fn poll_reached(&self, position: Position, waker: &Waker) -> Poll<Result<(), Unavailable>> {
        if self.reached(position) {
            return Poll::Ready(Ok(()));
        }
        let answer = self.waiting.wait(position, waker, || {
            if self.reached(position) {
                return Some(Ok(()));
            }
            self.hopeless().map(|reason| Err(reason.into()))
        });
        answer.map_or(Poll::Pending, Poll::Ready)
    }

    /// Why nothing more will be reached soon.
    fn hopeless(&self) -> Option<Reason> {
        // Acquire: pairs with the releases where bits are set. The lock that the caller holds is taken after that, too.
        let refusing = self.refusing.load(Ordering::Acquire);
        let is = |bits| refusing & bits == bits;
        match () {
            () if is(FAILED) => Some(Reason::Failed),
            () if is(CLOSED) => Some(Reason::Closed),
            () if is(STALLED | FULL) => Some(Reason::Full),
            () if is(STALLED) => Some(Reason::Stalled),
            () => None,
        }
    }

    /// Whether a change may be decided on: asked before the app's lock is taken.
    #[inline]
    pub fn accepts(&self, change: Change) -> Result<(), Unavailable> {
        // Relaxed, both: a decision that slips through is applied, and waits; nothing is promised by this.
        let refusing = self.refusing.load(Ordering::Relaxed);
        let pending = self.pending_bytes.load(Ordering::Relaxed);
        if refusing == 0 && pending <= self.options.pending_bytes_max {
            return Ok(());
        }
        self.refuse(change, refusing, pending)
    }

    #[cold]
    fn refuse(&self, change: Change, refusing: u8, pending: u64) -> Result<(), Unavailable> {
        if let Some(reason) = self.hopeless() {
            return Err(reason.into());
        }
        let is_full = refusing & FULL != 0;
        // A part is left for the entries of those who were let in at the same time.
        let left = self.room.load(Ordering::Relaxed).saturating_sub(pending);
        let is_room = left > self.options.ahead_bytes / 16;
        match change {
            _ if pending > self.options.pending_bytes_max && !is_full => {
                Err(Reason::Stalled.into())
            }
            Change::Adds if is_full => Err(Reason::Full.into()),
            Change::Removes if is_full && !is_room => Err(Reason::Full.into()),
            Change::Adds | Change::Removes => Ok(()),
        }
    }

    /// Looks after those who wait: to be called every 50 ms or so. Who has waited longer than the patience is woken, to be
    /// told that the disk does not keep up, and nothing more is taken until it has.
    pub fn watch(&self) {
        let patience = self.options.patience;
        if self.waiting.is_longer_than(patience) {
            // Release: pairs with the acquire of those who are woken by the next line.
            let before = self.refusing.fetch_or(STALLED, Ordering::Release);
            if before & STALLED == 0 {
                tracing::warn!("the disk does not keep up with the journal: refusing changes");
            }
            self.waiting.longer_than(patience);
            self.kick.kick();
        }
    }

    /// How it stands.
    pub fn state(&self) -> State {
        let refusing = self.refusing.load(Ordering::Relaxed);
        match () {
            () if refusing & FAILED != 0 => State::Failed,
            () if refusing & CLOSED != 0 => State::Closed,
            () if refusing & FULL != 0 => State::Full,
            () if refusing & STALLED != 0 => State::Stalled,
            () => State::Open,
        }
    }

    /// What it has counted.
    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            state: self.state(),
            appended: self.position(),
            written: Position::new(of(&self.written)),
            durable: Position::new(of(&self.durable)),
            pending_bytes: of(&self.pending_bytes),
            writes: of(&self.tally.writes),
            syncs: of(&self.tally.syncs),
            failures: of(&self.tally.failures),
            slowest_write: self.tally.write.get(),
            slowest_sync: self.tally.sync.get(),
            segments: of(&self.tally.segments),
        }
    }
}

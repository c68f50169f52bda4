//! The journal as it is written: the one that all threads share.
//!
//! Three locks, always taken in this order: `upkeep`, by the one thread that makes room, syncs and changes segments; `file`,
//! by whoever writes; `pending`, for the moment of an append. Invariants: the buffer is taken under the lock of the file, so
//! frames have the order of their positions; `reached` never holds a position that its level does not, and none is added
//! after a failure until the files have been founded anew. Absent on purpose: threads and timers; see `scribe`.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::entry::{self, Position, RECORDS_BYTES_MAX, SetId, entry_bytes};
use super::frame::{FRAME_BYTES_MAX, FRAME_HEADER, Seal};
use super::scribe::Kick;
use super::status::{Change, Counts, Level, Reason, State, Tally, Unavailable, count};
use super::storage::{Storage, StoredFile};
use super::upkeep::Upkeep;
use super::waiting::Waiting;
use crate::clock::Stopwatch;
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
/// After a write that took so long, threads that decide leave writing to the scribe …
const SLOW: Duration = Duration::from_millis(10);
/// … for so long.
const SLOW_FOR: Duration = Duration::from_secs(1);
/// A buffer that has grown beyond this is not kept.
const SPARE_BYTES_MAX: usize = 1024 * 1024;

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
    appended: AtomicU64,
    /// Bytes of entries in `pending`.
    pending_bytes: AtomicU64,
    /// What may be answered: the one word that says so.
    reached: AtomicU64,
    /// Room left in the active segment.
    room: AtomicU64,
    pub(super) refusing: AtomicU8,
    is_slow: AtomicBool,
    pub(super) waiting: Waiting,
    pub(super) kick: Kick,
    pub(super) tally: Tally,
}

/// Entries that wait to be written, behind room for the header of their frame.
#[derive(Debug)]
pub(super) struct Pending {
    filling: Vec<u8>,
    /// Frames' worth of entries before those, if the disk does not keep up.
    whole: VecDeque<Vec<u8>>,
    bytes: u64,
    end: Position,
    last_at: Timestamp,
}

/// Whether what was written can be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Footing {
    Sound,
    /// A write or a sync has failed.
    Failed,
    /// On a new file, whose entries count once the owner has a snapshot of all before.
    Founding,
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) handle: Arc<dyn StoredFile>,
    pub(super) first: Position,
    /// Where the next frame goes.
    pub(super) offset: u64,
    pub(super) allocated: u64,
    /// Where the last entry that was written ends.
    pub(super) written: Position,
    /// What is known to survive a loss of power.
    pub(super) durable: Position,
    pub(super) footing: Footing,
    slow_since: Option<Stopwatch>,
    spare: Vec<u8>,
}

/// What became of an attempt to write what is pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wrote {
    All,
    /// There is no room in the segment; what is pending stays so.
    NoRoom,
    Failed,
}

impl Pending {
    pub(super) fn new(end: Position, last_at: Timestamp) -> Self {
        Self {
            filling: empty_frame(),
            whole: VecDeque::new(),
            bytes: 0,
            end,
            last_at,
        }
    }

    #[inline]
    fn push(&mut self, app: SdkAppId, now: Timestamp, records: &[u8]) {
        let bytes = entry_bytes(records);
        if self.filling.len() + bytes > FRAME_HEADER + FRAME_BYTES_MAX {
            let whole = std::mem::replace(&mut self.filling, empty_frame());
            self.whole.push_back(whole);
        }
        self.last_at = self.last_at.max(now);
        entry::encode(&mut self.filling, app, self.last_at, records);
        self.bytes += bytes as u64;
        self.end = self.end.plus(bytes as u64);
    }

    /// Bytes of the next frame; none if there is nothing.
    fn next_bytes(&self) -> Option<u64> {
        let next = self.whole.front().unwrap_or(&self.filling);
        (next.len() > FRAME_HEADER).then_some(next.len() as u64)
    }

    /// Takes the next frame, and leaves the spare buffer for entries to come.
    fn take(&mut self, spare: &mut Vec<u8>) -> Vec<u8> {
        let whole = self.whole.pop_front();
        let frame =
            whole.unwrap_or_else(|| std::mem::replace(&mut self.filling, std::mem::take(spare)));
        self.bytes -= (frame.len() - FRAME_HEADER) as u64;
        frame
    }

    /// Bytes of all frames that wait.
    pub(super) fn frames_bytes(&self) -> u64 {
        self.bytes + (FRAME_HEADER * (1 + self.whole.len())) as u64
    }
}

fn empty_frame() -> Vec<u8> {
    vec![0; FRAME_HEADER]
}

impl Active {
    pub(super) fn new(handle: Arc<dyn StoredFile>, first: Position, allocated: u64) -> Self {
        Self {
            handle,
            first,
            offset: super::frame::SEGMENT_HEADER as u64,
            allocated,
            written: first,
            durable: first,
            footing: Footing::Sound,
            slow_since: None,
            spare: empty_frame(),
        }
    }

    /// Room for frames. That of the closing frame is none.
    pub(super) const fn room(&self) -> u64 {
        let used = self.offset.saturating_add(FRAME_HEADER as u64);
        self.allocated.saturating_sub(used)
    }
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
            refusing: AtomicU8::new(0),
            is_slow: AtomicBool::new(false),
            waiting: Waiting::default(),
            kick: Kick::default(),
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
        // Relaxed, both: the lock orders the stores, whoever has decided on what this thread did comes after it by the app's
        // lock and sees its value or a later one, and what they count is read under the lock.
        self.appended.store(pending.end.get(), Ordering::Relaxed);
        self.pending_bytes.store(pending.bytes, Ordering::Relaxed);
        pending.end
    }

    /// Where the last entry ends.
    #[inline]
    pub fn position(&self) -> Position {
        // Relaxed: see `append`.
        Position::new(self.appended.load(Ordering::Relaxed))
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
            Level::Process if self.is_slow.load(Ordering::Relaxed) => self.kick.kick(),
            Level::Process => match self.file.try_lock_for(FILE_PATIENCE) {
                None => self.kick.kick(),
                Some(mut file) => {
                    let wrote = self.write(&mut file);
                    drop(file);
                    self.wake();
                    if wrote == Wrote::NoRoom {
                        self.kick.kick();
                    }
                }
            },
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
        let (written, durable) = {
            let file = self.file.lock();
            (file.written, file.durable)
        };
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            state: self.state(),
            appended: self.position(),
            written,
            durable,
            pending_bytes: of(&self.pending_bytes),
            writes: of(&self.tally.writes),
            syncs: of(&self.tally.syncs),
            failures: of(&self.tally.failures),
            slowest_write: self.tally.write.get(),
            slowest_sync: self.tally.sync.get(),
            segments: of(&self.tally.segments),
        }
    }

    /// Writes what is pending, a frame a write. Who calls it wakes those who wait once the file's lock is released.
    pub(super) fn write(&self, file: &mut Active) -> Wrote {
        if file.footing == Footing::Failed {
            return Wrote::Failed;
        }
        // What comes meanwhile is for the next: whoever appends sees to it.
        let mut frames = 1;
        while frames > 0 {
            let mut frame = {
                let mut pending = self.pending.lock();
                let Some(bytes) = pending.next_bytes() else {
                    break;
                };
                if bytes > file.room() {
                    return Wrote::NoRoom;
                }
                frames = pending.whole.len();
                let frame = pending.take(&mut file.spare);
                self.pending_bytes.store(pending.bytes, Ordering::Relaxed);
                frame
            };
            if let Err(error) = self.write_frame(file, &mut frame) {
                self.fail(file, "written to", &error);
                return Wrote::Failed;
            }
            if frame.capacity() <= SPARE_BYTES_MAX || file.spare.is_empty() {
                frame.truncate(FRAME_HEADER);
                frame.shrink_to(SPARE_BYTES_MAX);
                file.spare = frame;
            }
        }
        Wrote::All
    }

    fn write_frame(&self, file: &mut Active, frame: &mut [u8]) -> io::Result<()> {
        self.seal.close(frame, file.written, file.durable);
        let watch = Stopwatch::start();
        file.handle.write_at(file.offset, frame)?;
        let elapsed = watch.elapsed();
        self.tally.write.took(elapsed);
        count(&self.tally.writes);
        if elapsed > SLOW {
            file.slow_since = Some(Stopwatch::start());
            self.is_slow.store(true, Ordering::Relaxed);
        }
        file.offset += frame.len() as u64;
        file.written = file.written.plus((frame.len() - FRAME_HEADER) as u64);
        self.mark(file);
        Ok(())
    }

    /// Publishes how far the file is.
    pub(super) fn mark(&self, file: &Active) {
        self.room.store(file.room(), Ordering::Relaxed);
        let reached = match self.options.level {
            Level::Memory => u64::MAX,
            // After a failure what was written since the last sync may be lost from the kernel, too.
            Level::Process if file.footing == Footing::Sound => file.written.get(),
            Level::Process | Level::Power => file.durable.get(),
        };
        // Release: pairs with the acquire in `reached`. Only who holds the lock of the file stores it.
        let before = self.reached.swap(reached, Ordering::Release);
        let is_stalled = self.refusing.load(Ordering::Relaxed) & STALLED != 0;
        if is_stalled && (reached > before || file.written == self.position()) {
            self.refusing.fetch_and(!STALLED, Ordering::Relaxed);
            tracing::info!("the disk has taken more of the journal");
        }
    }

    /// Wakes those whose position has been reached. Not under the lock of the file: waking may take a while.
    pub(super) fn wake(&self) {
        let refusing = self.refusing.load(Ordering::Acquire);
        if refusing & (FAILED | CLOSED) != 0 {
            self.waiting.all();
        }
        let reached = self.reached.load(Ordering::Acquire);
        self.waiting.reached(Position::new(reached));
    }

    /// Nothing is acknowledged any more that is not known to be durable.
    #[cold]
    pub(super) fn fail(&self, file: &mut Active, what: &str, error: &io::Error) {
        file.footing = Footing::Failed;
        // Release: pairs with the acquire in `hopeless`.
        self.refusing.fetch_or(FAILED, Ordering::Release);
        self.mark(file);
        count(&self.tally.failures);
        let segment = super::segment::name(file.first);
        let durable = file.durable.get();
        tracing::error!(%segment, durable, "the journal cannot be {what}: {error}: refusing changes");
    }

    /// Empties what is pending, because a snapshot will hold it; says where it ends.
    pub(super) fn drop_pending(&self) -> Position {
        let mut pending = self.pending.lock();
        let (end, last_at) = (pending.end, pending.last_at);
        *pending = Pending::new(end, last_at);
        self.pending_bytes.store(0, Ordering::Relaxed);
        end
    }

    /// Lets threads that decide write again, once the disk has been quick for long enough.
    pub(super) fn forget_slowness(&self, file: &mut Active) {
        if file
            .slow_since
            .is_some_and(|since| since.elapsed() > SLOW_FOR)
        {
            file.slow_since = None;
            self.is_slow.store(false, Ordering::Relaxed);
        }
    }
}

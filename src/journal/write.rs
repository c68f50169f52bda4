//! Writing: what is pending becomes a frame of the active segment, and what that promises is published.
//!
//! Invariant: what is published never holds a position that its level does not; a failure takes back what only the kernel
//! had. Absent on purpose: room, and syncing; see `upkeep`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::entry::Position;
use super::frame::{FRAME_HEADER, SEGMENT_HEADER};
use super::log::{CLOSED, FAILED, Log, STALLED};
use super::pending::{Pending, empty_frame};
use super::segment::name;
use super::status::{Level, count};
use super::storage::StoredFile;
use crate::clock::Stopwatch;

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

impl Active {
    pub(super) fn new(handle: Arc<dyn StoredFile>, first: Position, allocated: u64) -> Self {
        Self {
            handle,
            first,
            offset: SEGMENT_HEADER as u64,
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

/// After a write that took so long, threads that decide leave writing to the scribe …
const SLOW: Duration = Duration::from_millis(10);
/// … for so long.
const SLOW_FOR: Duration = Duration::from_secs(1);
/// A buffer that has grown beyond this is not kept.
const SPARE_BYTES_MAX: usize = 1024 * 1024;

impl Log {
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
                frames = pending.whole();
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
        // Relaxed: figures for people, and a hint.
        self.room.store(file.room(), Ordering::Relaxed);
        self.written.store(file.written.get(), Ordering::Relaxed);
        self.durable.store(file.durable.get(), Ordering::Relaxed);
        let reached = match self.options.level {
            Level::Memory => u64::MAX,
            // After a failure what was written since the last sync may be lost from the kernel, too.
            Level::Process if file.footing == Footing::Sound => file.written.get(),
            Level::Process | Level::Power => file.durable.get(),
        };
        // Release: pairs with the acquire in `reached`. Only who holds the lock of the file stores it.
        let before = self.reached.swap(reached, Ordering::Release);
        let is_stalled = self.refusing.load(Ordering::Relaxed) & STALLED != 0;
        let done = match self.options.level {
            Level::Power => file.durable,
            Level::Process | Level::Memory => file.written,
        };
        if is_stalled && (reached > before || done == self.position()) {
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
        let segment = name(file.first);
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

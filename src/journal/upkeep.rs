//! What is done behind the journal's writers, step by step: writing what nobody has, syncing, making room, changing
//! segments.
//!
//! Invariants: only who holds `upkeep` allocates, syncs and changes segments; a file whose sync has failed is never synced
//! again; nothing in a segment counts as durable before all segments before it, and its name, are. Absent on purpose: when
//! steps are taken.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::entry::Position;
use super::frame::{FRAME_HEADER, SegmentHeader};
use super::log::{CLOSED, FULL, Log};
use super::segment::{NEXT, name};
use super::status::count;
use super::storage::{Storage, StoredFile};
use super::write::{Active, Footing, Wrote};
use crate::clock::Stopwatch;

/// How long the slowest write is told of, at least.
const TURN: Duration = Duration::from_secs(5);

/// What belongs to whoever does the upkeep.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// Room for the segment to come, under its own name.
    pub(super) next: Option<Arc<dyn StoredFile>>,
    /// Segments that are no longer written to, and not yet finished.
    pub(super) retired: Vec<Retired>,
    /// Where every segment on the disk begins.
    pub(super) segments: Vec<Position>,
    /// Whether the directory has to be synced.
    pub(super) is_unnamed: bool,
    /// Up to where the files are synced; the promises made are in [`Active::durable`].
    pub(super) synced: Position,
    /// Whether it has been said that there is no next segment.
    is_next_missing: bool,
    turn: Stopwatch,
}

#[derive(Debug)]
pub(super) struct Retired {
    handle: Arc<dyn StoredFile>,
    first: Position,
    offset: u64,
    end: Position,
    is_synced: bool,
}

impl Upkeep {
    pub(super) fn new(segments: Vec<Position>, synced: Position) -> Self {
        Self {
            next: None,
            retired: Vec::new(),
            segments,
            is_unnamed: false,
            synced,
            is_next_missing: false,
            turn: Stopwatch::start(),
        }
    }
}

impl Log {
    /// A step of the upkeep: what is pending is written and made durable, then there is room made for more.
    pub fn step(&self) {
        let mut upkeep = self.upkeep.lock();
        if self.is_closed() {
            return;
        }
        self.write_and_sync(&mut upkeep);
        self.make_room(&mut upkeep);
        if self.is_due(self.options.ahead_bytes) {
            let _ = self.prepare(&mut upkeep);
        }
        if self.is_due(0) && upkeep.next.is_some() {
            let _ = self.switch(&mut upkeep);
        }
        self.finish(&mut upkeep);
        self.forget_slowness(&mut self.file.lock());
        if upkeep.turn.elapsed() > TURN {
            upkeep.turn = Stopwatch::start();
            self.tally.write.turn();
            self.tally.sync.turn();
        }
    }

    /// Begins a new segment at the present position, and returns it: all that was appended before is in earlier segments,
    /// and durable. For a snapshot, which is what replay begins at.
    pub fn rotate(&self) -> io::Result<Position> {
        let mut upkeep = self.upkeep.lock();
        if self.is_closed() {
            return Err(self.broken());
        }
        let first = self.switch(&mut upkeep)?;
        if !self.sync(&mut upkeep) {
            return Err(self.broken());
        }
        self.finish(&mut upkeep);
        Ok(first)
    }

    /// Makes durable what was appended before a position: a snapshot that has seen it must not be there without it.
    pub fn make_durable(&self, position: Position) -> io::Result<()> {
        let mut upkeep = self.upkeep.lock();
        self.write_and_sync(&mut upkeep);
        if upkeep.synced >= position {
            Ok(())
        } else {
            Err(self.broken())
        }
    }

    /// Removes segments that are wholly before a position: those that a durable snapshot of that position replaces.
    pub fn forget_before(&self, position: Position) -> io::Result<()> {
        let gone = {
            let mut upkeep = self.upkeep.lock();
            let active = self.file.lock().first;
            let mut firsts = upkeep.segments.clone();
            firsts.sort_unstable();
            // A segment ends where the next one begins.
            let followed = firsts.iter().zip(firsts.iter().skip(1));
            let gone = followed.filter(|(first, next)| **next <= position && **first != active);
            let gone: Vec<Position> = gone.map(|(first, _)| *first).collect();
            upkeep.retired.retain(|it| !gone.contains(&it.first));
            gone
        };
        // Without the lock: it may take a while. From the first on: what is left has no gap.
        for first in gone {
            match self.storage.remove(&name(first)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut upkeep = self.upkeep.lock();
            upkeep.segments.retain(|it| *it != first);
            self.count_segments(&upkeep);
        }
        self.storage.sync_dir()
    }

    pub(super) fn write_and_sync(&self, upkeep: &mut Upkeep) {
        let wrote = self.write(&mut self.file.lock());
        self.wake();
        if wrote == Wrote::NoRoom {
            self.make_room(upkeep);
            self.write(&mut self.file.lock());
            self.wake();
        }
        self.sync(upkeep);
    }

    /// Makes durable what has been written, from the oldest segment on. Not under the file's lock: others go on writing.
    fn sync(&self, upkeep: &mut Upkeep) -> bool {
        let (handle, written, footing) = {
            let file = self.file.lock();
            if file.footing == Footing::Failed {
                return false;
            }
            if file.written == upkeep.synced && !upkeep.is_unnamed {
                return true;
            }
            (Arc::clone(&file.handle), file.written, file.footing)
        };
        let watch = Stopwatch::start();
        let synced = sync_all(&*self.storage, upkeep, &*handle);
        self.tally.sync.took(watch.elapsed());
        count(&self.tally.syncs);
        let mut file = self.file.lock();
        if let Err(error) = synced {
            self.fail(&mut file, "synced", &error);
        } else {
            upkeep.synced = written;
            // A write may have failed meanwhile; what was synced before it is still good. Not so while the files are founded:
            // what lies before them is not there yet.
            if footing == Footing::Sound {
                file.durable = written;
                self.mark(&file);
            }
        }
        let is_sound = file.footing != Footing::Failed;
        drop(file);
        self.wake();
        is_sound
    }

    /// Keeps room ahead of the writers, or says that the disk is full.
    fn make_room(&self, _: &mut Upkeep) {
        let ahead = self.options.ahead_bytes;
        let (handle, allocated, wanted) = {
            let file = self.file.lock();
            if file.footing == Footing::Failed {
                return;
            }
            let wanted = ahead.max(self.pending.lock().frames_bytes());
            let wanted = wanted.saturating_sub(file.room());
            (Arc::clone(&file.handle), file.allocated, wanted)
        };
        let more = wanted.div_ceil(ahead.max(1)).saturating_mul(ahead);
        let room = if more == 0 {
            Ok(())
        } else {
            handle.allocate(allocated, more)
        };
        let is_full = self.refusing.load(Ordering::Relaxed) & FULL != 0;
        match room {
            Ok(()) => {
                let mut file = self.file.lock();
                file.allocated = allocated.saturating_add(more);
                self.mark(&file);
                drop(file);
                if is_full {
                    self.refusing.fetch_and(!FULL, Ordering::Relaxed);
                    tracing::info!("there is room for the journal again");
                }
            }
            Err(error) if !is_full => {
                self.refusing.fetch_or(FULL, Ordering::Relaxed);
                tracing::error!("no room for the journal: {error}: refusing what adds");
            }
            Err(_) => {}
        }
    }

    /// Whether the active segment will be full after so many bytes more.
    fn is_due(&self, after: u64) -> bool {
        let file = self.file.lock();
        file.footing == Footing::Sound
            && file.offset.saturating_add(after) >= self.options.segment_bytes
    }

    /// Room for the segment to come, so that beginning it takes no time.
    pub(super) fn prepare(&self, upkeep: &mut Upkeep) -> io::Result<()> {
        if upkeep.next.is_some() {
            return Ok(());
        }
        let next = create(&*self.storage, self.options.ahead_bytes);
        match &next {
            Err(error) if !upkeep.is_next_missing => {
                tracing::warn!("no room for a new segment, this one goes on: {error}");
            }
            _ => {}
        }
        upkeep.is_next_missing = next.is_err();
        upkeep.next = Some(next?);
        Ok(())
    }

    /// Begins the next segment behind all that is pending, unless the present one has nothing yet.
    fn switch(&self, upkeep: &mut Upkeep) -> io::Result<Position> {
        self.prepare(upkeep)?;
        let mut tries = 0;
        let mut file = loop {
            let mut file = self.file.lock();
            match self.write(&mut file) {
                // Others append meanwhile: it may take more than one.
                Wrote::NoRoom if tries < 5 => drop(file),
                Wrote::NoRoom => return Err(io::ErrorKind::StorageFull.into()),
                Wrote::All if file.footing == Footing::Sound => break file,
                Wrote::All | Wrote::Failed => return Err(self.broken()),
            }
            tries += 1;
            self.make_room(upkeep);
        };
        let first = file.written;
        let switched = if file.first == first {
            Ok(())
        } else {
            self.begin_next(upkeep, &mut file, first)
        };
        drop(file);
        self.wake();
        switched.map(|()| first)
    }

    fn begin_next(
        &self,
        upkeep: &mut Upkeep,
        file: &mut Active,
        first: Position,
    ) -> io::Result<()> {
        let Some(next) = upkeep.next.take() else {
            return Err(self.broken());
        };
        let header = SegmentHeader {
            set: self.set,
            first,
            durable: file.durable,
        };
        if let Err(error) = next.write_at(0, &header.encode()) {
            // It goes on in the present one, whose promises are untouched.
            let _ = self.storage.remove(NEXT);
            return Err(error);
        }
        if let Err(error) = self.storage.rename(NEXT, &name(first)) {
            // Whether it has its name now is not known, and a file of that name must not stay beside this one.
            self.fail(file, "continued in a new segment", &error);
            return Err(error);
        }
        let mut active = Active::new(next, first, self.options.ahead_bytes);
        active.durable = file.durable;
        let old = std::mem::replace(file, active);
        upkeep.retired.push(Retired {
            handle: old.handle,
            first: old.first,
            offset: old.offset,
            end: old.written,
            is_synced: false,
        });
        upkeep.segments.push(first);
        upkeep.is_unnamed = true;
        self.mark(file);
        self.count_segments(upkeep);
        Ok(())
    }

    /// Ends the segments that are no longer written to, once all in them is durable.
    pub(super) fn finish(&self, upkeep: &mut Upkeep) {
        let (done, rest) = std::mem::take(&mut upkeep.retired)
            .into_iter()
            .partition(|retired| retired.is_synced);
        upkeep.retired = rest;
        for retired in done {
            let ended = self.end_segment(&*retired.handle, retired.offset, retired.end);
            if let Err(error) = ended {
                self.fail(&mut self.file.lock(), "finished", &error);
                self.wake();
            }
        }
    }

    /// Writes the closing frame of a segment of which all is durable, and cuts it there.
    pub(super) fn end_segment(
        &self,
        handle: &dyn StoredFile,
        offset: u64,
        end: Position,
    ) -> io::Result<()> {
        handle.write_at(offset, &self.seal.closing(end, end))?;
        handle.truncate(offset.saturating_add(FRAME_HEADER as u64))?;
        handle.sync()
    }

    pub(super) fn is_closed(&self) -> bool {
        // Relaxed: set and read under the lock of the upkeep.
        self.refusing.load(Ordering::Relaxed) & CLOSED != 0
    }

    pub(super) fn broken(&self) -> io::Error {
        io::Error::other(format!("the journal is {}", self.state().name()))
    }

    pub(super) fn count_segments(&self, upkeep: &Upkeep) {
        let segments = upkeep.segments.len() as u64;
        self.tally.segments.store(segments, Ordering::Relaxed);
    }
}

/// A file with room, and no name that means anything.
pub(super) fn create(storage: &dyn Storage, ahead_bytes: u64) -> io::Result<Arc<dyn StoredFile>> {
    match storage.remove(NEXT) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = storage.create(NEXT)?;
    let ready = file.allocate(0, ahead_bytes).and_then(|()| file.sync());
    if ready.is_err() {
        // The room that it may have is given back; if it cannot be, the next attempt tries again.
        let _ = storage.remove(NEXT);
    }
    ready.map(|()| file)
}

fn sync_all(storage: &dyn Storage, upkeep: &mut Upkeep, active: &dyn StoredFile) -> io::Result<()> {
    for retired in upkeep.retired.iter_mut().filter(|it| !it.is_synced) {
        retired.handle.sync()?;
        retired.is_synced = true;
    }
    if upkeep.is_unnamed {
        storage.sync_dir()?;
        upkeep.is_unnamed = false;
    }
    active.sync()
}

//! A journal is opened, founded anew after a failure, and closed.
//!
//! Invariant: nothing is acknowledged on files of which it is not known what they hold: opening makes durable what was
//! read, and after a failure only a snapshot of all that memory holds lets the journal go on. Absent on purpose: making
//! the snapshot.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::entry::{Position, SetId};
use super::frame::SegmentHeader;
use super::log::{CLOSED, FAILED, Log, Options};
use super::read::{Found, ReadError, cut};
use super::segment::{NEXT, name};
use super::status::{Reason, Unavailable};
use super::storage::{Storage, StoredFile};
use super::upkeep::{Upkeep, create};
use super::write::{Active, Footing};
use crate::time::Timestamp;

impl Log {
    /// The journal as it was read, to be gone on with: its torn tail is cut, and a new segment is begun.
    pub fn open(
        storage: Arc<dyn Storage>,
        found: &Found,
        options: Options,
    ) -> Result<Self, ReadError> {
        cut(&*storage, found)?;
        let set = found.set.unwrap_or_else(SetId::random);
        let first = found.end;
        let file = name(first);
        let begun = begin(&*storage, set, first, options.ahead_bytes);
        let handle = begun.map_err(|error| ReadError::Begin { file, error })?;
        let listed = found.older.iter();
        let listed = listed.chain(found.segments.iter().map(|(segment, _)| segment));
        let mut segments: Vec<_> = listed.map(|segment| segment.first).collect();
        segments.retain(|other| *other != first);
        segments.push(first);
        let upkeep = Upkeep::new(segments, first);
        let active = Active::new(handle, first, options.ahead_bytes);
        let last_at = found.last_at.unwrap_or(Timestamp::MIN);
        let log = Self::assemble(storage, set, options, upkeep, active, last_at);
        log.count_segments(&log.upkeep.lock());
        Ok(log)
    }

    /// After a failure: begins a new segment where the last entry ends, and returns that position. What was pending is
    /// dropped, for the owner's snapshot from that position on will hold it. Nothing is taken or acknowledged until
    /// [`refounded`](Self::refounded) says that the snapshot is durable. An error leaves all as it was; try again later.
    pub fn refound(&self) -> io::Result<Position> {
        let mut upkeep = self.upkeep.lock();
        if self.is_closed() {
            return Err(self.broken());
        }
        // Room first: a disk without any leaves all as it was.
        self.prepare(&mut upkeep)?;
        let mut file = self.file.lock();
        if file.footing == Footing::Sound {
            return Err(io::Error::other("the journal has not failed"));
        }
        file.footing = Footing::Failed;
        let first = self.drop_pending();
        let Some(handle) = upkeep.next.take() else {
            return Err(self.broken());
        };
        let header = SegmentHeader {
            set: self.set,
            first,
            durable: file.durable,
        };
        drop(file);
        handle.write_at(0, &header.encode())?;
        handle.sync()?;
        self.storage.rename(NEXT, &name(first))?;
        self.storage.sync_dir()?;
        file = self.file.lock();
        let durable = file.durable;
        *file = Active::new(handle, first, self.options.ahead_bytes);
        file.durable = durable;
        file.footing = Footing::Founding;
        self.mark(&file);
        // What was written before is left to the snapshot.
        upkeep.retired.clear();
        upkeep.segments.retain(|other| *other != first);
        upkeep.segments.push(first);
        upkeep.synced = first;
        upkeep.is_unnamed = false;
        self.count_segments(&upkeep);
        tracing::warn!(position = first.get(), "the journal is founded anew");
        Ok(first)
    }

    /// The owner's snapshot of the position that [`refound`](Self::refound) gave is durable: all is taken again, and
    /// acknowledged. An error if there was another failure meanwhile.
    pub fn refounded(&self) -> Result<(), Unavailable> {
        let upkeep = self.upkeep.lock();
        let mut file = self.file.lock();
        match file.footing {
            Footing::Failed => return Err(Reason::Failed.into()),
            Footing::Sound => return Ok(()),
            Footing::Founding => {}
        }
        file.footing = Footing::Sound;
        file.durable = upkeep.synced;
        self.mark(&file);
        // After the mark: who is let in finds what it relies on.
        self.refusing.fetch_and(!FAILED, Ordering::Release);
        drop(file);
        self.wake();
        tracing::info!("the journal takes changes again");
        Ok(())
    }

    /// Writes and syncs all, and ends the journal in good order. Appends that come later are lost.
    pub fn close(&self) -> io::Result<()> {
        let mut upkeep = self.upkeep.lock();
        if self.is_closed() {
            return Ok(());
        }
        self.write_and_sync(&mut upkeep);
        self.finish(&mut upkeep);
        let mut file = self.file.lock();
        self.refusing.fetch_or(CLOSED, Ordering::Release);
        let is_whole = file.written == self.position() && upkeep.synced == file.written;
        if file.footing == Footing::Sound && is_whole {
            let end = file.written;
            let closed = self.end_segment(&*file.handle, file.offset, end);
            if let Err(error) = &closed {
                self.fail(&mut file, "closed", error);
            }
            file.allocated = 0;
        }
        let is_sound = file.footing == Footing::Sound && is_whole;
        drop(file);
        self.wake();
        if is_sound { Ok(()) } else { Err(self.broken()) }
    }
}

/// A segment to begin with, durable in every part.
pub(super) fn begin(
    storage: &dyn Storage,
    set: SetId,
    first: Position,
    ahead_bytes: u64,
) -> io::Result<Arc<dyn StoredFile>> {
    let file = create(storage, ahead_bytes)?;
    let header = SegmentHeader {
        set,
        first,
        durable: first,
    };
    file.write_at(0, &header.encode())?;
    file.sync()?;
    storage.rename(NEXT, &name(first))?;
    storage.sync_dir()?;
    Ok(file)
}

//! Making a damaged journal readable again, at the price of what lies behind the damage.
//!
//! What lies behind is not replayed, though some of it may be valid: facts build on those before them, and the state at the
//! damage is the last one that ever was. Invariant: nothing is lost; files are set aside under another name before theirs
//! is given to what was kept. Absent on purpose: repair of entries.

use std::io;
use std::sync::Arc;

use super::entry::{Position, SetId};
use super::frame::{SEGMENT_HEADER, SegmentHeader};
use super::lifecycle::begin;
use super::read::{Ending, ReadError, Tear, cut, read};
use super::search::{Behind, Later};
use super::segment::{self, Segment};
use super::storage::{Storage, StoredFile};

/// The name of what is being copied.
const COPY: &str = "journal-salvaged.tmp";

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Salvaged {
    /// There was nothing to do.
    Nothing,
    /// A torn tail was cut, as a start would have.
    Cut(Tear),
    /// The journal ends at the damage now.
    Ended {
        /// The segment with the damage.
        file: String,
        /// Where in it.
        offset: u64,
        /// Where the last entry that was kept ends.
        position: Position,
        /// Valid frames behind the damage.
        frames: u64,
        /// The entries in them, which are given up.
        entries: u64,
        /// What the files were renamed to.
        set_aside: Vec<String>,
    },
}

/// Cuts the journal where it is damaged. What is behind is counted, and kept aside. Other errors than damage are returned.
pub fn salvage(
    storage: &dyn Storage,
    from: Position,
    set: Option<SetId>,
) -> Result<Salvaged, ReadError> {
    let mut known = set;
    let found = read(storage, from, set, &mut |_| Ok(()), &mut |_, _| {});
    let (file, offset, position) = match found {
        Ok(found) => {
            return match &found.ending {
                Ending::Torn(tear) => {
                    cut(storage, &found)?;
                    Ok(Salvaged::Cut(tear.clone()))
                }
                Ending::Closed | Ending::Open => Ok(Salvaged::Nothing),
            };
        }
        Err(ReadError::Damaged {
            file,
            offset,
            position,
            ..
        }) => (file, offset, position),
        Err(error) => return Err(error),
    };
    let in_dir = |error| ReadError::io("the data directory")(error);
    let segments = segment::list(storage).map_err(in_dir)?;
    let behind = segments.iter().position(|one| one.name() == file);
    let (_, behind) = segments.split_at(behind.unwrap_or(0));
    if known.is_none() {
        known = segments.iter().find_map(|one| set_of(storage, one));
    }
    let mut counted = (0, 0);
    if let Some(set) = known {
        let from = Behind {
            storage,
            set,
            reached: position,
        };
        let count = |later: Later| {
            counted = (counted.0 + 1, counted.1 + later.entries);
            true
        };
        from.walk(offset, behind, count)
            .map_err(ReadError::io(&file))?;
    }
    let set_aside = end_there(storage, offset, behind).map_err(ReadError::io(&file))?;
    // A snapshot that lies beyond what was kept is gone on from.
    let again = read(storage, from, known, &mut |_| Ok(()), &mut |_, _| {});
    if let (Err(ReadError::Damaged { .. }), Some(set)) = (again, known) {
        begin(storage, set, from, SEGMENT_HEADER as u64).map_err(ReadError::io(&file))?;
    }
    let (frames, entries) = counted;
    Ok(Salvaged::Ended {
        file,
        offset,
        position,
        frames,
        entries,
        set_aside,
    })
}

fn set_of(storage: &dyn Storage, segment: &Segment) -> Option<SetId> {
    let mut bytes = [0; SEGMENT_HEADER];
    let file = storage.open(&segment.name()).ok()?;
    file.read_at(0, &mut bytes).ok()?;
    SegmentHeader::decode(&bytes).ok().map(|header| header.set)
}

/// Keeps the first of these segments up to an offset, and sets all of them aside as they were.
fn end_there(storage: &dyn Storage, offset: u64, segments: &[Segment]) -> io::Result<Vec<String>> {
    let Some((first, later)) = segments.split_first() else {
        return Ok(Vec::new());
    };
    let name = first.name();
    let aside = free_name(storage, &name)?;
    let damaged = storage.open(&name)?;
    copy(&*damaged, &*create(storage, COPY)?, offset)?;
    copy(&*damaged, &*storage.create(&aside)?, first.bytes)?;
    storage.sync_dir()?;
    let mut set_aside = Vec::new();
    // From the last on, and the damaged one at the end: if this ends early, what can be read stays the same.
    for segment in later.iter().rev() {
        let to = free_name(storage, &segment.name())?;
        storage.rename(&segment.name(), &to)?;
        set_aside.push(to);
    }
    storage.sync_dir()?;
    storage.rename(COPY, &name)?;
    // A segment whose header is damaged has nothing that can be kept.
    if offset == 0 {
        storage.remove(&name)?;
    }
    storage.sync_dir()?;
    set_aside.push(aside);
    set_aside.reverse();
    Ok(set_aside)
}

fn create(storage: &dyn Storage, name: &str) -> io::Result<Arc<dyn StoredFile>> {
    match storage.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => storage.create(name),
    }
}

fn copy(from: &dyn StoredFile, to: &dyn StoredFile, bytes: u64) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut offset = 0;
    while offset < bytes {
        let rest = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
        let wanted = rest.min(buffer.len());
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        let read = from.read_at(offset, part)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_at(offset, part.get(..read).unwrap_or_default())?;
        offset += read as u64;
    }
    to.sync()
}

fn free_name(storage: &dyn Storage, name: &str) -> io::Result<String> {
    let taken = storage.list()?;
    let names = (1..).map(|n| match n {
        1 => format!("{name}.damaged"),
        n => format!("{name}.damaged-{n}"),
    });
    let mut free = names.filter(|name| !taken.iter().any(|file| file.name == *name));
    Ok(free.next().unwrap_or_default())
}

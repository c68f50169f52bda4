//! A snapshot read back.
//!
//! Invariant: all of it is read and right, or nothing is used. Absent on purpose: what has happened since; see `recovery`.

use std::collections::HashMap;

use super::block::{Magic, Reader, SnapshotError, Tag};
use super::files;
use crate::id::SdkAppId;
use crate::journal::{Position, SetId, Storage};
use crate::usage::{Malformed, Restoring};

/// What a snapshot begins with.
pub(super) const MAGIC: Magic = *b"QGSNAPSH";
/// The kinds of its blocks.
pub(super) const HEAD: u8 = 1;
pub(super) const USERS: u8 = 2;
pub(super) const GROUPS: u8 = 3;

/// What is in a snapshot.
pub(crate) struct Loaded {
    /// Which data set it belongs to.
    pub(crate) set: SetId,
    /// The facts of every app in it, to be brought up to date.
    pub(crate) apps: HashMap<SdkAppId, Restoring>,
    /// Where the journal was when its last part was taken: all before that was durable before the snapshot counted.
    pub(crate) seen: Position,
}

/// Reads the snapshot that the journal goes on from at `base`; the facts of `only` one app, if it is named. `progress` is told how
/// many bytes have been read of how many.
pub(crate) fn load(
    storage: &dyn Storage,
    base: Position,
    only: Option<SdkAppId>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Loaded, SnapshotError> {
    let mut reader = open(storage, base)?;
    let mut apps: HashMap<SdkAppId, Restoring> = HashMap::new();
    let (format, bytes, mut seen) = (reader.format, reader.bytes, base);
    loop {
        let offset = reader.place();
        progress(offset, bytes);
        let Some((tag, body)) = reader.next()? else {
            break;
        };
        seen = seen.max(tag.position);
        if only.is_some_and(|only| only.get() != tag.app) {
            continue;
        }
        if let Err(malformed) = take_in(&mut apps, format, tag, body) {
            return Err(reader.damaged(offset, &malformed.to_string()));
        }
    }
    Ok(Loaded {
        set: reader.set,
        apps,
        seen,
    })
}

/// Which data set the snapshot of that position belongs to.
pub(crate) fn set_of(storage: &dyn Storage, base: Position) -> Result<SetId, SnapshotError> {
    Ok(open(storage, base)?.set)
}

/// Up to where a snapshot needs the journal: where that was when its last part was taken. Reads all of it.
pub(crate) fn seen_by(storage: &dyn Storage, base: Position) -> Result<Position, SnapshotError> {
    let mut reader = open(storage, base)?;
    let mut seen = base;
    while let Some((tag, _)) = reader.next()? {
        seen = seen.max(tag.position);
    }
    Ok(seen)
}

fn open(storage: &dyn Storage, base: Position) -> Result<Reader, SnapshotError> {
    let reader = Reader::open(storage, &files::snapshot(base), MAGIC)?;
    if reader.base != base {
        return Err(reader.damaged(24, "its name is that of another snapshot"));
    }
    Ok(reader)
}

fn take_in(
    apps: &mut HashMap<SdkAppId, Restoring>,
    format: u32,
    tag: Tag,
    body: &[u8],
) -> Result<(), Malformed> {
    let id = SdkAppId::new(tag.app).map_err(|_| Malformed::of("it is of app 0"))?;
    let position = tag.position.get();
    if tag.kind == HEAD {
        let before = apps.insert(id, Restoring::begin(format, body, position)?);
        return match before {
            None => Ok(()),
            Some(_) => Err(Malformed::of("an app has two heads")),
        };
    }
    let app = apps
        .get_mut(&id)
        .ok_or(Malformed::of("an app has no head"))?;
    match tag.kind {
        USERS => app.users(tag.first, body, position),
        GROUPS => app.groups(tag.first, body, position),
        _ => Err(Malformed::of("there is no such kind of block")),
    }
}

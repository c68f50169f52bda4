//! The files of snapshots in a data directory, by their names.

use std::io;

use crate::journal::{Position, Storage};

/// A snapshot's name while it is written.
pub(super) const NEXT: &str = "snapshot-next.tmp";
/// A names file's name while it is written.
pub(super) const NEXT_NAMES: &str = "names-next.tmp";

const SNAPSHOT: (&str, &str) = ("snapshot-", ".qgs");
const NAMES: (&str, &str) = ("names-", ".qgn");

/// The name of the snapshot that the journal goes on from at a position.
pub(crate) fn snapshot(base: Position) -> String {
    format!("{}{base}{}", SNAPSHOT.0, SNAPSHOT.1)
}

/// The name of its names file.
pub(crate) fn names(base: Position) -> String {
    format!("{}{base}{}", NAMES.0, NAMES.1)
}

fn position(name: &str, (before, after): (&str, &str)) -> Option<Position> {
    let digits = name.strip_prefix(before)?.strip_suffix(after)?;
    let is_written_so = digits.len() == 16 && !digits.bytes().any(|byte| byte.is_ascii_uppercase());
    let number = u64::from_str_radix(digits, 16).ok()?;
    is_written_so.then_some(Position::new(number))
}

/// The snapshots in a directory.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Where the journal goes on from each snapshot, ascending; the last one is in force.
    pub(crate) snapshots: Vec<Position>,
    /// Bytes of the last one.
    pub(crate) bytes: u64,
}

impl Files {
    /// Lists them.
    pub(crate) fn list(storage: &dyn Storage) -> io::Result<Self> {
        let mut found = Vec::new();
        for stored in storage.list()? {
            if let Some(base) = position(&stored.name, SNAPSHOT) {
                found.push((base, stored.bytes));
            }
        }
        found.sort_unstable();
        Ok(Self {
            bytes: found.last().map_or(0, |(_, bytes)| *bytes),
            snapshots: found.into_iter().map(|(base, _)| base).collect(),
        })
    }
}

/// Removes every snapshot but one, and what is left of those that were not finished.
pub(crate) fn forget_others(storage: &dyn Storage, kept: Option<Position>) -> io::Result<()> {
    let mut removed = false;
    for stored in storage.list()? {
        let base = position(&stored.name, SNAPSHOT).or_else(|| position(&stored.name, NAMES));
        let is_unfinished = stored.name == NEXT || stored.name == NEXT_NAMES;
        if is_unfinished || base.is_some_and(|base| Some(base) != kept) {
            storage.remove(&stored.name)?;
            removed = true;
        }
    }
    if removed { storage.sync_dir() } else { Ok(()) }
}

//! Entries, and where they stand: the bytes that the frames of the journal hold.
//!
//! Invariant: entries that are read are whole, of a real app, and end where their frame ends. Absent on purpose: what the
//! records say.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use crate::id::SdkAppId;
use crate::time::Timestamp;

/// Most bytes of records of one entry.
pub const RECORDS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of an entry before its records.
pub(super) const ENTRY_HEADER: usize = 16;

/// A place in the journal: how many bytes of entries there are before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position(u64);

/// Which data set a file belongs to: a number drawn when its directory was founded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SetId(u64);

/// What was appended at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Whose it is.
    pub app: SdkAppId,
    /// When.
    pub at: Timestamp,
    /// Where it ends.
    pub end: Position,
    /// What happened.
    pub records: &'a [u8],
}

impl Position {
    /// The beginning.
    pub const START: Self = Self(0);

    /// After so many bytes of entries.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// How many bytes of entries there are before it.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// So many bytes later. The end of numbers is beyond any disk.
    #[must_use]
    pub const fn plus(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl SetId {
    /// A new one, which nobody can guess.
    pub fn random() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    /// The one with that number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// How many bytes of the journal so many bytes of records take.
#[inline]
pub(super) const fn entry_bytes(records: &[u8]) -> usize {
    ENTRY_HEADER + records.len()
}

/// Adds an entry's bytes.
#[inline]
pub(super) fn encode(into: &mut Vec<u8>, app: SdkAppId, at: Timestamp, records: &[u8]) {
    let bytes = u32::try_from(records.len()).expect("bounded before it is appended");
    let mut header = [0; ENTRY_HEADER];
    let fields = app.get().to_le_bytes().into_iter();
    let fields = fields.chain(at.as_unix_ms().to_le_bytes());
    let fields = fields.chain(bytes.to_le_bytes());
    header
        .iter_mut()
        .zip(fields)
        .for_each(|(to, from)| *to = from);
    into.extend_from_slice(&header);
    into.extend_from_slice(records);
}

/// The entries of a frame, one after the other; an error once what is there is no entry.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    rest: &'a [u8],
    position: Position,
}

/// What is there is no entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NoEntry;

impl<'a> Entries<'a> {
    pub(super) const fn new(bytes: &'a [u8], position: Position) -> Self {
        Self {
            rest: bytes,
            position,
        }
    }

    fn take(&mut self) -> Option<Entry<'a>> {
        let (app, rest) = self.rest.split_first_chunk()?;
        let (at, rest) = rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_first_chunk()?;
        let app = SdkAppId::new(u32::from_le_bytes(*app)).ok()?;
        let ms = i64::from_le_bytes(*at);
        let at = Timestamp::from_unix_ms_saturating(ms);
        let bytes = usize::try_from(u32::from_le_bytes(*bytes)).ok()?;
        let (records, rest) = rest.split_at_checked(bytes)?;
        if at.as_unix_ms() != ms || bytes > RECORDS_BYTES_MAX {
            return None;
        }
        self.rest = rest;
        self.position = self.position.plus(entry_bytes(records) as u64);
        Some(Entry {
            app,
            at,
            end: self.position,
            records,
        })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, NoEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.take().ok_or(NoEntry);
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(bytes: &[u8]) -> Vec<Result<Entry<'_>, NoEntry>> {
        Entries::new(bytes, Position::new(100)).collect()
    }

    #[test]
    fn entries_come_back_and_a_part_of_one_is_none() {
        let app = SdkAppId::new(7).unwrap();
        let at = Timestamp::from_unix_ms_saturating(1_700_000_000_123);
        let mut bytes = Vec::new();
        encode(&mut bytes, app, at, b"one");
        encode(&mut bytes, app, at, b"");

        let entry = |end, records| {
            let end = Position::new(end);
            Ok(Entry {
                app,
                at,
                end,
                records,
            })
        };
        let whole = [entry(119, b"one".as_slice()), entry(135, b"")];
        assert_eq!(entries(&bytes), whole);
        for cut in 1..bytes.len() {
            let found = entries(&bytes[..cut]);
            let whole_ones = whole.iter().take(usize::from(cut >= 19)).copied();
            let expected = whole_ones.chain((cut != 19).then_some(Err(NoEntry)));
            assert_eq!(found, expected.collect::<Vec<_>>(), "cut at {cut}");
        }
        let no_app = [&[0; 4], &bytes[4..]].concat();
        assert_eq!(entries(&no_app), [Err(NoEntry)]);
    }
}

//! Names files: the ids of the users and groups in a snapshot, which memory does not hold.
//!
//! Names are ascending by app, users before groups, and slot, so that those of a snapshot and those born since are merged as
//! they are read. Invariant: no more than a block is held. Absent on purpose: which slots are filled; the images of the
//! snapshot say.

use std::io;

use super::births::Births;
use super::block::{Magic, Reader, SnapshotError, Tag, Writer};
use super::files;
use crate::id::{ID_BYTES_MAX, SdkAppId};
use crate::journal::{Position, SetId, Storage};
use crate::usage::Bearer;

/// What a names file begins with.
const MAGIC: Magic = *b"QGNAMES1";
/// The kinds of its blocks.
const USERS: u8 = 1;
const GROUPS: u8 = 2;
/// A block of so many bytes is followed by another.
const BLOCK_BYTES: usize = 64 << 10;

/// Whose name it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) app: SdkAppId,
    pub(crate) bearer: Bearer,
    pub(crate) slot: u32,
}

/// Writes a names file.
pub(super) struct NamesWriter {
    writer: Writer,
    base: Position,
    block: Vec<u8>,
    /// Whose the first name of the block is.
    first: Option<Place>,
}

impl NamesWriter {
    pub(super) fn create(
        storage: &dyn Storage,
        name: &str,
        set: SetId,
        base: Position,
    ) -> io::Result<Self> {
        Ok(Self {
            writer: Writer::create(storage, name, MAGIC, set, base)?,
            base,
            block: Vec::with_capacity(BLOCK_BYTES + ID_BYTES_MAX),
            first: None,
        })
    }

    /// Appends a name. They come in their order.
    fn put(&mut self, place: Place, text: &str) -> io::Result<()> {
        let fits = |first: Place| (first.app, first.bearer) == (place.app, place.bearer);
        if !self.first.is_some_and(fits) || self.block.len() >= BLOCK_BYTES {
            self.end_block()?;
            self.first = Some(place);
        }
        let too_long = |_| io::Error::other("an id has more than 255 bytes");
        let length = u8::try_from(text.len()).map_err(too_long)?;
        self.block.extend(place.slot.to_le_bytes());
        self.block.push(length);
        self.block.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        if let Some(first) = self.first.take() {
            let tag = Tag {
                kind: match first.bearer {
                    Bearer::User => USERS,
                    Bearer::Group => GROUPS,
                },
                app: first.app.get(),
                position: self.base,
                first: first.slot,
            };
            self.writer.block(tag, &self.block)?;
            self.block.clear();
        }
        Ok(())
    }

    /// Ends the file: it is whole and durable, but for its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.end_block()?;
        self.writer.finish().map(drop)
    }
}

/// Reads a names file.
pub(crate) struct NamesReader {
    reader: Reader,
    block: Vec<u8>,
    /// Where in the file the block is, and where in the block reading stands.
    offset: u64,
    at: usize,
    /// Whose names the block has.
    whose: Option<(SdkAppId, Bearer)>,
    last: Option<Place>,
}

impl NamesReader {
    /// Opens the names file of a snapshot of a data set.
    pub(crate) fn open(
        storage: &dyn Storage,
        base: Position,
        set: SetId,
    ) -> Result<Self, SnapshotError> {
        let name = files::names(base);
        let reader = match Reader::open(storage, &name, MAGIC) {
            Err(SnapshotError::Io { file, error }) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SnapshotError::Damaged {
                    file,
                    offset: 0,
                    what: "it is not there, though its snapshot is".to_owned(),
                });
            }
            opened => opened?,
        };
        if reader.set != set {
            return Err(reader.damaged(16, "it is of another data set than its snapshot"));
        }
        if reader.base != base {
            return Err(reader.damaged(24, "its name is that of another names file"));
        }
        Ok(Self {
            reader,
            block: Vec::new(),
            offset: 0,
            at: 0,
            whose: None,
            last: None,
        })
    }

    /// The next name; nothing at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(Place, &str)>, SnapshotError> {
        while self.at == self.block.len() {
            if !self.next_block()? {
                return Ok(None);
            }
        }
        let Some((place, length)) = self.head() else {
            return Err(self.reader.damaged(self.offset, "a name is cut off"));
        };
        if self.last.is_some_and(|last| last >= place) {
            return Err(self
                .reader
                .damaged(self.offset, "names are not in their order"));
        }
        self.last = Some(place);
        let start = self.at + 5;
        self.at = start + length;
        let text = self.block.get(start..self.at).map(std::str::from_utf8);
        match text {
            Some(Ok(text)) => Ok(Some((place, text))),
            _ => Err(self.reader.damaged(self.offset, "a name is no text")),
        }
    }

    fn head(&self) -> Option<(Place, usize)> {
        let (slot, rest) = self.block.get(self.at..)?.split_first_chunk()?;
        let (length, rest) = rest.split_first()?;
        let length = usize::from(*length);
        let (app, bearer) = self.whose?;
        let slot = u32::from_le_bytes(*slot);
        let place = Place { app, bearer, slot };
        let is_id = (1..=ID_BYTES_MAX).contains(&length) && length <= rest.len();
        is_id.then_some((place, length))
    }

    fn next_block(&mut self) -> Result<bool, SnapshotError> {
        self.offset = self.reader.place();
        self.block.clear();
        self.at = 0;
        let Some((tag, body)) = self.reader.next()? else {
            return Ok(false);
        };
        self.block.extend_from_slice(body);
        let bearer = match tag.kind {
            USERS => Some(Bearer::User),
            GROUPS => Some(Bearer::Group),
            _ => None,
        };
        self.whose = SdkAppId::new(tag.app).ok().zip(bearer);
        match self.whose {
            Some(_) => Ok(true),
            None => Err(self.reader.damaged(self.offset, "there is no such block")),
        }
    }
}

/// The names of a names file, if there is one, and those born since, in their order.
pub(crate) struct Names {
    file: Option<NamesReader>,
    births: Births,
    /// The next birth.
    at: usize,
    /// The next name of the file: whose, and its text.
    ahead: Option<Place>,
    ahead_text: String,
}

impl Names {
    pub(crate) fn new(file: Option<NamesReader>, births: Births) -> Result<Self, SnapshotError> {
        let mut names = Self {
            file,
            births,
            at: 0,
            ahead: None,
            ahead_text: String::new(),
        };
        names.read_ahead()?;
        Ok(names)
    }

    /// Takes the next name, and answers whose it is.
    pub(crate) fn next(&mut self, text: &mut String) -> Result<Option<Place>, SnapshotError> {
        let born = self.births.get(self.at);
        let place = match (self.ahead, born) {
            (Some(old), Some((born, _))) => Some(old.min(born)),
            (old, born) => old.or(born.map(|(place, _)| place)),
        };
        match place {
            Some(place) => {
                self.seek(place, text)?;
                Ok(Some(place))
            }
            None => Ok(None),
        }
    }

    /// Moves on to that place, and takes its name; false if it has none. Places come in their order.
    pub(super) fn seek(&mut self, place: Place, text: &mut String) -> Result<bool, SnapshotError> {
        text.clear();
        while self.ahead.is_some_and(|ahead| ahead <= place) {
            if self.ahead == Some(place) {
                std::mem::swap(text, &mut self.ahead_text);
            }
            self.read_ahead()?;
        }
        while let Some((born, name)) = self.births.get(self.at).filter(|born| born.0 <= place) {
            if born == place {
                // Later than what the file has.
                text.clear();
                text.push_str(name);
            }
            self.at += 1;
        }
        Ok(!text.is_empty())
    }

    fn read_ahead(&mut self) -> Result<(), SnapshotError> {
        self.ahead_text.clear();
        let next = match &mut self.file {
            Some(file) => file.next()?,
            None => None,
        };
        self.ahead = next.map(|(place, text)| {
            self.ahead_text.push_str(text);
            place
        });
        Ok(())
    }
}

/// Writes the names of a snapshot that is being taken, slot by slot as its images are.
pub(super) struct Naming {
    names: Names,
    writer: NamesWriter,
    text: String,
    /// Filled slots whose names are in none of what was read.
    pub(super) unknown: u64,
}

impl Naming {
    pub(super) const fn new(names: Names, writer: NamesWriter) -> Self {
        Self {
            names,
            writer,
            text: String::new(),
            unknown: 0,
        }
    }

    /// Writes the names of the filled slots from a place on.
    pub(super) fn slots(&mut self, mut place: Place, filled: &[bool]) -> io::Result<()> {
        for is_filled in filled {
            if *is_filled {
                let sought = self.names.seek(place, &mut self.text);
                if sought.map_err(io::Error::other)? {
                    self.writer.put(place, &self.text)?;
                } else {
                    self.unknown += 1;
                }
            }
            place.slot += 1;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Directory;

    #[test]
    fn names_are_read_as_they_were_written_and_those_of_empty_slots_go() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Directory::new(dir.path());
        let (set, base) = (SetId::new(7), Position::new(9));
        let place = |slot| Place {
            app: SdkAppId::new(1).unwrap(),
            bearer: Bearer::User,
            slot,
        };
        // More than a block.
        let id = |slot: u32| format!("{slot}-{}", "x".repeat(100));
        let mut writer = NamesWriter::create(&storage, &files::names(base), set, base).unwrap();
        (0..2_000).for_each(|slot| writer.put(place(slot), &id(slot)).unwrap());
        writer.finish().unwrap();
        let open = |set, base| NamesReader::open(&storage, base, set);
        let mut reader = open(set, base).unwrap();
        for slot in 0..2_000 {
            let (found, text) = reader.next().unwrap().unwrap();
            assert_eq!((found, text), (place(slot), id(slot).as_str()));
        }
        assert_eq!(reader.next().unwrap(), None);
        assert!(open(SetId::new(8), base).is_err(), "another data set");
        assert!(open(set, Position::new(10)).is_err(), "not there");

        let names = Names::new(Some(open(set, base).unwrap()), Births::default()).unwrap();
        let (next, then) = ("next", Position::new(20));
        let writer = NamesWriter::create(&storage, next, set, then).unwrap();
        let mut naming = Naming::new(names, writer);
        let filled: Vec<_> = (0..2_002).map(|slot| slot % 3 > 0).collect();
        naming.slots(place(0), &filled).unwrap();
        assert_eq!(naming.unknown, 1, "one was never told");
        naming.finish().unwrap();
        storage.rename(next, &files::names(then)).unwrap();
        let mut names = Names::new(Some(open(set, then).unwrap()), Births::default()).unwrap();
        let (mut text, mut found) = (String::new(), Vec::new());
        while let Some(place) = names.next(&mut text).unwrap() {
            assert_eq!(text, id(place.slot));
            found.push(place.slot);
        }
        let kept: Vec<_> = (0..2_000).filter(|slot| slot % 3 > 0).collect();
        assert_eq!(found, kept);
    }
}

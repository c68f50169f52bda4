//! Files of blocks: a header, blocks with checksums, and a last one that says how many there were.
//!
//! Invariant: a file that reads to its end is whole, and is what was written; what is wrong is said with file and offset, and
//! no bytes make this panic or take more memory than the file has. Absent on purpose: what is in the blocks.

use std::io;
use std::sync::Arc;

use crate::journal::{Position, SetId, Storage, StoredFile};

/// Version of the format that is written; those before are read, too.
pub(super) const FORMAT: u32 = 2;
const FILE_HEADER: usize = 64;
const BLOCK_HEADER: usize = 32;
/// The kind of the last block.
const END: u8 = 0;
/// Bytes that are written between two syncs: one for all at the end would hold up the journal's.
const SYNC_BYTES: u64 = 16 << 20;
/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// What a kind of file begins with.
pub(super) type Magic = [u8; 8];

/// What stands before a block's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tag {
    /// What the block holds; not 0.
    pub(super) kind: u8,
    /// Of which app.
    pub(super) app: u32,
    /// Where the journal was when it was taken.
    pub(super) position: Position,
    /// The first slot in it.
    pub(super) first: u32,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk does not answer.
    #[error("{file}: cannot be read: {error}: see to the disk, then start again")]
    Io {
        /// The file.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// A later version has written it.
    #[error(
        "{file}: has format {format}, this program knows {FORMAT}: use the version that wrote it; nothing was changed"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its format.
        format: u32,
    },
    /// It is not what was written.
    #[error("{file}: damaged at byte {offset}: {what}: restore a backup of the directory")]
    Damaged {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
}

impl SnapshotError {
    pub(super) fn io(file: &str) -> impl FnOnce(io::Error) -> Self {
        |error| Self::Io {
            file: file.to_owned(),
            error,
        }
    }
}

/// Writes a file.
pub(super) struct Writer {
    file: Arc<dyn StoredFile>,
    set: SetId,
    piece_bytes: usize,
    buffer: Vec<u8>,
    written: u64,
    unsynced: u64,
    blocks: u64,
}

impl Writer {
    /// Begins a new file, of a state that the journal goes on from at `base`.
    pub(super) fn create(
        storage: &dyn Storage,
        name: &str,
        magic: Magic,
        set: SetId,
        base: Position,
    ) -> io::Result<Self> {
        let piece_bytes = storage.piece_bytes();
        let mut header = Vec::with_capacity(piece_bytes.saturating_mul(2));
        header.extend(magic);
        header.extend(FORMAT.to_le_bytes());
        header.extend([0; 4]);
        header.extend(set.get().to_le_bytes());
        header.extend(base.get().to_le_bytes());
        header.resize(FILE_HEADER - 4, 0);
        header.extend(crc32c::crc32c(&header).to_le_bytes());
        Ok(Self {
            file: storage.create(name)?,
            set,
            piece_bytes,
            buffer: header,
            written: 0,
            unsynced: 0,
            blocks: 0,
        })
    }

    /// Appends a block.
    pub(super) fn block(&mut self, tag: Tag, body: &[u8]) -> io::Result<()> {
        let too_long = |_| io::Error::other("a block has more than 4 GiB");
        let bytes = u32::try_from(body.len()).map_err(too_long)?;
        let mut rest = Vec::with_capacity(BLOCK_HEADER - 8);
        rest.extend([tag.kind, 0, 0, 0]);
        rest.extend(tag.app.to_le_bytes());
        rest.extend(tag.position.get().to_le_bytes());
        rest.extend(tag.first.to_le_bytes());
        rest.extend([0; 4]);
        self.buffer.extend(bytes.to_le_bytes());
        self.buffer
            .extend(checksum(self.set, bytes, &rest, body).to_le_bytes());
        self.buffer.extend(rest);
        self.buffer.extend_from_slice(body);
        self.blocks += 1;
        if self.buffer.len() >= self.piece_bytes {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the file: it is whole and durable, but for its name. Answers its length.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        let tag = Tag {
            kind: END,
            app: 0,
            position: Position::START,
            first: 0,
        };
        let blocks = self.blocks.to_le_bytes();
        self.block(tag, &blocks)?;
        self.flush()?;
        self.file.sync()?;
        Ok(self.written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(self.written, &self.buffer)?;
        let bytes = self.buffer.len() as u64;
        self.written += bytes;
        self.unsynced += bytes;
        self.buffer.clear();
        if self.unsynced >= SYNC_BYTES {
            self.file.sync()?;
            self.unsynced = 0;
        }
        Ok(())
    }
}

/// The checksum of a block: of the data set's number, then of all of the block but the checksum itself.
fn checksum(set: SetId, bytes: u32, rest: &[u8], body: &[u8]) -> u32 {
    let start = crc32c::crc32c(&set.get().to_le_bytes());
    let length = crc32c::crc32c_append(start, &bytes.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(length, rest), body)
}

/// Reads a file.
pub(super) struct Reader {
    file: Arc<dyn StoredFile>,
    name: String,
    /// The version of its format.
    pub(super) format: u32,
    /// Which data set it belongs to.
    pub(super) set: SetId,
    /// Where the journal goes on from its state.
    pub(super) base: Position,
    /// How long it is.
    pub(super) bytes: u64,
    /// Read ahead; `at` is where in it reading stands, `offset` where in the file it begins.
    buffer: Vec<u8>,
    at: usize,
    offset: u64,
    blocks: u64,
}

impl Reader {
    /// Opens a file of a kind.
    pub(super) fn open(
        storage: &dyn Storage,
        name: &str,
        magic: Magic,
    ) -> Result<Self, SnapshotError> {
        let file = storage.open(name).map_err(SnapshotError::io(name))?;
        let bytes = file.bytes().map_err(SnapshotError::io(name))?;
        let mut reader = Self {
            file,
            name: name.to_owned(),
            format: 0,
            set: SetId::new(0),
            base: Position::START,
            bytes,
            buffer: Vec::new(),
            at: 0,
            offset: 0,
            blocks: 0,
        };
        let header = reader.take(FILE_HEADER)?.to_vec();
        let number = |at: usize| {
            header
                .get(at..at + 4)
                .and_then(|it| it.first_chunk().copied())
        };
        let long = |at: usize| {
            header
                .get(at..at + 8)
                .and_then(|it| it.first_chunk().copied())
        };
        let stored = number(FILE_HEADER - 4).map(u32::from_le_bytes);
        let computed = header.get(..FILE_HEADER - 4).map(crc32c::crc32c);
        if !header.starts_with(&magic) || stored != computed {
            return Err(reader.damaged(0, "it does not begin as such a file does"));
        }
        match number(8).map(u32::from_le_bytes) {
            Some(format @ 1..=FORMAT) => reader.format = format,
            Some(format) if format > FORMAT => {
                return Err(SnapshotError::Newer {
                    file: reader.name,
                    format,
                });
            }
            _ => return Err(reader.damaged(8, "there is no such format")),
        }
        reader.set = SetId::new(long(16).map_or(0, u64::from_le_bytes));
        reader.base = Position::new(long(24).map_or(0, u64::from_le_bytes));
        Ok(reader)
    }

    /// The next block; nothing at the end, which is where it should be.
    pub(super) fn next(&mut self) -> Result<Option<(Tag, &[u8])>, SnapshotError> {
        let offset = self.place();
        let header = self.take(BLOCK_HEADER)?;
        let Some(([length, stored], rest)) = split(header) else {
            return Err(self.damaged(offset, "a block is cut off"));
        };
        let Some(tag) = tag(&rest) else {
            return Err(self.damaged(offset, "a block is cut off"));
        };
        let set = self.set;
        let body = self.take(length as usize)?;
        if checksum(set, length, &rest, body) != stored {
            return Err(self.damaged(offset, "a block's checksum is wrong"));
        }
        if tag.kind == END {
            let counted = body.first_chunk().copied().map(u64::from_le_bytes);
            if counted != Some(self.blocks) || self.place() != self.bytes {
                return Err(self.damaged(offset, "it ends where it should not"));
            }
            return Ok(None);
        }
        self.blocks += 1;
        // Taken again, so that only this borrow lasts.
        let body = self.buffer.get(self.at - length as usize..self.at);
        Ok(body.map(|body| (tag, body)))
    }

    /// How far it has been read.
    pub(super) fn place(&self) -> u64 {
        self.offset + self.at as u64
    }

    pub(super) fn damaged(&self, offset: u64, what: &str) -> SnapshotError {
        SnapshotError::Damaged {
            file: self.name.clone(),
            offset,
            what: what.to_owned(),
        }
    }

    /// The next bytes, all of them.
    fn take(&mut self, bytes: usize) -> Result<&[u8], SnapshotError> {
        let left = self.bytes.saturating_sub(self.place());
        if (bytes as u64) > left {
            return Err(self.damaged(self.place(), "it is cut off"));
        }
        if self.buffer.len() - self.at < bytes {
            self.buffer.drain(..self.at);
            self.offset += self.at as u64;
            self.at = 0;
            let have = self.buffer.len();
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            self.buffer.resize(bytes.max(READ_BYTES).min(most), 0);
            let mut filled = have;
            while filled < self.buffer.len() {
                let into = self.buffer.get_mut(filled..).unwrap_or_default();
                let read = self.file.read_at(self.offset + filled as u64, into);
                match read.map_err(SnapshotError::io(&self.name))? {
                    0 => return Err(self.damaged(self.offset + filled as u64, "it is cut off")),
                    read => filled += read,
                }
            }
        }
        self.at += bytes;
        let taken = self.buffer.get(self.at - bytes..self.at);
        Ok(taken.unwrap_or_default())
    }
}

/// A block's length and checksum, and the rest of its header.
fn split(header: &[u8]) -> Option<([u32; 2], [u8; BLOCK_HEADER - 8])> {
    let (length, rest) = header.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    let numbers = [length, checksum].map(|bytes| u32::from_le_bytes(*bytes));
    Some((numbers, *rest.first_chunk()?))
}

fn tag(rest: &[u8; BLOCK_HEADER - 8]) -> Option<Tag> {
    let ([kind, ..], rest) = rest.split_first_chunk::<4>()?;
    let (app, rest) = rest.split_first_chunk()?;
    let (position, rest) = rest.split_first_chunk()?;
    Some(Tag {
        kind: *kind,
        app: u32::from_le_bytes(*app),
        position: Position::new(u64::from_le_bytes(*position)),
        first: u32::from_le_bytes(*rest.first_chunk()?),
    })
}

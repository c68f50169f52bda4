//! Reading the journal from a position on, and telling its end from a torn tail and from damage.
//!
//! Invariant: entries are handed on in order, each once, none twice or after a gap; memory is bounded by one frame; no bytes
//! make this panic. Reading changes nothing; [`cut`] does. Absent on purpose: what the records mean.

use std::error::Error;
use std::io;

use super::entry::{Entries, Entry, Position, SetId};
use super::frame::{
    Body, FRAME_HEADER, FrameHeader, NoHeader, SEGMENT_HEADER, Seal, SegmentHeader,
};
use super::search::{Behind, Later};
use super::segment::{self, Segment};
use super::storage::Storage;
use super::window::Window;
use crate::time::Timestamp;

/// What has been read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Which data set it is; none if there is no segment yet.
    pub set: Option<SetId>,
    /// Where the last entry ends.
    pub end: Position,
    /// Up to where the frames themselves say that it was durable.
    pub durable: Position,
    /// When the last entry was appended.
    pub last_at: Option<Timestamp>,
    /// Entries from the position on that was asked for.
    pub entries: u64,
    /// Frames read.
    pub frames: u64,
    /// The segments that were read, and how much of each is used.
    pub segments: Vec<(Segment, u64)>,
    /// Segments before those.
    pub older: Vec<Segment>,
    /// How it ends.
    pub ending: Ending,
}

/// How the journal ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It was closed in good order.
    Closed,
    /// It was not closed, and nothing lies behind its end.
    Open,
    /// What lies behind its end was never durable.
    Torn(Tear),
}

/// A torn tail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tear {
    /// The segment that ends in it.
    pub file: String,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes of that file it takes, but for zeros at its end.
    pub bytes: u64,
    /// Segments that lie behind it.
    pub later: Vec<Segment>,
}

/// Why the journal cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk does not answer.
    #[error("{file}: cannot be read: {error}: see to the disk, then start again")]
    Io {
        /// The file, or the directory.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// No segment can be begun to go on in.
    #[error(
        "{file}: cannot be begun: {error}: make room on the disk, or see to it, then start again; nothing is lost"
    )]
    Begin {
        /// The segment.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// A later version has written it.
    #[error(
        "{file}: has format {format}, this program knows 1: use the version that wrote it; nothing was changed"
    )]
    Newer {
        /// The segment.
        file: String,
        /// Its format.
        format: u32,
    },
    /// It belongs elsewhere.
    #[error(
        "{file}: is of another data set, or has another segment's name: take it out of the directory, or give it its name back"
    )]
    Foreign {
        /// The segment.
        file: String,
    },
    /// What was durable is not there.
    #[error(
        "{file}: damaged at byte {offset}: entries from position {position} on are missing, though {proof}: \
             restore a backup, or run `quotagate journal salvage DIR`, which keeps what lies before"
    )]
    Damaged {
        /// The segment.
        file: String,
        /// Where in it.
        offset: u64,
        /// The last position that can be read.
        position: Position,
        /// How that is known.
        proof: String,
    },
    /// Whoever reads refuses an entry.
    #[error(
        "{file}: the entry that ends at position {end}, in the frame at byte {offset}, cannot be used: {error}"
    )]
    Refused {
        /// The segment.
        file: String,
        /// Where the entry's frame is.
        offset: u64,
        /// Where the entry ends.
        end: Position,
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
}

impl ReadError {
    pub(super) fn io(file: &str) -> impl FnOnce(io::Error) -> Self {
        |error| Self::Io {
            file: file.to_owned(),
            error,
        }
    }
}

/// What is done with an entry.
type Visit<'v> = dyn FnMut(&Entry<'_>) -> Result<(), Box<dyn Error + Send + Sync>> + 'v;

/// Reads from a position on. The data set is that of the first segment unless the caller knows it, from a snapshot say.
/// `progress` is told now and then how many bytes have been read of how many.
pub fn read(
    storage: &dyn Storage,
    from: Position,
    set: Option<SetId>,
    visit: &mut Visit<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found, ReadError> {
    read_until(storage, from, set, None, visit, progress)
}

/// The same as far as a position where a frame ends, and not a byte further: of a journal that is being written to.
pub fn read_until(
    storage: &dyn Storage,
    from: Position,
    set: Option<SetId>,
    until: Option<Position>,
    visit: &mut Visit<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found, ReadError> {
    let mut segments = segment::list(storage).map_err(ReadError::io("the data directory"))?;
    let start = segments.partition_point(|segment| segment.first <= from);
    let Some(start) = start.checked_sub(1) else {
        return match segments.first() {
            None if from == Position::START => Ok(Found::nothing(set)),
            first => Err(missing(from, first)),
        };
    };
    let wanted = segments.split_off(start);
    let all_bytes = wanted.iter().map(|segment| segment.bytes).sum();
    let mut found = Found::nothing(set);
    found.older = segments;
    found.end = wanted.first().map_or(from, |segment| segment.first);
    let reading = Reading {
        storage,
        from,
        until,
        found,
        visit,
        progress,
        done_bytes: 0,
        all_bytes,
    };
    reading.run(&wanted)
}

fn missing(from: Position, first: Option<&Segment>) -> ReadError {
    let (file, proof) = match first {
        Some(first) => (first.name(), "this is the first segment".to_owned()),
        None => {
            let proof = "there is a snapshot that the journal goes on from".to_owned();
            (segment::name(from), proof)
        }
    };
    ReadError::Damaged {
        file,
        offset: 0,
        position: from,
        proof,
    }
}

impl Found {
    const fn nothing(set: Option<SetId>) -> Self {
        Self {
            set,
            end: Position::START,
            durable: Position::START,
            last_at: None,
            entries: 0,
            frames: 0,
            segments: Vec::new(),
            older: Vec::new(),
            ending: Ending::Open,
        }
    }
}

struct Reading<'r, 'v> {
    storage: &'r dyn Storage,
    from: Position,
    until: Option<Position>,
    found: Found,
    visit: &'r mut Visit<'v>,
    progress: &'r mut dyn FnMut(u64, u64),
    done_bytes: u64,
    all_bytes: u64,
}

/// Where reading a segment has ended.
#[derive(Clone, Copy, Debug)]
struct Stop {
    offset: u64,
    is_closed: bool,
}

impl Reading<'_, '_> {
    fn run(mut self, segments: &[Segment]) -> Result<Found, ReadError> {
        let mut rest = segments;
        while let Some((segment, later)) = rest.split_first() {
            let stop = self.segment(segment)?;
            self.found.segments.push((*segment, stop.offset));
            if self.is_far_enough() {
                return Ok(self.found);
            }
            let next = later.iter().position(|next| next.first == self.found.end);
            let Some(next) = next else {
                return self.conclude(stop, rest);
            };
            let (passed, on) = later.split_at(next);
            passed.iter().try_for_each(|one| self.is_empty(one))?;
            rest = on;
        }
        Ok(self.found)
    }

    fn is_far_enough(&self) -> bool {
        self.until.is_some_and(|until| self.found.end >= until)
    }

    /// Reads a segment as far as it is valid.
    fn segment(&mut self, segment: &Segment) -> Result<Stop, ReadError> {
        let file = segment.name();
        let mut window = Window::open(self.storage, &file).map_err(ReadError::io(&file))?;
        let mut stop = Stop {
            offset: 0,
            is_closed: false,
        };
        let Some(seal) = self.header(segment, &mut window)? else {
            return Ok(stop);
        };
        stop.offset = SEGMENT_HEADER as u64;
        while !stop.is_closed && !self.is_far_enough() {
            let Some(header) = self.frame(&mut window, seal, &file, stop.offset)? else {
                break;
            };
            self.found.frames += 1;
            self.found.durable = self.found.durable.max(header.durable);
            self.found.end = header.end();
            stop.is_closed = header.body == Body::Closing;
            stop.offset += (FRAME_HEADER + header.body_bytes()) as u64;
            (self.progress)(self.done_bytes.saturating_add(stop.offset), self.all_bytes);
        }
        self.done_bytes = self.done_bytes.saturating_add(segment.bytes);
        Ok(stop)
    }

    /// What the checksums of a segment begin with; none if its header is not valid.
    fn header(
        &mut self,
        segment: &Segment,
        window: &mut Window,
    ) -> Result<Option<Seal>, ReadError> {
        let file = segment.name();
        let bytes = window.at(0, SEGMENT_HEADER).map_err(ReadError::io(&file))?;
        let header = match SegmentHeader::decode(bytes) {
            Ok(header) => header,
            Err(NoHeader::Newer(format)) => return Err(ReadError::Newer { file, format }),
            Err(NoHeader::Invalid) => return Ok(None),
        };
        let set = *self.found.set.get_or_insert(header.set);
        if header.set != set || header.first != segment.first {
            return Err(ReadError::Foreign { file });
        }
        self.found.durable = self.found.durable.max(header.durable);
        Ok(Some(Seal::new(set)))
    }

    /// The frame there, if it is valid, its entries handed on.
    fn frame(
        &mut self,
        window: &mut Window,
        seal: Seal,
        file: &str,
        offset: u64,
    ) -> Result<Option<FrameHeader>, ReadError> {
        let bytes = window
            .at(offset, FRAME_HEADER)
            .map_err(ReadError::io(file))?;
        let Some(header) = FrameHeader::decode(bytes) else {
            return Ok(None);
        };
        let body = offset + FRAME_HEADER as u64;
        if header.position != self.found.end || window.rest(body) < header.body_bytes() as u64 {
            return Ok(None);
        }
        let entries = window.at(body, header.body_bytes());
        let entries = entries.map_err(ReadError::io(file))?;
        if !header.is_sealed(seal, entries) {
            return Ok(None);
        }
        // Before any is handed on: a frame is used whole or not at all.
        if Entries::new(entries, header.position).any(|entry| entry.is_err()) {
            let proof = "the frame there has the right checksum, and no entries".to_owned();
            return Err(self.damaged(file, offset, proof));
        }
        for entry in Entries::new(entries, header.position).flatten() {
            self.entry(&entry, file, offset)?;
        }
        Ok(Some(header))
    }

    fn entry(&mut self, entry: &Entry<'_>, file: &str, offset: u64) -> Result<(), ReadError> {
        self.found.last_at = self.found.last_at.max(Some(entry.at));
        if entry.end <= self.from {
            return Ok(());
        }
        self.found.entries += 1;
        (self.visit)(entry).map_err(|error| ReadError::Refused {
            file: file.to_owned(),
            offset,
            end: entry.end,
            error,
        })
    }

    /// A segment that others have passed: one that was begun and given up before anything was written to it.
    fn is_empty(&self, segment: &Segment) -> Result<(), ReadError> {
        let file = segment.name();
        let mut window = Window::open(self.storage, &file).map_err(ReadError::io(&file))?;
        let first = window.at(SEGMENT_HEADER as u64, FRAME_HEADER);
        let first = FrameHeader::decode(first.map_err(ReadError::io(&file))?);
        if first.is_some_and(|header| header.body != Body::Closing) {
            let proof = "the segment before goes on beyond its beginning".to_owned();
            return Err(self.damaged(&file, SEGMENT_HEADER as u64, proof));
        }
        Ok(())
    }

    /// No segment begins where the last one has ended: is it the end, a torn tail, or damage?
    fn conclude(mut self, stop: Stop, rest: &[Segment]) -> Result<Found, ReadError> {
        let (segment, later) = rest.split_first().expect("the one that was read");
        let file = segment.name();
        let reached = self.found.end;
        if reached < self.from {
            let proof = format!("a snapshot was made at position {}", self.from);
            return Err(self.damaged(&file, stop.offset, proof));
        }
        let is_first = self.found.segments.len() == 1;
        let begun = self.found.set.filter(|_| !is_first || stop.offset > 0);
        let Some(set) = begun else {
            let proof = "a first segment is made durable before anything is written to it";
            return Err(self.damaged(&file, stop.offset, proof.to_owned()));
        };
        let behind = Behind {
            storage: self.storage,
            set,
            reached,
        };
        let proof = behind
            .proof(stop.offset, rest)
            .map_err(ReadError::io(&file))?;
        if let Some(Later {
            file: by,
            offset,
            durable,
            ..
        }) = proof
        {
            let proof = format!("{by}, byte {offset}, says that all was durable up to {durable}");
            return Err(self.damaged(&file, stop.offset, proof));
        }
        let end = self.end_of_bytes(&file, stop.offset)?;
        let is_bare = later.is_empty() && end <= stop.offset && stop.offset > 0;
        self.found.ending = match stop {
            Stop {
                is_closed: true, ..
            } if is_bare => Ending::Closed,
            _ if is_bare => Ending::Open,
            Stop { offset, .. } => Ending::Torn(Tear {
                file,
                offset,
                bytes: end.saturating_sub(offset),
                later: later.to_vec(),
            }),
        };
        Ok(self.found)
    }

    /// Where the last byte from there on ends that is not zero, as room allocated ahead is.
    fn end_of_bytes(&self, file: &str, mut offset: u64) -> Result<u64, ReadError> {
        const STEP: usize = 64 * 1024;
        let mut window = Window::open(self.storage, file).map_err(ReadError::io(file))?;
        let mut end = offset;
        while window.rest(offset) > 0 {
            let piece = window.at(offset, STEP).map_err(ReadError::io(file))?;
            if piece.is_empty() {
                break;
            }
            if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
                end = offset + last as u64 + 1;
            }
            offset += piece.len() as u64;
        }
        Ok(end)
    }

    fn damaged(&self, file: &str, offset: u64, proof: String) -> ReadError {
        ReadError::Damaged {
            file: file.to_owned(),
            offset,
            position: self.found.end,
            proof,
        }
    }
}

/// Takes the torn tail off, and makes durable what was read: what is acted on from now on must not be lost again.
pub fn cut(storage: &dyn Storage, found: &Found) -> Result<(), ReadError> {
    if let Ending::Torn(tear) = &found.ending {
        for segment in &tear.later {
            let name = segment.name();
            storage.remove(&name).map_err(ReadError::io(&name))?;
        }
    }
    for (segment, used) in &found.segments {
        let name = segment.name();
        let file = storage
            .open_to_change(&name)
            .map_err(ReadError::io(&name))?;
        if *used < segment.bytes {
            file.truncate(*used).map_err(ReadError::io(&name))?;
        }
        file.sync().map_err(ReadError::io(&name))?;
    }
    storage
        .sync_dir()
        .map_err(ReadError::io("the data directory"))
}

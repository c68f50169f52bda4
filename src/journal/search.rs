//! What lies behind the place where reading has stopped: does a frame there prove that something durable is missing?
//!
//! Every byte is looked at, whatever stands around it. Invariant: memory is bounded, and so is the time, whatever the bytes
//! are: when checksums have been tried over many times what there is, that counts as a proof, for nothing is then cut.
//! Absent on purpose: what to do about it.

use std::io;

use super::entry::{Entries, Position, SetId};
use super::frame::{Body, FRAME_HEADER, FrameHeader, SEGMENT_HEADER, Seal, SegmentHeader};
use super::segment::Segment;
use super::storage::Storage;
use super::window::Window;

/// How far behind a frame may be and be believed: a tebibyte. It keeps what is no header from being tried as one.
const GAP_BYTES_MAX: u64 = 1 << 40;
/// How many bytes of checksums are tried beyond what there is to read sixteen times.
const TRIED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// What a checksum is computed over at once, and how far headers are looked for in one piece.
const STEP: usize = 64 * 1024;
/// Room that nothing was written to yet.
static ROOM: [u8; STEP] = [0; STEP];

/// A place to search on from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind<'s> {
    pub(super) storage: &'s dyn Storage,
    pub(super) set: SetId,
    /// The position that was reached.
    pub(super) reached: Position,
}

/// A frame behind the place where reading has stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Later {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) durable: Position,
    /// Entries in it.
    pub(super) entries: u64,
}

/// Searches a file from an offset on. `keep_on` is told of each frame that is beyond what was reached, and says whether to
/// search on.
struct Search<'s, F> {
    behind: Behind<'s>,
    file: String,
    window: Window,
    budget: u64,
    keep_on: F,
}

impl Behind<'_> {
    /// The first frame that proves that something durable is missing, in a segment from an offset on or in those after it.
    pub(super) fn proof(self, offset: u64, segments: &[Segment]) -> io::Result<Option<Later>> {
        for segment in segments {
            if let Some(durable) = self.begun(segment)? {
                let file = segment.name();
                return Ok(Some(Later {
                    file,
                    offset: 0,
                    durable,
                    entries: 0,
                }));
            }
        }
        let mut proof = None;
        self.walk(offset, segments, |later| {
            let proves = later.durable > self.reached;
            proof = proves.then_some(later);
            !proves
        })?;
        Ok(proof)
    }

    /// What a segment's own header says was durable, if that is missing.
    fn begun(self, segment: &Segment) -> io::Result<Option<Position>> {
        let mut window = Window::open(self.storage, &segment.name())?;
        let header = SegmentHeader::decode(window.at(0, SEGMENT_HEADER)?);
        let durable = header.ok().filter(|header| header.set == self.set);
        let durable = durable.map(|header| header.durable);
        Ok(durable.filter(|durable| *durable > self.reached))
    }

    /// Every valid frame there, one after the other.
    pub(super) fn walk(
        self,
        mut offset: u64,
        segments: &[Segment],
        mut keep_on: impl FnMut(Later) -> bool,
    ) -> io::Result<()> {
        let bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
        let mut budget = bytes.saturating_mul(16).saturating_add(TRIED_BYTES_MAX);
        for segment in segments {
            let file = segment.name();
            let mut search = Search {
                behind: self,
                window: Window::open(self.storage, &file)?,
                file,
                budget,
                keep_on: &mut keep_on,
            };
            if !search.run(offset)? {
                return Ok(());
            }
            budget = search.budget;
            offset = 0;
        }
        Ok(())
    }
}

impl<F: FnMut(Later) -> bool> Search<'_, F> {
    fn run(&mut self, mut offset: u64) -> io::Result<bool> {
        while self.window.rest(offset) >= FRAME_HEADER as u64 {
            let Some((skipped, header)) = self.candidate(offset)? else {
                offset += (STEP - FRAME_HEADER + 1) as u64;
                continue;
            };
            offset += skipped;
            let bytes = header.body_bytes() as u64;
            if bytes > self.budget {
                let durable = header.durable.max(self.behind.reached.plus(1));
                let untried = self.later(offset, durable, 0);
                return Ok((self.keep_on)(untried));
            }
            self.budget -= bytes;
            if !self.is_sealed(&header, offset + FRAME_HEADER as u64)? {
                offset += 1;
                continue;
            }
            let entries = self.entries(&header, offset + FRAME_HEADER as u64)?;
            let later = self.later(offset, header.durable, entries);
            if !(self.keep_on)(later) {
                return Ok(false);
            }
            offset += FRAME_HEADER as u64 + bytes;
        }
        Ok(true)
    }

    fn later(&self, offset: u64, durable: Position, entries: u64) -> Later {
        Later {
            file: self.file.clone(),
            offset,
            durable,
            entries,
        }
    }

    /// The next bytes that can be a header, in one piece of the file, and how far on they are.
    fn candidate(&mut self, offset: u64) -> io::Result<Option<(u64, FrameHeader)>> {
        let reached = self.behind.reached;
        let rest = self.window.rest(offset);
        let piece = self.window.at(offset, STEP)?;
        // Most of what is searched after a kill; no header is all zeros.
        if ROOM.starts_with(piece) {
            return Ok(None);
        }
        let headers = piece.windows(FRAME_HEADER).zip(0_u64..);
        let mut likely = headers.filter_map(|(bytes, skipped)| {
            let header = FrameHeader::decode(bytes)?;
            let gap = header.position.get().checked_sub(reached.get())?;
            let room = rest - skipped - FRAME_HEADER as u64;
            let fits = header.body_bytes() as u64 <= room && gap <= GAP_BYTES_MAX;
            fits.then_some((skipped, header))
        });
        Ok(likely.next())
    }

    /// Whether the entries that begin there have the header's checksum. They are not held all at once: most are none.
    fn is_sealed(&mut self, header: &FrameHeader, mut offset: u64) -> io::Result<bool> {
        let mut checksum = header.begin(Seal::new(self.behind.set));
        let mut rest = header.body_bytes();
        while rest > 0 {
            let part = self.window.at(offset, rest.min(STEP))?;
            if part.is_empty() {
                return Ok(false);
            }
            checksum = crc32c::crc32c_append(checksum, part);
            rest -= part.len();
            offset += part.len() as u64;
        }
        Ok(header.has(checksum))
    }

    fn entries(&mut self, header: &FrameHeader, offset: u64) -> io::Result<u64> {
        if header.body == Body::Closing {
            return Ok(0);
        }
        let bytes = self.window.at(offset, header.body_bytes())?;
        let entries = Entries::new(bytes, header.position);
        Ok(entries.flatten().fold(0, |count, _| count + 1))
    }
}

//! The headers of segments and frames, as bytes; the module's own header has them byte by byte.
//!
//! Invariant: a header that is read has the right checksum, or is said not to be valid; no bytes make this panic.
//! Absent on purpose: where frames follow each other.

use super::entry::{Position, SetId};

/// Version of the format.
const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"QGJOURNL";

/// Bytes of a segment before its frames.
pub(super) const SEGMENT_HEADER: usize = 64;
/// Bytes of a frame before its entries.
pub(super) const FRAME_HEADER: usize = 24;
/// Most bytes of the entries of a frame: what is read at once.
pub(super) const FRAME_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What a closing frame says instead of a length.
const CLOSING: u32 = u32::MAX;

/// What a segment says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentHeader {
    pub(super) set: SetId,
    pub(super) first: Position,
    pub(super) durable: Position,
}

/// Why a segment's header is none that can be read on from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoHeader {
    /// Not whole, or the checksum is wrong.
    Invalid,
    /// Of a later version than this program knows.
    Newer(u32),
}

/// A frame's header, whose checksum has not been compared yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FrameHeader {
    pub(super) body: Body,
    pub(super) position: Position,
    pub(super) durable: Position,
    checksum: u32,
    raw: [u8; FRAME_HEADER],
}

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Body {
    /// So many bytes of entries.
    Entries(usize),
    /// Nothing: it ends its segment.
    Closing,
}

/// What checksums of frames begin with: the data set's number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal(u32);

impl SegmentHeader {
    pub(super) fn encode(self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &FORMAT.to_le_bytes());
        put(&mut bytes, 16, &self.set.get().to_le_bytes());
        put(&mut bytes, 24, &self.first.get().to_le_bytes());
        put(&mut bytes, 32, &self.durable.get().to_le_bytes());
        let checksum = checksum_of_header(&bytes);
        put(&mut bytes, 60, &checksum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, NoHeader> {
        let number = |at| u32_at(bytes, at).ok_or(NoHeader::Invalid);
        let position = |at| u64_at(bytes, at).ok_or(NoHeader::Invalid);
        let is_whole = bytes.starts_with(&MAGIC) && number(60)? == checksum_of_header(bytes);
        match number(8)? {
            _ if !is_whole => Err(NoHeader::Invalid),
            newer if newer > FORMAT => Err(NoHeader::Newer(newer)),
            FORMAT => Ok(Self {
                set: SetId::new(position(16)?),
                first: Position::new(position(24)?),
                durable: Position::new(position(32)?),
            }),
            _ => Err(NoHeader::Invalid),
        }
    }
}

fn checksum_of_header(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes.get(..60).unwrap_or_default())
}

impl FrameHeader {
    /// The header that bytes begin with, if they can be one: none of zeros, none that is longer than a frame.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let raw = *bytes.first_chunk::<FRAME_HEADER>()?;
        let body = match u32_at(&raw, 0)? {
            CLOSING => Body::Closing,
            bytes => Body::Entries(usize::try_from(bytes).ok()?),
        };
        let header = Self {
            body,
            checksum: u32_at(&raw, 4)?,
            position: Position::new(u64_at(&raw, 8)?),
            durable: Position::new(u64_at(&raw, 16)?),
            raw,
        };
        let fits = match body {
            Body::Entries(bytes) => (1..=FRAME_BYTES_MAX).contains(&bytes),
            Body::Closing => true,
        };
        (fits && header.durable <= header.position).then_some(header)
    }

    /// How many bytes of entries follow it.
    pub(super) const fn body_bytes(&self) -> usize {
        match self.body {
            Body::Entries(bytes) => bytes,
            Body::Closing => 0,
        }
    }

    /// Where its entries end.
    pub(super) const fn end(&self) -> Position {
        self.position.plus(self.body_bytes() as u64)
    }

    /// Whether the checksum is that of the header and these entries.
    pub(super) fn is_sealed(&self, seal: Seal, entries: &[u8]) -> bool {
        self.has(crc32c::crc32c_append(self.begin(seal), entries))
    }

    /// The checksum before any of the entries, for those who read them part by part; see [`has`](Self::has).
    pub(super) fn begin(&self, seal: Seal) -> u32 {
        seal.header(&self.raw)
    }

    /// Whether this is its checksum.
    pub(super) const fn has(&self, checksum: u32) -> bool {
        self.checksum == checksum
    }
}

impl Seal {
    pub(super) fn new(set: SetId) -> Self {
        Self(crc32c::crc32c(&set.get().to_le_bytes()))
    }

    fn header(self, raw: &[u8; FRAME_HEADER]) -> u32 {
        let (length, rest) = raw.split_at(4);
        let stamps = rest.get(4..).unwrap_or_default();
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, length), stamps)
    }

    /// Makes a frame of entries that stand behind room for its header.
    pub(super) fn close(self, frame: &mut [u8], position: Position, durable: Position) {
        let bytes = frame.len().saturating_sub(FRAME_HEADER);
        assert!(
            (1..=FRAME_BYTES_MAX).contains(&bytes),
            "a frame has entries, and not too many"
        );
        let bytes = u32::try_from(bytes).expect("just compared");
        self.write(frame, bytes, position, durable);
    }

    /// A closing frame.
    pub(super) fn closing(self, position: Position, durable: Position) -> [u8; FRAME_HEADER] {
        let mut frame = [0; FRAME_HEADER];
        self.write(&mut frame, CLOSING, position, durable);
        frame
    }

    fn write(self, frame: &mut [u8], bytes: u32, position: Position, durable: Position) {
        put(frame, 0, &bytes.to_le_bytes());
        put(frame, 8, &position.get().to_le_bytes());
        put(frame, 16, &durable.get().to_le_bytes());
        let Some((header, entries)) = frame.split_first_chunk::<FRAME_HEADER>() else {
            return;
        };
        let checksum = crc32c::crc32c_append(self.header(header), entries);
        put(frame, 4, &checksum.to_le_bytes());
    }
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    let places = bytes.iter_mut().skip(at);
    places.zip(field).for_each(|(to, from)| *to = *from);
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*field))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: SetId = SetId::new(0x0123_4567_89ab_cdef);

    #[test]
    fn a_segments_header_is_as_described() {
        let header = SegmentHeader {
            set: SET,
            first: Position::new(0x1122),
            durable: Position::new(0x1121),
        };
        let bytes = header.encode();
        assert_eq!(&bytes[..16], b"QGJOURNL\x01\0\0\0\0\0\0\0");
        assert_eq!(&bytes[16..24], &0x0123_4567_89ab_cdef_u64.to_le_bytes());
        assert_eq!(&bytes[24..34], b"\x22\x11\0\0\0\0\0\0\x21\x11");
        assert_eq!(bytes[60..], crc32c::crc32c(&bytes[..60]).to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for bit in 0..512 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&flipped), Err(NoHeader::Invalid));
        }
        let mut newer = bytes;
        newer[8] = 2;
        let checksum = checksum_of_header(&newer);
        put(&mut newer, 60, &checksum.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&newer), Err(NoHeader::Newer(2)));
    }

    #[test]
    fn a_frame_is_as_described() {
        let mut bytes = vec![0; FRAME_HEADER];
        bytes.extend_from_slice(b"entries");
        let (position, durable) = (Position::new(9), Position::new(8));
        Seal::new(SET).close(&mut bytes, position, durable);
        assert_eq!(&bytes[..4], b"\x07\0\0\0");
        assert_eq!(&bytes[8..24], b"\x09\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0");
        let covered = [&SET.get().to_le_bytes(), &bytes[..4], &bytes[8..]].concat();
        assert_eq!(bytes[4..8], crc32c::crc32c(&covered).to_le_bytes());
        let header = FrameHeader::decode(&bytes).unwrap();
        assert_eq!((header.end(), header.durable), (Position::new(16), durable));
        let entries = &bytes[FRAME_HEADER..];
        assert!(header.is_sealed(Seal::new(SET), entries));
        let other = Seal::new(SetId::new(1));
        assert!(!header.is_sealed(other, entries));
    }

    #[test]
    fn what_cannot_be_a_frame_is_none() {
        let closing = Seal::new(SET).closing(Position::new(5), Position::new(5));
        let header = FrameHeader::decode(&closing).unwrap();
        assert_eq!(header.body, Body::Closing);
        assert!(header.is_sealed(Seal::new(SET), &[]));
        let beyond = Seal::new(SET).closing(Position::new(5), Position::new(6));
        assert_eq!(FrameHeader::decode(&beyond), None, "durable beyond itself");
        assert_eq!(FrameHeader::decode(&[0; FRAME_HEADER]), None, "zeros");
        assert_eq!(FrameHeader::decode(&closing[1..]), None, "a part");
        let mut long = closing;
        put(&mut long, 0, &(32 * 1024 * 1024 + 1_u32).to_le_bytes());
        assert_eq!(FrameHeader::decode(&long), None, "too long");
    }
}

//! HTTP/2 as far as a client needs it that measures: frames, one header block, windows. Nobody else should use it.
//!
//! The header block is sent once in full; after that it is four indices into the table that the server keeps. Absent on
//! purpose: reading header blocks. Whether a call has gone well is seen by its message.

/// The kinds of frames that matter here.
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RESET: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GO_AWAY: u8 = 7;
    pub const WINDOW: u8 = 8;
}

/// The last frame of a stream; on SETTINGS and PING: the answer to one.
pub const END: u8 = 1;

const END_HEADERS: u8 = 4;

/// The largest window.
const WINDOW_MAX: u32 = 0x7fff_ffff;

/// Windows before anything is said about them.
pub const WINDOW_FIRST: i64 = 65_535;

/// A frame's head and its payload.
pub struct Frame<'a> {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame of some bytes, and what follows it; nothing if it is not whole.
    pub fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[a, b, c, kind, flags, s1, s2, s3, s4], rest) = bytes.split_first_chunk::<9>()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let (payload, rest) = rest.split_at_checked(length)?;
        let frame = Self {
            kind,
            flags,
            stream: u32::from_be_bytes([s1, s2, s3, s4]),
            payload,
        };
        Some((frame, rest))
    }

    /// The number in a window update, and the like.
    pub fn number(&self) -> u32 {
        self.payload
            .first_chunk()
            .map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// The window that new streams have, where SETTINGS say so.
    pub fn initial_window(&self) -> Option<u32> {
        let settings = self.payload.chunks_exact(6);
        let mut windows = settings.filter(|setting| setting[..2] == [0, 4]);
        let window = windows.next()?;
        Some(u32::from_be_bytes([
            window[2], window[3], window[4], window[5],
        ]))
    }
}

/// Begins a connection, with room for whatever the server may send.
pub fn preface(out: &mut Vec<u8>) {
    out.extend(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    head(out, 6, kind::SETTINGS, 0, 0);
    out.extend([0, 4]);
    out.extend(WINDOW_MAX.to_be_bytes());
    window_update(out, 0, WINDOW_MAX - 65_535);
}

/// Gives the server more room, on a stream or, as stream 0, on the connection.
pub fn window_update(out: &mut Vec<u8>, stream: u32, more: u32) {
    head(out, 4, kind::WINDOW, 0, stream);
    out.extend(more.to_be_bytes());
}

/// Answers SETTINGS or PING.
pub fn acknowledge(out: &mut Vec<u8>, frame: &Frame<'_>) {
    let payload = match frame.kind {
        kind::PING => frame.payload,
        _ => &[],
    };
    head(out, payload.len(), frame.kind, END, 0);
    out.extend(payload);
}

/// Begins a call; the first of a connection fills the server's table.
pub fn request(out: &mut Vec<u8>, stream: u32, path: &str, is_first: bool) {
    let mut block = vec![0x83, 0x86];
    if is_first {
        indexed_name(&mut block, 4, path);
        indexed_name(&mut block, 1, "localhost");
        named(&mut block, "content-type", "application/grpc");
        named(&mut block, "te", "trailers");
    } else {
        // The table's entries begin at 62, the latest first.
        block.extend([0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62]);
    }
    head(out, block.len(), kind::HEADERS, END_HEADERS, stream);
    out.extend(block);
}

/// One message of gRPC in one DATA frame; `write` appends it.
pub fn message(out: &mut Vec<u8>, stream: u32, flags: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    head(out, 0, kind::DATA, flags, stream);
    out.extend([0; 5]);
    write(out);
    let length = out.len() - start - 9;
    assert!(length <= 16_384, "a message larger than a frame may be");
    let [_, bytes @ ..] = u32::try_from(length).expect("small").to_be_bytes();
    out[start..start + 3].copy_from_slice(&bytes);
    let grpc = u32::try_from(length - 5).expect("small").to_be_bytes();
    out[start + 10..start + 14].copy_from_slice(&grpc);
}

fn head(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [_, length @ ..] = u32::try_from(length).expect("small").to_be_bytes();
    out.extend(length);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
}

/// A header that goes into the table, its name from HTTP/2's own table.
fn indexed_name(block: &mut Vec<u8>, index: u8, value: &str) {
    block.push(0x40 | index);
    text(block, value);
}

/// A header that goes into the table.
fn named(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0x40);
    text(block, name);
    text(block, value);
}

fn text(block: &mut Vec<u8>, value: &str) {
    let length = u8::try_from(value.len()).expect("short");
    assert!(length < 127, "a longer length has more bytes");
    block.push(length);
    block.extend(value.as_bytes());
}

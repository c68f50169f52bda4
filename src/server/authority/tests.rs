//! Names in what a client sends: streams of frames with what must be read of them, and any bytes at all.

use std::io;
use std::iter::Cycle;
use std::pin::Pin;
use std::slice::Iter;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use h2::server;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite as _, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::field::{NAME, NAME_INDEX};
use super::{
    CONTINUATION, END_HEADERS, HEAD_BYTES, HEADERS, Mended, PADDED, PRIORITY, PRIORITY_BYTES,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What C-core sends first, as it sends it: the name in plain text, to be remembered.
const NAMED: &[u8] = b"\x40\x0a:authority\x0ctmp%2Fq.sock\x83\x86\x40\x05:path\x04/%2F";
const READ: &[u8] = b"\x40\x0a:authority\x0ctmp-2Fq.sock\x83\x86\x40\x05:path\x04/%2F";
/// The same again, remembered.
const AGAIN: &[u8] = b"\xbf\x83\x86\xbe";
/// The same from a client that knows the server by a name.
const ORDINARY: &[u8] = b"\x41\x09localhost\x83\x86\x44\x04/%2F";

/// A peer whose bytes arrive in pieces of these sizes, over and over.
struct Peer<'a> {
    bytes: &'a [u8],
    sizes: Cycle<Iter<'a, usize>>,
}

impl AsyncRead for Peer<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let size = *self.sizes.next().expect("a cycle");
        let (now, later) = self.bytes.split_at(size.min(self.bytes.len()));
        buf.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

/// What is read of bytes that arrive in pieces, and whether the connection is still watched.
fn read(bytes: &[u8], sizes: &[usize]) -> (Vec<u8>, bool) {
    let sizes = sizes.iter().cycle();
    let mut mended = Mended::new(Peer { bytes, sizes });
    let mut read = vec![0; bytes.len()];
    let mut buf = ReadBuf::new(&mut read);
    while buf.remaining() > 0 {
        let mut cx = Context::from_waker(Waker::noop());
        let polled = Pin::new(&mut mended).poll_read(&mut cx, &mut buf);
        assert!(matches!(polled, Poll::Ready(Ok(()))));
    }
    (read, mended.watch.is_some())
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    let head = [&length.to_be_bytes()[1..], &[kind, flags, 0, 0, 0, 1]].concat();
    [&head, payload].concat()
}

fn headers(block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, block)
}

/// A connection with these frames.
fn connection(frames: &[Vec<u8>]) -> Vec<u8> {
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    [PREFACE, settings, &frames.concat()].concat()
}

#[test]
fn a_name_is_mended_wherever_reads_cut_it() {
    let payload = |block: &[u8]| [b"\x03%%%%%", block, b"%%%"].concat();
    let of = |block: &[u8]| {
        connection(&[
            frame(0x0, 0, b"\x41\x01%"),
            frame(HEADERS, PADDED | PRIORITY, &payload(&block[..20])),
            frame(CONTINUATION, 0, b""),
            frame(CONTINUATION, END_HEADERS, &block[20..]),
            frame(0x0, 0, b"%"),
            headers(b"\x41\x01a"),
            headers(block),
        ])
    };
    let (sent, expected) = (of(NAMED), of(READ));
    assert_ne!(sent, expected);
    assert_eq!(read(&sent, &[1]), (expected.clone(), true));
    for cut in 1..sent.len() {
        let pieces = [cut, sent.len() - cut];
        assert_eq!(read(&sent, &pieces), (expected.clone(), true), "{cut}");
    }
}

#[test]
fn an_ordinary_connection_is_watched_no_more() {
    for whole in [
        connection(&[headers(ORDINARY)]),
        connection(&[headers(b"\x83\x86")]),
        connection(&[headers(b"")]),
    ] {
        assert_eq!(read(&whole, &[7]), (whole.clone(), false));
        // Until it has said its headers it is.
        let begun = &whole[..whole.len() - 1];
        assert_eq!(read(begun, &[7]), (begun.to_vec(), true));
    }
    let later = connection(&[headers(ORDINARY), headers(NAMED)]);
    assert_eq!(read(&later, &[64]), (later.clone(), false));
}

#[test]
fn what_is_no_http_2_is_left_to_h2() {
    for frames in [
        // Padding beyond the frame, and a priority of which there is too little.
        [frame(HEADERS, END_HEADERS | PADDED, b"\x20\x41\x01%")],
        [frame(HEADERS, END_HEADERS | PADDED, b"")],
        [frame(HEADERS, END_HEADERS | PRIORITY, b"\x41\x01%")],
        // Headers that go on without having begun, or do not go on.
        [frame(CONTINUATION, END_HEADERS, b"\x41\x01%")],
        [[frame(HEADERS, 0, b""), headers(b"\x41\x01%")].concat()],
        // A length that never ends.
        [headers(b"\x41\x7f\xff\xff\xff\xff\xff\x01%")],
    ] {
        let sent = connection(&frames);
        assert_eq!(read(&sent, &[5]), (sent.clone(), false), "{frames:?}");
    }
}

/// With the name remembered, too: h2 and the client must have the same in their tables.
#[tokio::test]
async fn h2_takes_calls_by_a_path() {
    let (client, gateway) = UnixStream::pair().expect("sockets");
    let calls = [NAMED, AGAIN, NAMED].into_iter().zip([1, 3, 5]);
    let calls = calls.map(|(block, stream)| {
        let mut call = headers(block);
        call[HEAD_BYTES - 1] = stream;
        call
    });
    let sent = connection(&calls.collect::<Vec<_>>());
    assert_eq!(client.try_write(&sent).expect("room"), sent.len());
    let mended = Mended::new(gateway);
    assert!(mended.is_write_vectored());
    let h2 = server::handshake(mended).await;
    let mut h2 = h2.expect("HTTP/2");
    for _ in 0..3 {
        // A call that is refused would never come.
        let call = timeout(Duration::from_secs(20), h2.accept()).await;
        let call = call.expect("in time").expect("a call");
        let (request, _) = call.expect("headers that are taken");
        assert_eq!(request.uri(), "http://tmp-2Fq.sock/%2F");
    }
}

/// Bytes that a client sends, and what must be read of them.
#[derive(Clone, Default, Debug)]
struct Pair {
    sent: Vec<u8>,
    read: Vec<u8>,
}

impl Pair {
    fn same(&mut self, bytes: &[u8]) {
        self.sent.extend(bytes);
        self.read.extend(bytes);
    }

    /// A number after the bits above the mask.
    fn number(&mut self, above: u8, mask: u8, value: usize) {
        let byte = |value: usize| u8::try_from(value).expect("bits of a byte");
        let Some(mut rest) = value.checked_sub(usize::from(mask)) else {
            return self.same(&[above | byte(value)]);
        };
        self.same(&[above | mask]);
        while rest >= 0x80 {
            self.same(&[0x80 | byte(rest & 0x7f)]);
            rest >>= 7;
        }
        self.same(&[byte(rest)]);
    }

    fn string(&mut self, Text { huffman, bytes }: &Text) {
        self.number(if *huffman { 0x80 } else { 0 }, 0x7f, bytes.len());
        self.same(bytes);
    }

    fn field(&mut self, field: &Field) {
        let (bits, mask, name, value) = match field {
            Field::Number(bits, mask, value) => return self.number(*bits, *mask, *value),
            Field::Literal(bits, mask, name, value) => (*bits, *mask, name, value),
        };
        let named = match name {
            Name::Index(index) => {
                self.number(bits, mask, *index);
                *index == NAME_INDEX
            }
            Name::Text(name) => {
                self.number(bits, mask, 0);
                self.string(name);
                name.bytes == NAME && !name.huffman
            }
        };
        self.string(value);
        if named && !value.huffman {
            let start = self.read.len() - value.bytes.len();
            for byte in self.read[start..].iter_mut().filter(|byte| **byte == b'%') {
                *byte = b'-';
            }
        }
    }

    /// Frames with the fields, cut where it is said; padded as it is said.
    fn headers(&mut self, call: &Call) {
        let mut block = Self::default();
        call.fields.iter().for_each(|field| block.field(field));
        let cuts = call.cuts.iter();
        let mut ends: Vec<_> = cuts.map(|cut| cut.index(block.sent.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(block.sent.len());
        let (mut start, mut kind) = (0, HEADERS);
        for (at, end) in ends.iter().enumerate() {
            let mut flags = if at + 1 == ends.len() { END_HEADERS } else { 0 };
            let (mut before, mut after) = (Vec::new(), Vec::new());
            if let (HEADERS, Some(length)) = (kind, call.padding) {
                flags |= PADDED;
                before.push(length);
                after.resize(usize::from(length), b'%');
            }
            if kind == HEADERS && call.priority {
                flags |= PRIORITY;
                before.extend([b'%'; PRIORITY_BYTES]);
            }
            let payload = |block: &[u8]| [&before, &block[start..*end], &after].concat();
            let framed = |block| frame(kind, flags, &payload(block));
            self.sent.extend(framed(&block.sent));
            self.read.extend(framed(&block.read));
            (start, kind) = (*end, CONTINUATION);
        }
    }
}

#[derive(Clone, Debug)]
struct Text {
    huffman: bool,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Name {
    Index(usize),
    Text(Text),
}

/// The bits above a number, its mask, and what it is or is followed by.
#[derive(Clone, Debug)]
enum Field {
    Number(u8, u8, usize),
    Literal(u8, u8, Name, Text),
}

#[derive(Clone, Debug)]
struct Call {
    fields: Vec<Field>,
    cuts: Vec<prop::sample::Index>,
    padding: Option<u8>,
    priority: bool,
}

#[derive(Clone, Debug)]
enum Sent {
    Headers(Call),
    Other(u8, u8, Vec<u8>),
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(b'%'), any::<u8>()], 0..300)
}

fn text() -> impl Strategy<Value = Text> {
    let huffman = prop::bool::weighted(0.2);
    (huffman, bytes()).prop_map(|(huffman, bytes)| Text { huffman, bytes })
}

fn name() -> impl Strategy<Value = Name> {
    let near = [NAME, b":authorit", b":authority%", b":Authority", b""].map(<[u8]>::to_vec);
    let spelled = (
        prop::bool::weighted(0.2),
        prop::sample::select(near.to_vec()),
    );
    let spelled = spelled.prop_map(|(huffman, bytes)| Name::Text(Text { huffman, bytes }));
    prop_oneof![
        3 => Just(Name::Index(NAME_INDEX)),
        2 => (1_usize..300).prop_map(Name::Index),
        3 => spelled,
        1 => text().prop_map(Name::Text),
    ]
}

fn field() -> impl Strategy<Value = Field> {
    let number = prop::sample::select(vec![(0x80, 0x7f), (0x20, 0x1f)]);
    let literal = prop::sample::select(vec![(0x40, 0x3f), (0x10, 0x0f), (0x00, 0x0f)]);
    prop_oneof![
        (number, 0_usize..5_000).prop_map(|((bits, mask), value)| Field::Number(bits, mask, value)),
        (literal, name(), text())
            .prop_map(|((bits, mask), name, value)| Field::Literal(bits, mask, name, value)),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let cuts = vec(any::<prop::sample::Index>(), 0..4);
    let call = (vec(field(), 0..6), cuts, any::<Option<u8>>(), any::<bool>());
    let call = call.prop_map(|(fields, cuts, padding, priority)| Call {
        fields,
        cuts,
        padding,
        priority,
    });
    let kind = any::<u8>().prop_filter("others", |kind| ![HEADERS, CONTINUATION].contains(kind));
    prop_oneof![
        call.prop_map(Sent::Headers),
        (kind, any::<u8>(), bytes())
            .prop_map(|(kind, flags, bytes)| Sent::Other(kind, flags, bytes)),
    ]
}

proptest! {
    #[test]
    fn names_are_mended_and_nothing_else(
        frames in vec(sent(), 0..8),
        sizes in vec(1_usize..80, 1..20),
    ) {
        let mut pair = Pair::default();
        pair.same(PREFACE);
        let mut is_watched = true;
        for sent in &frames {
            let mut next = Pair::default();
            match sent {
                Sent::Headers(call) => {
                    next.headers(call);
                    is_watched &= pair.sent != pair.read || next.sent != next.read;
                }
                Sent::Other(kind, flags, bytes) => next.same(&frame(*kind, *flags, bytes)),
            }
            let expected = if is_watched { &next.read } else { &next.sent };
            pair.sent.extend(&next.sent);
            pair.read.extend(expected);
        }
        prop_assert_eq!(read(&pair.sent, &sizes), (pair.read, is_watched));
    }

    #[test]
    fn any_bytes_pass(
        frames in vec(sent(), 0..3),
        noise in vec(any::<u8>(), 0..500),
        is_http in any::<bool>(),
        sizes in vec(1_usize..80, 1..20),
    ) {
        let mut pair = Pair::default();
        if is_http {
            pair.same(PREFACE);
        }
        for sent in &frames {
            match sent {
                Sent::Headers(call) => pair.headers(call),
                Sent::Other(kind, flags, bytes) => pair.same(&frame(*kind, *flags, bytes)),
            }
        }
        pair.same(&noise);
        let (whole, _) = read(&pair.sent, &[pair.sent.len().max(1)]);
        let changed = pair.sent.iter().zip(&whole).filter(|(sent, read)| sent != read);
        for change in changed {
            prop_assert_eq!(change, (&b'%', &b'-'));
        }
        prop_assert_eq!(read(&pair.sent, &sizes).0, whole.clone());
        prop_assert_eq!(read(&pair.sent, &[1]).0, whole);
    }
}

//! Floods of frames that cost a peer little: they end its connection or are served, and others are answered meanwhile.

use prost::Message as _;
use quotagate::proto::Outcome;

use super::gate::{ADMIT, ADMIT_STREAM, Gate, ask, framed, register};
use super::raw::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, Peer, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame, head, header,
};

const CANCEL: [u8; 4] = [0, 0, 0, 8];
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

/// A gateway with one worker: the flood and everybody else are on one thread.
fn gate() -> Gate {
    Gate::with(|setup| setup.settings.workers = Some(1))
}

fn admit() -> Vec<u8> {
    framed(&ask(register("a")).encode_to_vec())
}

/// Sends frames until they are no longer taken, or there are no more; somebody else asks meanwhile.
fn pour(gate: &Gate, peer: &mut Peer, frames: impl Iterator<Item = Vec<u8>> + Send) {
    let mut other = gate.admission();
    std::thread::scope(|scope| {
        let pouring = scope.spawn(|| {
            let frames: Vec<_> = frames.collect();
            for some in frames.chunks(64) {
                if peer.write(&some.concat()).is_err() {
                    return;
                }
            }
        });
        loop {
            let answer = gate.run(other.admit(ask(register("somebody"))));
            let answer = answer.expect("it is served").into_inner();
            assert_eq!(answer.outcome(), Outcome::Allowed);
            if pouring.is_finished() {
                break;
            }
        }
    });
}

/// The connection has ended, calmly told or not.
fn assert_ended(peer: &Peer) {
    let frames = peer.ended();
    if let Some(away) = frames.iter().find(|frame| frame.kind == GOAWAY) {
        assert_eq!(away.payload[4..8], ENHANCE_YOUR_CALM, "{away:?}");
    }
}

fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

#[test]
fn rapid_resets_end_the_connection() {
    let gate = gate();
    for path in [ADMIT, ADMIT_STREAM] {
        let mut peer = Peer::connect(gate.grpc);
        let frames = streams(20_000).flat_map(|stream| {
            let begin = frame(HEADERS, END_HEADERS, stream, &head(path));
            [begin, frame(RST_STREAM, 0, stream, &CANCEL)]
        });
        pour(&gate, &mut peer, frames);
        assert_ended(&peer);
    }
}

/// Makes the frame that provokes a reset of a stream.
type Provoke<'a> = &'a (dyn Fn(u32) -> Vec<u8> + Sync);

/// Errors that make the server reset its own streams (made-you-reset): each of these breaks a rule of a stream alone.
#[test]
fn resets_that_a_peer_provokes_end_the_connection() {
    let gate = gate();
    let no_window = |stream| frame(WINDOW_UPDATE, 0, stream, &[0; 4]);
    let too_much = |stream| frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]);
    let on_half_closed = |stream| frame(DATA, 0, stream, b"more");
    let provoke: [(&str, Provoke<'_>); 3] = [
        ("a window of nothing", &no_window),
        ("a window too large", &too_much),
        ("data behind the end", &on_half_closed),
    ];
    for (what, provoke) in provoke {
        let mut peer = Peer::connect(gate.grpc);
        let frames = streams(20_000).flat_map(|stream| {
            let flags = if what == "data behind the end" {
                END_HEADERS | END_STREAM
            } else {
                END_HEADERS
            };
            [
                frame(HEADERS, flags, stream, &head(ADMIT_STREAM)),
                provoke(stream),
            ]
        });
        pour(&gate, &mut peer, frames);
        let ended = peer.ended();
        assert!(
            ended
                .iter()
                .filter(|frame| frame.kind == RST_STREAM)
                .count()
                <= 4_096,
            "{what}"
        );
    }
}

#[test]
fn headers_without_an_end_end_the_connection() {
    let gate = gate();
    let mut peer = Peer::connect(gate.grpc);
    let part: Vec<u8> = header("x", &"v".repeat(8_000));
    let begin = frame(HEADERS, 0, 1, &head(ADMIT));
    let more = (0..20_000).map(|_| frame(CONTINUATION, 0, 1, &part));
    pour(&gate, &mut peer, std::iter::once(begin).chain(more));
    assert_ended(&peer);
    // Of nothing at all.
    let mut peer = Peer::connect(gate.grpc);
    let begin = frame(HEADERS, 0, 1, &head(ADMIT));
    let more = (0..200_000).map(|_| frame(CONTINUATION, 0, 1, &[]));
    pour(&gate, &mut peer, std::iter::once(begin).chain(more));
    assert_ended(&peer);
}

/// Each has to be answered: a peer that sends them waits for its own.
#[test]
fn pings_and_settings_are_answered_in_their_turn() {
    let gate = gate();
    for (kind, payload) in [(PING, &[7; 8][..]), (SETTINGS, &[0, 4, 0, 0, 255, 255])] {
        let mut peer = Peer::connect(gate.grpc);
        pour(
            &gate,
            &mut peer,
            (0..50_000).map(|_| frame(kind, 0, 0, payload)),
        );
        // The connection has ended, or goes on to answer.
        if peer.call(1, ADMIT, &admit()).is_ok() {
            peer.until(|frame| frame.kind == DATA || frame.kind == GOAWAY);
        }
    }
    for payload in [&b""[..], b"x"] {
        let mut peer = Peer::connect(gate.grpc);
        peer.begin(1, ADMIT_STREAM).expect("it reads");
        pour(
            &gate,
            &mut peer,
            (0..50_000).map(|_| frame(DATA, 0, 1, payload)),
        );
    }
}

/// What is no HTTP/2 is closed at once.
#[test]
fn what_is_no_http2_is_closed() {
    let gate = gate();
    let garbage: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client hello of TLS",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x04\x00\x00\x00\x00\x00",
    ];
    for bytes in garbage {
        let mut peer = Peer::silent(gate.grpc);
        peer.write(bytes).expect("it reads");
        peer.ended();
    }
    assert_eq!(gate.admit(register("a")).outcome(), Outcome::Allowed);
}

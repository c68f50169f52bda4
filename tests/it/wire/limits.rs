//! What one peer may take, asserted on the server as it runs: streams, headers, connections, bytes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use quotagate::proto::Outcome;
use tokio::net::TcpStream;
use tonic::{Code, Status};

use super::gate::{ADMIT, ADMIT_STREAM, CREATE_APP, Gate, PATIENT, ask, framed, register};
use super::raw::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, MAX_CONCURRENT_STREAMS,
    MAX_HEADER_LIST_SIZE, Peer, RST_STREAM, SETTINGS, head, header,
};

const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

fn admit(user: &str) -> Vec<u8> {
    framed(&ask(register(user)).encode_to_vec())
}

/// Whether somebody else is served.
fn assert_serves(gate: &Gate) {
    assert_eq!(gate.admit(register("somebody")).outcome(), Outcome::Allowed);
}

#[test]
fn settings_say_what_holds() {
    let gate = Gate::open();
    let mut peer = Peer::connect(gate.grpc);
    let settings = peer
        .until(|frame| frame.kind == SETTINGS)
        .expect("settings");
    let told: Vec<_> = settings.payload.chunks(6).collect();
    for (name, value) in [
        (MAX_CONCURRENT_STREAMS, 256_u32),
        (MAX_HEADER_LIST_SIZE, 16_384),
    ] {
        let expected = [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
        assert!(told.contains(&&expected[..]), "{name}: {told:?}");
    }
}

#[test]
fn the_257th_stream_at_once_is_refused() {
    let gate = Gate::open();
    let mut peer = Peer::connect(gate.grpc);
    for number in 0..256 {
        let path = if number % 2 == 0 { ADMIT } else { ADMIT_STREAM };
        peer.begin(2 * number + 1, path).expect("it reads");
    }
    peer.begin(513, ADMIT).expect("it reads");
    let refused = peer
        .until(|frame| frame.kind == RST_STREAM)
        .expect("it goes on");
    assert_eq!(
        (refused.stream, &refused.payload[..]),
        (513, &REFUSED_STREAM[..])
    );
    // Those that are open are answered, and make room.
    for (stream, user) in [(1, "a"), (5, "b")] {
        peer.send(DATA, END_STREAM, stream, &admit(user))
            .expect("it reads");
        let answer = peer.until(|frame| frame.kind == DATA).expect("it goes on");
        assert_eq!(answer.stream, stream);
    }
    peer.call(515, ADMIT, &admit("c")).expect("it reads");
    let answer = peer.until(|frame| frame.kind == DATA).expect("it goes on");
    assert_eq!(answer.stream, 515);
    assert_eq!(gate.usage().users, 3);
}

#[test]
fn headers_that_are_too_large_are_refused() {
    let gate = Gate::open();
    for (bytes, count) in [(20_000, 1), (1_000, 20), (60, 250)] {
        let mut peer = Peer::connect(gate.grpc);
        let more = (0..count).flat_map(|n| header(&format!("x-{n}"), &"v".repeat(bytes)));
        let block = [head(ADMIT), more.collect()].concat();
        let mut parts = block.chunks(16_000).enumerate().peekable();
        while let Some((place, part)) = parts.next() {
            let flags = if parts.peek().is_none() {
                END_HEADERS
            } else {
                0
            };
            let kind = if place == 0 { HEADERS } else { CONTINUATION };
            peer.send(kind, flags, 1, part).expect("it reads");
        }
        // It may have ended the connection already.
        let _ = peer.send(DATA, END_STREAM, 1, &admit("a"));
        let end = |kind| [RST_STREAM, GOAWAY, HEADERS].contains(&kind);
        if let Some(frame) = peer.until(|frame| end(frame.kind)) {
            // Headers alone are a refusal: an answer would have a body.
            let ends = frame.kind != HEADERS || frame.flags & END_STREAM != 0;
            assert!(ends, "{frame:?}");
        }
        assert_eq!(gate.usage().users, 0, "{count} of {bytes} bytes");
    }
    assert_serves(&gate);
}

#[test]
fn connections_beyond_the_most_are_closed_and_others_go_on() {
    let gate = Gate::with(|setup| setup.settings.connections.max = 3);
    let mut open: Vec<_> = (0..3).map(|_| Peer::connect(gate.grpc)).collect();
    let answers = |peer: &mut Peer, stream, user| {
        let asked = peer.call(stream, ADMIT, &admit(user));
        asked.is_ok() && peer.until(|frame| frame.kind == DATA).is_some()
    };
    for peer in &mut open {
        assert!(answers(peer, 1, "a"));
    }
    for _ in 0..20 {
        assert_eq!(Peer::silent(gate.grpc).ended(), []);
    }
    for peer in &mut open {
        assert!(answers(peer, 3, "a"), "what is open goes on");
    }
    drop(open.pop());
    // The place is free as soon as the server has seen that one go.
    let deadline = std::time::Instant::now() + PATIENT;
    loop {
        let mut peer = Peer::silent(gate.grpc);
        let begun = peer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let begun = begun.and_then(|()| peer.send(SETTINGS, 0, 0, &[]));
        if begun.is_ok() && answers(&mut peer, 1, "b") {
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "nobody gets in any more"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(gate.usage().users, 2);
}

/// Half a message on many streams, of whatever kind: what is over 4 MiB is refused, the rest is answered.
#[test]
fn bytes_that_are_no_whole_messages_are_bounded() {
    let gate = Gate::open();
    for paths in [
        [ADMIT, ADMIT],
        [ADMIT_STREAM, ADMIT_STREAM],
        [CREATE_APP, ADMIT_STREAM],
    ] {
        gate.run(hold(gate.grpc, paths));
    }
    assert_serves(&gate);
}

async fn hold(address: SocketAddr, paths: [&str; 2]) {
    const PART: usize = 900_000;
    let socket = TcpStream::connect(address).await.expect("it listens");
    let (client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut calls = Vec::new();
    for path in paths.into_iter().cycle().take(10) {
        let request = http::Request::post(format!("http://{address}{path}"))
            .header("content-type", "application/grpc")
            .body(())
            .expect("a request");
        let mut client = client.clone().ready().await.expect("a stream");
        let (answer, mut sending) = client.send_request(request, false).expect("a stream");
        let half = [&[0, 0, 15, 255, 255][..], &vec![0; PART]].concat();
        sending.send_data(Bytes::from(half), false).expect("a body");
        calls.push((answer, sending));
    }
    // Four times 900,000 bytes are held; six calls are refused, whichever came last.
    let (refused, mut statuses) = tokio::sync::mpsc::unbounded_channel();
    let mut bodies = Vec::new();
    for (answer, sending) in calls {
        bodies.push(sending);
        let refused = refused.clone();
        tokio::spawn(async move {
            let (head, mut body) = answer.await.expect("an answer").into_parts();
            let mut headers = head.headers;
            while body.data().await.is_some_and(|data| data.is_ok()) {}
            if let Ok(Some(trailers)) = body.trailers().await {
                headers.extend(trailers);
            }
            let code = Status::from_header_map(&headers).map(|status| status.code());
            let _ = refused.send(code);
        });
    }
    for _ in 0..6 {
        let code = statuses.recv().await.expect("a status");
        assert_eq!(code, Some(Code::ResourceExhausted), "{paths:?}");
    }
    // The four that are held end: they are no messages, and say so.
    for mut sending in bodies {
        let _ = sending.send_data(Bytes::new(), true);
    }
    for _ in 0..4 {
        let code = statuses.recv().await.expect("a status");
        assert_eq!(code, Some(Code::InvalidArgument), "{paths:?}");
    }
    connection.abort();
}

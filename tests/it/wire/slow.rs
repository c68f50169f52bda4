//! Peers that do nothing, or read nothing: each is waited for as long as the settings say, and nobody else waits with it.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use prost::Message as _;
use quotagate::proto::Outcome;

use super::gate::{
    ADMIT, ADMIT_BATCH, ADMIT_STREAM, Gate, PATIENT, ask, batch, framed, join, register,
};
use super::raw::{
    DATA, END_STREAM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, PING, Peer, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};

const SECOND: Duration = Duration::from_secs(1);

fn admit() -> Vec<u8> {
    framed(&ask(register("a")).encode_to_vec())
}

fn assert_serves(gate: &Gate) {
    assert_eq!(gate.admit(register("somebody")).outcome(), Outcome::Allowed);
}

/// A batch whose answer is long: every operation is denied, with a sentence.
fn denied(operations: usize) -> Vec<u8> {
    let join = |n: usize| match join("none", format!("u{n}")) {
        quotagate::proto::admit_request::Operation::JoinGroup(join) => {
            quotagate::proto::operation::Operation::JoinGroup(join)
        }
        other => panic!("{other:?}"),
    };
    framed(&batch((0..operations).map(join)).encode_to_vec())
}

#[test]
fn a_handshake_has_to_be_done_in_time() {
    let gate = Gate::with(|setup| setup.settings.connections.handshake = SECOND);
    let begun = Instant::now();
    let mut peers: Vec<_> = (0..20).map(|_| Peer::silent(gate.grpc)).collect();
    for (place, peer) in peers.iter_mut().enumerate() {
        // Some begin, and do not go on.
        peer.write(&b"PRI * HTTP/2.0\r\n\r\n"[..place.min(18)])
            .expect("it reads");
    }
    assert_serves(&gate);
    for peer in &peers {
        assert!(peer.ended().iter().all(|frame| frame.kind == SETTINGS));
    }
    assert!(begun.elapsed() >= SECOND, "they are given that time");
    assert_serves(&gate);
}

#[test]
fn a_peer_that_gives_no_sign_of_life_is_dropped() {
    let gate = Gate::with(|setup| setup.settings.connections.keepalive = SECOND);
    let mut idle = Peer::connect(gate.grpc);
    let mut busy = Peer::connect(gate.grpc);
    idle.send(SETTINGS, 1, 0, &[]).expect("it reads");
    busy.begin(1, ADMIT_STREAM).expect("it reads");
    // The socket stands, but nobody answers.
    for peer in [&idle, &busy] {
        let frames = peer.ended();
        assert!(frames.iter().any(|frame| frame.kind == PING), "{frames:?}");
    }
    assert_serves(&gate);
}

#[test]
fn a_peer_that_lives_is_kept_until_it_is_idle() {
    let mut gate = Gate::with(|setup| {
        setup.settings.connections.keepalive = SECOND;
        setup.settings.connections.idle = 3 * SECOND;
    });
    let begun = Instant::now();
    let mut peer = Peer::connect(gate.grpc);
    let mut with_stream = Peer::connect(gate.grpc);
    with_stream.begin(1, ADMIT_STREAM).expect("it reads");
    let living = std::thread::spawn(move || {
        // It answers all that it is asked, and is told to go in the end.
        let away = with_stream.until(|frame| frame.kind == GOAWAY || frame.kind == DATA);
        (away, with_stream)
    });
    let away = peer
        .until(|frame| frame.kind == GOAWAY)
        .expect("it is told");
    assert_eq!(away.payload[4..8], [0; 4], "nothing is wrong with it");
    assert!(begun.elapsed() >= 3 * SECOND, "after {:?}", begun.elapsed());
    assert!(peer.until(|_| false).is_none(), "it is closed");
    assert!(
        !living.is_finished(),
        "a connection with a stream is not idle"
    );
    assert_serves(&gate);
    gate.stop();
    living.join().expect("no panic");
}

/// A stream whose answers are not read: its task waits for the peer no longer than `unread`.
#[test]
fn answers_that_are_not_read_end_their_stream() {
    let gate = Gate::with(|setup| setup.settings.connections.unread = SECOND);
    let mut peer = Peer::with(gate.grpc, &[(INITIAL_WINDOW_SIZE, 10)]);
    let one = denied(50);
    for stream in [1, 3, 5] {
        peer.begin(stream, ADMIT_STREAM).expect("it reads");
        for _ in 0..20 {
            peer.send(DATA, 0, stream, &one).expect("it reads");
        }
    }
    assert_serves(&gate);
    let mut reset = Vec::new();
    while reset.len() < 3 {
        let frame = peer.until(|frame| frame.kind == RST_STREAM);
        reset.push(frame.expect("the connection goes on").stream);
    }
    reset.sort_unstable();
    assert_eq!(reset, [1, 3, 5]);
    // The connection is as good as before.
    peer.send(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])
        .expect("it reads");
    peer.call(7, ADMIT, &admit()).expect("it reads");
    peer.until(|frame| frame.kind == DATA && frame.stream == 7)
        .expect("an answer");
}

/// Calls of one long answer that nobody reads: what waits is bounded by the connection's 4 MiB, and not for ever.
#[test]
fn long_answers_that_are_not_read_are_few_and_end() {
    let gate = Gate::with(|setup| setup.settings.connections.unread = 5 * SECOND);
    let mut peer = Peer::with(gate.grpc, &[(INITIAL_WINDOW_SIZE, 0)]);
    peer.wait_for_room();
    // As much as fits into a frame; each answer has some 30 KB.
    let one = denied(800);
    let calls = 200;
    for stream in (1..).step_by(2).take(calls) {
        peer.call(stream, ADMIT_BATCH, &one).expect("it reads");
    }
    let (mut refused, mut reset) = (0, 0);
    while refused + reset < calls {
        let ended = peer.until(|frame| match frame.kind {
            HEADERS => frame.flags & END_STREAM != 0,
            kind => kind == RST_STREAM,
        });
        match ended.expect("the connection goes on").kind {
            HEADERS => refused += 1,
            _ => reset += 1,
        }
    }
    assert!(refused > 0, "none is refused for what waits");
    assert!(reset > 0, "none waits and is given up");
    assert_serves(&gate);
}

/// What is not answered is not taken either: a peer that sends and never reads is stopped by its own window.
#[test]
fn a_stream_that_is_not_read_is_not_read_from() {
    let gate = Gate::open();
    let mut peer = Peer::with(gate.grpc, &[(INITIAL_WINDOW_SIZE, 10)]);
    peer.wait_for_room();
    peer.begin(1, ADMIT_STREAM).expect("it reads");
    let one = denied(50);
    // A window of 1 MiB: nothing beyond it may be sent until the server says so.
    let mut sent = 0;
    while sent + one.len() <= 1 << 20 {
        peer.send(DATA, 0, 1, &one).expect("it reads");
        sent += one.len();
    }
    peer.call(3, ADMIT, &admit()).expect("it reads");
    let mut given = 0;
    let answer = peer.until(|frame| {
        given += u32::from(frame.kind == WINDOW_UPDATE && frame.stream == 1);
        frame.kind == DATA && frame.stream == 3
    });
    assert!(answer.is_some(), "the connection goes on");
    assert_eq!(given, 0, "leave to send more, for what nobody reads");
    assert_serves(&gate);
}

/// A peer whose socket is full, with long answers on every stream: others are answered, and it costs no thread.
#[test]
fn a_peer_that_reads_nothing_at_all_keeps_nobody_waiting() {
    use std::io::Write as _;

    let gate = Gate::with(|setup| {
        setup.settings.workers = Some(1);
        setup.settings.connections.keepalive = SECOND;
    });
    let mut socket = TcpStream::connect(gate.grpc).expect("it listens");
    socket.set_write_timeout(Some(SECOND)).expect("a socket");
    let mut all = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // Windows as large as they may be, so that only the socket stops the answers.
    let settings = [0, 4, 0x7f, 0xff, 0xff, 0xff];
    all.extend(super::raw::frame(SETTINGS, 0, 0, &settings));
    all.extend(super::raw::frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0]));
    let body = denied(400);
    for number in 0..200 {
        let stream = 2 * number + 1;
        let head = super::raw::head(ADMIT_BATCH);
        all.extend(super::raw::frame(super::raw::HEADERS, 4, stream, &head));
        for (place, part) in body.chunks(16_000).enumerate() {
            let ends = u8::from((place + 1) * 16_000 >= body.len());
            all.extend(super::raw::frame(DATA, ends, stream, part));
        }
    }
    // It may stop reading before it has all.
    let _ = socket.write_all(&all);
    let deadline = Instant::now() + PATIENT;
    loop {
        assert_serves(&gate);
        // Its PING is never answered, so it is dropped, and writing to it fails.
        if socket
            .write_all(&super::raw::frame(PING, 0, 0, &[0; 8]))
            .is_err_and(|error| {
                !matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                )
            })
        {
            return;
        }
        assert!(Instant::now() < deadline, "it is served for ever");
        std::thread::sleep(Duration::from_millis(50));
    }
}

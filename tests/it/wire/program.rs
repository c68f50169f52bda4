//! The program itself, where its process counts: signals, and descriptors that run out.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use prost::Message as _;
use rustix::process::{Pid, Signal, kill_process};

use super::gate::{ADMIT, ADMIT_STREAM, PATIENT, ask, framed, register};
use super::raw::{DATA, Peer, SETTINGS};
use super::reload::{files, users_max, write};

/// A process that serves; it ends when this is dropped.
struct Program {
    process: Child,
    address: SocketAddr,
    // Kept open: the program must not find nobody who reads.
    _stdout: BufReader<ChildStdout>,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        command.env("QUOTAGATE_LOG", "error").stdout(Stdio::piped());
        let mut process = command.spawn().expect("it runs");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut lines = stdout.by_ref().lines();
        let address = lines.find_map(|line| {
            let line = line.expect("UTF-8");
            line.strip_prefix("listening on http://").map(str::to_owned)
        });
        let address = address.expect("it says where it listens");
        Self {
            process,
            address: address.parse().expect("an address"),
            _stdout: stdout,
        }
    }

    fn serve(directory: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(cargo_bin!());
        let command = command.current_dir(directory);
        Self::start(
            command
                .args(["serve", "--listen", "127.0.0.1:0"])
                .args(arguments),
        )
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(id.expect("a process"), signal).expect("it runs");
    }

    /// Waits for its end; the exit status.
    fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENT;
        loop {
            if let Some(status) = self.process.try_wait().expect("a process") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether a call on a new connection is answered.
    fn answers(&self) -> bool {
        let Ok(socket) = TcpStream::connect(self.address) else {
            return false;
        };
        drop(socket);
        let mut peer = Peer::silent(self.address);
        let begun = peer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let begun = begun.and_then(|()| peer.send(SETTINGS, 0, 0, &[]));
        let begun = begun.and_then(|()| peer.call(1, ADMIT, &admit("a")));
        begun.is_ok() && peer.until(|frame| frame.kind == DATA).is_some()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself, which its test will have seen.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn admit(user: &str) -> Vec<u8> {
    let request = quotagate::proto::AdmitRequest {
        sdk_app_id: 1_400_000_001,
        ..ask(register(user))
    };
    framed(&request.encode_to_vec())
}

#[test]
fn it_ends_well_when_told_to_while_clients_are_there() {
    let dir = files();
    for signal in [Signal::TERM, Signal::INT] {
        let mut program = Program::serve(dir.path(), &[]);
        let mut idle = Peer::connect(program.address);
        let mut streaming = Peer::connect(program.address);
        streaming.begin(1, ADMIT_STREAM).expect("it reads");
        idle.call(1, ADMIT, &admit("a")).expect("it reads");
        idle.until(|frame| frame.kind == DATA).expect("an answer");
        // Both answer what they are asked, as clients in good order.
        let peers = [idle, streaming]
            .map(|mut peer| std::thread::spawn(move || while peer.until(|_| true).is_some() {}));
        let begun = Instant::now();
        program.signal(signal);
        assert_eq!(program.end(), Some(0));
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "within the time to drain"
        );
        for peer in peers {
            peer.join().expect("no panic");
        }
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = files();
    std::fs::write(
        dir.path().join("gateway.toml"),
        "drain_seconds = 600\n[[apps]]\nsdk_app_id = 1400000001\n",
    )
    .expect("written");
    let mut program = Program::serve(dir.path(), &["--config", "gateway.toml"]);
    let mut peer = Peer::connect(program.address);
    // Half a call keeps it from ending.
    peer.begin(1, ADMIT).expect("it reads");
    peer.call(3, ADMIT, &admit("a")).expect("it reads");
    peer.until(|frame| frame.kind == DATA).expect("an answer");
    program.signal(Signal::TERM);
    peer.until(|frame| frame.kind == super::raw::GOAWAY)
        .expect("it is told");
    assert_eq!(
        program.process.try_wait().expect("a process"),
        None,
        "it waits for the call"
    );
    program.signal(Signal::TERM);
    assert_eq!(program.end(), Some(0));
}

#[test]
fn hanging_up_reloads_its_files() {
    let dir = files();
    std::fs::write(
        dir.path().join("gateway.toml"),
        "[[apps]]\nsdk_app_id = 1400000001\n",
    )
    .expect("written");
    let program = Program::serve(dir.path(), &["--config", "gateway.toml"]);
    let mut peer = Peer::connect(program.address);
    let mut stream = 1;
    // The answer's length tells an explained denial from a plain answer.
    let mut is_denied = |user: &str| {
        peer.call(stream, ADMIT, &admit(user)).expect("it reads");
        let answer = peer.until(|frame| frame.kind == DATA && frame.stream == stream);
        stream += 2;
        let answer = answer.expect("an answer").payload;
        let answer = quotagate::proto::AdmitResponse::decode(&answer[5..]).expect("an answer");
        answer.outcome() == quotagate::proto::Outcome::Denied
    };
    assert!(!is_denied("a"));
    write(dir.path(), "colour = 1\n");
    program.signal(Signal::HUP);
    assert!(!is_denied("b"), "faulty files change nothing");
    write(dir.path(), &users_max(2));
    program.signal(Signal::HUP);
    let deadline = Instant::now() + PATIENT;
    // A dry run would do too; each of these is undone by nothing, but there is room for one at most.
    let mut number = 0;
    while !is_denied(&format!("c{number}")) {
        number += 1;
        assert!(
            Instant::now() < deadline && number < 90,
            "the new limit is not in force"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// More connections than there are descriptors: it waits, and serves again when they are gone.
#[test]
fn it_lives_through_a_want_of_descriptors() {
    let dir = files();
    let mut command = Command::new("sh");
    command.current_dir(dir.path()).args([
        "-c",
        "ulimit -Sn 40 && ulimit -Hn 40 && QUOTAGATE_LOG=warn exec \"$0\" serve --listen 127.0.0.1:0 2>log",
    ]);
    let mut program = Program::start(command.arg(cargo_bin!()));
    let wanting = || {
        let log = std::fs::read_to_string(dir.path().join("log")).expect("a log");
        log.matches("cannot accept connections").count()
    };
    for round in 0..2 {
        let before = wanting();
        let mut early = Peer::connect(program.address);
        early.call(1, ADMIT, &admit("a")).expect("it reads");
        early.until(|frame| frame.kind == DATA).expect("an answer");
        let many: Vec<_> = (0..120)
            .map(|_| TcpStream::connect(program.address))
            .collect();
        let connected = many.iter().filter(|socket| socket.is_ok()).count();
        assert!(
            connected > 40,
            "round {round}: {connected} fit into the backlog"
        );
        let deadline = Instant::now() + PATIENT;
        while wanting() <= before {
            assert!(Instant::now() < deadline, "round {round}: none was wanting");
            std::thread::sleep(Duration::from_millis(10));
        }
        // Who is in is served meanwhile.
        early.call(3, ADMIT, &admit("a")).expect("it reads");
        early.until(|frame| frame.kind == DATA).expect("an answer");
        drop(many);
        drop(early);
        assert!(program.answers(), "round {round}");
        assert_eq!(
            program.process.try_wait().expect("a process"),
            None,
            "it lives"
        );
    }
    program.signal(Signal::TERM);
    assert_eq!(program.end(), Some(0));
}

//! A load client of one thread, lean enough to leave the processor to the server that it shares it with. A closed loop.
//!
//! Every message is new: one key for all would flatter the server's caches. Answers are counted, and looked into enough to
//! see that they are what they should be. It panics where a product would report: a bench that meets an error has no result.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::frames::{self, END, Frame, WINDOW_FIRST, kind};

/// Where a server listens.
#[derive(Clone)]
pub enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What is sent, and for how long.
#[derive(Clone)]
pub struct Plan {
    pub place: Place,
    /// The method.
    pub path: &'static str,
    pub shape: Shape,
    pub connections: usize,
    /// Calls, or messages of a stream, under way on each connection.
    pub in_flight: usize,
    pub end: End,
}

/// How messages travel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Each in a call of its own.
    Calls,
    /// All of a connection in one stream.
    Stream,
}

/// When it is over.
#[derive(Clone, Copy)]
pub enum End {
    After(Duration),
    /// When there are no more messages, and all are answered.
    Exhausted,
}

/// What came of it.
#[derive(Default)]
pub struct Outcome {
    /// Answers.
    pub answers: u64,
    pub seconds: f64,
    /// Nanoseconds from sending to the answer, where one message at a time is under way.
    pub latencies: Vec<u32>,
}

/// What is asked and how an answer is looked at.
pub trait Talk {
    /// Appends the next message; false if there is none.
    fn ask(&mut self, out: &mut Vec<u8>) -> bool;
    /// Looks at an answer's first bytes, those that came in its first frame.
    fn look(&mut self, answer: &[u8]);
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

struct Connection {
    socket: Socket,
    /// The next call's stream, or the one stream.
    stream: u32,
    is_first: bool,
    received: Vec<u8>,
    out: Vec<u8>,
    /// Messages that may be sent.
    owed: usize,
    under_way: usize,
    /// Room at the server: on the connection, and on the one stream.
    connection_window: i64,
    stream_window: i64,
    initial_window: i64,
    /// Bytes of answers since the server was given more room.
    taken: u32,
    reader: Reader,
    sent_at: Instant,
}

/// Messages in the DATA frames of a stream, which need not be cut alike.
#[derive(Default)]
struct Reader {
    prefix: Vec<u8>,
    missing: usize,
}

/// Room that a message needs, to be on the safe side.
const MESSAGE_MAX: i64 = 16_384;

/// Runs a plan to its end.
pub fn blast(plan: &Plan, talk: &mut impl Talk) -> Outcome {
    let mut connections: Vec<Connection> = (0..plan.connections)
        .map(|_| Connection::open(plan))
        .collect();
    let mut outcome = Outcome::default();
    let mut buffer = vec![0; 1 << 16];
    let mut is_exhausted = false;
    let start = Instant::now();
    loop {
        for connection in &mut connections {
            connection.fill(plan, talk, &mut is_exhausted);
            connection.write();
        }
        let is_over = match plan.end {
            End::After(duration) => start.elapsed() >= duration,
            End::Exhausted => is_exhausted && connections.iter().all(|it| it.under_way == 0),
        };
        if is_over {
            outcome.seconds = start.elapsed().as_secs_f64();
            return outcome;
        }
        let ready = wait(&connections);
        for (connection, is_ready) in connections.iter_mut().zip(ready) {
            if is_ready {
                connection.read(plan, talk, &mut buffer, &mut outcome);
            }
        }
    }
}

/// Whether each has something to read, waiting until one has, or room to write.
fn wait(connections: &[Connection]) -> Vec<bool> {
    let second = Timespec::try_from(Duration::from_secs(1)).expect("a second");
    let socket = |connection: &Connection| {
        let mut events = PollFlags::IN;
        events.set(PollFlags::OUT, !connection.out.is_empty());
        events
    };
    let mut sockets: Vec<_> = connections
        .iter()
        .map(|it| PollFd::from_borrowed_fd(it.socket.fd(), socket(it)))
        .collect();
    poll(&mut sockets, Some(&second)).expect("poll");
    let sockets = sockets.iter();
    sockets
        .map(|it| !(it.revents() - PollFlags::OUT).is_empty())
        .collect()
}

impl Connection {
    fn open(plan: &Plan) -> Self {
        let mut out = Vec::new();
        frames::preface(&mut out);
        if plan.shape == Shape::Stream {
            frames::request(&mut out, 1, plan.path, true);
        }
        Self {
            socket: Socket::connect(&plan.place),
            stream: 1,
            is_first: true,
            received: Vec::new(),
            out,
            owed: plan.in_flight,
            under_way: 0,
            connection_window: WINDOW_FIRST,
            stream_window: WINDOW_FIRST,
            initial_window: WINDOW_FIRST,
            taken: 0,
            reader: Reader::default(),
            sent_at: Instant::now(),
        }
    }

    /// Writes messages as long as they may be under way and the server has room.
    fn fill(&mut self, plan: &Plan, talk: &mut impl Talk, is_exhausted: &mut bool) {
        while self.owed > 0
            && !*is_exhausted
            && self.connection_window.min(self.stream_window) >= MESSAGE_MAX
        {
            let start = self.out.len();
            let is_call = plan.shape == Shape::Calls;
            if is_call {
                frames::request(&mut self.out, self.stream, plan.path, self.is_first);
            }
            let before = self.out.len();
            let mut is_written = true;
            let flags = if is_call { END } else { 0 };
            frames::message(&mut self.out, self.stream, flags, |out| {
                is_written = talk.ask(out);
            });
            if !is_written {
                self.out.truncate(start);
                *is_exhausted = true;
                return;
            }
            let length = i64::try_from(self.out.len() - before - 9).expect("small");
            self.connection_window -= length;
            if is_call {
                self.stream += 2;
                self.is_first = false;
            } else {
                self.stream_window -= length;
            }
            self.owed -= 1;
            self.under_way += 1;
            if plan.in_flight == 1 {
                self.sent_at = Instant::now();
            }
        }
    }

    fn write(&mut self) {
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(count) if count == self.out.len() => self.out.clear(),
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("cannot write to the server: {error}"),
            }
        }
    }

    fn read(
        &mut self,
        plan: &Plan,
        talk: &mut impl Talk,
        buffer: &mut [u8],
        outcome: &mut Outcome,
    ) {
        match self.socket.read(buffer) {
            Ok(0) => panic!("the server has closed the connection"),
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("cannot read from the server: {error}"),
        }
        let received = std::mem::take(&mut self.received);
        let mut rest = received.as_slice();
        while let Some((frame, after)) = Frame::parse(rest) {
            rest = after;
            self.take(plan, &frame, talk, outcome);
        }
        self.received = rest.to_vec();
        if self.taken > 1 << 29 {
            frames::window_update(&mut self.out, 0, self.taken);
            if plan.shape == Shape::Stream {
                frames::window_update(&mut self.out, self.stream, self.taken);
            }
            self.taken = 0;
        }
    }

    fn take(
        &mut self,
        plan: &Plan,
        frame: &Frame<'_>,
        talk: &mut impl Talk,
        outcome: &mut Outcome,
    ) {
        let ends = frame.flags & END != 0;
        match frame.kind {
            kind::DATA => {
                self.taken += u32::try_from(frame.payload.len()).expect("a frame");
                let answered = match plan.shape {
                    Shape::Calls if frame.payload.is_empty() => 0,
                    Shape::Calls => {
                        talk.look(frame.payload.get(5..).expect("a message"));
                        1
                    }
                    Shape::Stream => self.reader.read(frame.payload, talk),
                };
                self.answered(plan, answered, outcome);
                assert!(plan.shape == Shape::Calls || !ends, "the stream has ended");
            }
            // A call that ends in headers without a message has failed, which is seen when the counts do not meet.
            kind::HEADERS => assert!(plan.shape == Shape::Calls || !ends, "the stream has ended"),
            kind::SETTINGS if !ends => {
                if let Some(window) = frame.initial_window() {
                    self.stream_window += i64::from(window) - self.initial_window;
                    self.initial_window = window.into();
                }
                frames::acknowledge(&mut self.out, frame);
            }
            kind::PING if !ends => frames::acknowledge(&mut self.out, frame),
            kind::WINDOW if frame.stream == 0 => {
                self.connection_window += i64::from(frame.number());
            }
            kind::WINDOW if plan.shape == Shape::Stream => {
                self.stream_window += i64::from(frame.number());
            }
            kind::RESET => panic!("the server has reset a stream"),
            kind::GO_AWAY => panic!("the server is going away"),
            _ => {}
        }
    }

    fn answered(&mut self, plan: &Plan, count: usize, outcome: &mut Outcome) {
        self.under_way -= count;
        self.owed += count;
        outcome.answers += count as u64;
        if plan.in_flight == 1 && count == 1 {
            let nanos = self.sent_at.elapsed().as_nanos();
            outcome
                .latencies
                .push(u32::try_from(nanos).unwrap_or(u32::MAX));
        }
    }
}

impl Reader {
    /// How many messages end in some bytes.
    fn read(&mut self, mut bytes: &[u8], talk: &mut impl Talk) -> usize {
        let mut ended = 0;
        while !bytes.is_empty() {
            if self.missing == 0 {
                let wanted = (5 - self.prefix.len()).min(bytes.len());
                let (prefix, rest) = bytes.split_at(wanted);
                self.prefix.extend_from_slice(prefix);
                bytes = rest;
                if let Ok([_, length @ ..]) = <[u8; 5]>::try_from(self.prefix.as_slice()) {
                    self.prefix.clear();
                    self.missing = u32::from_be_bytes(length) as usize;
                    talk.look(&bytes[..self.missing.min(bytes.len())]);
                }
                continue;
            }
            let here = self.missing.min(bytes.len());
            self.missing -= here;
            bytes = &bytes[here..];
            if self.missing == 0 {
                ended += 1;
            }
        }
        ended
    }
}

impl Socket {
    fn connect(place: &Place) -> Self {
        match place {
            Place::Tcp(address) => {
                let stream = TcpStream::connect(address).expect("a server");
                stream.set_nodelay(true).expect("nodelay");
                stream.set_nonblocking(true).expect("non-blocking");
                Self::Tcp(stream)
            }
            Place::Unix(path) => {
                let stream = UnixStream::connect(path).expect("a server");
                stream.set_nonblocking(true).expect("non-blocking");
                Self::Unix(stream)
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

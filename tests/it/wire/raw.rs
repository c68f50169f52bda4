//! A peer that speaks HTTP/2 frame by frame, so that it may break every rule. Nothing it waits for is waited for for ever.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::gate::PATIENT;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// Names of settings.
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
pub const INITIAL_WINDOW_SIZE: u16 = 4;
pub const MAX_HEADER_LIST_SIZE: u16 = 6;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// The peer of a connection. A thread reads all that the server sends, so that neither waits for the other.
pub struct Peer {
    socket: TcpStream,
    frames: Receiver<Frame>,
}

impl Peer {
    /// Connects, and says nothing.
    pub fn silent(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("it listens");
        socket.set_nodelay(true).expect("a socket");
        socket.set_write_timeout(Some(PATIENT)).expect("a socket");
        let mut reading = socket.try_clone().expect("a descriptor");
        let (give, frames) = channel();
        thread::spawn(move || {
            while let Ok(frame) = read(&mut reading) {
                if give.send(frame).is_err() {
                    return;
                }
            }
        });
        Self { socket, frames }
    }

    /// Connects, and begins HTTP/2 with these settings.
    pub fn with(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut peer = Self::silent(address);
        let settings = settings.iter().flat_map(|(name, value)| {
            let (name, value) = (name.to_be_bytes(), value.to_be_bytes());
            name.into_iter().chain(value)
        });
        peer.write(PREFACE).expect("it reads");
        let settings: Vec<u8> = settings.collect();
        peer.send(SETTINGS, 0, 0, &settings).expect("it reads");
        peer
    }

    /// Waits until the server gives the connection more room than the 64 KiB that every one begins with.
    pub fn wait_for_room(&mut self) {
        self.until(|frame| frame.kind == WINDOW_UPDATE && frame.stream == 0)
            .expect("room");
    }

    pub fn connect(address: SocketAddr) -> Self {
        Self::with(address, &[])
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.write(&frame(kind, flags, stream, payload))
    }

    /// The next frame; nothing when the server has closed the connection.
    pub fn next(&self) -> Option<Frame> {
        match self.frames.recv_timeout(PATIENT) {
            Ok(frame) => Some(frame),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("nothing came in time"),
        }
    }

    /// The next frame of a kind, the others passed over and answered as a peer in good order would.
    pub fn until(&mut self, mut wanted: impl FnMut(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            // A connection that has ended takes no answer.
            let _ = self.answer(&frame);
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// Waits until the server has ended the connection, answering nothing.
    pub fn ended(&self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next()).collect()
    }

    fn answer(&mut self, frame: &Frame) -> io::Result<()> {
        match (frame.kind, frame.flags & ACK) {
            (SETTINGS, 0) => self.send(SETTINGS, ACK, 0, &[]),
            (PING, 0) => self.send(PING, ACK, 0, &frame.payload),
            _ => Ok(()),
        }
    }

    /// Begins a call.
    pub fn begin(&mut self, stream: u32, path: &str) -> io::Result<()> {
        self.send(HEADERS, END_HEADERS, stream, &head(path))
    }

    /// Makes a call of one message.
    pub fn call(&mut self, stream: u32, path: &str, body: &[u8]) -> io::Result<()> {
        self.begin(stream, path)?;
        self.send(DATA, END_STREAM, stream, body)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The thread that reads ends with it.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a call, none of them indexed or compressed.
pub fn head(path: &str) -> Vec<u8> {
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    headers
        .iter()
        .flat_map(|(name, value)| header(name, value))
        .collect()
}

pub fn header(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name, value] {
        put_length(&mut out, text.len());
        out.extend_from_slice(text.as_bytes());
    }
    out
}

/// A length as HPACK writes it, in a prefix of seven bits.
fn put_length(out: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        out.push(u8::try_from(length).expect("below 127"));
        return;
    };
    out.push(127);
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).expect("below 128") | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).expect("below 128"));
}

fn read(from: &mut TcpStream) -> io::Result<Frame> {
    let mut head = [0; 9];
    from.read_exact(&mut head)?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let length = u32::from_be_bytes([0, a, b, c]);
    let mut payload = vec![0; usize::try_from(length).expect("24 bits")];
    from.read_exact(&mut payload)?;
    let stream = u32::from_be_bytes(stream) & (u32::MAX >> 1);
    Ok(Frame {
        kind,
        flags,
        stream,
        payload,
    })
}

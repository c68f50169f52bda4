//! An HTTP endpoint of the tests' own, which misbehaves as it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What is done with a request.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// Answered so: the status line's rest, and further header lines.
    Answer(&'static str, &'static str),
    /// Never answered.
    Hang,
    /// The connection is closed in the middle of an answer.
    CutOff,
}

/// A request that has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    pub head: String,
    pub body: String,
}

/// It serves until the test's process ends.
pub struct Endpoint {
    pub url: String,
    seen: Arc<(Mutex<Vec<Request>>, Condvar)>,
}

impl Endpoint {
    /// Does these deeds, one a request, and then takes everything.
    pub fn start(deeds: &[Deed]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/events", listener.local_addr().expect("bound"));
        let seen = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let (shared, deeds) = (seen.clone(), deeds.to_vec());
        std::thread::spawn(move || serve(&listener, deeds.into_iter(), &shared));
        Self { url, seen }
    }

    /// All that have come.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.0.lock().expect("no panic").clone()
    }

    /// Waits until so many have come.
    pub fn wait_for(&self, count: usize) {
        let (seen, changed) = &*self.seen;
        let guard = seen.lock().expect("no panic");
        let enough = changed.wait_while(guard, |seen| seen.len() < count);
        drop(enough.expect("no panic"));
    }
}

fn serve(
    listener: &TcpListener,
    mut deeds: impl Iterator<Item = Deed>,
    (seen, changed): &(Mutex<Vec<Request>>, Condvar),
) {
    let mut hanging = Vec::new();
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        // One that speaks TLS or nothing has no request.
        let Some(request) = read(&stream) else {
            continue;
        };
        seen.lock().expect("no panic").push(request);
        changed.notify_all();
        let answer = |status, more| format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}");
        match deeds.next().unwrap_or(Deed::Answer("202 Accepted", "")) {
            Deed::Answer(status, more) => {
                let body = "no such meter";
                let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
                // It may have gone.
                let _ = stream.write_all((answer(status, more) + &length).as_bytes());
            }
            Deed::Hang => hanging.push(stream),
            Deed::CutOff => drop(stream.write_all(b"HTTP/1.1 202 Acc")),
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Request { head, body })
}

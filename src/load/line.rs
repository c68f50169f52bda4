//! One connection of the load: what it sends and when, and the HTTP/2 connection while it stands.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{Connection, SendRequest};

use super::answer;
use super::calls::{Calls, Head, broken};
use super::feed::Feed;
use super::mix::Mix;
use super::pace::Pace;
use super::socket::{Readiness, Socket, Stream};
use super::tally::Tally;
use super::{Mode, Options};
use crate::clock::Stopwatch;

/// Room for answers on the way, so that the server never waits for it.
const WINDOW: u32 = 16 << 20;

/// Calls under way before the server has said how many it takes: what HTTP/2 recommends that it takes at least.
const STREAMS_FIRST: usize = 100;

/// A server that is away is asked again so often.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// One connection's part of the load.
pub(super) struct Line<'a> {
    options: &'a Options,
    head: Head,
    mix: Mix,
    pace: Pace,
    link: Option<Link>,
    /// When to connect again.
    retry_at: Duration,
}

/// A connection that stands.
struct Link {
    connection: Connection<Socket, Bytes>,
    sender: SendRequest<Bytes>,
    traffic: Traffic,
    /// The server takes no more calls at once than are under way.
    is_held: bool,
    stream: Arc<Stream>,
    readiness: Rc<Readiness>,
}

enum Traffic {
    Calls(Calls),
    Feed(Feed),
}

impl<'a> Line<'a> {
    /// The connection of that number, not yet connected.
    pub(super) fn new(options: &'a Options, number: u32) -> Self {
        let lines = options.connections;
        let operations = options.operations_per_message();
        let pace = options.rate.map_or(Pace::Closed, |rate| Pace::Open {
            line: number.into(),
            lines: lines.into(),
            operations: operations.into(),
            rate,
            sent: 0,
        });
        let method = match options.mode {
            Mode::Unary => "/quotagate.v1.AdmissionService/Admit",
            Mode::Batch => "/quotagate.v1.AdmissionService/AdmitBatch",
            Mode::Stream => "/quotagate.v1.AdmissionService/AdmitStream",
        };
        Self {
            options,
            head: Head::new(method),
            mix: Mix::new(options.population, number, lines),
            pace,
            link: None,
            retry_at: Duration::ZERO,
        }
    }

    /// Receives, counts and sends whatever can be now. Nothing is sent from `end` on.
    pub(super) fn turn(&mut self, clock: Stopwatch, end: Duration, tally: &mut Tally) {
        let now = clock.elapsed();
        if self.link.is_none() && now >= self.retry_at && now < end {
            match Link::open(self.options, &self.head) {
                Ok(link) => self.link = Some(link),
                Err(trouble) => {
                    tally.trouble = Some(format!("cannot connect: {trouble}"));
                    self.retry_at = now + RETRY_AFTER;
                }
            }
        }
        if let Err(trouble) = self.exchange(clock, end, tally) {
            self.give_up(now, tally, &trouble);
            self.retry_at = now + RETRY_AFTER;
        }
    }

    /// Messages under way.
    pub(super) fn in_flight(&self) -> usize {
        self.link.as_ref().map_or(0, Link::in_flight)
    }

    /// When there is something to do without anything having arrived; nothing if never.
    pub(super) fn next(&self) -> Option<Duration> {
        match &self.link {
            None => Some(self.retry_at),
            Some(link) if link.takes_more(self.options) => self.pace.next(),
            Some(_) => None,
        }
    }

    /// What to wait for, and where to note it; nothing while there is no connection.
    pub(super) fn waits_for(&self) -> Option<(&Stream, &Readiness)> {
        let link = self.link.as_ref()?;
        Some((&link.stream, &link.readiness))
    }

    /// Counts what is under way as lost, and lets the connection go.
    pub(super) fn give_up(&mut self, now: Duration, tally: &mut Tally, trouble: &str) {
        match self.link.take().map(|link| link.traffic) {
            Some(Traffic::Calls(mut calls)) => calls.give_up(now, tally, trouble),
            Some(Traffic::Feed(mut feed)) => feed.give_up(now, tally, trouble),
            None => {}
        }
    }

    /// Counts what was due before the end and could not be sent.
    pub(super) fn count_unsent(&self, end: Duration, tally: &mut Tally) {
        let operations = self.options.operations_per_message().into();
        for (waited, messages) in self.pace.overdue(end) {
            tally.unsent(waited, messages, operations);
        }
    }

    fn exchange(
        &mut self,
        clock: Stopwatch,
        end: Duration,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let polled = Pin::new(&mut link.connection).poll(&mut cx);
            let now = clock.elapsed();
            if let Poll::Ready(result) = polled {
                // What arrived before the end counts.
                let _ = link.harvest(&mut cx, now, tally);
                result.map_err(broken)?;
                return Err("the server has closed the connection".into());
            }
            let has_read = link.readiness.has_read.replace(false);
            if has_read {
                link.harvest(&mut cx, now, tally)?;
            }
            let mut has_sent = false;
            while link.in_flight() < self.options.in_flight as usize && now < end {
                let Some(due) = self.pace.due(now).filter(|due| *due < end) else {
                    break;
                };
                let ready = link.sender.poll_ready(&mut cx).map_err(broken)?;
                link.is_held = ready.is_pending();
                if link.is_held {
                    break;
                }
                let message = message(self.options, &mut self.mix);
                let operations = self.options.operations_per_message().into();
                link.send(&self.head, message, due, operations)
                    .map_err(broken)?;
                self.pace.advance();
                has_sent = true;
            }
            // What was sent, or read and makes room for more, the connection has yet to write.
            if !has_sent && !has_read {
                return Ok(());
            }
        }
    }
}

impl Link {
    fn open(options: &Options, head: &Head) -> Result<Self, String> {
        let socket = Socket::connect(&options.server).map_err(|error| error.to_string())?;
        let (stream, readiness) = socket.handles();
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .enable_push(false)
            .initial_max_send_streams(STREAMS_FIRST)
            .max_send_buffer_size(4 << 20);
        let mut handshake = pin!(builder.handshake(socket));
        let mut cx = Context::from_waker(Waker::noop());
        // It writes some bytes to a socket that is empty.
        let Poll::Ready(shaken) = handshake.as_mut().poll(&mut cx) else {
            return Err("the socket takes no bytes".into());
        };
        let (mut sender, connection) = shaken.map_err(broken)?;
        let traffic = match options.mode {
            Mode::Unary => Traffic::Calls(Calls::new(answer::one)),
            Mode::Batch => Traffic::Calls(Calls::new(answer::batch)),
            Mode::Stream => Traffic::Feed(Feed::open(&mut sender, head).map_err(broken)?),
        };
        Ok(Self {
            connection,
            sender,
            traffic,
            is_held: false,
            stream,
            readiness,
        })
    }

    fn takes_more(&self, options: &Options) -> bool {
        !self.is_held && self.in_flight() < options.in_flight as usize
    }

    fn in_flight(&self) -> usize {
        match &self.traffic {
            Traffic::Calls(calls) => calls.len(),
            Traffic::Feed(feed) => feed.len(),
        }
    }

    fn send(
        &mut self,
        head: &Head,
        message: Bytes,
        due: Duration,
        operations: u64,
    ) -> Result<(), h2::Error> {
        match &mut self.traffic {
            Traffic::Calls(calls) => calls.send(&mut self.sender, head, message, due, operations),
            Traffic::Feed(feed) => feed.send(message, due, operations),
        }
    }

    fn harvest(
        &mut self,
        cx: &mut Context<'_>,
        now: Duration,
        tally: &mut Tally,
    ) -> Result<(), String> {
        match &mut self.traffic {
            Traffic::Calls(calls) => {
                calls.harvest(cx, now, tally);
                Ok(())
            }
            Traffic::Feed(feed) => feed.harvest(cx, now, tally),
        }
    }
}

fn message(options: &Options, mix: &mut Mix) -> Bytes {
    match options.mode {
        Mode::Unary => {
            let mut message = BytesMut::with_capacity(64);
            mix.request(&mut message);
            message.freeze()
        }
        Mode::Batch | Mode::Stream => mix.batch(options.batch),
    }
}

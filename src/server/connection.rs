//! One connection: HTTP/2 by the `h2` crate, driven by one task, with no task for each call.
//!
//! At every wake-up it takes what the peer has sent, answers all calls whose message is whole, and lets `h2` send the answers
//! together. Calls that may last go to tasks of their own (see [`super::long`]). Invariant: the task never waits for one call;
//! what a peer can make it hold is bounded. Absent on purpose: what a call means.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Ping, PingPong, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tonic::Status;

use super::bell::Ear;
use super::long;
use super::received::Held;
use super::short::{Incoming, Method, Promise, Whole, refuse, settle};
use super::worker::Shared;
use crate::config::Connections;
use crate::grpc::Peer;
use crate::journal::Position;

/// Largest set of headers that is read, in bytes.
pub const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// What a peer may send on one stream before it is read, in bytes.
pub const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// What a peer may send on all streams of a connection before it is read, in bytes.
pub const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// Streams that a peer may reset before they are so much as accepted, until the connection ends (rapid reset).
pub const PENDING_RESETS_MAX: usize = 20;
/// Streams that a peer may make us reset, until the connection ends (made-you-reset).
pub const OWN_RESETS_MAX: usize = 1024;
/// What small frames may cost beyond the bytes in them, until they are read: a stream's window full of the smallest batches.
pub const FRAMES_BYTES_MAX: usize = 12 << 20;
/// Bytes of messages that are not whole yet, on all calls of a connection.
pub const HELD_BYTES_MAX: usize = 4 << 20;

/// The status of the call whose message is over [`HELD_BYTES_MAX`].
#[cold]
pub(super) fn held_too_much() -> Status {
    Status::resource_exhausted(
        "the connection holds too many messages that are not whole: send each at once",
    )
}

/// HTTP/2 with every bound that keeps a peer from taking more than its part.
fn builder(limits: &Connections) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(Some(OWN_RESETS_MAX))
        .data_frame_budget(FRAMES_BYTES_MAX);
    builder
}

/// Serves a connection until it ends.
pub(super) async fn serve<I: AsyncRead + AsyncWrite + Unpin>(
    io: I,
    peer: Peer,
    shared: Arc<Shared>,
) {
    let handshake = builder(&shared.limits).handshake::<_, Bytes>(io);
    match timeout(shared.limits.handshake, handshake).await {
        Ok(Ok(h2)) => {
            let mut connection = Connection::new(h2, peer, shared);
            poll_fn(|cx| connection.poll(cx)).await;
        }
        Ok(Err(error)) => tracing::debug!("handshake failed: {error}"),
        Err(_) => tracing::debug!("handshake not done in time"),
    }
}

struct Connection<I> {
    h2: h2::server::Connection<I, Bytes>,
    /// Who is at the other end.
    peer: Peer,
    shared: Arc<Shared>,
    /// Calls whose message is not whole yet.
    incoming: Vec<Incoming>,
    /// Empty; its room is used again.
    waiting: Vec<Incoming>,
    /// Bytes that they hold, with those of the calls that have tasks of their own, each of which has a share in it.
    held: Arc<Held>,
    /// Empty between wake-ups; its room is used again.
    whole: Whole,
    /// Answers that wait until the journal has reached their positions, in order.
    promised: VecDeque<(Position, Vec<Promise>)>,
    /// How often the bell had rung when it was last heard.
    heard: Option<u64>,
    ear: Ear,
    pulse: Pulse,
}

/// Whether the peer is there, and has anything to ask.
struct Pulse {
    ping_pong: Option<PingPong>,
    awaits_pong: bool,
    /// Rings of the bell since the last call.
    quiet: u32,
    quiet_max: u32,
}

/// What a look at the peer comes to.
enum Beat {
    /// It was asked for a sign of life.
    Asked,
    /// It has not asked for anything in a long time.
    Idle,
    /// It has given no sign of life.
    Gone,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Connection<I> {
    fn new(mut h2: h2::server::Connection<I, Bytes>, peer: Peer, shared: Arc<Shared>) -> Self {
        let pulse = Pulse::new(h2.ping_pong(), &shared.limits);
        let ear = shared.bell.ear();
        Self {
            h2,
            peer,
            shared,
            incoming: Vec::new(),
            waiting: Vec::new(),
            held: Arc::default(),
            whole: Whole::default(),
            promised: VecDeque::new(),
            heard: None,
            ear,
            pulse,
        }
    }

    /// Ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            loop {
                match self.h2.poll_accept(cx) {
                    Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond),
                    Poll::Ready(Some(Err(error))) => {
                        tracing::debug!("connection ended: {error}");
                        return Poll::Ready(());
                    }
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
            }
            // What is answered leaves when h2 is polled again.
            if self.answer_whole(cx) | self.answer_promised(cx) {
                continue;
            }
            let rung = self.ear.rung();
            if self.heard == Some(rung) {
                return Poll::Pending;
            }
            let first = self.heard.replace(rung).is_none();
            self.ear.listen(cx.waker(), rung);
            if self.shared.bell.is_stopping() {
                self.leave();
                continue;
            }
            if first {
                return Poll::Pending;
            }
            match self.pulse.beat(cx, Arc::strong_count(&self.held) > 1) {
                Beat::Asked => {}
                Beat::Idle => self.leave(),
                Beat::Gone => return Poll::Ready(()),
            }
        }
    }

    /// Lets the peer finish what it has begun, and begin nothing more.
    fn leave(&mut self) {
        self.h2.graceful_shutdown();
    }

    #[inline]
    fn begin(&mut self, mut request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.pulse.quiet = 0;
        match Method::of(&request) {
            Some(method) => self.incoming.push(Incoming::new(method, request, respond)),
            None => {
                request.extensions_mut().insert(self.peer.clone());
                long::begin(&self.shared, &self.held, request, respond);
            }
        }
    }

    /// Answers every call whose message is whole, or can become no message; whether there was one.
    fn answer_whole(&mut self, cx: &mut Context<'_>) -> bool {
        let mut answered = false;
        for mut call in self.incoming.drain(..) {
            match call.poll_message(cx, &self.held) {
                Poll::Pending => self.waiting.push(call),
                Poll::Ready(Ok(Some(message))) => self.whole.add(call, message),
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Err(status)) => {
                    answered = true;
                    self.shared.counters.refused();
                    refuse(call.respond, status);
                }
            }
        }
        mem::swap(&mut self.incoming, &mut self.waiting);
        if !self.whole.is_empty() {
            // Also when some must wait: others may have been answered.
            answered = true;
            if let Some(position) = self.whole.answer(&self.shared, &self.held) {
                let promises = self.whole.take_promises();
                self.promised.push_back((position, promises));
            }
        }
        answered
    }

    /// Gives the answers whose positions the journal has reached, or never will; whether there was one.
    #[inline]
    fn answer_promised(&mut self, cx: &mut Context<'_>) -> bool {
        let mut answered = false;
        while let Some((position, _)) = self.promised.front() {
            let Some(log) = self.shared.gateway.log() else {
                break;
            };
            let Poll::Ready(kept) = log.poll_reached(*position, cx.waker()) else {
                break;
            };
            if let Some((_, promises)) = self.promised.pop_front() {
                settle(&self.shared, &self.held, promises, kept);
                answered = true;
            }
        }
        answered
    }
}

impl Pulse {
    fn new(ping_pong: Option<PingPong>, limits: &Connections) -> Self {
        let quiet_max = limits
            .idle
            .as_secs()
            .div_ceil(limits.keepalive.as_secs().max(1));
        Self {
            ping_pong,
            awaits_pong: false,
            quiet: 0,
            quiet_max: u32::try_from(quiet_max).unwrap_or(u32::MAX),
        }
    }

    /// Looks at the peer, at every ring of the bell.
    fn beat(&mut self, cx: &mut Context<'_>, busy: bool) -> Beat {
        let Some(ping_pong) = &mut self.ping_pong else {
            return Beat::Asked;
        };
        if self.awaits_pong && !matches!(ping_pong.poll_pong(cx), Poll::Ready(Ok(_))) {
            return Beat::Gone;
        }
        self.awaits_pong = false;
        self.quiet = if busy {
            0
        } else {
            self.quiet.saturating_add(1)
        };
        // Once it is told, an idle peer has until the next ring to go.
        match self.quiet.saturating_sub(self.quiet_max) {
            0 => {}
            1 => return Beat::Idle,
            _ => return Beat::Gone,
        }
        self.awaits_pong = ping_pong.send_ping(Ping::opaque()).is_ok();
        Beat::Asked
    }
}

//! Calls of one message and one answer, made in the connection's own task.
//!
//! Invariant: an answer is a head, a message and a status, or a status alone; it leaves when the journal has what it promises.
//! Absent on purpose: streams; see `stream`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use tonic::{Code, Status};

use super::connection::{HELD_BYTES_MAX, held_too_much};
use super::long;
use super::received::Held;
use super::worker::Shared;
use crate::clock::Stopwatch;
use crate::grpc::{self, MESSAGE_BYTES_MAX, PREFIX_BYTES, Reply};
use crate::journal::{Position, Unavailable};
use crate::telemetry::Call;
use crate::time::Timestamp;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// The calls that are answered at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    Admit,
    AdmitBatch,
    GetUsage,
}

impl Method {
    /// The method that a request is for, if it is one of these and asked for by gRPC.
    #[inline]
    pub(super) fn of(request: &Request<RecvStream>) -> Option<Self> {
        let method = match request.uri().path() {
            "/quotagate.v1.AdmissionService/Admit" => Self::Admit,
            "/quotagate.v1.AdmissionService/AdmitBatch" => Self::AdmitBatch,
            "/quotagate.v1.AdmissionService/GetUsage" => Self::GetUsage,
            _ => return None,
        };
        is_grpc(request).then_some(method)
    }
}

/// Whether a request is made by gRPC: a POST whose content is `application/grpc` in protobuf.
#[inline]
pub(super) fn is_grpc<B>(request: &Request<B>) -> bool {
    let content = request.headers().get(header::CONTENT_TYPE);
    let content = content.map_or(&b""[..], HeaderValue::as_bytes);
    request.method() == http::Method::POST
        && matches!(content, b"application/grpc" | b"application/grpc+proto")
}

/// A call whose message is not whole yet.
pub(super) struct Incoming {
    method: Method,
    pub(super) respond: SendResponse<Bytes>,
    body: RecvStream,
    read: BytesMut,
}

impl Incoming {
    #[inline]
    pub(super) fn new(
        method: Method,
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
    ) -> Self {
        Self {
            method,
            respond,
            body: request.into_body(),
            read: BytesMut::new(),
        }
    }

    /// The message without its prefix; nothing if the peer has given the call up. `held` are the bytes of all that is not
    /// whole on the connection.
    #[inline]
    pub(super) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        held: &Held,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        loop {
            let Poll::Ready(data) = self.body.poll_data(cx) else {
                return Poll::Pending;
            };
            let whole = match data {
                Some(Ok(data)) => {
                    // It fails only for more than was received.
                    let _ = self.body.flow_control().release_capacity(data.len());
                    let ends = self.body.is_end_stream();
                    if ends && self.read.is_empty() {
                        data
                    } else {
                        self.keep(&data, held)?;
                        if !ends {
                            continue;
                        }
                        self.take(held)
                    }
                }
                Some(Err(_)) => {
                    self.take(held);
                    return Poll::Ready(Ok(None));
                }
                None => self.take(held),
            };
            return Poll::Ready(grpc::unframed(whole).map(Some));
        }
    }

    fn keep(&mut self, data: &Bytes, held: &Held) -> Result<(), Status> {
        self.read.extend_from_slice(data);
        let all = held.fetch_add(data.len(), Ordering::Relaxed) + data.len();
        let fault = if self.read.len() > PREFIX_BYTES + MESSAGE_BYTES_MAX {
            grpc::too_large()
        } else if all > HELD_BYTES_MAX {
            held_too_much()
        } else {
            return Ok(());
        };
        self.take(held);
        Err(fault)
    }

    fn take(&mut self, held: &Held) -> Bytes {
        held.fetch_sub(self.read.len(), Ordering::Relaxed);
        std::mem::take(&mut self.read).freeze()
    }
}

/// Calls whose message is whole, answered together.
#[derive(Default)]
pub(super) struct Whole {
    /// The messages of `Admit`, and where their answers go until they are given.
    admits: Vec<Bytes>,
    admitting: Vec<Option<SendResponse<Bytes>>>,
    others: Vec<(Method, Bytes, SendResponse<Bytes>)>,
    /// Answers that promise something.
    promises: Vec<Promise>,
}

/// An answer that promises something, and where it goes once that can be kept.
pub(super) struct Promise {
    respond: SendResponse<Bytes>,
    frame: Bytes,
}

impl Whole {
    /// Adds a call.
    #[inline]
    pub(super) fn add(&mut self, call: Incoming, message: Bytes) {
        match call.method {
            Method::Admit => {
                self.admits.push(message);
                self.admitting.push(Some(call.respond));
            }
            method => self.others.push((method, message, call.respond)),
        }
    }

    /// Whether there is no call.
    pub(super) fn is_empty(&self) -> bool {
        self.admits.is_empty() && self.others.is_empty()
    }

    /// Decides the calls and answers them, but for those whose answers promise what the journal has not yet: those are
    /// answered when it has reached a position.
    pub(super) fn answer(&mut self, shared: &Arc<Shared>, held: &Arc<Held>) -> Option<Position> {
        let (now, stopwatch) = (shared.clock.now(), Stopwatch::start());
        let Shared {
            gateway, counters, ..
        } = &**shared;
        if !self.admits.is_empty() {
            self.answer_admits(shared, held, now);
            let calls = self.admits.len();
            counters.took(Call::Admit, calls, stopwatch.elapsed());
            self.admits.clear();
            self.admitting.clear();
        }
        for (method, message, respond) in self.others.drain(..) {
            if method == Method::GetUsage {
                let answered = grpc::get_usage(gateway, &message, now);
                give(shared, held, respond, answered);
            } else {
                let answered = grpc::admit_batch(gateway, counters, &message, now);
                counters.took(Call::AdmitBatch, 1, stopwatch.elapsed());
                promise(&mut self.promises, shared, held, respond, answered);
            }
        }
        if self.promises.is_empty() {
            return None;
        }
        let unreached = gateway.commit();
        if unreached.is_none() {
            for Promise { respond, frame } in self.promises.drain(..) {
                send(shared, held, respond, frame);
            }
        }
        unreached
    }

    fn answer_admits(&mut self, shared: &Arc<Shared>, held: &Arc<Held>, now: Timestamp) {
        let Shared {
            gateway, counters, ..
        } = &**shared;
        let (admitting, promises) = (&mut self.admitting, &mut self.promises);
        let mut give_to = |place: usize, answered| {
            if let Some(respond) = admitting.get_mut(place).and_then(Option::take) {
                promise(promises, shared, held, respond, answered);
            }
        };
        if let [message] = self.admits.as_slice() {
            give_to(0, grpc::admit(gateway, counters, message, now));
        } else {
            let messages = self.admits.iter().map(Bytes::as_ref);
            grpc::admit_each(gateway, counters, messages, now, give_to);
        }
    }

    /// Takes the answers out that wait for the journal.
    pub(super) fn take_promises(&mut self) -> Vec<Promise> {
        std::mem::take(&mut self.promises)
    }
}

/// Gives an answer, or lets it wait if it promises something.
#[inline]
fn promise(
    promises: &mut Vec<Promise>,
    shared: &Arc<Shared>,
    held: &Arc<Held>,
    respond: SendResponse<Bytes>,
    answered: Result<Reply, Status>,
) {
    match answered {
        Ok(Reply {
            bytes: frame,
            promises: true,
        }) => promises.push(Promise { respond, frame }),
        answered => give(shared, held, respond, answered.map(|reply| reply.bytes)),
    }
}

/// Gives answers that have waited for the journal: it has what they promise, or says why it cannot.
pub(super) fn settle(
    shared: &Arc<Shared>,
    held: &Arc<Held>,
    promises: Vec<Promise>,
    kept: Result<(), Unavailable>,
) {
    for Promise { respond, frame } in promises {
        let answered = kept.map(|()| frame).map_err(grpc::unavailable);
        give(shared, held, respond, answered);
    }
}

#[inline]
fn give(
    shared: &Arc<Shared>,
    held: &Arc<Held>,
    respond: SendResponse<Bytes>,
    answered: Result<Bytes, Status>,
) {
    match answered {
        Ok(frame) => send(shared, held, respond, frame),
        Err(status) => {
            if status.code() == Code::InvalidArgument {
                shared.counters.refused();
            }
            refuse(respond, status);
        }
    }
}

/// Answers up to that many bytes are left to `h2`, whether the peer reads or not: with all streams some MiB.
const LEFT_BYTES_MAX: usize = 4 << 10;

/// Sends head, message and status. A peer that has gone meanwhile is none of the call's business.
#[inline]
fn send(shared: &Arc<Shared>, held: &Arc<Held>, mut respond: SendResponse<Bytes>, frame: Bytes) {
    let mut response = Response::new(());
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    let Ok(mut stream) = respond.send_response(response, false) else {
        return;
    };
    if frame.len() > LEFT_BYTES_MAX {
        long::send_answer(shared, held, stream, frame);
    } else if stream.send_data(frame, false).is_ok() {
        let _ = stream.send_trailers(fine());
    }
}

/// The trailers of a call that was answered.
#[inline]
pub(super) fn fine() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    trailers
}

/// Sends a status alone, and lets the rest of the request go.
#[cold]
pub(super) fn refuse(mut respond: SendResponse<Bytes>, status: Status) {
    let _ = respond.send_response(status.into_http::<()>(), true);
}

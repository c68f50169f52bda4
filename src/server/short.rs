//! Calls of one message and one answer, made in the connection's own task.
//!
//! Invariant: an answer is a head, a message and a status, or a status alone. Absent on purpose: streams; see `stream`.

use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use tonic::Status;

use super::connection::HELD_BYTES_MAX;
use super::worker::Shared;
use crate::grpc::{self, MESSAGE_BYTES_MAX};
use crate::telemetry::Call;
use crate::time::Timestamp;

/// A gRPC message's prefix: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;
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

    /// The call that is timed, if it is.
    pub(super) const fn timed(self) -> Option<Call> {
        match self {
            Self::Admit => Some(Call::Admit),
            Self::AdmitBatch => Some(Call::AdmitBatch),
            Self::GetUsage => None,
        }
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
    pub(super) method: Method,
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
        held: &mut usize,
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
            return Poll::Ready(unframed(whole).map(Some));
        }
    }

    fn keep(&mut self, data: &Bytes, held: &mut usize) -> Result<(), Status> {
        self.read.extend_from_slice(data);
        *held += data.len();
        let fault = if self.read.len() > PREFIX_BYTES + MESSAGE_BYTES_MAX {
            too_large()
        } else if *held > HELD_BYTES_MAX {
            Status::resource_exhausted(
                "the connection holds too many messages that are not whole: send each at once",
            )
        } else {
            return Ok(());
        };
        self.take(held);
        Err(fault)
    }

    fn take(&mut self, held: &mut usize) -> Bytes {
        *held -= self.read.len();
        std::mem::take(&mut self.read).freeze()
    }
}

/// The message in a gRPC frame.
#[inline]
fn unframed(mut frame: Bytes) -> Result<Bytes, Status> {
    let Some((&[compressed, a, b, c, d], message)) = frame.split_first_chunk::<PREFIX_BYTES>()
    else {
        return Err(Status::invalid_argument(
            "the body is no gRPC message: it has less than a prefix of 5 bytes",
        ));
    };
    let (length, has) = (u32::from_be_bytes([a, b, c, d]), message.len());
    if compressed != 0 {
        return Err(Status::unimplemented(
            "messages cannot be compressed: send them as they are",
        ));
    }
    if has > MESSAGE_BYTES_MAX {
        return Err(too_large());
    }
    if usize::try_from(length) != Ok(has) {
        return Err(Status::invalid_argument(format!(
            "the body is not one gRPC message: its prefix says {length} bytes, and {has} follow"
        )));
    }
    frame.advance(PREFIX_BYTES);
    Ok(frame)
}

fn too_large() -> Status {
    Status::resource_exhausted(format!(
        "the message has more than {MESSAGE_BYTES_MAX} bytes: send fewer operations at once"
    ))
}

/// Decides a call and answers it.
#[inline]
pub(super) fn answer(
    shared: &Shared,
    method: Method,
    message: &[u8],
    respond: SendResponse<Bytes>,
    now: Timestamp,
) {
    let (gateway, counters) = (&*shared.gateway, &*shared.counters);
    let mut frame = Vec::with_capacity(32);
    frame.extend_from_slice(&[0; PREFIX_BYTES]);
    let answered = match method {
        Method::Admit => grpc::admit(gateway, counters, message, now, &mut frame),
        Method::AdmitBatch => grpc::admit_batch(gateway, counters, message, now, &mut frame),
        Method::GetUsage => grpc::get_usage(gateway, message, now, &mut frame),
    };
    match answered {
        Ok(()) => send(respond, framed(frame)),
        Err(status) => {
            counters.refused();
            refuse(respond, status);
        }
    }
}

/// Sets the prefix of a message.
#[inline]
fn framed(mut frame: Vec<u8>) -> Bytes {
    let length = u32::try_from(frame.len() - PREFIX_BYTES).unwrap_or(u32::MAX);
    if let Some([_, prefix @ ..]) = frame.first_chunk_mut::<PREFIX_BYTES>() {
        *prefix = length.to_be_bytes();
    }
    frame.into()
}

/// Sends head, message and status. A peer that has gone meanwhile is none of the call's business.
#[inline]
fn send(mut respond: SendResponse<Bytes>, frame: Bytes) {
    let mut head = Response::new(());
    head.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    let Ok(mut stream) = respond.send_response(head, false) else {
        return;
    };
    if stream.send_data(frame, false).is_ok() {
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
        let _ = stream.send_trailers(trailers);
    }
}

/// Sends a status alone, and lets the rest of the request go.
#[cold]
pub(super) fn refuse(mut respond: SendResponse<Bytes>, status: Status) {
    let _ = respond.send_response(status.into_http::<()>(), true);
}

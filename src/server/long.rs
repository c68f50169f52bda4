//! Calls that may last, each in a task: `AdmitStream`, and everything that tonic's services answer.
//!
//! Invariant: at most one frame of a body is held for a peer that does not read, and not for ever. When the gateway stops, a
//! stream ends with UNAVAILABLE once it has nothing more to say. Absent on purpose: what the services do.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use tokio::time::timeout;
use tokio_util::sync::WaitForCancellationFuture;
use tonic::Status;
use tonic::body::Body;
use tower::Service as _;

use super::connection::HELD_BYTES_MAX;
use super::received::{Held, Received};
use super::short::{fine, is_grpc};
use super::stream;
use super::worker::Shared;

const ADMIT_STREAM: &str = "/quotagate.v1.AdmissionService/AdmitStream";

/// Begins a call; `held` is shared with it as long as it lasts.
pub(super) fn begin(
    shared: &Arc<Shared>,
    held: &Arc<Held>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let (shared, held) = (Arc::clone(shared), Arc::clone(held));
    tokio::spawn(async move {
        let body = |stream| Body::new(Received::new(stream, Arc::clone(&held)));
        let request = request.map(body);
        let ending = Ending::of(&request);
        let answered = answer(&shared, request);
        // A call that the peer gives up must not go on: its stream does not count any more.
        let response = tokio::select! {
            biased;
            response = answered => response,
            _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
        };
        // Whether the peer took it all is the peer's affair.
        let _ = send(response, respond, &shared, ending).await;
        drop(held);
    });
}

/// How a body ends when the gateway stops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// When it has answered what it took: `AdmitStream`.
    ByItself,
    /// When it has nothing to say.
    WhenSilent,
}

impl Ending {
    fn of<B>(request: &Request<B>) -> Self {
        if request.uri().path() == ADMIT_STREAM && is_grpc(request) {
            Self::ByItself
        } else {
            Self::WhenSilent
        }
    }
}

async fn answer(shared: &Arc<Shared>, request: Request<Body>) -> Response<Body> {
    if Ending::of(&request) == Ending::ByItself {
        return stream::admit(Arc::clone(shared), request).await;
    }
    let answered: Result<_, Infallible> = shared.routes.clone().call(request).await;
    answered.unwrap_or_else(|never| match never {})
}

/// Sends a long answer of a short call as fast as the peer takes it. What waits counts to what the connection holds.
pub(super) fn send_answer(
    shared: &Arc<Shared>,
    held: &Arc<Held>,
    mut stream: SendStream<Bytes>,
    frame: Bytes,
) {
    let bytes = frame.len();
    if held.fetch_add(bytes, Ordering::Relaxed) + bytes > HELD_BYTES_MAX {
        held.fetch_sub(bytes, Ordering::Relaxed);
        let mut trailers = HeaderMap::new();
        // Only a message that is no header could be refused.
        let _ = unread_too_much().add_header(&mut trailers);
        let _ = stream.send_trailers(trailers);
        return;
    }
    let (shared, held) = (Arc::clone(shared), Arc::clone(held));
    tokio::spawn(async move {
        if send_data(&mut stream, frame, &shared).await.is_ok() {
            let _ = stream.send_trailers(fine());
        }
        held.fetch_sub(bytes, Ordering::Relaxed);
    });
}

fn unread_too_much() -> Status {
    Status::resource_exhausted(
        "too many answers wait to be read: it was decided, read the answers and ask again",
    )
}

/// Sends a response as fast as the peer takes it, until it gives up, or reads nothing for too long.
async fn send(
    response: Response<Body>,
    mut respond: SendResponse<Bytes>,
    shared: &Shared,
    ending: Ending,
) -> Result<(), h2::Error> {
    let (head, mut body) = response.into_parts();
    let ends = body.is_end_stream();
    let mut stream = respond.send_response(Response::from_parts(head, ()), ends)?;
    if ends {
        return Ok(());
    }
    let mut draining = pin!(shared.drain.cancelled());
    while let Some(frame) = next_frame(&mut stream, &mut body, draining.as_mut(), ending).await {
        let Ok(frame) = frame else {
            stream.send_reset(Reason::INTERNAL_ERROR);
            return Ok(());
        };
        match frame.into_data() {
            Ok(data) => send_data(&mut stream, data, shared).await?,
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    return stream.send_trailers(trailers);
                }
            }
        }
    }
    stream.send_data(Bytes::new(), true)
}

/// The next frame of a body; nothing at its end, or when the peer has reset the stream.
async fn next_frame(
    stream: &mut SendStream<Bytes>,
    body: &mut Body,
    mut draining: Pin<&mut WaitForCancellationFuture<'_>>,
    ending: Ending,
) -> Option<Result<Frame<Bytes>, Status>> {
    poll_fn(|cx| {
        if stream.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        let frame = Pin::new(&mut *body).poll_frame(cx);
        if frame.is_ready() || draining.as_mut().poll(cx).is_pending() {
            return frame;
        }
        match ending {
            Ending::WhenSilent => Poll::Ready(Some(Ok(Frame::trailers(shut_down())))),
            // Asked again, it finds that the gateway is stopping.
            Ending::ByItself => Pin::new(&mut *body).poll_frame(cx),
        }
    })
    .await
}

/// The status of a stream that the end of the gateway ends.
pub(super) fn stopping() -> Status {
    Status::unavailable(
        "the gateway is shutting down: what it took is answered; send the rest to the next one",
    )
}

fn shut_down() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // Only a message that is no header could be refused.
    let _ = stopping().add_header(&mut trailers);
    trailers
}

async fn send_data(
    stream: &mut SendStream<Bytes>,
    mut data: Bytes,
    shared: &Shared,
) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let capacity = poll_fn(|cx| stream.poll_capacity(cx));
        let Ok(capacity) = timeout(shared.limits.unread, capacity).await else {
            shared.counters.cut_off();
            stream.send_reset(Reason::CANCEL);
            return Err(Reason::CANCEL.into());
        };
        let Some(capacity) = capacity.transpose()? else {
            return Err(Reason::CANCEL.into());
        };
        let part = data.split_to(capacity.min(data.len()));
        stream.send_data(part, false)?;
    }
    Ok(())
}

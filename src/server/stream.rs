//! `AdmitStream`: batches in, answers out in the same order. tonic frames the messages, `grpc` decides them.
//!
//! Invariant: every batch that was taken is answered, when the journal has what the answer promises. Absent on purpose: queues,
//! but of the few batches that the journal is waited for together. A batch is taken when there is room for its answer, so a
//! peer that does not read makes its own sending wait.

use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes};
use http::Request as HttpRequest;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use super::long;
use super::worker::Shared;
use crate::clock::Stopwatch;
use crate::grpc::{self, MESSAGE_BYTES_MAX};
use crate::journal::Position;
use crate::telemetry::Call;

/// Bytes of a stream's answers that may wait for the journal together: with level `power`, some tens of batches share a sync.
const PROMISED_BYTES: usize = 128 << 10;

/// Serves a stream.
pub(super) async fn admit(shared: Arc<Shared>, request: HttpRequest<Body>) -> http::Response<Body> {
    Grpc::new(AsTheyAre)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .streaming(Batches(shared), request)
        .await
}

struct Batches(Arc<Shared>);

impl StreamingService<Bytes> for Batches {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = std::future::Ready<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        std::future::ready(Ok(Response::new(Answers {
            batches: request.into_inner(),
            shared,
            promised: VecDeque::new(),
            promised_bytes: 0,
            end: End::NotYet,
        })))
    }
}

/// The answers to the batches of a stream.
struct Answers {
    shared: Arc<Shared>,
    batches: Streaming<Bytes>,
    /// Answers that wait until the journal has reached their positions, in order.
    promised: VecDeque<Promise>,
    promised_bytes: usize,
    end: End,
}

/// Whether batches are taken, and how the stream ends once nothing is promised any more.
enum End {
    NotYet,
    With(Status),
    Well,
}

/// The answer to a batch, and where the journal must be for it.
struct Promise {
    position: Position,
    batch_id: u64,
    answer: Bytes,
    /// Whether it promises something; else it only keeps its place.
    promises: bool,
}

impl Stream for Answers {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while matches!(this.end, End::NotYet) && this.promised_bytes < PROMISED_BYTES {
            // Not only when the peer pauses: one that never does would keep the gateway from ending.
            if this.shared.bell.is_stopping() {
                this.end = End::With(long::stopping());
                break;
            }
            match Pin::new(&mut this.batches).poll_next(cx) {
                Poll::Ready(Some(Ok(batch))) => {
                    if let Some(answer) = this.decide(&batch) {
                        return Poll::Ready(Some(Ok(answer)));
                    }
                }
                Poll::Ready(Some(Err(status))) => this.end = End::With(status),
                Poll::Ready(None) => this.end = End::Well,
                Poll::Pending => break,
            }
        }
        if let Some(answer) = ready!(this.poll_promised(cx)) {
            return Poll::Ready(Some(Ok(answer)));
        }
        if matches!(this.end, End::NotYet) {
            return Poll::Pending;
        }
        match mem::replace(&mut this.end, End::Well) {
            End::With(status) => Poll::Ready(Some(Err(status))),
            End::NotYet | End::Well => Poll::Ready(None),
        }
    }
}

impl Answers {
    /// Decides a batch. The answer, if it may leave at once.
    #[inline]
    fn decide(&mut self, batch: &Bytes) -> Option<Bytes> {
        let stopwatch = Stopwatch::start();
        let Shared {
            gateway,
            counters,
            clock,
            ..
        } = &*self.shared;
        let reply = grpc::admit_in_stream(gateway, counters, batch, clock.now());
        let unreached = reply.promises.then(|| gateway.commit()).flatten();
        counters.took(Call::StreamBatch, 1, stopwatch.elapsed());
        let answer = reply.bytes;
        // Answers keep the order of the batches: one that waits for nothing may have others before it.
        let position = match (unreached, self.promised.back()) {
            (None, None) => return Some(answer),
            (Some(position), _) => position,
            (None, Some(last)) => last.position,
        };
        self.promised_bytes += answer.len();
        self.promised.push_back(Promise {
            position,
            batch_id: grpc::batch_id(batch),
            answer,
            promises: reply.promises,
        });
        None
    }

    /// The first answer that is waited for; nothing if there is none.
    fn poll_promised(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let (Some(first), Some(log)) = (self.promised.front(), self.shared.gateway.log()) else {
            return Poll::Ready(None);
        };
        let kept = ready!(log.poll_reached(first.position, cx.waker()));
        let Some(first) = self.promised.pop_front() else {
            return Poll::Ready(None);
        };
        self.promised_bytes -= first.answer.len();
        Poll::Ready(Some(match kept {
            Err(why) if first.promises => grpc::unavailable_in_stream(first.batch_id, why),
            Ok(()) | Err(_) => first.answer,
        }))
    }
}

/// Messages as they stand on the wire.
#[derive(Clone, Copy)]
struct AsTheyAre;

impl Codec for AsTheyAre {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for AsTheyAre {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for AsTheyAre {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

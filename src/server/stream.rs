//! `AdmitStream`: batches in, answers out in the same order. tonic frames the messages, `grpc` decides them.
//!
//! Invariant: every batch that was taken is answered. Absent on purpose: queues. A batch is taken when there is room for its
//! answer, so a peer that does not read makes its own sending wait.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use http::Request as HttpRequest;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use super::long;
use super::worker::Shared;
use crate::clock::{self, Stopwatch};
use crate::grpc::{self, MESSAGE_BYTES_MAX};
use crate::telemetry::Call;

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
            ended: false,
        })))
    }
}

/// The answers to the batches of a stream.
struct Answers {
    shared: Arc<Shared>,
    batches: Streaming<Bytes>,
    ended: bool,
}

impl Stream for Answers {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // Not only when the peer pauses: one that never does would keep the gateway from ending.
        if self.shared.bell.is_stopping() {
            self.ended = true;
            return Poll::Ready(Some(Err(long::stopping())));
        }
        match Pin::new(&mut self.batches).poll_next(cx) {
            Poll::Ready(Some(Ok(batch))) => {
                let stopwatch = Stopwatch::start();
                let Shared {
                    gateway, counters, ..
                } = &*self.shared;
                let answer = grpc::admit_in_stream(gateway, counters, &batch, clock::now());
                counters.took(Call::StreamBatch, 1, stopwatch.elapsed());
                Poll::Ready(Some(Ok(answer)))
            }
            Poll::Ready(Some(Err(status))) => {
                self.ended = true;
                Poll::Ready(Some(Err(status)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
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

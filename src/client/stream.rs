//! A stream of batches, from opening it to its end.
//!
//! Invariant: sending and opening go on side by side: the gateway may open its side no sooner than it has a batch. Absent on
//! purpose: deadlines, policies and repetition, which are for those who know what waits for the answers.

use std::pin::Pin;
use std::time::Duration;

use tokio_stream::Stream;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};

use super::answer::Cause;
use super::error::{self, ClientError, Undecided};
use crate::proto::admission_service_client::AdmissionServiceClient;
use crate::proto::{AdmitBatchRequest, AdmitBatchResponse};

type Opening =
    Pin<Box<dyn Future<Output = Result<Response<Streaming<AdmitBatchResponse>>, Status>> + Send>>;

/// The answers to a stream of batches, in the order of the batches. The stream is opened when the first is asked for.
pub struct BatchStream(State);

enum State {
    Opening(Opening),
    Open(Box<Streaming<AdmitBatchResponse>>),
}

impl BatchStream {
    pub(super) fn new(
        mut service: AdmissionServiceClient<Channel>,
        batches: impl Stream<Item = AdmitBatchRequest> + Send + 'static,
    ) -> Self {
        let opening = Box::pin(async move { service.admit_stream(batches).await });
        Self(State::Opening(opening))
    }

    /// The next answer; none when the batches have ended and all are answered. Loses nothing if it is dropped while it waits.
    pub async fn next(&mut self) -> Result<Option<AdmitBatchResponse>, ClientError> {
        let next = self.message().await;
        next.map_err(|status| match Undecided::from_status(&status, NONE) {
            Undecided::Invalid(invalid) => invalid.into(),
            Undecided::Because(_) => cause(&status).into(),
        })
    }

    pub(super) async fn message(&mut self) -> Result<Option<AdmitBatchResponse>, Status> {
        loop {
            match &mut self.0 {
                State::Opening(opening) => {
                    let opened = opening.as_mut().await?.into_inner();
                    self.0 = State::Open(Box::new(opened));
                }
                State::Open(answers) => return answers.message().await,
            }
        }
    }
}

/// A stream has no deadline.
const NONE: Duration = Duration::MAX;

/// Why a stream ended.
pub(super) fn cause(status: &Status) -> Cause {
    match error::cause(status, NONE) {
        // Somebody between here and the gateway has one.
        Cause::Deadline(_) => Cause::Unreachable("the stream was cut for lasting too long".into()),
        cause => cause,
    }
}

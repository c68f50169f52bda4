//! A stream of the gateway's messages, from opening it to its end.
//!
//! Invariant: sending and opening go on side by side: the gateway may open its side no sooner than it has a batch. Absent on
//! purpose: deadlines, policies and repetition, which are for those who know what waits for the answers.

use std::pin::Pin;
use std::time::Duration;

use tonic::{Response, Status, Streaming};

use super::answer::Cause;
use super::error::{self, ClientError, Undecided};
use crate::proto::AdmitBatchResponse;

type Opening<T> = Pin<Box<dyn Future<Output = Result<Response<Streaming<T>>, Status>> + Send>>;

/// The answers to a stream of batches, in the order of the batches.
pub type BatchStream = Messages<AdmitBatchResponse>;

/// What a gateway sends on a stream, in order. The stream is opened when the first message is asked for.
pub struct Messages<T>(State<T>);

enum State<T> {
    Opening(Opening<T>),
    Open(Box<Streaming<T>>),
}

impl<T> Messages<T> {
    pub(super) fn opened_by(
        opening: impl Future<Output = Result<Response<Streaming<T>>, Status>> + Send + 'static,
    ) -> Self {
        Self(State::Opening(Box::pin(opening)))
    }

    pub(super) fn open(messages: Streaming<T>) -> Self {
        Self(State::Open(Box::new(messages)))
    }

    /// The next message; none when there will be no more: of batches, when they have ended and all are answered. Loses nothing if it
    /// is dropped while it waits.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        let next = self.message().await;
        next.map_err(|status| match Undecided::from_status(&status, NONE) {
            Undecided::Invalid(invalid) => invalid.into(),
            Undecided::Because(_) => cause(&status).into(),
        })
    }

    pub(super) async fn message(&mut self) -> Result<Option<T>, Status> {
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

//! One stream of batches on a connection: batches in, answers out in the same order.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};

use super::answer;
use super::calls::{Head, broken, of_all, refused};
use super::tally::Tally;

/// The stream, and its batches under way: when each was due, and its operations.
pub(super) struct Feed {
    sender: SendStream<Bytes>,
    answers: Answers,
    received: BytesMut,
    under_way: VecDeque<(Duration, u64)>,
}

enum Answers {
    Waiting(ResponseFuture),
    Open(RecvStream),
}

impl Feed {
    /// Opens the stream.
    pub(super) fn open(sender: &mut SendRequest<Bytes>, head: &Head) -> Result<Self, h2::Error> {
        let (response, sender) = sender.send_request(head.request(), false)?;
        Ok(Self {
            sender,
            answers: Answers::Waiting(response),
            received: BytesMut::new(),
            under_way: VecDeque::new(),
        })
    }

    /// Batches under way.
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Sends a batch that was due at an instant. What the server has no room for yet waits in the connection, no more than
    /// is in flight.
    pub(super) fn send(
        &mut self,
        message: Bytes,
        due: Duration,
        operations: u64,
    ) -> Result<(), h2::Error> {
        self.sender.send_data(message, false)?;
        self.under_way.push_back((due, operations));
        Ok(())
    }

    /// Counts what was answered; an error if the stream has ended.
    pub(super) fn harvest(
        &mut self,
        cx: &mut Context<'_>,
        now: Duration,
        tally: &mut Tally,
    ) -> Result<(), String> {
        loop {
            match &mut self.answers {
                Answers::Waiting(response) => match Pin::new(response).poll(cx) {
                    Poll::Pending => break,
                    Poll::Ready(response) => {
                        let response = response.map_err(broken)?;
                        if let Some(trouble) = refused(&response) {
                            return Err(trouble);
                        }
                        self.answers = Answers::Open(response.into_body());
                    }
                },
                Answers::Open(body) => match body.poll_data(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Some(chunk)) => {
                        answer::take(&mut self.received, &chunk.map_err(broken)?, body);
                        self.count(now, tally)?;
                    }
                    Poll::Ready(None) => {
                        let Poll::Ready(trailers) = body.poll_trailers(cx) else {
                            break;
                        };
                        answer::status(&trailers.map_err(broken)?.unwrap_or_default())?;
                        return Err("the server has ended the stream".into());
                    }
                },
            }
        }
        Ok(())
    }

    /// Counts what will not be answered any more.
    pub(super) fn give_up(&mut self, now: Duration, tally: &mut Tally, trouble: &str) {
        for (_, operations) in self.under_way.drain(..) {
            tally.failed(now, operations, trouble.into());
        }
    }

    fn count(&mut self, now: Duration, tally: &mut Tally) -> Result<(), String> {
        while let Some(message) = answer::next_message(&mut self.received)? {
            let unasked = "the server has answered what it was not asked";
            let (due, operations) = self.under_way.pop_front().ok_or(unasked)?;
            match answer::batch(message).and_then(|verdicts| of_all(verdicts, operations)) {
                Ok(verdicts) => tally.answered(due, now, verdicts),
                Err(trouble) => tally.failed(now, operations, trouble),
            }
        }
        Ok(())
    }
}

//! The body of a call that lasts, as it arrives: held to what calls of one answer are held to.
//!
//! Invariant: no more is passed on than messages that are allowed, and what is not whole yet counts with all that the
//! connection holds. Absent on purpose: putting messages together, which is tonic's.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::Frame;
use tonic::Status;

use super::connection::{HELD_BYTES_MAX, held_too_much};
use crate::grpc::{self, PREFIX_BYTES};

/// Bytes that a connection holds of messages that are not whole. Its tasks are on one thread: relaxed is enough.
pub(super) type Held = AtomicUsize;

/// A body.
pub(super) struct Received {
    stream: RecvStream,
    messages: Messages,
    held: Arc<Held>,
    /// Told when what came before it is passed on.
    fault: Option<Status>,
}

/// Where a body stands among its messages.
#[derive(Default)]
struct Messages {
    prefix: [u8; PREFIX_BYTES],
    /// Bytes that were read of the message that is not whole, with its prefix.
    read: usize,
    /// Bytes that the message has with its prefix; nothing until the prefix is whole.
    length: Option<usize>,
}

impl Received {
    pub(super) fn new(stream: RecvStream, held: Arc<Held>) -> Self {
        Self {
            stream,
            messages: Messages::default(),
            held,
            fault: None,
        }
    }

    /// What may be passed on of the bytes that came.
    fn checked(&mut self, mut data: Bytes) -> Result<Bytes, Status> {
        let before = self.messages.read;
        let read = self.messages.read(&data);
        self.held.fetch_add(self.messages.read, Ordering::Relaxed);
        let held = self.held.fetch_sub(before, Ordering::Relaxed) - before;
        if held > HELD_BYTES_MAX {
            return Err(held_too_much());
        }
        match read {
            Err((0, fault)) => Err(fault),
            Err((fine, fault)) => {
                self.fault = Some(fault);
                data.truncate(fine);
                Ok(data)
            }
            Ok(()) => Ok(data),
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.held.fetch_sub(self.messages.read, Ordering::Relaxed);
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        let failed = |error: h2::Error| Status::from_error(error.into());
        match ready!(self.stream.poll_data(cx)) {
            Some(Ok(data)) => {
                // It fails only for more than was received.
                let _ = self.stream.flow_control().release_capacity(data.len());
                Poll::Ready(Some(self.checked(data).map(Frame::data)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(failed(error)))),
            None if self.messages.read > 0 => {
                let cut = "the body ends within a message";
                Poll::Ready(Some(Err(Status::invalid_argument(cut))))
            }
            None => {
                let trailers = ready!(self.stream.poll_trailers(cx)).map_err(failed)?;
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.fault.is_none() && self.messages.read == 0 && self.stream.is_end_stream()
    }
}

impl Messages {
    /// Reads on; where a message that is not allowed begins, and why it is not.
    fn read(&mut self, data: &[u8]) -> Result<(), (usize, Status)> {
        let mut rest = data;
        while let Some((byte, behind)) = rest.split_first() {
            let Some(length) = self.length else {
                let start = data.len() - rest.len();
                if let Some(place) = self.prefix.get_mut(self.read) {
                    *place = *byte;
                }
                self.read += 1;
                rest = behind;
                if self.read == PREFIX_BYTES {
                    let length = grpc::length(self.prefix);
                    let start = (start + 1).saturating_sub(PREFIX_BYTES);
                    self.length = Some(PREFIX_BYTES + length.map_err(|fault| (start, fault))?);
                    self.end();
                }
                continue;
            };
            let part = rest.len().min(length - self.read);
            rest = rest.get(part..).unwrap_or_default();
            self.read += part;
            self.end();
        }
        Ok(())
    }

    /// Begins a new message if this one is whole.
    fn end(&mut self) {
        if self.length == Some(self.read) {
            (self.read, self.length) = (0, None);
        }
    }
}

//! What an answer says, as far as it is counted: a verdict for each operation, or why there is none.
//!
//! Absent on purpose: reasons and sentences. Reading them would cost the machine that is measured.

use bytes::{Buf as _, Bytes, BytesMut};
use h2::RecvStream;
use http::HeaderMap;
use prost::Message;
use tonic::Status;

use crate::proto::Outcome;

/// How many operations were answered, and how many of them denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Verdicts {
    pub(super) operations: u64,
    pub(super) denied: u64,
}

/// `AdmitResponse`, less of it.
#[derive(Clone, Copy, PartialEq, Message)]
struct Verdict {
    #[prost(enumeration = "Outcome", tag = "1")]
    outcome: i32,
}

/// `AdmitBatchResponse`, less of it.
#[derive(Clone, PartialEq, Message)]
struct BatchVerdict {
    #[prost(message, repeated, tag = "4")]
    results: Vec<Verdict>,
    #[prost(message, optional, tag = "5")]
    error: Option<BatchError>,
}

/// `BatchError`, less of it.
#[derive(Clone, PartialEq, Message)]
struct BatchError {
    #[prost(string, tag = "2")]
    message: String,
}

/// Reads an `AdmitResponse`.
pub(super) fn one(message: Bytes) -> Result<Verdicts, String> {
    let verdict = Verdict::decode(message).map_err(unreadable)?;
    Ok(counted(&[verdict]))
}

/// Reads an `AdmitBatchResponse`.
pub(super) fn batch(message: Bytes) -> Result<Verdicts, String> {
    let batch = BatchVerdict::decode(message).map_err(unreadable)?;
    match batch.error {
        Some(error) => Err(error.message),
        None => Ok(counted(&batch.results)),
    }
}

/// The next whole message of those that have arrived.
pub(super) fn next_message(received: &mut BytesMut) -> Result<Option<Bytes>, String> {
    let Some((prefix, rest)) = received.split_first_chunk::<5>() else {
        return Ok(None);
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err("the answer is compressed".into());
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if rest.len() < length {
        return Ok(None);
    }
    received.advance(prefix.len());
    Ok(Some(received.split_to(length).freeze()))
}

/// Keeps bytes that have arrived, and lets the server send as many more.
pub(super) fn take(received: &mut BytesMut, chunk: &Bytes, body: &mut RecvStream) {
    received.extend_from_slice(chunk);
    // It fails only for more than has arrived.
    let _ = body.flow_control().release_capacity(chunk.len());
}

/// Whether a call has gone well, by its trailers.
pub(super) fn status(trailers: &HeaderMap) -> Result<(), String> {
    match trailers.get("grpc-status") {
        Some(code) if code == "0" => Ok(()),
        Some(_) => {
            Err(Status::from_header_map(trailers)
                .map_or_else(String::new, |status| described(&status)))
        }
        None => Err("the answer has no grpc-status".into()),
    }
}

/// A status in a line.
pub(super) fn described(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

fn counted(verdicts: &[Verdict]) -> Verdicts {
    let denied = verdicts
        .iter()
        .filter(|verdict| verdict.outcome() != Outcome::Allowed);
    Verdicts {
        operations: verdicts.len() as u64,
        denied: denied.count() as u64,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: prost::DecodeError) -> String {
    format!("the answer cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use bytes::BufMut as _;

    use super::*;
    use crate::proto::{self, AdmitBatchResponse, AdmitResponse, Reason};

    fn answered(outcome: Outcome) -> AdmitResponse {
        AdmitResponse {
            outcome: outcome.into(),
            reason: Reason::FriendLimit.into(),
            message: "no room".into(),
            ..AdmitResponse::default()
        }
    }

    fn encoded(message: &impl Message) -> Bytes {
        message.encode_to_vec().into()
    }

    #[test]
    fn verdicts_are_counted() {
        let verdicts = |operations, denied| Ok(Verdicts { operations, denied });
        let (allowed, denied) = (answered(Outcome::Allowed), answered(Outcome::Denied));
        assert_eq!(one(encoded(&allowed)), verdicts(1, 0));
        assert_eq!(one(encoded(&denied)), verdicts(1, 1));
        let mut response = AdmitBatchResponse {
            results: vec![allowed, denied.clone(), denied],
            ..AdmitBatchResponse::default()
        };
        assert_eq!(batch(encoded(&response)), verdicts(3, 2));
        response.error = Some(proto::BatchError {
            message: "too large".into(),
            ..proto::BatchError::default()
        });
        assert_eq!(batch(encoded(&response)), Err("too large".into()));
    }

    #[test]
    fn messages_are_whole_however_they_arrive() {
        let (mut received, mut messages) = (BytesMut::new(), Vec::new());
        for byte in [0, 0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0] {
            received.put_u8(byte);
            messages.extend(next_message(&mut received).unwrap());
        }
        assert_eq!(messages, [&[7, 8][..], &[]]);
        received.clear();
        received.extend_from_slice(&[1, 0, 0, 0, 0]);
        assert!(next_message(&mut received).is_err());
    }
}

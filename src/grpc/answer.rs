//! Answers as bytes: a plain ALLOWED is written by hand, everything that has to be explained becomes a message first.
//!
//! Invariant: the bytes are those of `AdmitResponse` and `AdmitBatchResponse`. Absent on purpose: the words; see `admission`.

use prost::Message as _;

use super::convert;
use super::wire::{put_header, put_number, varint_bytes};
use crate::admission::{Decision, Explanation, Operation, Outcome, Request};
use crate::gateway::{Answer, BatchAnswer, Gateway};
use crate::id::UserId;
use crate::proto;

/// Numbers of fields.
mod number {
    pub(super) const OUTCOME: u8 = 1;
    pub(super) const CHANGED: u8 = 2;
    pub(super) const OVER_LIMIT: u8 = 3;
    pub(super) const REVISION: u8 = 5;
    pub(super) const BATCH_ID: u8 = 1;
    pub(super) const COMMITTED: u8 = 2;
    pub(super) const BATCH_REVISION: u8 = 3;
    pub(super) const RESULTS: u8 = 4;
}

/// Most bytes of a plain ALLOWED: three flags and a revision.
const PLAIN_BYTES_MAX: usize = 17;

/// Appends an `AdmitResponse`.
#[inline]
pub(super) fn put_one(
    out: &mut Vec<u8>,
    gateway: &Gateway,
    answer: &Answer,
    request: &Request<'_>,
) {
    if is_plain(&answer.decision) {
        put_plain(out, &answer.decision, answer.revision);
    } else {
        let explain = |decision: &Decision, request: &Request<'_>| {
            gateway.explain_part(answer, decision, request)
        };
        let message = proto::AdmitResponse {
            revision: answer.revision,
            ..explained(&answer.decision, request, &explain)
        };
        // A vector takes all that it is given.
        let _ = message.encode(out);
    }
}

/// How many bytes `put_one` appends when there is nothing to explain.
#[inline]
pub(super) fn bytes_of(answer: &Answer) -> usize {
    let revision = match answer.revision {
        0 => 0,
        revision => 1 + varint_bytes(revision),
    };
    plain_bytes(&answer.decision) + revision
}

/// Appends an `AdmitBatchResponse`.
pub(super) fn put_batch(
    out: &mut Vec<u8>,
    gateway: &Gateway,
    batch_id: u64,
    answer: &BatchAnswer,
    requests: &[Request<'_>],
) {
    out.reserve(32 + answer.decisions.len() * (PLAIN_BYTES_MAX + 2));
    put_number(out, number::BATCH_ID, batch_id);
    put_number(out, number::COMMITTED, u64::from(answer.committed));
    put_number(out, number::BATCH_REVISION, answer.revision);
    for (decision, request) in answer.decisions.iter().zip(requests) {
        if is_plain(decision) {
            put_header(out, number::RESULTS, plain_bytes(decision));
            put_plain(out, decision, 0);
        } else {
            let explain = |decision: &Decision, request: &Request<'_>| {
                gateway.explain_in_batch(answer, decision, request)
            };
            let message = explained(decision, request, &explain);
            put_header(out, number::RESULTS, message.encoded_len());
            let _ = message.encode(out);
        }
    }
}

/// Whether there is nothing to explain.
#[inline]
fn is_plain(decision: &Decision) -> bool {
    matches!(decision.outcome, Outcome::Allowed) && decision.members.is_empty()
}

#[inline]
fn put_plain(out: &mut Vec<u8>, decision: &Decision, revision: u64) {
    put_number(out, number::OUTCOME, ALLOWED);
    put_number(out, number::CHANGED, u64::from(decision.changed));
    put_number(out, number::OVER_LIMIT, u64::from(decision.over_limit));
    put_number(out, number::REVISION, revision);
}

/// Bytes that `put_plain` writes with no revision.
#[inline]
fn plain_bytes(decision: &Decision) -> usize {
    2 + 2 * usize::from(decision.changed) + 2 * usize::from(decision.over_limit)
}

const ALLOWED: u64 = proto::Outcome::Allowed as u64;

/// Puts a denial, or one that was only shadowed, into words.
type Explain<'e> = &'e dyn Fn(&Decision, &Request<'_>) -> Option<Explanation>;

/// The message for a decision, with those of its initial members.
fn explained(
    decision: &Decision,
    request: &Request<'_>,
    explain: Explain<'_>,
) -> proto::AdmitResponse {
    let (outcome, denial) = match &decision.outcome {
        Outcome::Allowed => (proto::Outcome::Allowed, None),
        Outcome::Shadowed(denial) => (proto::Outcome::Allowed, Some(denial)),
        Outcome::Denied(denial) => (proto::Outcome::Denied, Some(denial)),
    };
    let mut message = proto::AdmitResponse {
        outcome: outcome.into(),
        changed: decision.changed,
        over_limit: decision.over_limit,
        would_deny: matches!(decision.outcome, Outcome::Shadowed(_)),
        members: member_results(decision, request, explain),
        ..Default::default()
    };
    if let Some(denial) = denial {
        convert::put_denial(&mut message, denial);
        if let Some(words) = explain(decision, request) {
            convert::put_explanation(&mut message, words);
        }
    }
    message
}

/// Of a group's creation: each initial member's result is that of the member's own join.
fn member_results(
    decision: &Decision,
    request: &Request<'_>,
    explain: Explain<'_>,
) -> Vec<proto::AdmitResponse> {
    let Operation::CreateGroup(new) = request else {
        return Vec::new();
    };
    let result = |(member, decision): (&UserId<'_>, &Decision)| {
        let join = Operation::JoinGroup {
            group: new.group(),
            user: *member,
            kind: None,
        };
        explained(decision, &join, explain)
    };
    new.members()
        .iter()
        .zip(&decision.members)
        .map(result)
        .collect()
}

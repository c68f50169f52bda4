//! The calls of AdmissionService, from a message's bytes to the answer's: each readable from top to bottom.
//!
//! Invariant: nothing here waits. A call that is refused has changed nothing. Absent on purpose: HTTP, which is for `server`.

use bytes::Bytes;
use prost::Message as _;
use tonic::Status;

use super::answer;
use super::convert;
use super::fault::{Fault, Refusal, unavailable};
use super::frame::framed;
use super::request::{self, Batch, Terms, id_fault};
use crate::admission::Mode;
use crate::gateway::{Answer, Ask, Commit, Gateway};
use crate::id::{GroupId, SdkAppId, UserId};
use crate::proto;
use crate::proto::get_usage_request::Subject;
use crate::telemetry::Counters;
use crate::time::Timestamp;

/// The answer to a call.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its frame; of a batch in a stream, its message.
    pub bytes: Bytes,
    /// Whether it says that something was allowed and is remembered: then it must not leave before the journal has that.
    pub promises: bool,
}

/// `Admit`.
#[inline]
pub fn admit(
    gateway: &Gateway,
    counters: &Counters,
    message: &[u8],
    now: Timestamp,
) -> Result<Reply, Status> {
    let ask = {
        let in_force = gateway.terms();
        let terms = Terms {
            catalog: &in_force.catalog,
            now,
        };
        request::one(message, terms).map_err(|fault| fault.status())?
    };
    let accepted = gateway.accepts(&ask.request, ask.mode);
    accepted.map_err(unavailable)?;
    let answer = gateway.admit(ask.app, &ask.request, ask.mode, now);
    Ok(answered(gateway, counters, &ask, &answer))
}

/// Calls of `Admit` that were read together; `give` gets the place and the reply of each. Those of
/// one app and mode are decided in their order under one lock; dry runs by themselves.
pub fn admit_each<'m>(
    gateway: &Gateway,
    counters: &Counters,
    messages: impl Iterator<Item = &'m [u8]>,
    now: Timestamp,
    mut give: impl FnMut(usize, Result<Reply, Status>),
) {
    let in_force = gateway.terms();
    let terms = Terms {
        catalog: &in_force.catalog,
        now,
    };
    let (mut asks, mut places) = (Vec::new(), Vec::new());
    for (place, message) in messages.enumerate() {
        match request::one(message, terms) {
            Ok(ask) => match gateway.accepts(&ask.request, ask.mode) {
                Ok(()) => {
                    asks.push(ask);
                    places.push(place);
                }
                Err(why) => give(place, Err(unavailable(why))),
            },
            Err(fault) => give(place, Err(fault.status())),
        }
    }
    let answers = gateway.admit_each(&asks, now);
    for ((ask, answer), place) in asks.iter().zip(&answers).zip(places) {
        give(place, Ok(answered(gateway, counters, ask, answer)));
    }
}

#[inline]
fn answered(gateway: &Gateway, counters: &Counters, ask: &Ask<'_>, answer: &Answer) -> Reply {
    let outcome = &answer.decision.outcome;
    counters.decided(ask.request.kind(), outcome);
    let bytes = framed(answer::bytes_of(answer), |out| {
        answer::put_one(out, gateway, answer, &ask.request);
    });
    Reply {
        bytes,
        promises: ask.mode != Mode::DryRun && outcome.is_allowed(),
    }
}

/// `AdmitBatch`.
pub fn admit_batch(
    gateway: &Gateway,
    counters: &Counters,
    message: &[u8],
    now: Timestamp,
) -> Result<Reply, Status> {
    let mut decided = Ok(false);
    let bytes = framed(message.len(), |out| {
        decided = decide_batch(gateway, counters, message, now, out);
    });
    decided
        .map(|promises| Reply { bytes, promises })
        .map_err(|refusal| refusal.status())
}

/// A batch of `AdmitStream`, with its answer. One that is wrong is answered too, and the stream goes on.
pub fn admit_in_stream(
    gateway: &Gateway,
    counters: &Counters,
    message: &[u8],
    now: Timestamp,
) -> Reply {
    let mut out = Vec::new();
    match decide_batch(gateway, counters, message, now, &mut out) {
        Ok(promises) => Reply {
            bytes: out.into(),
            promises,
        },
        Err(refusal) => {
            if matches!(refusal, Refusal::Fault(_)) {
                counters.refused();
            }
            let answer = proto::AdmitBatchResponse {
                batch_id: request::batch_id(message),
                error: Some(refusal.batch_error()),
                ..Default::default()
            };
            Reply {
                bytes: answer.encode_to_vec().into(),
                promises: false,
            }
        }
    }
}

/// Whether it promises something.
fn decide_batch(
    gateway: &Gateway,
    counters: &Counters,
    message: &[u8],
    now: Timestamp,
    out: &mut Vec<u8>,
) -> Result<bool, Refusal> {
    let in_force = gateway.terms();
    let terms = Terms {
        catalog: &in_force.catalog,
        now,
    };
    let batch = Batch::read(message, terms)?;
    // One that adds is refused where the others are.
    let adds = batch.requests.iter().find(|request| request.adds());
    if let Some(request) = adds.or(batch.requests.first()) {
        gateway.accepts(request, batch.mode)?;
    }
    let commit = if batch.all_or_nothing {
        Commit::AllOrNothing
    } else {
        Commit::Each
    };
    let answer = gateway.admit_batch(batch.app, &batch.requests, batch.mode, commit, now);
    let decided = answer.decisions.iter().zip(&batch.requests);
    counters.all_decided(decided.map(|(decision, request)| (request.kind(), &decision.outcome)));
    answer::put_batch(out, gateway, batch.id, &answer, &batch.requests);
    let mut decisions = answer.decisions.iter();
    let is_allowed = decisions.any(|decision| decision.outcome.is_allowed());
    Ok(batch.mode != Mode::DryRun && answer.committed && is_allowed)
}

/// `GetUsage`: the answer's frame.
pub fn get_usage(gateway: &Gateway, message: &[u8], now: Timestamp) -> Result<Bytes, Status> {
    let request = proto::GetUsageRequest::decode(message).map_err(|error| {
        Fault::of("", format!("the message is no GetUsageRequest: {error}")).status()
    })?;
    let invalid = |field, error| id_fault(field, error).status();
    let app = SdkAppId::new(request.sdk_app_id).map_err(|error| invalid("sdk_app_id", error))?;
    let no_app = || Status::not_found(format!("there is no app {app}"));
    let entitlements = gateway.entitlements(app, now).ok_or_else(no_app)?;
    let answer = match &request.subject {
        None => {
            let usage = gateway.app_usage(app, now).ok_or_else(no_app)?;
            convert::app_usage(&entitlements, &usage, now)
        }
        Some(Subject::User(id)) => {
            let user = UserId::new(id).map_err(|error| invalid("user", error))?;
            let usage = gateway.user_usage(app, user, now);
            let none = || Status::not_found(format!("app {app} has no user {user:?}"));
            convert::user_usage(&entitlements, usage.ok_or_else(none)?)
        }
        Some(Subject::Group(id)) => {
            let group = GroupId::new(id).map_err(|error| invalid("group", error))?;
            let usage = gateway.group_usage(app, group);
            let none = || Status::not_found(format!("app {app} has no group {group:?}"));
            convert::group_usage(&entitlements, usage.ok_or_else(none)?)
        }
    };
    Ok(framed(answer.encoded_len(), |out| {
        // A vector takes all that it is given.
        let _ = answer.encode(out);
    }))
}

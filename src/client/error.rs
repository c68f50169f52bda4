//! What a call can come to besides an answer, and which of it a gRPC status means.
//!
//! Invariant: only INVALID_ARGUMENT from the gateway makes a request wrong; everything else leaves it undecided. Absent on
//! purpose: policies, which `call` applies.

use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

use super::answer::Cause;
use crate::proto::{BatchError, FieldViolation};

/// The gateway refused the request as wrong; nothing has changed. Repeating it is of no use.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("invalid request: {}", shown(.message, .violations))]
pub struct InvalidRequest {
    /// What is wrong, in a sentence.
    pub message: String,
    /// Each field that is wrong, and what to do about it.
    pub violations: Vec<FieldViolation>,
}

impl InvalidRequest {
    /// One field that is wrong.
    pub(super) fn field(field: &str, description: &str) -> Self {
        let violation = FieldViolation {
            field: field.into(),
            description: description.into(),
        };
        Self {
            message: format!("{field}: {description}"),
            violations: vec![violation],
        }
    }
}

/// Why a call that no policy can answer has failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// The gateway refused the request as wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// The gateway did not decide: it is away, late, or in trouble.
    #[error(transparent)]
    Undecided(#[from] Cause),
    /// The gateway cannot do what is asked, like NOT_FOUND, ALREADY_EXISTS or FAILED_PRECONDITION.
    #[error("{}", shown(.message, .violations))]
    Refused {
        /// The gRPC code.
        code: Code,
        /// What is the matter, in a sentence.
        message: String,
        /// Each thing that is the matter, where there are several: `field` is the place, like `FILE:LINE:COLUMN`.
        violations: Vec<FieldViolation>,
    },
}

/// The violations say all that the message says, where there are any.
fn shown(message: &str, violations: &[FieldViolation]) -> String {
    if violations.is_empty() {
        return message.into();
    }
    let each = |it: &FieldViolation| format!("{}: {}", it.field, it.description);
    violations.iter().map(each).collect::<Vec<_>>().join("; ")
}

/// Why an operation has no answer of the gateway's.
#[derive(Debug, Clone)]
pub(super) enum Undecided {
    /// It is wrong.
    Invalid(InvalidRequest),
    /// Nobody said.
    Because(Cause),
}

impl From<Cause> for Undecided {
    fn from(cause: Cause) -> Self {
        Self::Because(cause)
    }
}

impl Undecided {
    /// What a status means for an operation that was given so long.
    pub(super) fn from_status(status: &Status, deadline: Duration) -> Self {
        match status.code() {
            Code::InvalidArgument => Self::Invalid(InvalidRequest {
                message: status.message().into(),
                violations: fields(status),
            }),
            _ => Self::Because(cause(status, deadline)),
        }
    }

    /// What a batch's error means, if its operations are asked for one by one or it has but one.
    pub(super) fn from_batch(error: BatchError) -> Self {
        match Code::from(error.code) {
            Code::InvalidArgument => Self::Invalid(InvalidRequest {
                message: error.message,
                violations: error.violations,
            }),
            Code::ResourceExhausted => Self::Because(Cause::Overloaded(error.message.into())),
            Code::Unavailable => Self::Because(Cause::Unreachable(error.message.into())),
            code => Self::Because(Cause::Failed {
                code,
                message: error.message.into(),
            }),
        }
    }
}

impl ClientError {
    /// What a status means for a call that was given so long.
    pub(super) fn from_status(status: &Status, deadline: Duration) -> Self {
        let code = status.code();
        match code {
            Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::PermissionDenied
            | Code::Unauthenticated => Self::Refused {
                code,
                message: status.message().into(),
                violations: preconditions(status),
            },
            _ => match Undecided::from_status(status, deadline) {
                Undecided::Invalid(invalid) => invalid.into(),
                Undecided::Because(cause) => cause.into(),
            },
        }
    }
}

/// Why a status that is not about the request leaves it undecided.
pub(super) fn cause(status: &Status, deadline: Duration) -> Cause {
    let is_late = sources(status).any(<dyn Error>::is::<TimeoutExpired>);
    match status.code() {
        Code::DeadlineExceeded => Cause::Deadline(deadline),
        _ if is_late => Cause::Deadline(deadline),
        _ if is_transport(status) => Cause::Unreachable(innermost(status).into()),
        Code::Unavailable => Cause::Unreachable(status.message().into()),
        Code::ResourceExhausted => Cause::Overloaded(status.message().into()),
        code => Cause::Failed {
            code,
            message: status.message().into(),
        },
    }
}

/// Whether a repetition at once has a chance: the connection went away under the call, or the gateway is going away, and a new
/// connection may find the next one. Not when it was a new connection that failed.
pub(super) fn is_going_away(status: &Status) -> bool {
    let is_new = sources(status).any(<dyn Error>::is::<tonic::ConnectError>);
    let is_late = sources(status).any(<dyn Error>::is::<TimeoutExpired>);
    (is_transport(status) || status.code() == Code::Unavailable) && !is_new && !is_late
}

/// A status that the gateway sent has no source; one that was made here of a failure has.
fn is_transport(status: &Status) -> bool {
    status.source().is_some()
}

fn sources(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |&error| error.source())
}

/// The last source says what happened, like `Connection refused`; those before it only that something did.
fn innermost(status: &Status) -> String {
    let last = sources(status).last();
    last.map_or_else(|| status.message().into(), ToString::to_string)
}

fn fields(status: &Status) -> Vec<FieldViolation> {
    let details = status.get_details_bad_request();
    let violations = details.into_iter().flat_map(|it| it.field_violations);
    violations
        .map(|it| FieldViolation {
            field: it.field,
            description: it.description,
        })
        .collect()
}

fn preconditions(status: &Status) -> Vec<FieldViolation> {
    let details = status.get_details_precondition_failure();
    let violations = details.into_iter().flat_map(|it| it.violations);
    violations
        .map(|it| FieldViolation {
            field: it.subject,
            description: it.description,
        })
        .collect()
}

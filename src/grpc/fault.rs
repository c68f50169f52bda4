//! Why a request is not answered: the field that is wrong and what to do, or a journal that cannot keep what is decided.
//!
//! Invariant: a fault becomes INVALID_ARGUMENT with a `google.rpc.BadRequest`, the journal's trouble UNAVAILABLE with a
//! `google.rpc.RetryInfo`; or either a batch's error in a stream, with the same words. Absent on purpose: denials, which are
//! answers.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::journal::Unavailable;
use crate::proto;

/// Why a request is not answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// It is wrong.
    Fault(Fault),
    /// What would be decided cannot be kept.
    Unavailable(Unavailable),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Unavailable> for Refusal {
    fn from(why: Unavailable) -> Self {
        Self::Unavailable(why)
    }
}

impl Refusal {
    /// As a call's status.
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Fault(fault) => fault.status(),
            Self::Unavailable(why) => unavailable(*why),
        }
    }

    /// As the error of a batch in a stream.
    pub(super) fn batch_error(&self) -> proto::BatchError {
        match self {
            Self::Fault(fault) => fault.batch_error(),
            Self::Unavailable(why) => proto::BatchError {
                code: Code::Unavailable.into(),
                message: why.to_string(),
                violations: Vec::new(),
                retry_ms: why.retry_ms,
            },
        }
    }
}

/// The status of a call that the journal cannot keep, with when to try again: once for people's libraries, once for gRPC's own.
#[cold]
pub fn unavailable(why: Unavailable) -> Status {
    let after = Duration::from_millis(why.retry_ms.into());
    let details = ErrorDetails::with_retry_info(Some(after));
    let mut status = Status::with_error_details(Code::Unavailable, why.to_string(), details);
    let pushback = MetadataValue::from(why.retry_ms);
    status
        .metadata_mut()
        .insert("grpc-retry-pushback-ms", pushback);
    status
}

/// The same as the answer to a batch of a stream.
#[cold]
pub fn unavailable_in_stream(batch_id: u64, why: Unavailable) -> Bytes {
    let answer = proto::AdmitBatchResponse {
        batch_id,
        error: Some(Refusal::Unavailable(why).batch_error()),
        ..Default::default()
    };
    answer.encode_to_vec().into()
}

/// A field that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// Its path in the request; empty for the whole message.
    field: Cow<'static, str>,
    /// What is wrong and what to do.
    problem: Cow<'static, str>,
}

impl Fault {
    /// A fault of a field.
    pub(super) fn of(
        field: impl Into<Cow<'static, str>>,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// The fault, in a field that lies within another.
    pub(super) fn within(&self, outer: impl std::fmt::Display) -> Self {
        let field = if self.field.is_empty() {
            outer.to_string()
        } else {
            format!("{outer}.{}", self.field)
        };
        Self {
            field: field.into(),
            problem: self.problem.clone(),
        }
    }

    fn message(&self) -> String {
        if self.field.is_empty() {
            self.problem.to_string()
        } else {
            format!("{}: {}", self.field, self.problem)
        }
    }

    /// The fault as a call's status.
    pub(super) fn status(&self) -> Status {
        let violation = FieldViolation::new(self.field.as_ref(), self.problem.as_ref());
        let details = ErrorDetails::with_bad_request(vec![violation]);
        Status::with_error_details(Code::InvalidArgument, self.message(), details)
    }

    /// The fault as the error of a batch in a stream.
    pub(super) fn batch_error(&self) -> proto::BatchError {
        proto::BatchError {
            code: Code::InvalidArgument.into(),
            message: self.message(),
            violations: vec![proto::FieldViolation {
                field: self.field.to_string(),
                description: self.problem.to_string(),
            }],
            retry_ms: 0,
        }
    }
}

//! What is wrong with a request: the field, and what to do.
//!
//! Invariant: a fault becomes INVALID_ARGUMENT with a `google.rpc.BadRequest`, or a batch's error in a stream, with the same
//! words. Absent on purpose: denials, which are answers.

use std::borrow::Cow;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::proto;

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
        }
    }
}

//! An answer, with who decided it.
//!
//! Invariant: an answer is allowed or denied; which of the two a policy chose is told apart from what a gateway decided. Absent on
//! purpose: errors; a request that is wrong has no answer.

use std::time::Duration;

use tonic::Code;

use super::policy::OnUnreachable;
use crate::proto::{AdmitBatchResponse, AdmitResponse, Outcome, Reason};

/// The answer to one operation.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    response: AdmitResponse,
    decided_by: DecidedBy,
}

/// Who decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DecidedBy {
    /// The gateway, by its facts and limits.
    Gateway,
    /// The client's policy, because the gateway did not.
    Policy(Cause),
}

/// Why the gateway did not decide.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Cause {
    /// There is no connection, or it broke.
    #[error("the gateway cannot be reached: {0}")]
    Unreachable(Box<str>),
    /// It did not answer in time.
    #[error("the gateway did not answer within {0:?}")]
    Deadline(Duration),
    /// It was away a moment ago, and the next try is not due: nothing was sent.
    #[error("the gateway was away a moment ago, and has not been asked again yet")]
    Down,
    /// It has, or this client has, more to do than it takes.
    #[error("overloaded: {0}")]
    Overloaded(Box<str>),
    /// It answered with an error that is not about the request.
    #[error("the gateway could not decide: {message} ({code:?})")]
    Failed {
        /// The gRPC code.
        code: Code,
        /// What it said.
        message: Box<str>,
    },
}

impl Answer {
    /// What a gateway answered. One that says neither allowed nor denied has not decided.
    pub(super) fn by_gateway(response: AdmitResponse) -> Result<Self, Cause> {
        match response.outcome() {
            Outcome::Allowed | Outcome::Denied => Ok(Self {
                response,
                decided_by: DecidedBy::Gateway,
            }),
            Outcome::Unspecified => Err(Cause::Failed {
                code: Code::Unknown,
                message: "it answered neither ALLOWED nor DENIED".into(),
            }),
        }
    }

    /// What a policy answers in the gateway's place.
    pub(super) fn by_policy(policy: OnUnreachable, cause: Cause) -> Self {
        let (outcome, verdict) = match policy {
            OnUnreachable::Allow => (Outcome::Allowed, "allowed"),
            OnUnreachable::Deny => (Outcome::Denied, "denied"),
        };
        let response = AdmitResponse {
            outcome: outcome.into(),
            message: format!("{verdict} by the client's policy: {cause}"),
            ..AdmitResponse::default()
        };
        let decided_by = DecidedBy::Policy(cause);
        Self {
            response,
            decided_by,
        }
    }

    /// Whether the operation may happen.
    pub fn is_allowed(&self) -> bool {
        self.response.outcome() == Outcome::Allowed
    }

    /// Who decided.
    pub fn decided_by(&self) -> &DecidedBy {
        &self.decided_by
    }

    /// Why it is denied, or would be; unspecified where it is not, or a policy decided.
    pub fn reason(&self) -> Reason {
        self.response.reason()
    }

    /// The code for the IM server's own clients that the catalog has for the reason; 0 where there is none.
    pub fn im_error_code(&self) -> i32 {
        self.response.im_error_code
    }

    /// What is the matter, in a sentence for people; empty where nothing is.
    pub fn message(&self) -> &str {
        &self.response.message
    }

    /// Everything that was answered. Where a policy decided, nothing but the outcome and the message is set.
    pub fn response(&self) -> &AdmitResponse {
        &self.response
    }

    /// Everything that was answered, to keep.
    pub fn into_response(self) -> AdmitResponse {
        self.response
    }
}

/// The answer to a batch.
#[derive(Clone, PartialEq, Debug)]
pub struct BatchAnswer {
    /// An answer for each operation, in the order given.
    pub answers: Vec<Answer>,
    /// Whether what is allowed is remembered: false where `all_or_nothing` was asked for and one is denied, and where a policy
    /// decided.
    pub committed: bool,
    /// The revision of the limits; 0 where a policy decided.
    pub revision: u64,
}

impl BatchAnswer {
    /// What a gateway answered to so many operations.
    pub(super) fn by_gateway(response: AdmitBatchResponse, asked: usize) -> Result<Self, Cause> {
        let told = response.results.len();
        if told != asked {
            let message = format!("it answered {told} operations of {asked}").into();
            let code = Code::Unknown;
            return Err(Cause::Failed { code, message });
        }
        let answers = response.results.into_iter().map(Answer::by_gateway);
        Ok(Self {
            answers: answers.collect::<Result<_, _>>()?,
            committed: response.committed,
            revision: response.revision,
        })
    }
}

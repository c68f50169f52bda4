//! The hot path, from a request to its answer (skeleton: signatures are final, bodies are not).

use std::sync::Arc;

use crate::admission::{Decision, Explanation, Mode, Request};
use crate::entitlement::{Entitlements, Terms};
use crate::id::{GroupId, IdKey, SdkAppId, UserId};
use crate::subscription::{Plan, Standing};
use crate::time::Timestamp;
use crate::usage::{AppUsage, GroupUsage, UserUsage};

/// The gateway.
pub struct Gateway;

/// Whether the operations of a batch stand each for itself, or together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Commit {
    /// Each that is allowed is remembered.
    Each,
    /// All are remembered, or none if one is denied.
    AllOrNothing,
}

/// The answer to one operation.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was decided.
    pub decision: Decision,
    /// The revision of the entitlements it was decided by; 0 when there is no such app.
    pub revision: u64,
    basis: Option<Arc<Entitlements>>,
}

/// The answer to a batch.
#[derive(Clone, Debug)]
pub struct BatchAnswer {
    /// What was decided of each operation, in the order given.
    pub decisions: Vec<Decision>,
    /// Whether the batch is remembered: false when all or nothing was asked for and one was denied; then nothing has changed
    /// and `changed` is false everywhere.
    pub committed: bool,
    /// The revision of the entitlements it was decided by; 0 when there is no such app.
    pub revision: u64,
    basis: Option<Arc<Entitlements>>,
}

/// Why an app cannot be created or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    /// An app of that id exists.
    #[error("app {0} exists already")]
    Exists(SdkAppId),
    /// No app of that id exists.
    #[error("there is no app {0}")]
    NotFound(SdkAppId),
    /// The catalog has no edition of that name.
    #[error("there is no edition \"{0}\" in the catalog")]
    NoEdition(Arc<str>),
}

impl Gateway {
    /// A gateway with no apps.
    pub fn new(terms: Terms, id_key: IdKey) -> Self {
        let _ = (terms, id_key);
        Self
    }

    /// Adds an app with no usage.
    pub fn create_app(
        &self,
        app: SdkAppId,
        plan: Plan,
        standing: Standing,
        now: Timestamp,
    ) -> Result<(), AppError> {
        unimplemented!("{app} {plan:?} {standing:?} {now}")
    }

    /// Puts an app on another plan, at once.
    pub fn set_plan(&self, app: SdkAppId, plan: Plan, now: Timestamp) -> Result<(), AppError> {
        unimplemented!("{app} {plan:?} {now}")
    }

    /// Says until when an app's service stands.
    pub fn set_standing(
        &self,
        app: SdkAppId,
        standing: Standing,
        now: Timestamp,
    ) -> Result<(), AppError> {
        unimplemented!("{app} {standing:?} {now}")
    }

    /// Puts another catalog and policy in force for every app, at once for each. Nothing changes if an app's edition is missing.
    pub fn set_terms(&self, terms: Terms, now: Timestamp) -> Result<(), AppError> {
        unimplemented!("{terms:?} {now}")
    }

    /// Decides one operation, and remembers it if it is allowed (and the mode says so).
    pub fn admit(
        &self,
        app: SdkAppId,
        request: &Request<'_>,
        mode: Mode,
        now: Timestamp,
    ) -> Answer {
        unimplemented!("{app} {request:?} {mode:?} {now}")
    }

    /// Decides operations in order under one lock; later ones see earlier ones, in a dry run too.
    pub fn admit_batch(
        &self,
        app: SdkAppId,
        requests: &[Request<'_>],
        mode: Mode,
        commit: Commit,
        now: Timestamp,
    ) -> BatchAnswer {
        unimplemented!("{app} {requests:?} {mode:?} {commit:?} {now}")
    }

    /// Puts the denial of an answer (or of one that a limit in shadow would have given) into words.
    pub fn explain(&self, answer: &Answer, request: &Request<'_>) -> Option<Explanation> {
        unimplemented!("{answer:?} {request:?}")
    }

    /// What an app has; nothing if there is none. Days without an operation are brought up to `now`.
    pub fn app_usage(&self, app: SdkAppId, now: Timestamp) -> Option<AppUsage> {
        unimplemented!("{app} {now}")
    }

    /// What a user has; nothing for an unknown app or user.
    pub fn user_usage(&self, app: SdkAppId, user: UserId<'_>, now: Timestamp) -> Option<UserUsage> {
        unimplemented!("{app} {user} {now}")
    }

    /// What a group has; nothing for an unknown app or group.
    pub fn group_usage(&self, app: SdkAppId, group: GroupId<'_>) -> Option<GroupUsage> {
        unimplemented!("{app} {group}")
    }

    /// What an app may do now; nothing if there is none.
    pub fn entitlements(&self, app: SdkAppId) -> Option<Arc<Entitlements>> {
        unimplemented!("{app}")
    }
}

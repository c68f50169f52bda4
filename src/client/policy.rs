//! What is answered in the gateway's place.
//!
//! Invariant: every operation has a policy. Absent on purpose: conditions; a policy that looked at counts would be another gateway.

use crate::operation::OperationKind;

/// What is answered when the gateway cannot be reached, does not answer in time, or cannot decide.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OnUnreachable {
    /// Fail open, the default: users of a healthy IM server must not suffer for a gateway that is away, and what slips past a
    /// limit meanwhile is refused nothing later; the next addition is.
    #[default]
    Allow,
    /// Fail closed: for operations where one too many costs more than one refused.
    Deny,
}

/// A policy for all, and those of single operations.
#[derive(Clone, Default, Debug)]
pub(super) struct Policies {
    pub(super) general: OnUnreachable,
    single: Vec<(OperationKind, OnUnreachable)>,
}

impl Policies {
    /// Sets the policy of one operation.
    pub(super) fn set(&mut self, kind: OperationKind, policy: OnUnreachable) {
        self.single.retain(|(set, _)| *set != kind);
        self.single.push((kind, policy));
    }

    /// The policy of an operation.
    pub(super) fn of(&self, kind: OperationKind) -> OnUnreachable {
        let single = self.single.iter().find(|(set, _)| *set == kind);
        single.map_or(self.general, |(_, policy)| *policy)
    }
}

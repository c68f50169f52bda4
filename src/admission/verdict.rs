//! What is decided: allowed or denied, and why.

use crate::catalog::{Bound, LimitName, Reason};
use crate::entitlement::Source;
use crate::time::Day;

/// Whose count reached a limit, or who is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    /// The app.
    App,
    /// The acting user; of a group's creation, its owner.
    User,
    /// The other side of a friendship.
    Friend,
    /// The group.
    Group,
}

/// The limit that had no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reached {
    /// Which; nothing for the gateway's own budget.
    pub limit: Option<LimitName>,
    /// How many it allows.
    pub bound: Bound,
    /// How many there are.
    pub used: u64,
    /// Where the number comes from.
    pub source: Source,
    /// The day that was counted, for a day's limit: it resets when the next one begins.
    pub day: Option<Day>,
}

/// Why an operation is denied. Small and plain: the words are made later, by [`super::explain`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Denial {
    /// The one reason that is reported, by the order of checks.
    pub reason: Reason,
    /// Whose.
    pub subject: Subject,
    /// The limit, where the reason is one.
    pub reached: Option<Reached>,
}

impl Denial {
    /// A denial for a reason that is no limit.
    pub const fn plain(reason: Reason, subject: Subject) -> Self {
        Self {
            reason,
            subject,
            reached: None,
        }
    }
}

/// Allowed or denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Allowed.
    Allowed,
    /// Allowed, though a limit in shadow had no room: it would have been denied.
    Shadowed(Denial),
    /// Denied: nothing has changed.
    Denied(Denial),
}

impl Outcome {
    /// The denial, if it is one.
    pub const fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Denied(denial) => Some(denial),
            Self::Allowed | Self::Shadowed(_) => None,
        }
    }

    /// Whether it is allowed.
    pub const fn is_allowed(&self) -> bool {
        self.denial().is_none()
    }

    /// `ALLOWED`, or the reason's name: what the counts of verdicts go by.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Allowed | Self::Shadowed(_) => "ALLOWED",
            Self::Denied(denial) => denial.reason.name(),
        }
    }
}

/// The answer to one operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Allowed or denied.
    pub outcome: Outcome,
    /// Whether the facts have changed (in a dry run: would have).
    pub changed: bool,
    /// In RECORD: a count is now above its limit.
    pub over_limit: bool,
    /// Of a group's creation: the result of each initial member, in the order given.
    pub members: Vec<Decision>,
}

impl Decision {
    /// A denial, which changes nothing.
    pub const fn denied(denial: Denial) -> Self {
        Self {
            outcome: Outcome::Denied(denial),
            changed: false,
            over_limit: false,
            members: Vec::new(),
        }
    }

    /// The verdict stays, the change does not: its batch was taken back.
    pub fn take_back(&mut self) {
        self.changed = false;
        self.over_limit = false;
        self.members.iter_mut().for_each(Self::take_back);
    }
}

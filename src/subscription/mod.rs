//! What an app subscribes to, and whether its service stands.
//!
//! `change` has the rules of change, `choice` what is sold where and for how much, `account` the money side and the clock of
//! arrears, `history` the fold of an app's events. Invariant: a value says what was chosen; what it is worth on an edition is
//! for `entitlement` to resolve. Absent on purpose: the clock and storage, usage and bills.

mod account;
mod change;
mod choice;
mod history;
mod refusal;

pub use account::{Account, Unpaid};
pub use change::{Bought, Change, Changed, Charge};
pub use choice::{Choice, Choices, Settings, own_value, price};
pub use history::{Activation, Cost, Outage, Phase, Purchase, Start, Subscription};
pub use refusal::Refusal;

use std::sync::Arc;

use crate::time::Timestamp;

/// The edition and the add-on values that an app has chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Name of the edition in the catalog.
    pub edition: Arc<str>,
    /// Unlimited audio-video chat rooms.
    pub av_chat_rooms_unlimited: bool,
    /// Members a group may have; the edition's default when not chosen (RULES B12).
    pub group_members: Option<u64>,
    /// Groups a user may be in; the edition's default when not chosen (RULES B12).
    pub joined_groups: Option<u64>,
    /// Filtering of content.
    pub content_filtering: bool,
    /// Days for which messages are kept; the edition's own when not chosen.
    pub history_days: Option<u64>,
    /// Bandwidth of on-screen comments.
    pub comment_bandwidth: bool,
}

impl Plan {
    /// An edition with no add-on.
    pub fn of(edition: &str) -> Self {
        Self {
            edition: edition.into(),
            av_chat_rooms_unlimited: false,
            group_members: None,
            joined_groups: None,
            content_filtering: false,
            history_days: None,
            comment_bandwidth: false,
        }
    }
}

/// The state of an app's service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AppState {
    /// In service.
    Active,
    /// In arrears for too long: adding is refused, removing is not (RULES B19).
    Suspended,
    /// Disabled for ever: everything is refused (RULES B42).
    Disabled,
    /// Its resources are gone: everything is refused (RULES 6.9, rule 57).
    Repossessed,
}

impl AppState {
    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Disabled => "DISABLED",
            Self::Repossessed => "REPOSSESSED",
        }
    }
}

/// From when on the service does not stand. What falls due at an instant holds from that very instant (RULES B48).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Suspended from here on; [`Timestamp::MAX`] when not known to come.
    pub suspended_from: Timestamp,
    /// Repossessed from here on.
    pub repossessed_from: Timestamp,
    /// Disabled from here on.
    pub disabled_from: Timestamp,
}

impl Standing {
    /// In service, with no known end.
    pub const GOOD: Self = Self {
        suspended_from: Timestamp::MAX,
        repossessed_from: Timestamp::MAX,
        disabled_from: Timestamp::MAX,
    };

    /// The state at an instant. A disabled app stays disabled through suspension and repossession (RULES B20).
    pub fn state(&self, now: Timestamp) -> AppState {
        if now >= self.disabled_from {
            AppState::Disabled
        } else if now >= self.repossessed_from {
            AppState::Repossessed
        } else if now >= self.suspended_from {
            AppState::Suspended
        } else {
            AppState::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AppState::{Active, Disabled, Repossessed, Suspended};
    use super::*;

    #[test]
    fn states_hold_from_their_instant_and_disabled_stays() {
        let at = Timestamp::from_unix_ms_saturating;
        let standing = Standing {
            suspended_from: at(10),
            repossessed_from: at(20),
            disabled_from: at(30),
        };
        let states = [9, 10, 19, 20, 29, 30].map(|ms| standing.state(at(ms)));
        assert_eq!(
            states,
            [
                Active,
                Suspended,
                Suspended,
                Repossessed,
                Repossessed,
                Disabled
            ]
        );
        let early = Standing {
            disabled_from: at(5),
            ..standing
        };
        assert_eq!(early.state(at(15)), Disabled);
    }
}

//! Why a change of a subscription is refused. A refusal is a value, not an error, and changes nothing (RULES 6.5 to 6.9).
//!
//! Invariant: the order of the reasons is their rank. Of several that hold, the first is the one that is told.
//! Absent on purpose: denials of admissions, which are `catalog`'s reasons.

use std::fmt;

/// Why a change is refused, the first in rank first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Refusal {
    /// No such app.
    AppNotFound,
    /// The app is disabled for ever (RULES B19, B42).
    AppDisabled,
    /// The app's resources are gone (RULES B19).
    AppRepossessed,
    /// The app is suspended: its configuration may not change until it is restored (RULES B19).
    AppSuspended,
    /// Only the free edition can be upgraded, and only to a paid one (RULES 6.6, rule 40).
    NotUpgradable,
    /// The edition does not sell that, or is the free one, which has no configuration to change (RULES 6.10, B43).
    NotAvailableInEdition,
    /// Below the edition's own value or above its highest tier (RULES B12).
    OutOfRange,
    /// The item was changed in this calendar month, and this is not the one way back (RULES B3, B4).
    OnceAMonth,
}

impl Refusal {
    /// Every reason, in rank.
    pub const ALL: [Self; 8] = [
        Self::AppNotFound,
        Self::AppDisabled,
        Self::AppRepossessed,
        Self::AppSuspended,
        Self::NotUpgradable,
        Self::NotAvailableInEdition,
        Self::OutOfRange,
        Self::OnceAMonth,
    ];

    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppNotFound => "APP_NOT_FOUND",
            Self::AppDisabled => "APP_DISABLED",
            Self::AppRepossessed => "APP_REPOSSESSED",
            Self::AppSuspended => "APP_SUSPENDED",
            Self::NotUpgradable => "NOT_UPGRADABLE",
            Self::NotAvailableInEdition => "NOT_AVAILABLE_IN_EDITION",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::OnceAMonth => "ONCE_A_MONTH",
        }
    }

    /// The rule that forbids it, for people.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::AppNotFound => "only an app that exists can be changed",
            Self::AppDisabled => "a disabled app takes no change",
            Self::AppRepossessed => "an app whose resources are gone takes no change",
            Self::AppSuspended => {
                "a suspended app's configuration stays as it is until it is restored"
            }
            Self::NotUpgradable => "an upgrade leads from the free edition to a paid one",
            Self::NotAvailableInEdition => "an edition has only the add-ons that are sold on it",
            Self::OutOfRange => {
                "a value lies between the edition's own and its highest tier, and a day that is paid until never moves back"
            }
            Self::OnceAMonth => "the edition and each add-on change once in a calendar month",
        }
    }

    /// What to do about it, for people.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::AppNotFound => "create the app first, or name another",
            Self::AppDisabled => "a disabled app never comes back; create another",
            Self::AppRepossessed => "the app's resources are gone; create another",
            Self::AppSuspended => "top up the account, or renew the prepaid plan, and ask again",
            Self::NotUpgradable => {
                "upgrade from the free edition to a paid one; else change the configuration"
            }
            Self::NotAvailableInEdition => "choose an edition that sells it",
            Self::OutOfRange => "choose a value from the edition's own up to its highest tier",
            Self::OnceAMonth => {
                "wait for the first day of the next month, or restore the value from before"
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

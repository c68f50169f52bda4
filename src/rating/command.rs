//! What the books are told, and what they tell: commands, and what happened when.
//!
//! Invariant: both are values, complete in themselves. Absent on purpose: what a command does.

use crate::catalog::EditionId;
use crate::id::{AccountId, SdkAppId};
use crate::money::Money;
use crate::subscription::{AppState, Change, Refusal};
use crate::time::{Day, Month, Timestamp};

/// The day of the month on which bills are pushed: 1, 2 or 3 (RULES 6.9, rule 55; B13).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PushDay(u16);

impl PushDay {
    /// The day of that number, from 1 to 3.
    pub fn new(day: u16) -> Option<Self> {
        (1..=3).contains(&day).then_some(Self(day))
    }

    /// Days after the first of the month.
    pub const fn days_after_first(self) -> u16 {
        self.0 - 1
    }
}

impl Default for PushDay {
    fn default() -> Self {
        Self(1)
    }
}

/// Something that people or machines want of the books.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// A new app.
    CreateApp {
        /// The app.
        app: SdkAppId,
        /// Who pays for it.
        account: AccountId,
        /// The edition that it starts on; the catalog's first if not named.
        edition: Option<EditionId>,
    },
    /// An upgrade, or a change of configuration.
    Change {
        /// The app.
        app: SdkAppId,
        /// What is asked for.
        change: Change,
    },
    /// An operator puts the app on an edition, whatever the calendar says.
    SetEdition {
        /// The app.
        app: SdkAppId,
        /// The edition.
        edition: EditionId,
    },
    /// The app is disabled for ever.
    Disable {
        /// The app.
        app: SdkAppId,
    },
    /// The app's plan is paid ahead.
    Prepaid {
        /// The app.
        app: SdkAppId,
        /// The day on which it expires.
        expires: Day,
    },
    /// Money arrives.
    TopUp {
        /// The account.
        account: AccountId,
        /// How much.
        amount: Money,
    },
    /// An operator gives money.
    Credit {
        /// The account.
        account: AccountId,
        /// How much.
        amount: Money,
    },
}

/// Why a command was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejected {
    /// A rule of the subscription forbids it.
    #[error("{reason}: {remedy}", reason = .0.name(), remedy = .0.remedy())]
    Refused(Refusal),
    /// An app has one life.
    #[error("the app exists already; name another")]
    AppExists,
    /// The clock is never turned back.
    #[error("is earlier than what came before; put the commands in the order of their time")]
    BeforeTheLast,
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What happened when, to whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dated {
    /// When.
    pub at: Timestamp,
    /// The account.
    pub account: AccountId,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    /// A bill of more than nothing was pushed; where it is not paid at once, the account is in arrears.
    Pushed {
        /// The month it is for.
        month: Month,
        /// What is owed.
        total: Money,
    },
    /// A bill was paid, whole.
    Paid {
        /// The month it is for.
        month: Month,
        /// What was owed.
        total: Money,
    },
    /// An app's state changed.
    State {
        /// The app.
        app: SdkAppId,
        /// Its state from now on.
        state: AppState,
    },
}

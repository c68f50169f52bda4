//! Events: facts about accounts and apps that were decided, dated by who keeps them.
//!
//! Invariant: taking an event decides nothing and needs no prices, so a catalog whose prices have changed since never changes
//! what has happened: whoever keeps the events with their times can make the books again. Absent on purpose: usage, which is
//! reported, and what falls due by itself between two events.

use super::bill::Bill;
use crate::catalog::EditionId;
use crate::id::{AccountId, SdkAppId};
use crate::money::Money;
use crate::subscription::Changed;
use crate::time::{Day, Month};

/// Something that happened because somebody wanted it, or because a month was over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A new app.
    AppCreated {
        /// The app.
        app: SdkAppId,
        /// Who pays for it.
        account: AccountId,
        /// The edition that it starts on; another than the free one is activated by it.
        edition: EditionId,
    },
    /// An upgrade, a change of configuration, or another edition by an operator's hand.
    Changed {
        /// The app.
        app: SdkAppId,
        /// What it came to.
        changed: Changed,
    },
    /// The app was disabled for ever.
    Disabled {
        /// The app.
        app: SdkAppId,
    },
    /// The app's plan was paid ahead.
    Prepaid {
        /// The app.
        app: SdkAppId,
        /// The day on which it expires.
        expires: Day,
    },
    /// Money arrived.
    ToppedUp {
        /// The account.
        account: AccountId,
        /// How much.
        amount: Money,
    },
    /// An operator has given money. It has the same effect as money that arrived, and another name on the statement.
    Credited {
        /// The account.
        account: AccountId,
        /// How much.
        amount: Money,
    },
    /// A month's bills were made; those of more than nothing were pushed.
    MonthClosed {
        /// The month.
        month: Month,
        /// The bills. To be taken again, account and total are enough; who keeps them apart may leave out their lines.
        bills: Vec<Bill>,
    },
}

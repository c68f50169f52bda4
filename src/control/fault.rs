//! Why a control call is not done, or a gateway's apps cannot be put in force.

use crate::catalog::LimitName;
use crate::gateway::{AppError, Stranded};
use crate::id::{AccountId, SdkAppId};
use crate::ledger::LedgerError;
use crate::money::Money;
use crate::rating::Misfit;
use crate::subscription::Refusal;
use crate::time::{Month, Timestamp};

/// Why a control call was not done. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The app cannot be created or changed.
    #[error(transparent)]
    App(#[from] AppError),
    /// There is no such override.
    #[error("app {app} has no override of {limit} that a call has set")]
    NoOverride {
        /// The app.
        app: SdkAppId,
        /// The limit.
        limit: LimitName,
    },
    /// A rule of subscriptions forbids it.
    #[error("{reason}: {remedy}", reason = .0.name(), remedy = .0.remedy())]
    Refused(Refusal),
    /// The app that is to be disabled for ever was not named twice.
    #[error(
        "app {0} is disabled for ever by this, and all its service ends at once: confirm by naming {0} again"
    )]
    Confirm(SdkAppId),
    /// There is no such account.
    #[error("there is no account {0}: it comes with its first app")]
    UnknownAccount(AccountId),
    /// Nothing was given.
    #[error("an amount of nothing changes nothing: name one above 0")]
    NoAmount,
    /// The reference stands for something else already.
    #[error("the reference was used for {amount} at {at}: use another one for another payment")]
    ReferenceUsed {
        /// How much came under it.
        amount: Money,
        /// When.
        at: Timestamp,
    },
    /// The month is not over yet, or its bills are not due.
    #[error("{month} closes at {at}, not before")]
    NotDue {
        /// The month.
        month: Month,
        /// When it closes.
        at: Timestamp,
    },
    /// There was no app in that month or before.
    #[error("there is no bill of {0}: no app had been created by its end")]
    NothingToBill(Month),
    /// There is no month to close.
    #[error("there is nothing to close: no app has been created")]
    NoApps,
    /// Apps were on editions that the new catalog lacks.
    #[error(
        "the new catalog lacks editions that apps are on or were on: {}; put them back: their months may still be adjusted",
        listed(.0)
    )]
    Stranded(Vec<Stranded>),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Why a gateway's apps cannot be put in force when it starts.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What the ledger holds does not hang together.
    #[error(
        "the ledger's events do not follow one another ({misfit}, at {at}): restore the data directory from a backup"
    )]
    Events {
        /// When the event happened that does not follow.
        at: Timestamp,
        /// Why it does not.
        misfit: Misfit,
    },
    /// What fell due while the gateway was away cannot be done.
    #[error("cannot do what has fallen due: {0}")]
    Due(ControlError),
    /// An app of the gateway file cannot be created.
    #[error("{file}: app {app}: {error}")]
    Wanted {
        /// The gateway file, as messages name it.
        file: String,
        /// The app.
        app: SdkAppId,
        /// What is wrong.
        error: AppError,
    },
}

impl StartError {
    pub(super) fn wanted(file: &str, app: SdkAppId, error: AppError) -> Self {
        let file = file.to_owned();
        Self::Wanted { file, app, error }
    }
}

/// The first few, in words.
fn listed(stranded: &[Stranded]) -> String {
    const SHOWN: usize = 5;
    let words = |Stranded { app, edition }: &_| format!("app {app} on \"{edition}\"");
    let shown: Vec<_> = stranded.iter().take(SHOWN).map(words).collect();
    let shown = shown.join(", ");
    match stranded.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

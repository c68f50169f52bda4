//! Why a control call is not done, or a gateway's apps cannot be put in force.

use crate::catalog::LimitName;
use crate::gateway::{AppError, Stranded};
use crate::id::SdkAppId;
use crate::ledger::LedgerError;

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
    /// Apps are on editions that the new catalog lacks.
    #[error("the new catalog lacks editions that apps are on: {}; put them back, or move the apps first", listed(.0))]
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

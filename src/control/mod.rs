//! The cold path: a control call from its check to its effect, months that close, and a gateway's apps when it starts.
//!
//! Each call is one function, to be read from top to bottom: let happen what has fallen due, see what is there and whether it may
//! change, write the change down with its entry in the audit trail, put it in force. `call` has what all of them share, `start`
//! the beginning; `apps`, `overrides` and `money` are the calls, `closing` closes months. Invariant: one call after the other, each
//! stamped later than the one before; what is answered is on the disk and in force, and what cannot be written down does not
//! happen. Should the process die between the two, its start puts in force what is written. Absent on purpose: sockets, files,
//! the clock; rules, which are those of the books.

mod apps;
mod call;
mod closing;
mod fault;
mod money;
mod overrides;
mod start;
mod subscribers;
mod words;

pub use apps::{SubscriptionView, WantedChange};
pub use closing::{Closed, Closings};
pub use fault::{ControlError, StartError};
pub use money::{AccountView, Received};
pub use start::Wanted;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::entitlement::Terms;
use crate::gateway::{Gateway, Stranded};
use crate::ledger::{Audited, Caller, Ledger, LedgerError, Page};
use crate::rating::Books;
use crate::time::{Month, Timestamp};
use call::Refused;

/// The operators' side of a gateway.
pub struct ControlPlane {
    gateway: Arc<Gateway>,
    ledger: Ledger,
    /// Held while a call is under way.
    state: Mutex<State>,
    closings: Closings,
}

/// What a call goes on from.
struct State {
    books: Books,
    /// The instant of the last call; of no close, which may share its instant with a call after it.
    last: Timestamp,
    /// The month whose usage is frozen, in the ledger and in the books, while its bills are not written.
    frozen: Option<Month>,
    refused: Refused,
}

impl ControlPlane {
    /// The gateway that it changes.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// The ledger that it writes, for those who keep other things there.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many months were closed, and how often that has failed.
    pub fn closings(&self) -> &Closings {
        &self.closings
    }

    /// Puts another catalog and policy in force for every app; answers their revision. `read` is what came of reading them.
    pub async fn reload<E: std::fmt::Display>(
        &self,
        caller: &Caller,
        read: Result<Terms, E>,
        now: Timestamp,
    ) -> Result<Result<u64, E>, ControlError> {
        let mut call = self.begin("Reload", caller, None, now).await?;
        let terms = match read {
            Ok(terms) => terms,
            Err(error) => {
                call.refuse(&error.to_string()).await;
                return Ok(Err(error));
            }
        };
        let missing = call.state.books.missing_from(&terms.catalog).into_iter();
        let stranded: Vec<_> = missing
            .map(|(app, edition)| Stranded {
                app,
                edition: edition.into(),
            })
            .collect();
        let checked = if stranded.is_empty() {
            Ok(terms)
        } else {
            Err(ControlError::Stranded(stranded))
        };
        let terms = call.unless_refused(checked).await?;
        let before = Arc::clone(&self.gateway.terms());
        let entry = call.done(Some(words::files(&before)), Some(words::files(&terms)));
        self.ledger.write(&[], &[entry]).await?;
        let catalog = Arc::clone(&terms.catalog);
        let revision = self.gateway.set_terms(terms, now);
        let taken = call.state.books.set_catalog(catalog);
        taken.expect("it lacks no edition: that was seen");
        self.publish(&mut call.state.books, now);
        Ok(Ok(revision.map_err(ControlError::Stranded)?))
    }

    /// A page of the audit trail, newest first.
    pub async fn audit(&self, page: &Page) -> Result<Vec<Audited>, LedgerError> {
        self.ledger.audit(page).await
    }

    /// Closes the ledger, when the server has stopped.
    pub async fn close(self) -> Result<(), LedgerError> {
        self.ledger.close().await
    }
}

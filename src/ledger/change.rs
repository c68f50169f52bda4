//! A change of the ledger, and how it comes into the tables.
//!
//! Invariant: what changes one row must change one. Absent on purpose: transactions, which are the ledger's.

use sqlx::sqlite::SqliteConnection;

use super::apps;
use super::events::{self, NewEvent};
use super::fault::Fault;
use super::words::Names;
use crate::catalog::LimitName;
use crate::entitlement::Override;
use crate::id::SdkAppId;
use crate::rating::Event;

/// A change of the ledger.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Adds an event: with an app's creation the app, with the close of a month its bills.
    AddEvent(NewEvent<'a>),
    /// Sets something for a limit of an app, in place of what was set.
    SetOverride(SdkAppId, LimitName, &'a Override),
    /// Takes that back.
    RemoveOverride(SdkAppId, LimitName),
}

/// Makes a change.
pub(super) async fn make(
    connection: &mut SqliteConnection,
    change: &Change<'_>,
) -> Result<(), Fault> {
    match change {
        Change::AddEvent(new) => add_event(connection, new).await,
        Change::SetOverride(app, limit, one) => {
            apps::set_override(connection, *app, *limit, one).await
        }
        Change::RemoveOverride(app, limit) => apps::remove_override(connection, *app, *limit).await,
    }
}

async fn add_event(connection: &mut SqliteConnection, new: &NewEvent<'_>) -> Result<(), Fault> {
    match new.event {
        Event::AppCreated {
            app,
            account,
            edition,
        } => {
            let edition = Names(new.catalog).edition(*edition);
            apps::add(connection, *app, account, edition, new.at).await
        }
        Event::MonthClosed { month, bills } => {
            events::close(connection, new.catalog, *month, bills, new.at).await
        }
        Event::ToppedUp { account, .. } | Event::Credited { account, .. } => {
            apps::know_account(connection, account, new.at).await?;
            events::add(connection, new).await
        }
        Event::Changed { .. } | Event::Disabled { .. } | Event::Prepaid { .. } => {
            events::add(connection, new).await
        }
    }
}

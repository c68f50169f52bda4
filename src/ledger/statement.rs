//! Statements of accounts: what came in and what was billed, by time; and what came in, found again by its reference.
//!
//! Invariant: a line is an event that the books take too, so their sum is what the books have. Absent on purpose: balances.

use sqlx::sqlite::SqliteConnection;

use super::bills;
use super::events::{CREDITED, EVENTS, MONTH_CLOSED, Stored, TOPPED_UP, stored};
use super::fault::Fault;
use super::row::Row;
use crate::id::AccountId;
use crate::money::Money;
use crate::time::{Month, Timestamp};

/// A line of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Posting {
    /// The number of its event.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// How much.
    pub amount: Money,
    /// What.
    pub what: Posted,
}

/// What a line of a statement is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Posted {
    /// Money arrived.
    ToppedUp {
        /// By what it is found again.
        reference: Option<String>,
    },
    /// An operator has given money.
    Credited {
        /// Why.
        note: Option<String>,
        /// By what it is found again.
        reference: Option<String>,
    },
    /// A bill was pushed.
    Billed {
        /// The month it is for.
        month: Month,
    },
}

/// Which part of a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatementPage {
    /// Only lines of a lower number.
    pub before: Option<u64>,
    /// Most lines.
    pub size: u32,
}

/// A page of an account's statement, newest first.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    account: &AccountId,
    page: StatementPage,
) -> Result<Vec<Posting>, Fault> {
    let before = page.before.and_then(|it| i64::try_from(it).ok());
    let mut query = EVENTS.query();
    query.push(" WHERE sequence < ");
    query.push_bind(before.unwrap_or(i64::MAX));
    query.push(" AND (account = ");
    query.push_bind(account.as_str().to_owned());
    query.push(" OR month IN (SELECT month FROM bills WHERE pushed IS NOT NULL AND account = ");
    query.push_bind(account.as_str().to_owned());
    query.push(")) ORDER BY sequence DESC LIMIT ");
    query.push_bind(page.size);
    let mut lines = Vec::new();
    for mut row in EVENTS.rows(query, &mut *connection).await? {
        let stored = stored(&mut row)?;
        let billed = match &stored.month {
            None => None,
            Some(month) => {
                let month = row.made(Month::parse(month).ok())?;
                let head = bills::head(&mut *connection, account, month).await?;
                Some((month, row.made(head)?.total))
            }
        };
        lines.push(line(&row, stored, billed)?);
    }
    Ok(lines)
}

/// What an account was given under a reference.
pub(super) async fn by_reference(
    connection: &mut SqliteConnection,
    account: &AccountId,
    reference: &str,
) -> Result<Option<Posting>, Fault> {
    let mut query = EVENTS.query();
    query.push(" WHERE account = ");
    query.push_bind(account.as_str().to_owned());
    query.push(" AND reference = ");
    query.push_bind(reference.to_owned());
    let found = EVENTS.rows(query, connection).await?;
    let Some(mut row) = found.into_iter().next() else {
        return Ok(None);
    };
    let stored = stored(&mut row)?;
    line(&row, stored, None).map(Some)
}

fn line(row: &Row, stored: Stored, billed: Option<(Month, Money)>) -> Result<Posting, Fault> {
    let amount = stored.amount.and_then(Money::from_micros);
    let (note, reference) = (stored.note, stored.reference);
    let (amount, what) = match (stored.kind.as_str(), billed) {
        (TOPPED_UP, None) => (amount, Some(Posted::ToppedUp { reference })),
        (CREDITED, None) => (amount, Some(Posted::Credited { note, reference })),
        (MONTH_CLOSED, Some((month, total))) => (Some(total), Some(Posted::Billed { month })),
        _ => (None, None),
    };
    Ok(Posting {
        sequence: row.made(u64::try_from(stored.sequence).ok())?,
        at: Timestamp::from_unix_ms_saturating(stored.at),
        amount: row.made(amount)?,
        what: row.made(what)?,
    })
}

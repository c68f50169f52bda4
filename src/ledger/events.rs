//! What happened to apps and accounts: the events that the books are made from again.
//!
//! Creations are the rows of `apps`, closes have their bills beside them; all else is a row of `events`. Invariant: events are
//! only added, and come back in the order in which they were taken. Absent on purpose: whether an event may happen.

use sqlx::sqlite::SqliteConnection;

use super::bills::{self, BillHead};
use super::closes;
use super::fault::Fault;
use super::row::{Row, Table, Value};
use super::words::{self, Names};
use crate::catalog::Catalog;
use crate::id::{AccountId, SdkAppId};
use crate::money::Money;
use crate::rating::{Bill, Event};
use crate::subscription::Changed;
use crate::time::{Day, Month, Timestamp};

pub(super) static EVENTS: Table = Table {
    name: "events",
    columns: &[
        "sequence",
        "at",
        "kind",
        "account",
        "sdk_app_id",
        "edition",
        "carried",
        "chosen",
        "bought",
        "activates",
        "by_operator",
        "amount",
        "day",
        "month",
        "note",
        "reference",
    ],
    key: 1,
};

pub(super) const CHANGED: &str = "changed";
pub(super) const DISABLED: &str = "disabled";
pub(super) const PREPAID: &str = "prepaid";
pub(super) const TOPPED_UP: &str = "topped_up";
pub(super) const CREDITED: &str = "credited";
pub(super) const MONTH_CLOSED: &str = "month_closed";

/// An event that is to be added.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'a> {
    /// When it happened.
    pub at: Timestamp,
    /// What. The ledger must know its app; of an account that it does not know it takes note.
    pub event: &'a Event,
    /// The catalog that its editions are of.
    pub catalog: &'a Catalog,
    /// What people have said about it, like the reason of a credit.
    pub note: Option<&'a str>,
    /// What it is found again by, once for each account.
    pub reference: Option<&'a str>,
}

/// A row, as it is stored.
#[derive(Clone, Default)]
pub(super) struct Stored {
    pub(super) sequence: i64,
    pub(super) at: i64,
    pub(super) kind: String,
    account: Option<String>,
    app: Option<i64>,
    edition: Option<String>,
    carried: Option<String>,
    chosen: Option<String>,
    bought: Option<String>,
    activates: Option<i64>,
    by_operator: Option<i64>,
    pub(super) amount: Option<i64>,
    day: Option<String>,
    pub(super) month: Option<String>,
    pub(super) note: Option<String>,
    pub(super) reference: Option<String>,
}

/// Adds an event that is a row of its own.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    new: &NewEvent<'_>,
) -> Result<(), Fault> {
    let plain = Stored {
        at: new.at.as_unix_ms(),
        note: new.note.map(str::to_owned),
        reference: new.reference.map(str::to_owned),
        ..Stored::default()
    };
    let names = Names(new.catalog);
    let of_app = |app: &SdkAppId| Some(i64::from(app.get()));
    let stored = match new.event {
        Event::AppCreated { .. } | Event::MonthClosed { .. } => return Ok(()),
        Event::Changed { app, changed } => {
            let bought = words::bought(&changed.bought);
            Stored {
                kind: CHANGED.to_owned(),
                app: of_app(app),
                edition: Some(names.edition(changed.edition).to_owned()),
                carried: Some(words::choices(&changed.carried)),
                chosen: Some(words::set(&changed.set)),
                bought: Some(bought.ok_or_else(|| Fault::TooLarge("a price".to_owned()))?),
                activates: Some(changed.activates.into()),
                by_operator: Some(changed.by_operator.into()),
                ..plain
            }
        }
        Event::Disabled { app } => Stored {
            kind: DISABLED.to_owned(),
            app: of_app(app),
            ..plain
        },
        Event::Prepaid { app, expires } => Stored {
            kind: PREPAID.to_owned(),
            app: of_app(app),
            day: Some(expires.to_string()),
            ..plain
        },
        Event::ToppedUp { account, amount } => received(plain, TOPPED_UP, account, *amount)?,
        Event::Credited { account, amount } => received(plain, CREDITED, account, *amount)?,
    };
    insert(connection, stored).await
}

fn received(
    plain: Stored,
    kind: &str,
    account: &AccountId,
    amount: Money,
) -> Result<Stored, Fault> {
    let micros = amount.micros();
    let amount = micros.ok_or_else(|| Fault::TooLarge(format!("an amount of {amount}")))?;
    Ok(Stored {
        kind: kind.to_owned(),
        account: Some(account.as_str().to_owned()),
        amount: Some(amount),
        ..plain
    })
}

/// Writes the bills of a month whose usage is frozen, and that it is closed.
pub(super) async fn close(
    connection: &mut SqliteConnection,
    catalog: &Catalog,
    month: Month,
    bills: &[Bill],
    finished_at: Timestamp,
) -> Result<(), Fault> {
    bills::add(connection, catalog, bills).await?;
    let close = closes::finish(connection, month, finished_at).await?;
    let stored = Stored {
        at: close.at.as_unix_ms(),
        kind: MONTH_CLOSED.to_owned(),
        month: Some(month.to_string()),
        ..Stored::default()
    };
    insert(connection, stored).await
}

async fn insert(connection: &mut SqliteConnection, stored: Stored) -> Result<(), Fault> {
    let row: Vec<Value> = vec![
        EVENTS.next_sequence(connection).await?.into(),
        stored.at.into(),
        stored.kind.into(),
        stored.account.into(),
        stored.app.into(),
        stored.edition.into(),
        stored.carried.into(),
        stored.chosen.into(),
        stored.bought.into(),
        stored.activates.into(),
        stored.by_operator.into(),
        stored.amount.into(),
        stored.day.into(),
        stored.month.into(),
        stored.note.into(),
        stored.reference.into(),
    ];
    EVENTS.insert(connection, [row]).await
}

/// Every event but creations, in the order in which they were taken, with its instant.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    catalog: &Catalog,
) -> Result<Vec<(Timestamp, Event)>, Fault> {
    let mut bills = bills::heads(connection, None).await?.into_iter().peekable();
    let mut query = EVENTS.query();
    query.push(" ORDER BY sequence");
    let rows = EVENTS.rows(query, connection).await?;
    let mut events = Vec::with_capacity(rows.len());
    for mut row in rows {
        let stored = stored(&mut row)?;
        let at = Timestamp::from_unix_ms_saturating(stored.at);
        let event = if let Some(month) = stored.month {
            let month = row.made(Month::parse(&month).ok())?;
            let mut closed = Vec::new();
            while let Some(head) = bills.next_if(|head| head.month == month) {
                closed.push(without_lines(head));
            }
            let bills = closed;
            Event::MonthClosed { month, bills }
        } else {
            event(&row, stored, Names(catalog))?
        };
        events.push((at, event));
    }
    match bills.next() {
        None => Ok(events),
        Some(head) => Err(Fault::Damaged(format!(
            "bills of {}, which is not closed",
            head.month
        ))),
    }
}

fn without_lines(head: BillHead) -> Bill {
    Bill {
        account: head.account,
        month: head.month,
        pushed: head.pushed,
        total: head.total,
        lines: Vec::new(),
        free: Vec::new(),
    }
}

fn event(row: &Row, stored: Stored, names: Names<'_>) -> Result<Event, Fault> {
    let account = stored
        .account
        .and_then(|account| AccountId::new(&account).ok());
    let number = stored.app.and_then(|app| u32::try_from(app).ok());
    let app = number.and_then(|app| SdkAppId::new(app).ok());
    let amount = stored.amount.and_then(Money::from_micros);
    let event = match stored.kind.as_str() {
        CHANGED => {
            let app = row.made(app)?;
            let edition = names.edition_id(app, &row.made(stored.edition)?)?;
            let text = |text: &Option<String>| row.made(text.clone());
            let is_set = |flag| row.made(flag).map(|flag: i64| flag != 0);
            let changed = Changed {
                edition,
                carried: row.made(words::choices_of(&text(&stored.carried)?))?,
                set: row.made(words::set_of(&text(&stored.chosen)?))?,
                bought: row.made(words::bought_of(&text(&stored.bought)?))?,
                activates: is_set(stored.activates)?,
                by_operator: is_set(stored.by_operator)?,
            };
            Some(Event::Changed { app, changed })
        }
        DISABLED => app.map(|app| Event::Disabled { app }),
        PREPAID => {
            let expires = stored.day.and_then(|day| Day::parse(&day).ok());
            app.zip(expires)
                .map(|(app, expires)| Event::Prepaid { app, expires })
        }
        TOPPED_UP => {
            let received = account.zip(amount);
            received.map(|(account, amount)| Event::ToppedUp { account, amount })
        }
        CREDITED => {
            let received = account.zip(amount);
            received.map(|(account, amount)| Event::Credited { account, amount })
        }
        _ => None,
    };
    row.made(event)
}

/// A row's values.
pub(super) fn stored(row: &mut Row) -> Result<Stored, Fault> {
    Ok(Stored {
        sequence: row.number()?,
        at: row.number()?,
        kind: row.text()?,
        account: row.maybe_text()?,
        app: row.maybe_number()?,
        edition: row.maybe_text()?,
        carried: row.maybe_text()?,
        chosen: row.maybe_text()?,
        bought: row.maybe_text()?,
        activates: row.maybe_number()?,
        by_operator: row.maybe_number()?,
        amount: row.maybe_number()?,
        day: row.maybe_text()?,
        month: row.maybe_text()?,
        note: row.maybe_text()?,
        reference: row.maybe_text()?,
    })
}

/// Creations and the other events in one order: by time, and at one instant the close of a month first, then creations.
pub(super) fn merged(
    creations: Vec<(Timestamp, Event)>,
    others: Vec<(Timestamp, Event)>,
) -> Vec<(Timestamp, Event)> {
    let mut all = Vec::with_capacity(creations.len() + others.len());
    let mut creations = creations.into_iter().peekable();
    for (at, event) in others {
        let is_close = matches!(event, Event::MonthClosed { .. });
        let is_before =
            |created: &(Timestamp, Event)| created.0 < at || created.0 == at && !is_close;
        while let Some(created) = creations.next_if(is_before) {
            all.push(created);
        }
        all.push((at, event));
    }
    all.extend(creations);
    all
}

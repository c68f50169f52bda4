//! The audit trail: who called what and when, what it was about, before and after.
//!
//! Invariant: entries are only added, and each text in one has a bound. Absent on purpose: calls that only read.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;

use super::LedgerError;
use super::sum::{Cell, sum};
use crate::id::SdkAppId;
use crate::time::Timestamp;

/// Most characters of a caller's name or address.
const NAME_CHARS_MAX: usize = 128;
/// Most characters of what is said of an outcome.
const OUTCOME_CHARS_MAX: usize = 500;
/// Most characters of a state before or after.
const STATE_CHARS_MAX: usize = 4_000;

/// Who calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Who they say they are.
    pub actor: String,
    /// Where they call from.
    pub peer: String,
}

impl Caller {
    /// A caller; control characters in the names are escaped, and what is too long is cut.
    pub fn new(actor: &str, peer: &str) -> Self {
        let tame = |text: &str| cut(&text.escape_debug().to_string(), NAME_CHARS_MAX).to_owned();
        Self {
            actor: tame(actor),
            peer: tame(peer),
        }
    }
}

/// What is added.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub caller: &'a Caller,
    /// The call, as the proto files name it.
    pub call: &'static str,
    /// Of which app; nothing if it is about all.
    pub app: Option<SdkAppId>,
    /// What was there before, as JSON.
    pub before: Option<String>,
    /// What is there now, as JSON.
    pub after: Option<String>,
    /// `OK`, or why it was refused.
    pub outcome: String,
}

/// An entry of the trail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audited {
    /// Its number, from 1.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub caller: Caller,
    /// The call, as the proto files name it.
    pub call: String,
    /// Of which app; nothing if it was about all.
    pub app: Option<SdkAppId>,
    /// What was there before, as JSON.
    pub before: Option<String>,
    /// What was there after, as JSON.
    pub after: Option<String>,
    /// `OK`, or why it was refused.
    pub outcome: String,
}

/// Which part of the trail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// Of one app, or of all.
    pub app: Option<SdkAppId>,
    /// Only entries of a lower number.
    pub before: Option<u64>,
    /// Most entries.
    pub size: u32,
}

type Row = (
    i64,
    i64,
    String,
    String,
    String,
    Option<i64>,
    Option<String>,
    Option<String>,
    String,
    i64,
);

/// Adds an entry.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<(), sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(sequence) FROM audit")
        .fetch_one(&mut *connection)
        .await?;
    let state = |state: &Option<String>| {
        state
            .as_deref()
            .map(|text| cut(text, STATE_CHARS_MAX).to_owned())
    };
    let row: Row = (
        last.unwrap_or(0) + 1,
        entry.at.as_unix_ms(),
        entry.caller.actor.clone(),
        entry.caller.peer.clone(),
        entry.call.to_owned(),
        entry.app.map(|app| i64::from(app.get())),
        state(&entry.before),
        state(&entry.after),
        cut(&entry.outcome, OUTCOME_CHARS_MAX).to_owned(),
        0,
    );
    let sum = row_sum(&row);
    sqlx::query(
        "INSERT INTO audit (sequence, at, actor, peer, call, sdk_app_id, before, after, outcome, sum) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.0)
    .bind(row.1)
    .bind(row.2)
    .bind(row.3)
    .bind(row.4)
    .bind(row.5)
    .bind(row.6)
    .bind(row.7)
    .bind(row.8)
    .bind(sum)
    .execute(connection)
    .await?;
    Ok(())
}

/// A page, newest first.
pub(super) async fn page(
    path: &Path,
    connection: &mut SqliteConnection,
    page: &Page,
) -> Result<Vec<Audited>, LedgerError> {
    const OF_ALL: &str = "SELECT sequence, at, actor, peer, call, sdk_app_id, before, after, outcome, sum FROM audit \
                          WHERE sequence < ?1 ORDER BY sequence DESC LIMIT ?2";
    const OF_ONE: &str = "SELECT sequence, at, actor, peer, call, sdk_app_id, before, after, outcome, sum FROM audit \
                          WHERE sequence < ?1 AND sdk_app_id = ?3 ORDER BY sequence DESC LIMIT ?2";
    let before = page.before.and_then(|it| i64::try_from(it).ok());
    let query = sqlx::query_as(if page.app.is_some() { OF_ONE } else { OF_ALL })
        .bind(before.unwrap_or(i64::MAX))
        .bind(page.size);
    let query = match page.app {
        Some(app) => query.bind(app.get()),
        None => query,
    };
    let rows: Vec<Row> = query
        .fetch_all(connection)
        .await
        .map_err(|error| LedgerError::of(path, &error))?;
    let read = rows.into_iter().map(|row| {
        let number = row.0;
        audited(row).ok_or_else(|| LedgerError::Damaged {
            path: path.to_owned(),
            what: format!("entry {number} of the audit trail"),
        })
    });
    read.collect()
}

fn audited(row: Row) -> Option<Audited> {
    if row_sum(&row) != row.9 {
        return None;
    }
    let app = match row.5 {
        Some(number) => Some(SdkAppId::new(u32::try_from(number).ok()?).ok()?),
        None => None,
    };
    Some(Audited {
        sequence: u64::try_from(row.0).ok()?,
        at: Timestamp::from_unix_ms_saturating(row.1),
        caller: Caller {
            actor: row.2,
            peer: row.3,
        },
        call: row.4,
        app,
        before: row.6,
        after: row.7,
        outcome: row.8,
    })
}

fn row_sum(row: &Row) -> i64 {
    let cells: [Cell<'_>; 9] = [
        row.0.into(),
        row.1.into(),
        row.2.as_str().into(),
        row.3.as_str().into(),
        row.4.as_str().into(),
        row.5.into(),
        row.6.as_deref().into(),
        row.7.as_deref().into(),
        row.8.as_str().into(),
    ];
    sum("audit", &cells)
}

fn cut(text: &str, chars_max: usize) -> &str {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

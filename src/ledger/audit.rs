//! The audit trail: who called what and when, what it was about, before and after.
//!
//! Invariant: entries are only added, and each text in one has a bound. Absent on purpose: calls that only read.

use sqlx::sqlite::SqliteConnection;

use super::fault::Fault;
use super::row::{Row, Table};
use crate::id::SdkAppId;
use crate::time::Timestamp;

/// Most characters of a caller's name or address.
const NAME_CHARS_MAX: usize = 128;
/// Most characters of what is said of an outcome.
const OUTCOME_CHARS_MAX: usize = 500;
/// Most characters of a state before or after.
const STATE_CHARS_MAX: usize = 4_000;

static AUDIT: Table = Table {
    name: "audit",
    columns: &[
        "sequence",
        "at",
        "actor",
        "peer",
        "call",
        "sdk_app_id",
        "before",
        "after",
        "outcome",
    ],
    key: 1,
};

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

/// Adds an entry.
pub(super) async fn add(connection: &mut SqliteConnection, entry: &Entry<'_>) -> Result<(), Fault> {
    let state = |state: &Option<String>| {
        let text = state.as_deref();
        text.map(|text| cut(text, STATE_CHARS_MAX).to_owned())
    };
    let row = vec![
        AUDIT.next_sequence(connection).await?.into(),
        entry.at.as_unix_ms().into(),
        entry.caller.actor.as_str().into(),
        entry.caller.peer.as_str().into(),
        entry.call.into(),
        entry.app.map(|app| i64::from(app.get())).into(),
        state(&entry.before).into(),
        state(&entry.after).into(),
        cut(&entry.outcome, OUTCOME_CHARS_MAX).into(),
    ];
    AUDIT.insert(connection, [row]).await
}

/// A page, newest first.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    page: &Page,
) -> Result<Vec<Audited>, Fault> {
    let before = page.before.and_then(|it| i64::try_from(it).ok());
    let mut query = AUDIT.query();
    query.push(" WHERE sequence < ");
    query.push_bind(before.unwrap_or(i64::MAX));
    if let Some(app) = page.app {
        query.push(" AND sdk_app_id = ").push_bind(app.get());
    }
    query.push(" ORDER BY sequence DESC LIMIT ");
    query.push_bind(page.size);
    let rows = AUDIT.rows(query, connection).await?;
    rows.into_iter().map(audited).collect()
}

fn audited(mut row: Row) -> Result<Audited, Fault> {
    let sequence = u64::try_from(row.number()?).ok();
    Ok(Audited {
        sequence: row.made(sequence)?,
        at: Timestamp::from_unix_ms_saturating(row.number()?),
        caller: Caller {
            actor: row.text()?,
            peer: row.text()?,
        },
        call: row.text()?,
        app: maybe_app(&mut row)?,
        before: row.maybe_text()?,
        after: row.maybe_text()?,
        outcome: row.text()?,
    })
}

fn maybe_app(row: &mut Row) -> Result<Option<SdkAppId>, Fault> {
    let number = row.maybe_number()?;
    let app = number.map(|number| SdkAppId::new(u32::try_from(number).ok()?).ok());
    app.map(|app| row.made(app)).transpose()
}

fn cut(text: &str, chars_max: usize) -> &str {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

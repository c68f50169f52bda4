//! Subscribers of the usage stream, and how far each of them has taken it in.
//!
//! Invariant: a subscriber goes on from the last token it has acknowledged; one that is forgotten begins anew, and gets again what
//! it had. Absent on purpose: what a token says.

use sqlx::sqlite::SqliteConnection;

use super::fault::Fault;
use super::row::{Row, Table};
use crate::time::Timestamp;

/// Most subscribers that are remembered: beyond, the one that was silent for longest is forgotten.
pub(super) const SUBSCRIBERS_MAX: i64 = 1_000;

static SUBSCRIBERS: Table = Table {
    name: "subscribers",
    columns: &["name", "token", "acknowledged_at"],
    key: 1,
};

/// A subscriber of the usage stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscriber {
    /// Its name.
    pub name: String,
    /// The last token that it has acknowledged.
    pub token: String,
    /// When it did.
    pub acknowledged_at: Timestamp,
}

/// Every subscriber, by name; the one of that name, if one is named.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    name: Option<&str>,
) -> Result<Vec<Subscriber>, Fault> {
    let mut query = SUBSCRIBERS.query();
    if let Some(name) = name {
        query.push(" WHERE name = ").push_bind(name.to_owned());
    }
    query.push(" ORDER BY name");
    let rows = SUBSCRIBERS.rows(query, connection).await?;
    rows.into_iter().map(subscriber).collect()
}

/// Remembers what a subscriber has acknowledged, in place of what it had before.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    subscriber: &Subscriber,
) -> Result<(), Fault> {
    sqlx::query("DELETE FROM subscribers WHERE name = ?")
        .bind(&subscriber.name)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM subscribers WHERE name IN \
         (SELECT name FROM subscribers ORDER BY acknowledged_at DESC, name LIMIT -1 OFFSET ?)",
    )
    .bind(SUBSCRIBERS_MAX - 1)
    .execute(&mut *connection)
    .await?;
    let row = vec![
        subscriber.name.as_str().into(),
        subscriber.token.as_str().into(),
        subscriber.acknowledged_at.as_unix_ms().into(),
    ];
    SUBSCRIBERS.insert(connection, [row]).await
}

fn subscriber(mut row: Row) -> Result<Subscriber, Fault> {
    Ok(Subscriber {
        name: row.text()?,
        token: row.text()?,
        acknowledged_at: Timestamp::from_unix_ms_saturating(row.number()?),
    })
}

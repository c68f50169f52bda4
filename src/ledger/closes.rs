//! Closes of months, and the usage that each of them saw.
//!
//! A close is two transactions: its usage is frozen, then its bills are written and it is finished. Invariant: whatever the usage
//! comes to be between the two, the bills are rated from what was frozen; a close is finished once. Absent on purpose: when a
//! month closes, and what its usage comes to.

use sqlx::sqlite::SqliteConnection;

use super::apps::app_id;
use super::fault::Fault;
use super::row::{Row, Table, Value};
use crate::id::SdkAppId;
use crate::metering::Counted;
use crate::time::{Day, Month, Timestamp};

static CLOSES: Table = Table {
    name: "closes",
    columns: &["month", "at", "frozen_at", "days", "finished_at"],
    key: 1,
};
static USAGE: Table = Table {
    name: "billed_usage",
    columns: &[
        "closed_month",
        "sdk_app_id",
        "day",
        "dau",
        "dau_estimate",
        "dau_upper",
        "groups",
        "av_chat_rooms",
        "bandwidth_bps",
    ],
    key: 3,
};

/// A month that has been closed, or is about to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Close {
    /// The month.
    pub month: Month,
    /// The instant at which it was over, by the calendar.
    pub at: Timestamp,
    /// When its usage was written down.
    pub frozen_at: Timestamp,
    /// When its bills were written; nothing while they are not.
    pub finished_at: Option<Timestamp>,
    days: i64,
}

/// What an app used on a day, as a close saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BilledDay {
    /// The app.
    pub app: SdkAppId,
    /// The day.
    pub day: Day,
    /// Distinct users that logged in.
    pub users: Counted,
    /// Most groups that existed at once.
    pub groups: u64,
    /// Most audio-video chat rooms that existed at once.
    pub av_chat_rooms: u64,
    /// Most bits per second of on-screen comments at once.
    pub bandwidth_bps: u64,
}

/// Writes the usage of a month down, by which it will be billed whenever it is.
pub(super) async fn freeze(
    connection: &mut SqliteConnection,
    month: Month,
    at: Timestamp,
    frozen_at: Timestamp,
    usage: &[BilledDay],
) -> Result<(), Fault> {
    let days = i64::try_from(usage.len());
    let close = Close {
        month,
        at,
        frozen_at,
        finished_at: None,
        days: days.map_err(|_| Fault::TooLarge("the usage of all apps".to_owned()))?,
    };
    CLOSES.insert(connection, [close_row(&close)]).await?;
    let rows: Result<Vec<_>, _> = usage.iter().map(|day| day_row(month, day)).collect();
    USAGE.insert(connection, rows?).await
}

/// Says that the bills of a month are written. Gives the close as it is then.
pub(super) async fn finish(
    connection: &mut SqliteConnection,
    month: Month,
    finished_at: Timestamp,
) -> Result<Close, Fault> {
    let close = one(connection, month).await?;
    let close = close.ok_or_else(|| Fault::Damaged(format!("no usage is frozen for {month}")))?;
    let finished = Close {
        finished_at: Some(finished_at),
        ..close
    };
    let sum = CLOSES.sum(&close_row(&finished));
    let update =
        "UPDATE closes SET finished_at = ?, sum = ? WHERE month = ? AND finished_at IS NULL";
    let done = sqlx::query(update)
        .bind(finished_at.as_unix_ms())
        .bind(sum)
        .bind(month.to_string())
        .execute(connection)
        .await?;
    match done.rows_affected() {
        1 => Ok(finished),
        _ => Err(Fault::Damaged(format!("{month} is closed already"))),
    }
}

/// The close of a month, if it has begun.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    month: Month,
) -> Result<Option<Close>, Fault> {
    let mut query = CLOSES.query();
    query.push(" WHERE month = ").push_bind(month.to_string());
    let found = CLOSES.rows(query, connection).await?;
    found.into_iter().next().map(close).transpose()
}

/// The usage that the close of a month saw, by app and day.
pub(super) async fn usage(
    connection: &mut SqliteConnection,
    close: &Close,
) -> Result<Vec<BilledDay>, Fault> {
    // A value costs more on its way from SQLite than it takes to read it: so it is one for each app, not nine for each day.
    let packed: Vec<(i64, String)> = sqlx::query_as(
        "SELECT sdk_app_id, group_concat(day || ' ' || dau || ' ' || ifnull(dau_estimate, '-') || ' ' || ifnull(dau_upper, '-') \
         || ' ' || groups || ' ' || av_chat_rooms || ' ' || bandwidth_bps || ' ' || sum, ',') \
         FROM billed_usage WHERE closed_month = ? GROUP BY sdk_app_id ORDER BY sdk_app_id",
    )
    .bind(close.month.to_string())
    .fetch_all(connection)
    .await?;
    let mut days = Vec::new();
    for (app, packed) in &packed {
        let of_app = packed
            .split(',')
            .map(|words| day(unpacked(close.month, *app, words)?));
        days.extend(of_app.collect::<Result<Vec<_>, _>>()?);
    }
    days.sort_unstable_by_key(|day| (day.app, day.day));
    if i64::try_from(days.len()) == Ok(close.days) {
        Ok(days)
    } else {
        Err(Fault::Damaged(format!("the usage of {}", close.month)))
    }
}

/// The closes from a month's on, by month.
pub(super) async fn since(
    connection: &mut SqliteConnection,
    month: Month,
) -> Result<Vec<Close>, Fault> {
    let mut query = CLOSES.query();
    query.push(" WHERE month >= ").push_bind(month.to_string());
    query.push(" ORDER BY month");
    let rows = CLOSES.rows(query, connection).await?;
    rows.into_iter().map(close).collect()
}

fn close_row(close: &Close) -> Vec<Value> {
    vec![
        close.month.to_string().into(),
        close.at.as_unix_ms().into(),
        close.frozen_at.as_unix_ms().into(),
        close.days.into(),
        close.finished_at.map(Timestamp::as_unix_ms).into(),
    ]
}

fn close(mut row: Row) -> Result<Close, Fault> {
    let instant = Timestamp::from_unix_ms_saturating;
    let month = row.text()?;
    Ok(Close {
        month: row.made(Month::parse(&month).ok())?,
        at: instant(row.number()?),
        frozen_at: instant(row.number()?),
        days: row.number()?,
        finished_at: row.maybe_number()?.map(instant),
    })
}

fn day_row(month: Month, day: &BilledDay) -> Result<Vec<Value>, Fault> {
    let count = |count: u64, what: &str| {
        let (app, day) = (day.app, day.day);
        let fits = i64::try_from(count).map(Value::Number);
        fits.map_err(|_| Fault::TooLarge(format!("{count} {what} of app {app} on {day}")))
    };
    let (estimate, upper) = match day.users {
        Counted::Exact(_) => (Value::Nothing, Value::Nothing),
        Counted::Estimated {
            estimate, upper, ..
        } => (count(estimate, "users")?, count(upper, "users")?),
    };
    Ok(vec![
        month.to_string().into(),
        i64::from(day.app.get()).into(),
        day.day.to_string().into(),
        count(day.users.lower(), "users")?,
        estimate,
        upper,
        count(day.groups, "groups")?,
        count(day.av_chat_rooms, "audio-video chat rooms")?,
        count(day.bandwidth_bps, "bits per second")?,
    ])
}

/// The row of a day of an app from its values in words.
fn unpacked(month: Month, app: i64, words: &str) -> Result<Row, Fault> {
    let mut words = words.split(' ');
    let day = words.next().unwrap_or_default();
    let first: [Value; 3] = [month.to_string().into(), app.into(), day.into()];
    let counts = words.map(|word| word.parse().map_or(Value::Nothing, Value::Number));
    let mut values: Vec<_> = first.into_iter().chain(counts).collect();
    let sum = values.pop().unwrap_or(Value::Nothing);
    USAGE.row(values, &sum)
}

fn day(mut row: Row) -> Result<BilledDay, Fault> {
    row.text()?;
    let (app, day) = (app_id(&mut row)?, row.text()?);
    let lower = count(&mut row)?;
    let users = match (row.maybe_number()?, row.maybe_number()?) {
        (None, None) => Some(Counted::Exact(lower)),
        (Some(estimate), Some(upper)) => estimated(lower, estimate, upper),
        _ => None,
    };
    Ok(BilledDay {
        app,
        day: row.made(Day::parse(&day).ok())?,
        users: row.made(users)?,
        groups: count(&mut row)?,
        av_chat_rooms: count(&mut row)?,
        bandwidth_bps: count(&mut row)?,
    })
}

fn estimated(lower: u64, estimate: i64, upper: i64) -> Option<Counted> {
    Some(Counted::Estimated {
        lower,
        estimate: u64::try_from(estimate).ok()?,
        upper: u64::try_from(upper).ok()?,
    })
}

fn count(row: &mut Row) -> Result<u64, Fault> {
    let count = u64::try_from(row.number()?).ok();
    row.made(count)
}

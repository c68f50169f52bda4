//! The rows of accounts, apps and overrides.
//!
//! Invariant: what is read is what was written, or the ledger is damaged. Absent on purpose: whether the catalog knows the edition.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::sqlite::{SqliteConnection, SqliteQueryResult};

use super::LedgerError;
use super::sum::{Cell, sum};
use crate::catalog::{Bound, LimitName};
use crate::entitlement::{Enforcement, Override, Overrides};
use crate::id::{AccountId, SdkAppId};
use crate::subscription::{Plan, Standing};
use crate::time::Timestamp;

/// An app as the ledger has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredApp {
    /// Its SDKAppID.
    pub id: SdkAppId,
    /// Who pays for it.
    pub account: AccountId,
    /// When it was created.
    pub created_at: Timestamp,
    /// What it subscribes to.
    pub plan: Plan,
    /// Until when its service stands.
    pub standing: Standing,
    /// What operators have set for it by calls.
    pub overrides: Overrides,
}

/// A change of the ledger.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Adds an app, and its account if it is not there.
    AddApp(&'a StoredApp),
    /// Puts an app on another plan.
    SetPlan(SdkAppId, &'a Plan),
    /// Sets something for a limit of an app, in place of what was set.
    SetOverride(SdkAppId, LimitName, &'a Override),
    /// Takes that back.
    RemoveOverride(SdkAppId, LimitName),
}

type AppRow = (
    i64,
    String,
    i64,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
);
type OverrideRow = (
    i64,
    String,
    Option<String>,
    Option<String>,
    String,
    Option<i64>,
    i64,
);

/// Every app, by SDKAppID.
pub(super) async fn all(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<Vec<StoredApp>, LedgerError> {
    let of = |error| LedgerError::of(path, &error);
    let accounts: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT account, created_at, sum FROM accounts")
            .fetch_all(&mut *connection)
            .await
            .map_err(of)?;
    let apps: Vec<AppRow> = sqlx::query_as(
        "SELECT sdk_app_id, account, created_at, edition, av_chat_rooms_unlimited, group_members, joined_groups, \
         suspended_from, repossessed_from, disabled_from, sum FROM apps",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(of)?;
    let overrides: Vec<OverrideRow> = sqlx::query_as(
        "SELECT sdk_app_id, limit_name, bound, enforcement, reason, expires_at, sum FROM overrides",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(of)?;

    let damaged = |what: String| LedgerError::Damaged {
        path: path.to_owned(),
        what,
    };
    for (account, created_at, stored) in &accounts {
        if account_sum(account, *created_at) != *stored {
            return Err(damaged(format!("the row of account {account:?}")));
        }
    }
    let mut found = BTreeMap::new();
    for row in apps {
        let number = row.0;
        let app = app_of(row).ok_or_else(|| damaged(format!("the row of app {number}")))?;
        found.insert(number, app);
    }
    for row in overrides {
        let what = format!("the override of {:?} for app {}", row.1, row.0);
        let app = found.get_mut(&row.0);
        let read = app.zip(override_of(row));
        let (app, (limit, one)) = read.ok_or_else(|| damaged(what))?;
        app.overrides.insert(limit, one);
    }
    Ok(found.into_values().collect())
}

/// Makes a change.
pub(super) async fn make(
    connection: &mut SqliteConnection,
    change: &Change<'_>,
) -> Result<(), sqlx::Error> {
    match change {
        Change::AddApp(app) => {
            add_account(connection, app).await?;
            put_app(
                connection,
                app,
                "INSERT INTO apps (sdk_app_id, account, created_at, edition, av_chat_rooms_unlimited, group_members, \
                 joined_groups, suspended_from, repossessed_from, disabled_from, sum) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .await?;
            for (limit, one) in &app.overrides {
                set_override(connection, app.id, *limit, one).await?;
            }
            Ok(())
        }
        Change::SetPlan(id, plan) => {
            let mut app = one(connection, *id).await?;
            app.plan = (*plan).clone();
            put_app(
                connection,
                &app,
                "UPDATE apps SET (account, created_at, edition, av_chat_rooms_unlimited, group_members, joined_groups, \
                 suspended_from, repossessed_from, disabled_from, sum) = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
                 WHERE sdk_app_id = ?1",
            )
            .await
        }
        Change::SetOverride(id, limit, one) => set_override(connection, *id, *limit, one).await,
        Change::RemoveOverride(id, limit) => {
            let done = sqlx::query("DELETE FROM overrides WHERE sdk_app_id = ? AND limit_name = ?")
                .bind(id.get())
                .bind(limit.name())
                .execute(connection)
                .await?;
            just_one(&done)
        }
    }
}

/// The row of an app, without its overrides.
async fn one(connection: &mut SqliteConnection, id: SdkAppId) -> Result<StoredApp, sqlx::Error> {
    let row: AppRow = sqlx::query_as(
        "SELECT sdk_app_id, account, created_at, edition, av_chat_rooms_unlimited, group_members, joined_groups, \
         suspended_from, repossessed_from, disabled_from, sum FROM apps WHERE sdk_app_id = ?",
    )
    .bind(id.get())
    .fetch_one(connection)
    .await?;
    app_of(row).ok_or_else(|| sqlx::Error::Decode(format!("the row of app {id}").into()))
}

/// What changes one row must change one.
fn just_one(done: &SqliteQueryResult) -> Result<(), sqlx::Error> {
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(sqlx::Error::RowNotFound)
    }
}

async fn add_account(
    connection: &mut SqliteConnection,
    app: &StoredApp,
) -> Result<(), sqlx::Error> {
    let (account, created_at) = (app.account.as_str(), app.created_at.as_unix_ms());
    sqlx::query("INSERT OR IGNORE INTO accounts (account, created_at, sum) VALUES (?, ?, ?)")
        .bind(account)
        .bind(created_at)
        .bind(account_sum(account, created_at))
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes an app's row by a statement that takes its columns in their order. Just one row must come of it.
async fn put_app(
    connection: &mut SqliteConnection,
    app: &StoredApp,
    statement: &'static str,
) -> Result<(), sqlx::Error> {
    let members = app.plan.group_members.map(of_count);
    let joined = app.plan.joined_groups.map(of_count);
    let standing = &app.standing;
    let row = (
        i64::from(app.id.get()),
        app.account.as_str().to_owned(),
        app.created_at.as_unix_ms(),
        app.plan.edition.to_string(),
        i64::from(app.plan.av_chat_rooms_unlimited),
        members,
        joined,
        known(standing.suspended_from),
        known(standing.repossessed_from),
        known(standing.disabled_from),
        0,
    );
    let sum = app_sum(&row);
    let done = sqlx::query(statement)
        .bind(row.0)
        .bind(row.1)
        .bind(row.2)
        .bind(row.3)
        .bind(row.4)
        .bind(row.5)
        .bind(row.6)
        .bind(row.7)
        .bind(row.8)
        .bind(row.9)
        .bind(sum)
        .execute(connection)
        .await?;
    just_one(&done)
}

async fn set_override(
    connection: &mut SqliteConnection,
    app: SdkAppId,
    limit: LimitName,
    one: &Override,
) -> Result<(), sqlx::Error> {
    let row: OverrideRow = (
        i64::from(app.get()),
        limit.name().to_owned(),
        one.bound.map(|bound| bound.to_string()),
        one.enforcement.map(|it| it.name().to_owned()),
        one.reason.to_string(),
        known(one.expires),
        0,
    );
    let sum = override_sum(&row);
    sqlx::query(
        "INSERT OR REPLACE INTO overrides (sdk_app_id, limit_name, bound, enforcement, reason, expires_at, sum) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.0)
    .bind(row.1)
    .bind(row.2)
    .bind(row.3)
    .bind(row.4)
    .bind(row.5)
    .bind(sum)
    .execute(connection)
    .await?;
    Ok(())
}

fn app_of(row: AppRow) -> Option<StoredApp> {
    if app_sum(&row) != row.10 {
        return None;
    }
    let count = |number: i64| u64::try_from(number).ok();
    Some(StoredApp {
        id: SdkAppId::new(u32::try_from(row.0).ok()?).ok()?,
        account: AccountId::new(&row.1).ok()?,
        created_at: Timestamp::from_unix_ms_saturating(row.2),
        plan: Plan {
            edition: row.3.into(),
            av_chat_rooms_unlimited: row.4 != 0,
            group_members: row.5.and_then(count),
            joined_groups: row.6.and_then(count),
            ..Plan::of("")
        },
        standing: Standing {
            suspended_from: instant(row.7),
            repossessed_from: instant(row.8),
            disabled_from: instant(row.9),
        },
        overrides: Overrides::new(),
    })
}

fn override_of(row: OverrideRow) -> Option<(LimitName, Override)> {
    if override_sum(&row) != row.6 {
        return None;
    }
    let one = Override {
        bound: match row.2 {
            Some(text) => Some(Bound::parse(&text)?),
            None => None,
        },
        enforcement: match row.3 {
            Some(name) => Some(Enforcement::from_name(&name)?),
            None => None,
        },
        reason: row.4.into(),
        expires: instant(row.5),
    };
    Some((LimitName::from_name(&row.1)?, one))
}

fn account_sum(account: &str, created_at: i64) -> i64 {
    sum("accounts", &[account.into(), created_at.into()])
}

fn app_sum(row: &AppRow) -> i64 {
    let cells: [Cell<'_>; 10] = [
        row.0.into(),
        row.1.as_str().into(),
        row.2.into(),
        row.3.as_str().into(),
        row.4.into(),
        row.5.into(),
        row.6.into(),
        row.7.into(),
        row.8.into(),
        row.9.into(),
    ];
    sum("apps", &cells)
}

fn override_sum(row: &OverrideRow) -> i64 {
    let cells: [Cell<'_>; 6] = [
        row.0.into(),
        row.1.as_str().into(),
        row.2.as_deref().into(),
        row.3.as_deref().into(),
        row.4.as_str().into(),
        row.5.into(),
    ];
    sum("overrides", &cells)
}

/// What is chosen is far below; beyond, it is as good as that.
fn of_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn known(at: Timestamp) -> Option<i64> {
    (at != Timestamp::MAX).then(|| at.as_unix_ms())
}

fn instant(ms: Option<i64>) -> Timestamp {
    ms.map_or(Timestamp::MAX, Timestamp::from_unix_ms_saturating)
}

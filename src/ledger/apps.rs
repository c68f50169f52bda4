//! The rows of accounts, apps and overrides.
//!
//! An app's row is its creation; what has changed since are events. Invariant: what is read is what was written, or the ledger is
//! damaged. Absent on purpose: what an app has now.

use std::collections::BTreeMap;

use sqlx::sqlite::{SqliteConnection, SqliteQueryResult};

use super::fault::Fault;
use super::row::{Row, Table, Value};
use super::words::Names;
use crate::catalog::{Bound, Catalog, LimitName};
use crate::entitlement::{Enforcement, Override, Overrides};
use crate::id::{AccountId, SdkAppId};
use crate::rating::Event;
use crate::time::Timestamp;

static ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &["account", "created_at"],
    key: 1,
};
/// The columns after the edition are of an older time, when none of them was ever set.
static APPS: Table = Table {
    name: "apps",
    columns: &[
        "sdk_app_id",
        "account",
        "created_at",
        "edition",
        "av_chat_rooms_unlimited",
        "group_members",
        "joined_groups",
        "suspended_from",
        "repossessed_from",
        "disabled_from",
    ],
    key: 1,
};
static OVERRIDES: Table = Table {
    name: "overrides",
    columns: &[
        "sdk_app_id",
        "limit_name",
        "bound",
        "enforcement",
        "reason",
        "expires_at",
    ],
    key: 2,
};

/// An app as it was created, with what operators have set for it by calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredApp {
    /// Its SDKAppID.
    pub id: SdkAppId,
    /// Who pays for it.
    pub account: AccountId,
    /// When it was created.
    pub created_at: Timestamp,
    /// The name of the edition that it started on.
    pub edition: Box<str>,
    /// What operators have set for it by calls.
    pub overrides: Overrides,
}

/// Every app, by SDKAppID. The rows of accounts are looked at on the way.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<StoredApp>, Fault> {
    ACCOUNTS.rows(ACCOUNTS.query(), &mut *connection).await?;
    let rows = APPS.rows(APPS.query(), &mut *connection).await?;
    let mut found = BTreeMap::new();
    for row in rows {
        let app = app_of(row)?;
        found.insert(app.id, app);
    }
    for mut row in OVERRIDES.rows(OVERRIDES.query(), connection).await? {
        let id = app_id(&mut row)?;
        let (limit, one) = override_of(&mut row)?;
        let app = row.made(found.get_mut(&id))?;
        app.overrides.insert(limit, one);
    }
    Ok(found.into_values().collect())
}

/// The creations of all apps, by time.
pub(super) async fn creations(
    connection: &mut SqliteConnection,
    catalog: &Catalog,
) -> Result<Vec<(Timestamp, Event)>, Fault> {
    let mut query = APPS.query();
    query.push(" ORDER BY created_at, sdk_app_id");
    let rows = APPS.rows(query, connection).await?;
    let created = rows.into_iter().map(|row| {
        let app = app_of(row)?;
        let event = Event::AppCreated {
            app: app.id,
            account: app.account,
            edition: Names(catalog).edition_id(app.id, &app.edition)?,
        };
        Ok((app.created_at, event))
    });
    created.collect()
}

/// Adds an app on an edition, and its account if it is not there.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    app: SdkAppId,
    account: &AccountId,
    edition: &str,
    created_at: Timestamp,
) -> Result<(), Fault> {
    know_account(connection, account, created_at).await?;
    let nothing = || Value::Nothing;
    let row = vec![
        i64::from(app.get()).into(),
        account.as_str().into(),
        created_at.as_unix_ms().into(),
        edition.into(),
        0.into(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
    ];
    APPS.insert(connection, [row]).await
}

/// Adds an account if it is not there.
pub(super) async fn know_account(
    connection: &mut SqliteConnection,
    account: &AccountId,
    at: Timestamp,
) -> Result<(), Fault> {
    let mut query = ACCOUNTS.query();
    query.push(" WHERE account = ");
    query.push_bind(account.as_str().to_owned());
    if ACCOUNTS.rows(query, &mut *connection).await?.is_empty() {
        let row = vec![account.as_str().into(), at.as_unix_ms().into()];
        ACCOUNTS.insert(connection, [row]).await?;
    }
    Ok(())
}

/// Sets something for a limit of an app, in place of what was set.
pub(super) async fn set_override(
    connection: &mut SqliteConnection,
    app: SdkAppId,
    limit: LimitName,
    one: &Override,
) -> Result<(), Fault> {
    delete_override(connection, app, limit).await?;
    let expires = (one.expires != Timestamp::MAX).then(|| one.expires.as_unix_ms());
    let row = vec![
        i64::from(app.get()).into(),
        limit.name().into(),
        one.bound.map(|bound| bound.to_string()).into(),
        one.enforcement.map(Enforcement::name).into(),
        (*one.reason).into(),
        expires.into(),
    ];
    OVERRIDES.insert(connection, [row]).await
}

/// Takes back what was set for a limit of an app.
pub(super) async fn remove_override(
    connection: &mut SqliteConnection,
    app: SdkAppId,
    limit: LimitName,
) -> Result<(), Fault> {
    let done = delete_override(connection, app, limit).await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(sqlx::Error::RowNotFound.into())
    }
}

async fn delete_override(
    connection: &mut SqliteConnection,
    app: SdkAppId,
    limit: LimitName,
) -> Result<SqliteQueryResult, sqlx::Error> {
    sqlx::query("DELETE FROM overrides WHERE sdk_app_id = ? AND limit_name = ?")
        .bind(app.get())
        .bind(limit.name())
        .execute(connection)
        .await
}

/// The next value of a row, an app's number.
pub(super) fn app_id(row: &mut Row) -> Result<SdkAppId, Fault> {
    let number = u32::try_from(row.number()?).ok();
    let app = number.and_then(|number| SdkAppId::new(number).ok());
    row.made(app)
}

fn app_of(mut row: Row) -> Result<StoredApp, Fault> {
    let id = app_id(&mut row)?;
    let account = AccountId::new(&row.text()?).ok();
    Ok(StoredApp {
        id,
        account: row.made(account)?,
        created_at: Timestamp::from_unix_ms_saturating(row.number()?),
        edition: row.text()?.into(),
        overrides: Overrides::new(),
    })
}

/// What follows an app's number in the row of an override.
fn override_of(row: &mut Row) -> Result<(LimitName, Override), Fault> {
    let limit = LimitName::from_name(&row.text()?);
    let bound = row.maybe_text()?.map(|text| Bound::parse(&text));
    let enforcement = row.maybe_text()?;
    let enforcement = enforcement.map(|name| Enforcement::from_name(&name));
    let reason = row.text()?;
    let expires = row.maybe_number()?;
    let one = Override {
        bound: bound.map(|bound| row.made(bound)).transpose()?,
        enforcement: enforcement.map(|it| row.made(it)).transpose()?,
        reason: reason.into(),
        expires: expires.map_or(Timestamp::MAX, Timestamp::from_unix_ms_saturating),
    };
    Ok((row.made(limit)?, one))
}

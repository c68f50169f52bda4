//! The ledger's part of a backup.
//!
//! Invariant: the copy is of one moment, whatever is written meanwhile: SQLite makes it itself. Absent on purpose: what it says.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

/// Its name in a data directory.
pub(super) const LEDGER_FILE: &str = "ledger.sqlite";

/// Copies a database into a file that is not there yet, and looks whether the copy hangs together.
pub(super) async fn copy(from: &Path, to: &Path) -> Result<(), sqlx::Error> {
    let mut source = open(from).await?;
    let copied = sqlx::query("VACUUM INTO ?")
        .bind(to.to_string_lossy().into_owned())
        .execute(&mut source)
        .await;
    source.close().await?;
    copied?;
    let mut copy = open(to).await?;
    let found: Result<String, _> = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut copy)
        .await;
    copy.close().await?;
    match found?.as_str() {
        "ok" => Ok(()),
        wrong => Err(sqlx::Error::Protocol(wrong.to_owned())),
    }
}

async fn open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path);
    options.disable_statement_logging().connect().await
}

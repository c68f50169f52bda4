//! Copying the ledger of a data directory, which a gateway may be writing to.
//!
//! Invariant: the copy is of one moment, and one file: SQLite makes it itself. Absent on purpose: making it durable.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{LEDGER_FILE, LedgerError};

/// Copies the ledger of a data directory into another that has none yet.
pub async fn copy(from: &Path, to: &Path) -> Result<(), LedgerError> {
    let path = from.join(LEDGER_FILE);
    let of = |error| LedgerError::of(&path, error);
    let options = SqliteConnectOptions::new().filename(&path);
    let mut ledger = options
        .disable_statement_logging()
        .connect()
        .await
        .map_err(of)?;
    let copied = sqlx::query("VACUUM INTO ?")
        .bind(to.join(LEDGER_FILE).to_string_lossy().into_owned())
        .execute(&mut ledger)
        .await;
    ledger.close().await.map_err(of)?;
    copied.map_err(of).map(drop)
}

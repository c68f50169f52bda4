//! The ledger: accounts, apps, what operators have set for them, and the audit trail, in SQLite.
//!
//! `apps` are its rows, `audit` the trail, `sum` their checksums, `version` a look at a file before SQLite has it. Invariant: a
//! change and its entry in the trail are one transaction, on the disk before [`Ledger::write`] comes back; one connection writes.
//! Absent on purpose: what may be changed, which is for `control`; facts, which the journal keeps.

mod apps;
mod audit;
mod fault;
mod sum;
mod version;

pub use apps::{Change, StoredApp};
pub use audit::{Audited, Caller, Entry, Page};
pub use fault::LedgerError;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;

/// Its name in a data directory.
pub const LEDGER_FILE: &str = "ledger.sqlite";
/// How long to wait for another program that has the ledger locked.
const BUSY: Duration = Duration::from_secs(2);

static MIGRATIONS: Migrator = sqlx::migrate!("src/ledger/migrations");

/// The ledger of a deployment.
pub struct Ledger {
    path: PathBuf,
    connection: Mutex<SqliteConnection>,
}

impl Ledger {
    /// Opens the ledger of a data directory, or begins one. What a newer program has written is left as it is.
    pub async fn open(data_dir: &Path) -> Result<Self, LedgerError> {
        let path = data_dir.join(LEDGER_FILE);
        let stored = version::stored(&path).map_err(|error| LedgerError::Trouble {
            path: path.clone(),
            what: error.to_string(),
        })?;
        let known = newest();
        if let Some(found) = stored.filter(|found| *found > known) {
            return Err(LedgerError::Newer { path, found, known });
        }
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true);
        Self::with(path, options).await
    }

    /// A ledger that is forgotten: for a gateway that keeps no data.
    pub async fn in_memory() -> Result<Self, LedgerError> {
        Self::with(
            ":memory:".into(),
            SqliteConnectOptions::new().in_memory(true),
        )
        .await
    }

    async fn with(path: PathBuf, options: SqliteConnectOptions) -> Result<Self, LedgerError> {
        let of = |error: sqlx::Error| LedgerError::of(&path, &error);
        let mut connection = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .auto_vacuum(SqliteAutoVacuum::None)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging()
            .connect()
            .await
            .map_err(of)?;
        check(&path, &mut connection).await?;
        MIGRATIONS
            .run(&mut connection)
            .await
            .map_err(|error| LedgerError::of_migration(&path, &error))?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut connection)
            .await
            .map_err(of)?;
        if version != i64::from(newest()) {
            let what = format!("its schema says {version}");
            return Err(LedgerError::Damaged { path, what });
        }
        empty_log(&mut connection).await;
        Ok(Self {
            path,
            connection: Mutex::new(connection),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every app, by SDKAppID.
    pub async fn apps(&self) -> Result<Vec<StoredApp>, LedgerError> {
        let mut connection = self.connection.lock().await;
        apps::all(&self.path, &mut connection).await
    }

    /// Makes changes, all or none, with their entries in the audit trail. To be awaited to its end.
    pub async fn write(
        &self,
        changes: &[Change<'_>],
        entries: &[Entry<'_>],
    ) -> Result<(), LedgerError> {
        let of = |error| LedgerError::of(&self.path, &error);
        let mut connection = self.connection.lock().await;
        // Not by sqlx's transactions: where the disk is full SQLite has rolled back already, and they do not find out.
        run(&mut connection, "BEGIN IMMEDIATE").await.map_err(of)?;
        let mut written = put(&mut connection, changes, entries).await;
        if written.is_ok() {
            written = run(&mut connection, "COMMIT").await;
        }
        if written.is_err() {
            // It fails where nothing is left to roll back.
            let _ = run(&mut connection, "ROLLBACK").await;
        }
        empty_log(&mut connection).await;
        written.map_err(of)
    }

    /// A page of the audit trail, newest first.
    pub async fn audit(&self, page: &Page) -> Result<Vec<Audited>, LedgerError> {
        let mut connection = self.connection.lock().await;
        audit::page(&self.path, &mut connection, page).await
    }

    /// Closes it, so that it is one file.
    pub async fn close(self) -> Result<(), LedgerError> {
        let closed = self.connection.into_inner().close().await;
        closed.map_err(|error| LedgerError::of(&self.path, &error))
    }
}

/// The newest schema that this program knows.
fn newest() -> u32 {
    let newest = MIGRATIONS.iter().map(|one| one.version).max();
    newest.and_then(|it| u32::try_from(it).ok()).unwrap_or(0)
}

/// Puts everything into the transaction that has begun.
async fn put(
    connection: &mut SqliteConnection,
    changes: &[Change<'_>],
    entries: &[Entry<'_>],
) -> Result<(), sqlx::Error> {
    for change in changes {
        apps::make(connection, change).await?;
    }
    for entry in entries {
        audit::add(connection, entry).await?;
    }
    Ok(())
}

async fn run(
    connection: &mut SqliteConnection,
    statement: &'static str,
) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(connection).await.map(drop)
}

/// Whether the pages hang together and the rows keep their constraints. Their values are checked as they are read.
async fn check(path: &Path, connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    let found: Result<String, _> = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(connection)
        .await;
    match found
        .map_err(|error| LedgerError::of(path, &error))?
        .as_str()
    {
        "ok" => Ok(()),
        found => Err(LedgerError::Damaged {
            path: path.to_owned(),
            what: found.replace('\n', " "),
        }),
    }
}

/// Moves what the log holds into the file. Changes are rare, and a log that is damaged later would lose them without a word:
/// SQLite takes the first frame that is not whole for its end.
async fn empty_log(connection: &mut SqliteConnection) {
    // One who reads at the same time keeps it from happening; the next change makes up for it.
    let _ = run(connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
}

#[cfg(test)]
mod tests;

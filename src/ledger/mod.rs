//! The ledger: what happened to accounts and apps, their bills, what operators have set, and the audit trail, in SQLite.
//!
//! `change` is what is written at once, `events` what the books are made from, `apps` their creations, `closes` months that close,
//! `bills` what came of them, `statement` an account's view of both, `subscribers` those of the usage stream, `audit` the trail;
//! `row` and `sum` read and write rows with checksums, `words` the texts in them; `version` looks at a file before SQLite has it,
//! `copy` is for backups. Invariant: a change and its entry in the trail are one transaction, on the disk before
//! [`Ledger::write`] comes back; one connection writes. Absent on purpose: what may be changed, which is for `control`; facts,
//! which the journal keeps.

mod apps;
mod audit;
mod bills;
mod change;
mod closes;
mod copy;
mod events;
mod fault;
mod row;
mod statement;
mod subscribers;
mod sum;
mod version;
mod words;

pub use apps::StoredApp;
pub use audit::{Audited, Caller, Entry, Page};
pub use bills::{BillHead, BillPage};
pub use change::Change;
pub use closes::{BilledDay, Close};
pub use copy::copy;
pub use events::NewEvent;
pub use fault::LedgerError;
pub use statement::{Posted, Posting, StatementPage};
pub use subscribers::Subscriber;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{Mutex, MutexGuard};

use crate::catalog::Catalog;
use crate::id::AccountId;
use crate::money::Money;
use crate::rating::{Bill, Event};
use crate::time::{Month, Timestamp};
use fault::Fault;

/// Its name in a data directory.
pub const LEDGER_FILE: &str = "ledger.sqlite";
/// How long to wait for another program that has the ledger locked.
const BUSY: Duration = Duration::from_secs(2);

static MIGRATIONS: Migrator = sqlx::migrate!("src/ledger/migrations");

/// The ledger of a deployment.
pub struct Ledger {
    path: PathBuf,
    held: Mutex<Held>,
}

/// The connection, and whether a transaction has begun on it.
struct Held {
    connection: SqliteConnection,
    has_begun: bool,
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
        let of = |error: sqlx::Error| LedgerError::of(&path, error);
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
            held: Mutex::new(Held {
                connection,
                has_begun: false,
            }),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every app as it was created, by SDKAppID, with its overrides.
    pub async fn apps(&self) -> Result<Vec<StoredApp>, LedgerError> {
        let mut held = self.lock().await;
        self.told(apps::all(&mut held.connection).await)
    }

    /// Every event in the order in which the books took them, with its instant: by time, creations among the others. The bills of
    /// closes come without their lines.
    pub async fn events(&self, catalog: &Catalog) -> Result<Vec<(Timestamp, Event)>, LedgerError> {
        let mut held = self.lock().await;
        let created = self.told(apps::creations(&mut held.connection, catalog).await)?;
        let others = self.told(events::all(&mut held.connection, catalog).await)?;
        Ok(events::merged(created, others))
    }

    /// Makes changes, all or none, with their entries in the audit trail. To be awaited to its end.
    pub async fn write(
        &self,
        changes: &[Change<'_>],
        entries: &[Entry<'_>],
    ) -> Result<(), LedgerError> {
        let mut held = self.begin().await?;
        let written = put(&mut held.connection, changes, entries).await;
        self.end(held, written).await
    }

    /// The first half of a close: writes down by which usage the month will be billed, whenever that is done. `at` is the instant
    /// at which the month was over.
    pub async fn freeze(
        &self,
        month: Month,
        at: Timestamp,
        now: Timestamp,
        usage: &[BilledDay],
    ) -> Result<(), LedgerError> {
        let mut held = self.begin().await?;
        let frozen = closes::freeze(&mut held.connection, month, at, now, usage).await;
        self.end(held, frozen).await
    }

    /// The second half: writes down the bills that came of it, that the month is closed, and the entries in the audit trail.
    pub async fn finish(
        &self,
        month: Month,
        catalog: &Catalog,
        bills: &[Bill],
        now: Timestamp,
        entries: &[Entry<'_>],
    ) -> Result<(), LedgerError> {
        let mut held = self.begin().await?;
        let mut written = events::close(&mut held.connection, catalog, month, bills, now).await;
        if written.is_ok() {
            written = put(&mut held.connection, &[], entries).await;
        }
        self.end(held, written).await
    }

    /// The close of a month, if its usage is frozen.
    pub async fn close_of(&self, month: Month) -> Result<Option<Close>, LedgerError> {
        let mut held = self.lock().await;
        self.told(closes::one(&mut held.connection, month).await)
    }

    /// The usage that a close saw, by app and day.
    pub async fn frozen(&self, close: &Close) -> Result<Vec<BilledDay>, LedgerError> {
        let mut held = self.lock().await;
        self.told(closes::usage(&mut held.connection, close).await)
    }

    /// The closes from a month's on, each with the usage that it saw. A day that several of them have is as the last of them
    /// says.
    pub async fn billed_usage(
        &self,
        since: Month,
    ) -> Result<Vec<(Close, Vec<BilledDay>)>, LedgerError> {
        let mut held = self.lock().await;
        let mut found = Vec::new();
        for close in self.told(closes::since(&mut held.connection, since).await)? {
            let usage = closes::usage(&mut held.connection, &close).await;
            found.push((close, self.told(usage)?));
        }
        Ok(found)
    }

    /// Bills without their lines, the newest month first, and of a month by account.
    pub async fn bills(&self, page: &BillPage) -> Result<Vec<BillHead>, LedgerError> {
        let mut held = self.lock().await;
        self.told(bills::page(&mut held.connection, page).await)
    }

    /// An account's bill of a closed month, whole.
    pub async fn bill(
        &self,
        catalog: &Catalog,
        account: &AccountId,
        month: Month,
    ) -> Result<Option<Bill>, LedgerError> {
        let mut held = self.lock().await;
        self.told(bills::one(&mut held.connection, catalog, account, month).await)
    }

    /// How many bills a closed month has, and what they come to.
    pub async fn bills_of(&self, month: Month) -> Result<(u64, Money), LedgerError> {
        let mut held = self.lock().await;
        let heads = self.told(bills::heads(&mut held.connection, Some(month)).await)?;
        let totals = heads.iter().map(|head| head.total);
        let count = u64::try_from(heads.len()).unwrap_or(u64::MAX);
        Ok((count, totals.fold(Money::ZERO, Money::plus)))
    }

    /// A page of an account's statement, newest first.
    pub async fn statement(
        &self,
        account: &AccountId,
        page: StatementPage,
    ) -> Result<Vec<Posting>, LedgerError> {
        let mut held = self.lock().await;
        self.told(statement::page(&mut held.connection, account, page).await)
    }

    /// What an account was given under a reference.
    pub async fn by_reference(
        &self,
        account: &AccountId,
        reference: &str,
    ) -> Result<Option<Posting>, LedgerError> {
        let mut held = self.lock().await;
        self.told(statement::by_reference(&mut held.connection, account, reference).await)
    }

    /// Every subscriber of the usage stream, by name.
    pub async fn subscribers(&self) -> Result<Vec<Subscriber>, LedgerError> {
        let mut held = self.lock().await;
        self.told(subscribers::all(&mut held.connection, None).await)
    }

    /// The subscriber of that name.
    pub async fn subscriber(&self, name: &str) -> Result<Option<Subscriber>, LedgerError> {
        let mut held = self.lock().await;
        let found = self.told(subscribers::all(&mut held.connection, Some(name)).await)?;
        Ok(found.into_iter().next())
    }

    /// Remembers what a subscriber has acknowledged. Of more than a thousand the one that was silent for longest is forgotten.
    pub async fn acknowledge(&self, subscriber: &Subscriber) -> Result<(), LedgerError> {
        let mut held = self.begin().await?;
        let put = subscribers::put(&mut held.connection, subscriber).await;
        self.end(held, put).await
    }

    /// A page of the audit trail, newest first.
    pub async fn audit(&self, page: &Page) -> Result<Vec<Audited>, LedgerError> {
        let mut held = self.lock().await;
        self.told(audit::page(&mut held.connection, page).await)
    }

    /// Closes it, so that it is one file.
    pub async fn close(self) -> Result<(), LedgerError> {
        let closed = self.held.into_inner().connection.close().await;
        closed.map_err(|error| LedgerError::of(&self.path, error))
    }

    fn told<T>(&self, done: Result<T, Fault>) -> Result<T, LedgerError> {
        done.map_err(|fault| LedgerError::of(&self.path, fault))
    }

    /// The connection, with no transaction begun.
    async fn lock(&self) -> MutexGuard<'_, Held> {
        let mut held = self.held.lock().await;
        if held.has_begun {
            // A call was dropped halfway. It fails where nothing is left to roll back.
            let _ = run(&mut held.connection, "ROLLBACK").await;
            held.has_begun = false;
        }
        held
    }

    /// Begins a transaction. Not one of sqlx's: where the disk is full SQLite has rolled back already, and they do not find out.
    async fn begin(&self) -> Result<MutexGuard<'_, Held>, LedgerError> {
        let mut held = self.lock().await;
        held.has_begun = true;
        let begun = run(&mut held.connection, "BEGIN IMMEDIATE").await;
        self.told(begun.map_err(Fault::from))?;
        Ok(held)
    }

    /// Ends a transaction: with all that was written, or with nothing of it.
    async fn end(
        &self,
        mut held: MutexGuard<'_, Held>,
        mut written: Result<(), Fault>,
    ) -> Result<(), LedgerError> {
        let connection = &mut held.connection;
        if written.is_ok() {
            written = run(connection, "COMMIT").await.map_err(Fault::from);
        }
        if written.is_err() {
            // It fails where nothing is left to roll back.
            let _ = run(connection, "ROLLBACK").await;
        }
        empty_log(connection).await;
        held.has_begun = false;
        self.told(written)
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
) -> Result<(), Fault> {
    for change in changes {
        change::make(connection, change).await?;
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
        .map_err(|error| LedgerError::of(path, error))?
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

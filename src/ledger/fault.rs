//! Why the ledger cannot be had or used, and what to do about it.

use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

use crate::id::SdkAppId;

/// Why the ledger cannot be had or used. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A newer program has written it.
    #[error(
        "{path} has schema {found}, and this quotagate knows none after {known}: start the newer one that wrote it; nothing was \
         changed"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema that it has.
        found: u32,
        /// The newest schema that is known.
        known: u32,
    },
    /// It is not what was written.
    #[error(
        "the ledger {path} is damaged ({what}): stop the gateway and restore its data directory from a backup"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// There is no room.
    #[error("the ledger {path} has no room to grow: make room on its disk, and ask again")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else is writing.
    #[error(
        "the ledger {path} is locked by another program, perhaps an open sqlite3: end that, and ask again"
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// An amount that has no place in it.
    #[error("{what} is more than the ledger holds; nothing was written")]
    TooLarge {
        /// What, and how much.
        what: String,
    },
    /// An edition that an app was on is gone.
    #[error(
        "app {app} was on edition \"{edition}\", and catalog.toml has only {known}: put that edition back: what has happened is billed by \
         it"
    )]
    NoEdition {
        /// The app.
        app: SdkAppId,
        /// Its edition.
        edition: String,
        /// The editions that there are.
        known: String,
    },
    /// The file system says no, or the ledger does.
    #[error(
        "cannot use the ledger {path}: {what}; look after that file and its disk, and ask again"
    )]
    Trouble {
        /// The file.
        path: PathBuf,
        /// What was said.
        what: String,
    },
}

/// SQLite's primary codes that are told apart (sqlite.org/rescode.html).
mod code {
    pub(super) const ERROR: i32 = 1;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const NOT_A_DATABASE: i32 = 26;
}

/// What goes wrong with a statement or a row, wherever the ledger is.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite says so.
    Database(sqlx::Error),
    /// Something is not what was written.
    Damaged(String),
    /// An amount, told with what it is, has no place in a column.
    TooLarge(String),
    /// The catalog lacks an edition that an app was on.
    NoEdition {
        app: SdkAppId,
        edition: String,
        known: String,
    },
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl LedgerError {
    /// What a fault means for the ledger in `path`.
    pub(super) fn of(path: &Path, fault: impl Into<Fault>) -> Self {
        let error = match fault.into() {
            Fault::Database(error) => error,
            Fault::Damaged(what) => {
                let path = path.to_owned();
                return Self::Damaged { path, what };
            }
            Fault::TooLarge(what) => return Self::TooLarge { what },
            Fault::NoEdition {
                app,
                edition,
                known,
            } => {
                return Self::NoEdition {
                    app,
                    edition,
                    known,
                };
            }
        };
        Self::of_database(path, &error)
    }

    fn of_database(path: &Path, error: &sqlx::Error) -> Self {
        let path = path.to_owned();
        let what = error.to_string();
        match error {
            sqlx::Error::Database(of_database) => {
                let extended = of_database.code().and_then(|code| code.parse::<i32>().ok());
                match extended.map(|code| code & 0xff) {
                    Some(code::BUSY | code::LOCKED) => Self::Locked { path },
                    Some(code::FULL) => Self::Full { path },
                    // Every statement is checked by tests against the schema: it is the schema that has changed.
                    Some(code::ERROR | code::CORRUPT | code::NOT_A_DATABASE | code::CONSTRAINT) => {
                        Self::Damaged { path, what }
                    }
                    _ => Self::Trouble { path, what },
                }
            }
            sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::RowNotFound => Self::Damaged { path, what },
            _ => Self::Trouble { path, what },
        }
    }

    /// What a migration's failure means for the ledger in `path`.
    pub(super) fn of_migration(path: &Path, error: &MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Self::of_database(path, error)
            }
            _ => Self::Damaged {
                path: path.to_owned(),
                what: error.to_string(),
            },
        }
    }
}

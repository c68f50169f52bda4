//! A copy of a data directory, of one that a gateway is writing to as well.
//!
//! `held` has the files open, `copy` is what is written. The ledger is copied last, by SQLite: facts of an app
//! that it does not know would be refused, an app without facts is none. Invariants: the copy has everything that was
//! answered before it was begun, and is read as a start would before it counts. Absent on purpose: whose the directory is.

mod copy;
mod held;

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use copy::Copy;
use held::Held;

use crate::journal::{self, Directory, Found, Position, ReadError, SetId, Storage as _};
use crate::ledger::{self, LEDGER_FILE, Ledger, LedgerError};
use crate::recovery::{Progress, RecoverError, Summary, Wanted, examine};
use crate::snapshot::{Files, NamesReader, names_file, set_of, snapshot_file};
use crate::time::Zone;

/// The file that makes a directory a data directory.
const FORMAT_FILE: &str = "format";
const KEY_FILES: [&str; 2] = ["id_key", "id_key.fingerprint"];
/// How often a directory is looked at again that changes while it is: a gateway takes a snapshot every some seconds at most.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(50);

/// A backup that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backup {
    /// Files in it.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Up to where it has the journal.
    pub end: Position,
    /// What came out when it was read.
    pub summary: Summary,
}

/// Why there is no backup. What was begun of one is removed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It would be mixed with something else.
    #[error("{0} is not empty: name a directory that is missing or empty")]
    NotEmpty(PathBuf),
    /// The file system says no.
    #[error("cannot {what} {path}: {error}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// What is to be copied cannot be read.
    #[error("{0}")]
    Source(RecoverError),
    /// The copy is not what was read.
    #[error("the copy cannot be read: {0}")]
    Copy(RecoverError),
    /// The copy ends elsewhere.
    #[error(
        "the copy ends at position {found}, not at {expected}: see to the disk, then try again"
    )]
    Differs {
        /// Where it should end.
        expected: Position,
        /// Where it ends.
        found: Position,
    },
    /// The ledger cannot be copied, or its copy not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl BackupError {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { what, path, error }
    }
}

/// Copies a data directory, whose days are those of a zone, into one that is missing or empty.
pub async fn backup(
    from: &Path,
    to: &Path,
    zone: Zone,
    progress: &mut dyn FnMut(Progress),
) -> Result<Backup, BackupError> {
    let mut copy = Copy::begin(to)?;
    let source = Directory::new(from);
    let (held, base, found) = hold(&source)?;
    // A segment without a whole header is none yet.
    for (segment, used) in found.segments.iter().filter(|(_, used)| *used > 0) {
        let name = segment.name();
        copy_held(&mut copy, &held, &name, Some(*used))?;
    }
    if let Some(base) = base {
        for name in [names_file(base), snapshot_file(base)] {
            copy_held(&mut copy, &held, &name, None)?;
        }
    }
    for name in KEY_FILES {
        copy.small(from, name)?;
    }
    let mut apps = Vec::new();
    if from.join(LEDGER_FILE).exists() {
        let place = copy.place(LEDGER_FILE);
        ledger::copy(from, to).await?;
        let copied = Ledger::open(to).await?;
        apps = copied.apps().await?;
        copied.close().await?;
        copy.wrote(&place)?;
    }
    copy.sync()?;
    let created = |id| {
        let app = apps.iter().find(|app| app.id == id);
        app.map(|app| zone.day(app.created_at))
    };
    let examined = examine(&Directory::new(to), Wanted::All, &created, progress);
    let examined = examined.map_err(BackupError::Copy)?;
    if examined.found.end != found.end {
        return Err(BackupError::Differs {
            expected: found.end,
            found: examined.found.end,
        });
    }
    copy.small(from, FORMAT_FILE)?;
    copy.sync()?;
    Ok(Backup {
        bytes: copy.bytes,
        files: copy.finish(),
        end: found.end,
        summary: examined.summary,
    })
}

/// Opens the files and reads the journal to its last whole frame. What is being written or replaced meanwhile can look as if
/// it were missing or damaged; that it is, is believed when it stays so.
fn hold(source: &Directory) -> Result<(Held, Option<Position>, Found), BackupError> {
    let mut tries = 1;
    loop {
        match hold_once(source) {
            Err(error) if tries == TRIES => return Err(BackupError::Source(error)),
            Err(error) => tracing::debug!("looking at the directory again: {error}"),
            held => return held.map_err(BackupError::Source),
        }
        thread::sleep(PAUSE);
        tries += 1;
    }
}

fn hold_once(source: &Directory) -> Result<(Held, Option<Position>, Found), RecoverError> {
    let held = Held::open(source).map_err(RecoverError::Io)?;
    let base = Files::list(&held)
        .map_err(RecoverError::Io)?
        .snapshots
        .last()
        .copied();
    let set = base.map(|base| set_of(&held, base)).transpose()?;
    let from = base.unwrap_or(Position::START);
    let found = found_in(&held, from, set)?;
    if let (Some(base), Some(set)) = (base, found.set) {
        NamesReader::open(&held, base, set)?;
    }
    Ok((held, base, found))
}

/// The journal's last whole frame. A gateway that writes on while its end is looked at makes that look like damage; it is none
/// if another look gets further, and what lies before it is whole.
fn found_in(held: &Held, from: Position, set: Option<SetId>) -> Result<Found, ReadError> {
    let look = |until| journal::read_until(held, from, set, until, &mut |_| Ok(()), &mut |_, _| {});
    let until = match look(None) {
        Err(ReadError::Damaged { position, .. }) => position,
        found => return found,
    };
    thread::sleep(PAUSE);
    match look(None) {
        Err(ReadError::Damaged { position, .. }) if position > until => look(Some(until)),
        found => found,
    }
}

/// Copies a file that is held, or its beginning.
fn copy_held(
    copy: &mut Copy,
    held: &Held,
    name: &str,
    used: Option<u64>,
) -> Result<(), BackupError> {
    let of = || BackupError::io("read", Path::new(name));
    let file = held.open(name).map_err(of())?;
    let bytes = match used {
        Some(used) => used,
        None => file.bytes().map_err(of())?,
    };
    copy.file(name, &*file, bytes)
}

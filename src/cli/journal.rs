//! `journal`: what operators do with a data directory while no gateway has it; and what its commands share.
//!
//! Invariant: a command has the directory to itself, or does nothing. Absent on purpose: the files' formats.

mod names;
mod salvage;
mod snapshot;
mod stats;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::serve::USUAL_CONFIG;
use super::table::shown;
use super::{faults_in, runtime};
use crate::data_dir::{DataDir, DataDirError};
use crate::id::SdkAppId;
use crate::journal::{Directory, Ending, Storage, Tear};
use crate::ledger::{LEDGER_FILE, Ledger, LedgerError, StoredApp};
use crate::recovery::{Examined, Progress, RecoverError, Wanted, examine};
use crate::time::{Day, Zone};
use crate::usage::Tally;
use crate::{clock, config};

#[derive(Subcommand)]
pub(super) enum Command {
    Verify(verify::Arguments),
    Stats(stats::Arguments),
    Salvage(salvage::Arguments),
    Snapshot(snapshot::Arguments),
    Names(names::Arguments),
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(arguments) => verify::run(arguments),
        Command::Stats(arguments) => stats::run(arguments),
        Command::Salvage(arguments) => salvage::run(arguments),
        Command::Snapshot(arguments) => snapshot::run(arguments),
        Command::Names(arguments) => names::run(arguments),
    }
}

/// Which directory, and what of its gateway's configuration matters to read it.
#[derive(Args)]
pub(super) struct Place {
    /// The data directory
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// The gateway file, for its `time_zone` [default: config/gateway.toml if there is one, else what is built in]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A data directory that this command has to itself.
pub(super) struct Opened {
    pub(super) dir: PathBuf,
    pub(super) storage: Directory,
    pub(super) zone: Zone,
    /// The apps of its ledger.
    pub(super) apps: Vec<StoredApp>,
    _lock: DataDir,
}

impl Place {
    /// Has the directory to itself. `command` is what others are told who want it.
    pub(super) fn lock(&self, command: &str) -> Result<DataDir, DataDirError> {
        let doing = format!("that runs `quotagate {command}`");
        DataDir::open_existing(&self.dir, &doing, clock::now())
    }

    /// Opens a directory that no process has.
    pub(super) fn open(&self, command: &str) -> anyhow::Result<Opened> {
        self.opened(self.lock(command)?)
    }

    fn opened(&self, lock: DataDir) -> anyhow::Result<Opened> {
        Ok(Opened {
            dir: self.dir.clone(),
            storage: Directory::new(&self.dir),
            zone: self.zone()?,
            apps: runtime()?.block_on(apps(&self.dir))?,
            _lock: lock,
        })
    }

    /// The zone that days are of.
    pub(super) fn zone(&self) -> anyhow::Result<Zone> {
        let usual = Path::new(USUAL_CONFIG);
        let file = self.config.as_deref();
        match file.or_else(|| usual.exists().then_some(usual)) {
            None => Ok(config::builtin_settings().zone),
            Some(file) => {
                let settings = config::load_settings(file);
                let settings = settings
                    .map_err(|faults| anyhow::anyhow!(faults_in(file.display(), &faults)))?;
                Ok(settings.zone)
            }
        }
    }
}

/// The apps that the ledger of a directory has. Where there is none, none is begun.
async fn apps(dir: &Path) -> Result<Vec<StoredApp>, LedgerError> {
    if !dir.join(LEDGER_FILE).exists() {
        return Ok(Vec::new());
    }
    let ledger = Ledger::open(dir).await?;
    let apps = ledger.apps().await;
    ledger.close().await?;
    apps
}

impl Opened {
    /// Reads it as a start would, with progress on a terminal.
    fn examine(&self, wanted: Wanted) -> Result<Examined, RecoverError> {
        let bar = Bar::new();
        let mut progress = |progress| bar.tell(progress);
        examine(&self.storage, wanted, &|id| self.created(id), &mut progress)
    }

    /// On which day an app began.
    fn created(&self, id: SdkAppId) -> Option<Day> {
        let found = self.apps.binary_search_by_key(&id, |app| app.id);
        let app = found.ok().and_then(|place| self.apps.get(place));
        app.map(|app| self.zone.day(app.created_at))
    }
}

/// How far reading has come, on a terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent}%");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(0).with_style(style))
    }

    pub(super) fn tell(&self, progress: Progress) {
        let many = |count| u64::try_from(count).unwrap_or(u64::MAX);
        let (what, done, all) = match progress {
            Progress::Snapshot(done, all) => ("snapshot", done, all),
            Progress::Journal(done, all) => ("journal", done, all),
            Progress::Apps(done, all) => ("apps", many(done), many(all)),
        };
        self.0.set_message(what);
        self.0.set_length(all);
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// How a journal ends, in words.
fn ending(ending: &Ending) -> String {
    match ending {
        Ending::Closed => "closed in good order".to_owned(),
        Ending::Open => "whole, though it was not closed".to_owned(),
        Ending::Torn(tear) => format!("torn: {}; a start cuts that off", torn(tear)),
    }
}

/// A torn tail, in words.
fn torn(tear: &Tear) -> String {
    let later = match tear.later.len() {
        0 => String::new(),
        1 => ", and the file after it".to_owned(),
        more => format!(", and the {more} files after it"),
    };
    format!(
        "{} has {} bytes from byte {} on that were never durable{later}",
        tear.file,
        shown(tear.bytes),
        tear.offset
    )
}

/// Counts of all apps together.
fn sum(tallies: impl Iterator<Item = Tally>) -> Tally {
    tallies.fold(Tally::default(), |sum, one| Tally {
        users: sum.users + one.users,
        groups: sum.groups + one.groups,
        memberships: sum.memberships + one.memberships,
        friend_entries: sum.friend_entries + one.friend_entries,
    })
}

/// Every file of the directory that holds something, by name.
fn files(storage: &dyn Storage) -> anyhow::Result<Vec<(String, u64)>> {
    // The lock says who has the directory: this command.
    let listed = storage
        .list()?
        .into_iter()
        .filter(|file| file.name != "LOCK");
    let mut files: Vec<_> = listed.map(|file| (file.name, file.bytes)).collect();
    files.sort();
    Ok(files)
}

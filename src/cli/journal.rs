//! `journal`: what operators do with a data directory while no gateway has it; and what its commands share.
//!
//! Invariant: a command has the directory to itself, or does nothing. Absent on purpose: the files' formats.

mod names;
mod salvage;
mod snapshot;
mod stats;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::table::shown;
use crate::clock;
use crate::data_dir::{DataDir, DataDirError};
use crate::id::SdkAppId;
use crate::journal::{Directory, Ending, Storage, Tear};
use crate::recovery::Progress;
use crate::time::{Day, Zone};
use crate::usage::Tally;

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

/// A data directory that this command has to itself, as files.
pub(super) struct Opened {
    pub(super) storage: Directory,
    _lock: DataDir,
}

/// Opens a directory that no process has. `command` is what others are told who want it.
pub(super) fn open(dir: &Path, command: &str) -> Result<Opened, DataDirError> {
    let doing = format!("that runs `quotagate {command}`");
    Ok(Opened {
        _lock: DataDir::open_existing(dir, &doing, clock::now())?,
        storage: Directory::new(dir),
    })
}

/// The day on which an app began. Days before the first that the journal tells make no difference here.
pub(super) fn created(_: SdkAppId) -> Option<Day> {
    Some(Zone::default().day(clock::now()))
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

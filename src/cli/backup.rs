//! `backup`: a copy of a data directory, of a running gateway's as well.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::journal::{Bar, Place};
use super::table::shown;
use super::{counted, print, runtime};
use crate::backup::backup;
use crate::clock::Stopwatch;

/// Copies a data directory, of a running gateway too
#[derive(Args)]
#[command(
    long_about = "Copies a data directory while its gateway goes on serving, or one that no process has. The copy has \
                  everything that was answered before this began. It is read as a start would read it before this is done; \
                  if anything fails, nothing is left of it.\n\n\
                  It holds the key that ids are hashed with, if that is kept in the directory: keep it as safe.\n\n\
                  To restore it: stop the gateway, move its data directory away, copy the backup into its place, start.",
    after_long_help = "\
Examples:
  quotagate backup data /backups/monday
  quotagate backup /var/lib/quotagate /backups/$(date +%F) --json

Exit status:
  0  the copy is there, whole and durable
  2  trouble: DIR is damaged or no data directory, TO is not empty, or the disk is full"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Where the copy goes: a directory that is missing or empty
    #[arg(value_name = "TO")]
    to: PathBuf,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Copied {
    files: usize,
    bytes: u64,
    apps: usize,
    position: u64,
    seconds: f64,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (watch, place) = (Stopwatch::start(), &arguments.place);
    // A gateway that serves does not mind; whoever else has the directory may be changing its files.
    let _alone = match place.lock("backup") {
        Err(error) if error.serving().is_some() => None,
        opened => Some(opened?),
    };
    let zone = place.zone()?;
    let bar = Bar::new();
    let mut progress = |progress| bar.tell(progress);
    let copying = backup(&place.dir, &arguments.to, zone, &mut progress);
    let copied = runtime()?.block_on(copying)?;
    drop(bar);
    let took = watch.elapsed();
    let text = if arguments.json {
        let copied = Copied {
            files: copied.files,
            bytes: copied.bytes,
            apps: copied.summary.apps,
            position: copied.end.get(),
            seconds: took.as_secs_f64(),
        };
        serde_json::to_string(&copied)? + "\n"
    } else {
        format!(
            "{}: {} with {} bytes in {took:.1?}, up to position {}; read again: whole, {}\n",
            arguments.to.display(),
            counted(copied.files, "file", "files"),
            shown(copied.bytes),
            copied.end,
            counted(copied.summary.apps, "app", "apps")
        )
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

//! `journal verify`: whether a start would find everything in a directory whole, without starting or changing anything.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{Opened, Place, ending, sum};
use crate::cli::table::shown;
use crate::cli::{TROUBLE, counted, print};
use crate::journal::Ending;
use crate::recovery::{RecoverError, Wanted};
use crate::usage::Facts;

/// Checks whether everything in a data directory can be read
#[derive(Args)]
#[command(
    long_about = "Reads the snapshot, the names and the journal of a data directory to their ends and puts the facts \
                  together as a start would. Changes nothing.\n\n\
                  Says what is there, or the first thing that is wrong: the file, where in it, and what to do. A torn tail \
                  (what a loss of power leaves behind the last durable record) is no damage: the next start cuts it off.",
    after_long_help = "\
Examples:
  quotagate journal verify data
  quotagate journal verify /backups/monday --json

Exit status:
  0  everything that was durable is there
  2  it is damaged, in use, or no data directory"
)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// What is there.
#[derive(Serialize)]
struct Report {
    fine: bool,
    apps: usize,
    users: u64,
    groups: u64,
    memberships: u64,
    friend_entries: u64,
    /// Users and groups whose ids were lost in a failure of the journal.
    unnamed: u64,
    snapshot_bytes: u64,
    entries: u64,
    segments: usize,
    /// Where the journal ends.
    position: u64,
    ending: String,
    /// Bytes of the last file that were never durable.
    torn_bytes: u64,
}

#[derive(Serialize)]
struct Damaged {
    fine: bool,
    problem: String,
}

pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let opened = arguments.place.open("journal verify")?;
    match report(&opened) {
        Ok(report) => {
            let text = if arguments.json {
                serde_json::to_string(&report)? + "\n"
            } else {
                format!("{}: {}", arguments.place.dir.display(), text(&report)?)
            };
            print(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if arguments.json => {
            let damaged = Damaged {
                fine: false,
                problem: error.to_string(),
            };
            print(&(serde_json::to_string(&damaged)? + "\n"))?;
            Ok(ExitCode::from(TROUBLE))
        }
        Err(error) => Err(error.into()),
    }
}

fn report(opened: &Opened) -> Result<Report, RecoverError> {
    let examined = opened.examine(Wanted::All)?;
    let named = examined.names(&opened.storage, None, |_, _, _| Ok::<_, RecoverError>(()))?;
    let all = sum(examined.facts.values().map(Facts::tally));
    let found = &examined.found;
    Ok(Report {
        fine: true,
        apps: examined.facts.len(),
        users: all.users,
        groups: all.groups,
        memberships: all.memberships,
        friend_entries: all.friend_entries,
        unnamed: (all.users + all.groups).saturating_sub(named.users + named.groups),
        snapshot_bytes: examined.summary.snapshot_bytes,
        entries: found.entries,
        segments: found.segments.len(),
        position: found.end.get(),
        ending: ending(&found.ending),
        torn_bytes: match &found.ending {
            Ending::Torn(tear) => tear.bytes,
            Ending::Closed | Ending::Open => 0,
        },
    })
}

fn text(report: &Report) -> Result<String, std::fmt::Error> {
    let mut text = "fine\n".to_owned();
    let parts = [
        many(report.users, "user", "users"),
        many(report.groups, "group", "groups"),
        many(report.memberships, "membership", "memberships"),
        many(
            report.friend_entries,
            "friend-list entry",
            "friend-list entries",
        ),
    ];
    let apps = counted(report.apps, "app", "apps");
    writeln!(text, "{apps}: {}", parts.join(", "))?;
    match report.snapshot_bytes {
        0 => writeln!(text, "no snapshot yet")?,
        bytes => writeln!(text, "a snapshot of {} bytes", shown(bytes))?,
    }
    writeln!(
        text,
        "a journal in {}, with {} from there on; {}",
        counted(report.segments, "file", "files"),
        many(report.entries, "entry", "entries"),
        report.ending
    )?;
    if report.unnamed > 0 {
        let unnamed = shown(report.unnamed);
        writeln!(
            text,
            "{unnamed} users and groups have no id: it was lost when the journal failed"
        )?;
    }
    Ok(text)
}

fn many(count: u64, one: &str, more: &str) -> String {
    format!("{} {}", shown(count), if count == 1 { one } else { more })
}

//! `journal stats`: what is in a data directory, counted.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{Opened, Place, ending, files};
use crate::cli::app::app_id;
use crate::cli::print;
use crate::cli::table::{finished, shown, table, together};
use crate::id::SdkAppId;
use crate::journal::{self, Position};
use crate::recovery::{Examined, Wanted};
use crate::usage::told;

/// Counts what is in a data directory
#[derive(Args)]
#[command(
    long_about = "Counts what is in a data directory: files, apps with what they have, and the changes that the journal has \
                  since the snapshot, by kind. With --app: of that app alone, with its days.",
    after_long_help = "\
Examples:
  quotagate journal stats data
  quotagate journal stats data --app 1400000001
  quotagate journal stats data --json | jq .changes

Exit status:
  0  shown
  2  trouble: the directory is damaged, in use, or no data directory"
)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// One app (SDKAppID)
    #[arg(long, value_name = "APP", value_parser = app_id)]
    app: Option<u32>,
    /// Prints one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Stats {
    files: BTreeMap<String, u64>,
    /// Where replaying begins, and where the journal ends.
    snapshot_position: u64,
    position: u64,
    ending: String,
    /// Entries since the snapshot, and the changes in them by kind.
    entries: u64,
    changes: BTreeMap<&'static str, u64>,
    apps: Vec<OfApp>,
}

#[derive(Serialize)]
struct OfApp {
    app: u32,
    users: u64,
    groups: u64,
    memberships: u64,
    friend_entries: u64,
    /// The last days with an operation; only when one app is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    days: Vec<OfDay>,
}

#[derive(Serialize)]
struct OfDay {
    day: String,
    users: u32,
    peak_groups: u32,
    peak_av_chat_rooms: u32,
    bandwidth_bps: u64,
}

pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let opened = arguments.place.open("journal stats")?;
    let app = arguments.app.map(SdkAppId::new).transpose()?;
    let stats = stats(&opened, app)?;
    let text = if arguments.json {
        serde_json::to_string(&stats)? + "\n"
    } else {
        text(&stats)
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn stats(opened: &Opened, app: Option<SdkAppId>) -> anyhow::Result<Stats> {
    let storage = &opened.storage;
    let examined = opened.examine(app.map_or(Wanted::All, Wanted::App))?;
    let base = examined.snapshot.map_or(Position::START, |(base, _)| base);
    let (mut entries, mut changes) = (0, BTreeMap::new());
    let mut count = |entry: &journal::Entry<'_>| {
        if app.is_none_or(|app| app == entry.app) {
            entries += 1;
            for told in told(entry.records) {
                *changes.entry(told?.change).or_default() += 1;
            }
        }
        Ok(())
    };
    let found = &examined.found;
    journal::read(storage, base, found.set, &mut count, &mut |_, _| {})?;
    Ok(Stats {
        files: files(storage)?.into_iter().collect(),
        snapshot_position: base.get(),
        position: found.end.get(),
        ending: ending(&found.ending),
        entries,
        changes,
        apps: of_apps(&examined, app.is_some()),
    })
}

fn of_apps(examined: &Examined, with_days: bool) -> Vec<OfApp> {
    let apps = examined.facts.iter().map(|(app, facts)| {
        let tally = facts.tally();
        let days = facts.days().filter(|_| with_days).map(|usage| OfDay {
            day: usage.day.to_string(),
            users: usage.users,
            peak_groups: usage.peak_groups,
            peak_av_chat_rooms: usage.peak_av_chat_rooms,
            bandwidth_bps: facts.bandwidth(usage.day),
        });
        OfApp {
            app: app.get(),
            users: tally.users,
            groups: tally.groups,
            memberships: tally.memberships,
            friend_entries: tally.friend_entries,
            days: days.collect(),
        }
    });
    let mut apps: Vec<_> = apps.collect();
    apps.sort_unstable_by_key(|one| one.app);
    apps
}

fn text(stats: &Stats) -> String {
    let mut listed = table(&["file", "bytes"]);
    for (name, bytes) in &stats.files {
        listed.add_row([name, &shown(*bytes)]);
    }
    let files = finished(listed, 1);
    let header = [
        "app",
        "users",
        "groups",
        "memberships",
        "friend-list entries",
    ];
    let mut listed = table(&header);
    for one in &stats.apps {
        let counts = [one.users, one.groups, one.memberships, one.friend_entries];
        let counts = counts.map(shown);
        listed.add_row(std::iter::once(one.app.to_string()).chain(counts));
    }
    let apps = finished(listed, 1);
    let header = [
        "day",
        "users",
        "peak groups",
        "peak AVChatRooms",
        "peak bps",
    ];
    let mut listed = table(&header);
    for day in stats.apps.iter().flat_map(|one| &one.days) {
        let counts = [day.users, day.peak_groups, day.peak_av_chat_rooms];
        let counts = counts.map(|count| shown(count.into()));
        let bandwidth = shown(day.bandwidth_bps);
        listed.add_row(
            [day.day.clone()]
                .into_iter()
                .chain(counts)
                .chain([bandwidth]),
        );
    }
    let days = finished(listed, 1);
    let mut listed = table(&["change since the snapshot", "count"]);
    for (change, count) in &stats.changes {
        listed.add_row([*change, &shown(*count)]);
    }
    let changes = finished(listed, 1);
    let journal = format!(
        "positions {} to {}, {} entries; the journal is {}",
        Position::new(stats.snapshot_position),
        Position::new(stats.position),
        shown(stats.entries),
        stats.ending
    );
    together([files, apps, days, changes, Some(journal)])
}

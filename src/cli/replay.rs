//! `replay`: a trace through a gateway in this process or a running one, and what came of it.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::app::app_id;
use super::{configuration, print, remote_replay, runtime, table};
use crate::catalog::{Bound, LimitName};
use crate::clock::Stopwatch;
use crate::config::Loaded;
use crate::entitlement::{Policy, Rule, Setting, Target, Terms, Topic};
use crate::id::SdkAppId;
use crate::time::{Timestamp, Zone};
use crate::trace::{self, Reader, Report};

/// Replays a trace of operations, and counts what is allowed and what is denied
#[derive(Args)]
#[command(
    long_about = "Replays a trace of operations through a gateway in this process, at the trace's own times, as app 1, \
                  which is empty at the start. Then prints how many operations got which verdict, what the app has in \
                  the end, and the peaks of every month (in UTC+8).\n\n\
                  With --server it goes to an app of a running gateway, in order but at the present time: the days and \
                  months of the trace are not told.\n\n\
                  A trace has one JSON object a line, plain or gzip:\n  \
                  {\"at\":\"2026-03-01T08:00:00Z\",\"op\":\"login\",\"user\":\"u1\"}\n\
                  Fields by op, besides at:\n  \
                  register_user, delete_user, login   user\n  \
                  add_friend, remove_friend           user, friend, one_way (false if absent)\n  \
                  create_group                        group, type, owner, members (none if absent)\n  \
                  delete_group                        group\n  \
                  join_group                          group, user, type (for adopting an unknown group)\n  \
                  leave_group                         group, user\n  \
                  set_edition                         edition\n\
                  A line that is no valid operation ends the replay with FILE:LINE and what is wrong.",
    after_long_help = "\
Examples:
  quotagate replay tests/data/nashville.ndjson.gz --edition pro
  quotagate replay trace.ndjson --set friends=50 --set daily_groups=unlimited
  quotagate replay trace.ndjson.gz --config /etc/quotagate --json | jq .verdicts
  quotagate replay trace.ndjson.gz --server http://127.0.0.1:7600 --app 1400000001

Exit status:
  0  the whole trace was replayed, whatever was allowed or denied
  2  trouble: a line is no valid operation, or an argument is wrong, or no gateway answers"
)]
pub(super) struct Arguments {
    /// The trace, plain or gzip
    file: PathBuf,
    /// The edition to begin with, like trial, pro or flagship [default: the catalog's first: trial]
    #[arg(long, value_name = "NAME")]
    edition: Option<String>,
    /// Sets a limit of the app to a number or `unlimited`; may be given for several limits
    #[arg(
        long,
        value_name = "LIMIT=VALUE",
        value_parser = limit_and_bound,
        long_help = "Sets a limit of the app to a number or `unlimited`, whatever edition the trace puts the app on. \
                     May be given for several limits: max_users, daily_users, friends, joined_groups, group_members, \
                     av_chat_rooms, broadcast_rooms, daily_groups, daily_broadcast_rooms, groups"
    )]
    set: Vec<(LimitName, Bound)>,
    /// A directory with another catalog.toml and limits.toml than those built in
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// A running gateway to replay to: http://HOST:PORT or unix:///PATH
    #[arg(long, value_name = "ADDR", requires = "app", conflicts_with_all = ["edition", "set", "config"])]
    server: Option<String>,
    /// The app (SDKAppID) of the running gateway, which has it already
    #[arg(long, value_name = "APP", value_parser = app_id, requires = "server")]
    app: Option<u32>,
    /// Prints one JSON object instead of tables
    #[arg(
        long,
        long_help = "Prints one JSON object instead of tables: operations, verdicts, usage, user_days, months, seconds"
    )]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let name = arguments.file.display().to_string();
    let file = File::open(&arguments.file).with_context(|| format!("cannot open {name}"))?;
    anyhow::ensure!(
        !arguments.file.is_dir(),
        "{name} is a directory; name a trace file"
    );
    let progress = progress_bar(&file);
    let stopwatch = Stopwatch::start();
    let mut reader = Reader::new(&name, progress.wrap_read(file))?;
    let replayed = match (&arguments.server, arguments.app) {
        (Some(server), Some(app)) => runtime()?.block_on(remote_replay::replay(
            &mut reader,
            &name,
            server,
            app,
            &mut |_| {},
        )),
        _ => replay_here(arguments, &mut reader),
    };
    progress.finish_and_clear();
    let mut report = replayed?;
    report.elapsed = stopwatch.elapsed();

    if arguments.json {
        print(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        print(&table::of(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Through a gateway in this process.
fn replay_here(arguments: &Arguments, reader: &mut Reader) -> anyhow::Result<Report> {
    let app = SdkAppId::new(1)?;
    let Loaded {
        catalog,
        mut policy,
    } = configuration(arguments.config.as_deref())?;
    for (limit, bound) in &arguments.set {
        set_limit(&mut policy, app, *limit, *bound);
    }
    let terms = Terms {
        catalog: Arc::new(catalog),
        policy: Arc::new(policy),
        zone: Zone::default(),
    };
    let edition = arguments.edition.as_deref();
    let edition =
        edition.unwrap_or_else(|| &terms.catalog.edition(terms.catalog.first_edition()).name);
    Ok(trace::replay(reader, &terms, app, edition)?)
}

fn limit_and_bound(text: &str) -> Result<(LimitName, Bound), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write it as LIMIT=VALUE, like friends=50")?;
    let limit = LimitName::from_name(name).ok_or_else(|| {
        let known = LimitName::ALL.map(LimitName::name).join(", ");
        format!("there is no limit \"{name}\"; there are {known}")
    })?;
    let bound = Bound::parse(value).ok_or_else(|| {
        let most = Bound::FINITE_MAX;
        format!("\"{value}\" is no bound; write a number from 0 to {most}, or unlimited")
    })?;
    Ok((limit, bound))
}

fn set_limit(policy: &mut Policy, app: SdkAppId, limit: LimitName, bound: Bound) {
    let rule = Rule {
        setting: Setting::Bound(bound),
        reason: "given on the command line".into(),
        expires: Timestamp::MAX,
    };
    policy.set(Target::App(app), Topic::Override(limit), rule);
}

/// A bar on stderr by bytes of the file; nothing where stderr is no terminal, or the file has no length.
fn progress_bar(file: &File) -> ProgressBar {
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    if bytes == 0 {
        return ProgressBar::hidden();
    }
    let template = "{wide_bar} {percent}% of {total_bytes}, {eta} left";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

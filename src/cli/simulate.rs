//! `simulate`: a dated scenario through the rules, and the bills and states that come of it.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{configuration, print, table};
use crate::presentation::{self, Detail};
use crate::simulate::{self, Played};
use crate::trace::Reader;

/// Plays a dated scenario of changes, usage and payments, and prints the bills and states
#[derive(Args)]
#[command(
    long_about = "Plays a dated scenario by its own times through the rules that bill real apps, and prints the bills and the \
                  changes of state that come of it: the what-if tool for billing.\n\n\
                  A scenario has one JSON object a line, plain or gzip, in the order of time:\n  \
                  {\"at\":\"2026-02-10T09:00:00+08:00\",\"op\":\"create_app\",\"app\":1,\"account\":\"acme\"}\n\
                  Fields by op, besides at:\n  \
                  create_app   app, account\n  \
                  upgrade      app, edition, settings (none if absent)\n  \
                  change       app, edition and settings (as they are if absent)\n  \
                  disable      app\n  \
                  usage        app, day, dau, groups, bandwidth_mbps (that day's peaks; any of them)\n               \
                  instead of dau: dau_estimate {\"lower\":..,\"estimate\":..,\"upper\":..}; lower is billed\n  \
                  top_up       account, amount\n  \
                  prepaid      app, expires\n  \
                  configure    push_day (1), time_zone (+08:00); on the first line or nowhere\n  \
                  end          closes the months whose bills are pushed by then\n\
                  settings: av_chat_rooms_unlimited, group_members, joined_groups, content_filtering, history_days, \
                  comment_bandwidth\n\
                  A refused change is told and has no effect. A malformed line ends the play with FILE:LINE and what is wrong.",
    after_long_help = "\
Examples:
  quotagate simulate scenario.ndjson
  quotagate simulate scenario.ndjson --json | tail -n 1 | jq .bills
  quotagate simulate scenario.ndjson --format html > bills.html

Exit status:
  0  the whole scenario was played, whatever was refused
  2  trouble: a line is malformed, or an argument is wrong"
)]
pub(super) struct Arguments {
    /// The scenario, plain or gzip
    file: PathBuf,
    /// How the bills are printed [default: table]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Prints one JSON object on the last line: bills, states, refused
    #[arg(
        long,
        long_help = "Prints one JSON object on the last line: bills, states, refused. The bills are printed before it only if \
                     a --format is given"
    )]
    json: bool,
    /// A directory with another catalog.toml and limits.toml than those built in
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
}

/// The forms of a bill.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables, with the changes of state and the refused lines
    Table,
    /// What --json prints, and besides why each amount is what it is
    Json,
    /// A row for each line of a bill
    Csv,
    /// A page to print
    Html,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let name = arguments.file.display().to_string();
    let file = File::open(&arguments.file).with_context(|| format!("cannot open {name}"))?;
    anyhow::ensure!(
        !arguments.file.is_dir(),
        "{name} is a directory; name a scenario file"
    );
    let catalog = Arc::new(configuration(arguments.config.as_deref())?.catalog);
    let played = simulate::play(&mut Reader::new(&name, file)?, catalog)?;
    let by_default = (!arguments.json).then_some(Format::Table);
    if let Some(format) = arguments.format.or(by_default) {
        print(&shown(&played, format)?)?;
    }
    if arguments.json {
        print(&format!("{}\n", played.json(Detail::Plain)?))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(played: &Played, format: Format) -> anyhow::Result<String> {
    let (bills, tariff) = (played.books.bills(), played.books.tariff());
    let catalog = &tariff.catalog;
    Ok(match format {
        Format::Table => {
            let parts = [states(played), refused(played)];
            let bills = presentation::table(bills, catalog);
            let bills = (!bills.is_empty()).then(|| bills.trim_end().to_owned());
            table::together([bills].into_iter().chain(parts))
        }
        Format::Json => format!("{}\n", played.json(Detail::Full)?),
        Format::Csv => presentation::csv(bills, catalog),
        Format::Html => presentation::html(bills, catalog, &tariff.zone.to_string()),
    })
}

fn states(played: &Played) -> Option<String> {
    let zone = played.books.tariff().zone;
    let mut rows = table::table(&["from", "account", "app", "state"]);
    for change in played.states() {
        rows.add_row([
            zone.show(change.at),
            change.account.to_string(),
            change.app.to_string(),
            change.state.name().to_owned(),
        ]);
    }
    table::finished(rows, 4)
}

fn refused(played: &Played) -> Option<String> {
    let mut rows = table::table(&["refused line", "reason", "what to do"]);
    for refused in &played.refused {
        let (name, remedy) = (refused.reason.name(), refused.reason.remedy());
        rows.add_row([refused.line.to_string(), name.to_owned(), remedy.to_owned()]);
    }
    table::finished(rows, 3)
}

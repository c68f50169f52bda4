//! `usage merge`: the records of several gateways as one usage, for people, scripts or a scenario.
//!
//! Absent on purpose: rules of merging, which are `metering`'s.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::bandwidth::shown as bandwidth;
use super::records;
use crate::cli::print;
use crate::cli::table::{finished, shown, table, together};
use crate::metering::{Counted, DayTotal, Merged};
use crate::time::Zone;

/// Merges the usage records of several gateways into what each app used on each day
#[derive(Args)]
#[command(
    long_about = "Merges usage records, of one gateway or several, into what each app used on each day. Files have one record a \
                  line, plain or gzip, as `quotagate usage watch --json` prints them; order and repetitions do not matter.\n\n\
                  Of one gateway the newest record counts, and its users are exact. Of several the users are the union of their \
                  sketches: an estimate, between bounds that hold with 95 % confidence and keep to what the gateways have counted; \
                  peaks and bandwidth are the highest. The gateways must have the same id_key: under two keys a user is two.",
    after_long_help = "\
Examples:
  quotagate usage merge a.ndjson b.ndjson.gz
  quotagate usage merge *.ndjson --json | jq 'select(.sdk_app_id == 1400000001)'
  (cat apps.ndjson; quotagate usage merge *.ndjson --scenario) > scenario.ndjson
  quotagate usage watch --json --once | quotagate usage merge -

Exit status:
  0  merged
  2  trouble: a line is no record, or contradicts another; FILE:LINE says which"
)]
pub(super) struct Arguments {
    /// Files of records, plain or gzip; - is the standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Prints one JSON object for each app and day
    #[arg(long)]
    json: bool,
    /// Prints lines of usage for `quotagate simulate`, in the order of time
    #[arg(long, conflicts_with = "json")]
    scenario: bool,
    /// The deployment's zone, for the times of a scenario
    #[arg(long, value_name = "ZONE", default_value = "+08:00", value_parser = Zone::parse, requires = "scenario")]
    time_zone: Zone,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut merged = Merged::default();
    for file in &arguments.files {
        records::each(file, |record| Ok(merged.take(record)?))?;
    }
    let mut totals: Vec<_> = merged.totals().collect();
    if arguments.scenario {
        totals.sort_by_key(|total| total.day);
        let lines = totals
            .iter()
            .map(|it| scenario_line(it, arguments.time_zone));
        print(&lines.collect::<anyhow::Result<String>>()?)?;
    } else if arguments.json {
        print(
            &totals
                .iter()
                .map(|it| line(&object(it)))
                .collect::<String>(),
        )?;
    } else {
        print(&together([rows(&totals)]))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(totals: &[DayTotal]) -> Option<String> {
    let header = [
        "app",
        "day",
        "gateways",
        "",
        "users",
        "95 % within",
        "peak groups",
        "peak rooms",
        "bandwidth",
    ];
    let mut listed = table(&header);
    for total in totals {
        let within = match total.users {
            Counted::Exact(_) => "exact".to_owned(),
            Counted::Estimated { lower, upper, .. } => {
                format!("{} to {}", shown(lower), shown(upper))
            }
        };
        listed.add_row([
            total.app.to_string(),
            total.day.to_string(),
            total.gateways.join(", "),
            if total.is_final { "final" } else { "" }.to_owned(),
            shown(total.users.estimate()),
            within,
            shown(total.peak_groups),
            shown(total.peak_av_chat_rooms),
            bandwidth(total.bandwidth_bps),
        ]);
    }
    finished(listed, 4)
}

fn object(total: &DayTotal) -> Value {
    let users = total.users;
    json!({
        "sdk_app_id": total.app.get(),
        "day": total.day.to_string(),
        "gateways": total.gateways,
        "users": {
            "exact": matches!(users, Counted::Exact(_)),
            "lower": users.lower(),
            "estimate": users.estimate(),
            "upper": users.upper(),
        },
        "peak_groups": total.peak_groups,
        "peak_av_chat_rooms": total.peak_av_chat_rooms,
        "bandwidth_bps": total.bandwidth_bps,
        "is_final": total.is_final,
    })
}

/// The day's usage, told when the day has ended.
fn scenario_line(total: &DayTotal, zone: Zone) -> anyhow::Result<String> {
    let mut said = json!({
        "at": zone.show(zone.start(total.day.next())),
        "op": "usage",
        "app": total.app.get(),
        "day": total.day.to_string(),
        "groups": total.peak_groups,
    });
    let fields = said.as_object_mut().context("just made")?;
    match total.users {
        Counted::Exact(users) => fields.insert("dau".to_owned(), users.into()),
        Counted::Estimated {
            lower,
            estimate,
            upper,
        } => fields.insert(
            "dau_estimate".to_owned(),
            json!({"lower": lower, "estimate": estimate, "upper": upper}),
        ),
    };
    let bits = total.bandwidth_bps;
    if bits > 0 {
        let megabits = format!("{}.{:06}", bits / 1_000_000, bits % 1_000_000);
        fields.insert("bandwidth_mbps".to_owned(), megabits.into());
    }
    Ok(line(&said))
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

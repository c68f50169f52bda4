//! `usage watch`: the usage stream of a running gateway, as lines.
//!
//! Invariant: a batch is acknowledged when its lines have been taken by whoever reads them, not before. Absent on purpose: opening
//! the stream again when it ends; the subscriber's name or the token goes on where it has ended.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::bandwidth::shown as bandwidth;
use crate::cli::app::app_id;
use crate::cli::remote::Server;
use crate::cli::table::shown;
use crate::cli::{complain, json};
use crate::client::{Client, ClientError};
use crate::proto::{StreamUsageRequest, UsageBatch, UsageRecord};

/// Prints what apps use, day by day, as it changes
#[derive(Args)]
#[command(
    long_about = "Prints the usage stream of a running gateway: first a line for each app and day that has changed since the token, \
                  or for everything that is kept (some 70 days) without one; then, every interval, what has changed again. \
                  Each line has the counts so far: the last one of an app and day is all that matters.\n\n\
                  With a subscriber's name the gateway remembers what has been printed, and the next `watch` under that name \
                  goes on from there.",
    after_long_help = "\
Examples:
  quotagate usage watch
  quotagate usage watch --app 1400000001 --interval 1
  quotagate usage watch --json --once >> usage.ndjson
  quotagate usage watch --json --subscriber billing >> usage.ndjson

Exit status:
  0  told once, or nobody reads any more
  2  trouble: an argument is wrong, no gateway answers, or it stops"
)]
pub(super) struct Arguments {
    /// Only of this app (SDKAppID); may be given several times
    #[arg(long = "app", value_name = "APP", value_parser = app_id)]
    apps: Vec<u32>,
    /// How often it is looked for changes, in seconds, 1 to 3600
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// A name under which the gateway remembers what has been printed
    #[arg(long, value_name = "NAME")]
    subscriber: Option<String>,
    /// Goes on after this token, which an earlier `watch` has told
    #[arg(long, value_name = "TOKEN")]
    from_token: Option<String>,
    /// Ends when everything that there is now has been printed, and tells the token on stderr
    #[arg(long)]
    once: bool,
    /// Leaves the sketches out, with which the records of several gateways are merged
    #[arg(long)]
    without_sketches: bool,
    #[command(flatten)]
    server: Server,
    /// Prints each record as one line of JSON, by the proto's field names
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let watched = arguments.server.ask(async |client| {
        let mut stream = client.stream_usage(arguments.request()).await?;
        let mut printer = Printer::new(arguments.json);
        while let Some(batch) = stream.next().await? {
            match printer.print(&batch) {
                Ok(Reader::Reads) => {}
                Ok(Reader::HasEnough) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
            arguments.acknowledge(&client, &batch).await?;
            if arguments.once && batch.complete {
                if arguments.subscriber.is_none() {
                    complain(&format!("go on with --from-token {}", batch.token));
                }
                return Ok(Ok(()));
            }
        }
        Ok(Err(anyhow::anyhow!("the gateway has ended the stream")))
    })?;
    watched.map_err(|error| arguments.server.trouble(&error))??;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn request(&self) -> StreamUsageRequest {
        StreamUsageRequest {
            subscriber: self.subscriber.clone().unwrap_or_default(),
            token: self.from_token.clone().unwrap_or_default(),
            interval: Duration::from_secs(self.interval).try_into().ok(),
            sdk_app_ids: self.apps.clone(),
            // A table for people has no place for them.
            without_sketches: self.without_sketches || !self.json,
        }
    }

    /// Lets the gateway remember, where there is a name to remember it under. Only the last batch of a look has news.
    async fn acknowledge(&self, client: &Client, batch: &UsageBatch) -> Result<(), ClientError> {
        match &self.subscriber {
            Some(name) if batch.complete => client.acknowledge_usage(name, &batch.token).await,
            _ => Ok(()),
        }
    }
}

/// Whether somebody reads what is printed.
enum Reader {
    Reads,
    HasEnough,
}

/// Prints batches, the header of the table once.
struct Printer {
    json: bool,
    has_header: bool,
}

impl Printer {
    fn new(json: bool) -> Self {
        let has_header = false;
        Self { json, has_header }
    }

    fn print(&mut self, batch: &UsageBatch) -> anyhow::Result<Reader> {
        let mut text = String::new();
        for record in &batch.records {
            if self.json {
                text += &json::line("UsageRecord", record)?;
            } else {
                if !self.has_header {
                    row(&mut text, HEADER);
                    self.has_header = true;
                }
                row(&mut text, columns(record).each_ref().map(String::as_str));
            }
        }
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush());
        match written {
            Ok(()) => Ok(Reader::Reads),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::HasEnough),
            Err(error) => Err(error).context("cannot write to stdout"),
        }
    }
}

const HEADER: [&str; 7] = [
    "app",
    "day",
    "users",
    "peak groups",
    "peak rooms",
    "bandwidth",
    "",
];

/// A line of the table, whose columns have to be as wide before it is known what comes.
fn row(text: &mut String, [app, day, users, groups, rooms, bandwidth, state]: [&str; 7]) {
    let line = format!(
        "{app:<10}  {day:<10}  {users:>11}  {groups:>11}  {rooms:>10}  {bandwidth:>14}  {state}"
    );
    // A string takes all that it is given.
    let _ = writeln!(text, "{}", line.trim_end());
}

fn columns(record: &UsageRecord) -> [String; 7] {
    [
        record.sdk_app_id.to_string(),
        record.day.clone(),
        shown(record.users),
        shown(record.peak_groups),
        shown(record.peak_av_chat_rooms),
        bandwidth(record.bandwidth_bps),
        if record.is_final { "final" } else { "" }.to_owned(),
    ]
}

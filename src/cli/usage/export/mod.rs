//! `usage export`: each day's usage of each app as a CloudEvent, to a file or an HTTP endpoint.
//!
//! Invariant: a day goes out when it is over and has settled, once; what changes later goes out as a correction. Killed at any
//! point and started again, nothing is missing, and nothing goes out under another id than before.

mod event;
mod file;
mod http;
mod state;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use self::event::Usage;
use self::http::Endpoint;
use self::state::State;
use super::records;
use crate::cli::remote::Server;
use crate::cli::{complain, counted, print};
use crate::clock;
use crate::proto::{StreamUsageRequest, UsageBatch};
use crate::time::{Timestamp, Zone};

/// Sends each day's usage of each app as a CloudEvent to a file or an HTTP endpoint
#[derive(Args)]
#[command(
    long_about = "Sends each day's usage of each app as a CloudEvent (1.0, JSON), for metering and billing systems: from a running \
                  gateway, or from files of records as `quotagate usage watch --json` prints them.\n\n\
                  A day goes out when it is over and an hour has passed (--settle), as quotagate.usage.day with the id \
                  GATEWAY/APP/DAY. Logins may be reported up to a month late: what changes after that goes out as \
                  quotagate.usage.day.corrected, with all counts of the day and the id GATEWAY/APP/DAY/2 and so on. Delivery is at \
                  least once, always under the same id. What was read, told and sent is kept in the file --state.\n\n\
                  An endpoint that answers 429, 408, 425 or 5xx, or not at all, is asked again, after what Retry-After says or \
                  ever longer pauses; any other refusal ends the export, and the event stays the next to go out.",
    after_long_help = "\
Examples:
  quotagate usage export --state export.state --to-file usage.events
  quotagate usage export --state export.state --to https://meter.example/api/v1/events --authorization-file token
  quotagate usage export --state export.state --to https://meter.example/events --batch 100 --once
  quotagate usage export usage.ndjson.gz --state export.state --to-file usage.events

Exit status:
  0  with --once, or from files: everything that is due has gone out
  2  trouble: an argument or a record is wrong, the gateway or the endpoint does not answer, or the endpoint refuses"
)]
pub(super) struct Arguments {
    /// Files of records instead of a gateway, plain or gzip; - is the standard input
    files: Vec<PathBuf>,
    /// The file that remembers what has gone out
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Appends the events to a file, one a line
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "to",
        conflicts_with = "to"
    )]
    to_file: Option<PathBuf>,
    /// Posts the events to this address, http or https
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// A file with the value of the header Authorization, like `Bearer …`
    #[arg(long, value_name = "FILE", requires = "to")]
    authorization_file: Option<PathBuf>,
    /// Events of a request; more than 1 go in CloudEvents' batch format
    #[arg(long, value_name = "N", default_value_t = 1, requires = "to", value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,
    /// How long to wait for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "to", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// The first pause before asking again, in milliseconds; each further one is twice as long, up to a minute
    #[arg(long, value_name = "MS", default_value_t = 500, requires = "to", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pause: u64,
    /// Ends if an event has not been taken for so long, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600, requires = "to")]
    give_up_after: u64,
    /// How long after its end a day goes out, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600, value_parser = clap::value_parser!(u32).range(0..=2_678_400))]
    settle: u32,
    /// The events' source [default: urn:quotagate:GATEWAY]
    #[arg(long, value_name = "URI")]
    source: Option<String>,
    /// The zone of the days in files; a gateway tells its own
    #[arg(long, value_name = "ZONE", default_value = "+08:00", value_parser = Zone::parse)]
    time_zone: Zone,
    /// How often the gateway is asked what has changed, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Ends when everything that is due has gone out
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    server: Server,
}

/// Where events go.
enum Destination {
    File(PathBuf),
    Endpoint(Endpoint),
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let destination = arguments.destination()?;
    let mut state = State::open(&arguments.state)?;
    // What was on its way when the last export ended goes first, as it was.
    let mut before = destination.send(&mut state)?;
    let is_once = arguments.once || !arguments.files.is_empty();
    loop {
        match arguments.round(&destination, &mut state) {
            Ok(sent) if is_once || before + sent > 0 => print(&format!(
                "{} sent, {} not over yet\n",
                counted(before + sent, "event", "events"),
                counted(state.waiting(), "day", "days")
            ))?,
            Ok(_) => {}
            Err(Trouble::Reading(error)) if !is_once => complain(&format!("{error:#}")),
            Err(Trouble::Reading(error) | Trouble::Sending(error)) => return Err(error),
        }
        if is_once {
            return Ok(ExitCode::SUCCESS);
        }
        before = 0;
        thread::sleep(Duration::from_secs(arguments.interval));
    }
}

/// What went wrong in a round: a gateway that does not answer is asked again at the next one.
enum Trouble {
    Reading(anyhow::Error),
    Sending(anyhow::Error),
}

impl Arguments {
    fn destination(&self) -> anyhow::Result<Destination> {
        let Some(url) = &self.to else {
            let path = self.to_file.clone();
            return Ok(Destination::File(path.context("name --to-file or --to")?));
        };
        anyhow::ensure!(
            url.starts_with("http://") || url.starts_with("https://"),
            "--to {url}: write http://… or https://…"
        );
        let authorization = self.authorization_file.as_ref().map(|path| {
            let read = fs::read_to_string(path);
            read.with_context(|| format!("cannot read {}", path.display()))
        });
        let authorization = authorization.transpose()?;
        Ok(Destination::Endpoint(Endpoint::new(
            url,
            authorization.map(|text| text.trim().to_owned()),
            usize::from(self.batch),
            [
                Duration::from_secs(self.timeout),
                Duration::from_millis(self.pause),
                Duration::from_secs(self.give_up_after),
            ],
        )))
    }

    /// Reads what is new, and sends what is due.
    fn round(&self, destination: &Destination, state: &mut State) -> Result<usize, Trouble> {
        let zone = self.read(state).map_err(Trouble::Reading)?;
        let now = clock::now();
        let send = |state: &mut State| {
            state.queue_settled(
                |usage| self.is_settled(usage, zone, now),
                |usage, statement| usage.event(statement, self.source.as_deref(), zone),
            )?;
            let sent = destination.send(state)?;
            state.tidy(now, zone)?;
            Ok(sent)
        };
        send(state).map_err(Trouble::Sending)
    }

    /// Takes in what there is; the zone of its days.
    fn read(&self, state: &mut State) -> anyhow::Result<Zone> {
        if self.files.is_empty() {
            return self.read_stream(state);
        }
        for file in &self.files {
            records::each(file, |record| state.take(&Usage::of(&record)))?;
        }
        Ok(self.time_zone)
    }

    fn read_stream(&self, state: &mut State) -> anyhow::Result<Zone> {
        let request = StreamUsageRequest {
            token: state.token().to_owned(),
            without_sketches: true,
            ..StreamUsageRequest::default()
        };
        let read = self.server.ask(async |client| {
            let mut stream = client.stream_usage(request).await?;
            while let Some(batch) = stream.next().await? {
                let taken = take(&batch, state);
                if batch.complete || taken.is_err() {
                    return Ok(taken);
                }
            }
            Ok(Err(anyhow::anyhow!("the gateway has ended the stream")))
        })?;
        read.map_err(|error| self.server.trouble(&error))?
    }

    fn is_settled(&self, usage: &Usage, zone: Zone, now: Timestamp) -> anyhow::Result<bool> {
        let end = zone.start(usage.day()?.next());
        Ok(now >= end.plus_ms(i64::from(self.settle) * 1_000))
    }
}

fn take(batch: &UsageBatch, state: &mut State) -> anyhow::Result<Zone> {
    for record in &batch.records {
        let record = records::of_proto(record).with_context(|| {
            format!(
                "the gateway's record of app {} on {}",
                record.sdk_app_id, record.day
            )
        })?;
        state.take(&Usage::of(&record))?;
    }
    state.read_up_to(&batch.token)?;
    Ok(Zone::parse(&batch.time_zone)?)
}

impl Destination {
    /// Sends all that is queued; how many events there were.
    fn send(&self, state: &mut State) -> anyhow::Result<usize> {
        match self {
            Self::File(path) => file::write(path, state),
            Self::Endpoint(endpoint) => endpoint.send(state),
        }
    }
}

//! `load`: a gateway under load, and how fast it answered.

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{print, table};
use crate::load::{self, Address, Mode, Options, Population, Report};

/// Loads a gateway with random operations, and says how fast it answers
#[derive(Args)]
#[command(
    long_about = "Loads a gateway as many IM servers would, and says how many operations a second it answers and how long \
                  an answer takes.\n\n\
                  First creates the app, on the edition pro, its users u0, u1, ... and its groups g0, g1, ...; what is there \
                  already stays. Then, after a warm-up of a tenth of the duration and at most a second, measures a mix of \
                  operations of random users and groups, the same in every run: of a hundred operations 30 join_group, \
                  30 leave_group (mostly of somebody who joined some time ago), 25 login, 6 add_friend, 6 remove_friend, \
                  2 register_user and 1 create_group that are there already.\n\n\
                  Without --rate the loop is closed: on each connection --in-flight calls are always under way. With --rate \
                  it is open: operations are due at fixed instants spread over the connections, and a latency runs from the \
                  instant at which the operation was due, also if it had to wait because too many were under way.\n\n\
                  In batch and stream mode a latency is a batch's; operations are counted one by one.",
    after_long_help = "\
Examples:
  quotagate load
  quotagate load --server unix:///run/quotagate.sock --connections 1 --in-flight 1
  quotagate load --rate 50000 --duration 60 --json | jq .latency_us.p999
  quotagate load --mode stream --in-flight 8

JSON keys:
  operations, denied, errors, unsent, seconds, rate, latency_us {p50, p90, p99, p999, p9999, max}
  unsent operations were due and could not be sent before the end: --rate is more than the server can do

Exit status:
  0  the load has run, whatever was denied and however many errors there were
  2  trouble: the server cannot be reached, went away, or answers nothing but errors; or an argument is wrong"
)]
pub(super) struct Arguments {
    /// Where the gateway listens: http://HOST:PORT or unix:///PATH
    #[arg(
        long,
        env = "QUOTAGATE_SERVER",
        value_name = "ADDR",
        default_value = "http://127.0.0.1:7600"
    )]
    server: Address,
    /// The app's SDKAppID
    #[arg(long, value_name = "ID", default_value_t = 1_400_000_001, value_parser = from_1_to(u32::MAX))]
    app: u32,
    /// How operations are sent
    #[arg(long, value_enum, default_value_t = Way::Unary)]
    mode: Way,
    /// Operations in a batch, in batch and stream mode
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = from_1_to(1_000))]
    batch: u32,
    /// Connections
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = from_1_to(1_000))]
    connections: u32,
    /// Calls or batches under way on each connection, at most
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = from_1_to(1_000))]
    in_flight: u32,
    /// Operations a second over all connections, in an open loop
    #[arg(
        long,
        value_name = "OPS",
        value_parser = RangedU64ValueParser::<u64>::new().range(1..=100_000_000),
        long_help = "Operations a second over all connections, in an open loop [default: a closed loop]"
    )]
    rate: Option<u64>,
    /// Seconds that are measured
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = from_1_to(3_600))]
    duration: u32,
    /// Users of the app
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100_000,
        value_parser = RangedU64ValueParser::<u32>::new().range(2..=10_000_000)
    )]
    users: u32,
    /// Groups of the app; at most 10,000, as no edition allows more new ones a day
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = from_1_to(u32::MAX))]
    groups: u32,
    /// Prints one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Way {
    /// One operation a call
    Unary,
    /// A batch a call
    Batch,
    /// Batches in one stream a connection
    Stream,
}

/// The report with its keys in the order that help gives.
#[derive(Serialize)]
struct Json {
    operations: u64,
    denied: u64,
    errors: u64,
    unsent: u64,
    seconds: f64,
    rate: u64,
    latency_us: Latency,
}

#[derive(Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    p9999: f64,
    max: f64,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let options = Options {
        server: arguments.server.clone(),
        mode: match arguments.mode {
            Way::Unary => Mode::Unary,
            Way::Batch => Mode::Batch,
            Way::Stream => Mode::Stream,
        },
        batch: arguments.batch,
        connections: arguments.connections,
        in_flight: arguments.in_flight,
        rate: arguments.rate,
        duration: Duration::from_secs(arguments.duration.into()),
        population: Population {
            app: arguments.app,
            users: arguments.users,
            groups: arguments.groups,
        },
    };
    let report = load::run(&options)?;
    if arguments.json {
        print(&format!("{}\n", serde_json::to_string(&json(&report))?))?;
    } else {
        print(&text(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn from_1_to(most: u32) -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=most.into())
}

fn json(report: &Report) -> Json {
    let latency = &report.latency;
    Json {
        operations: report.operations,
        denied: report.denied,
        errors: report.errors,
        unsent: report.unsent,
        seconds: report.seconds.as_secs_f64(),
        rate: report.rate(),
        latency_us: Latency {
            p50: micros(latency.p50),
            p90: micros(latency.p90),
            p99: micros(latency.p99),
            p999: micros(latency.p999),
            p9999: micros(latency.p9999),
            max: micros(latency.max),
        },
    }
}

fn text(report: &Report) -> String {
    let mut counts = table::table(&["", "count"]);
    for (name, count) in [
        ("operations a second", report.rate()),
        ("operations", report.operations),
        ("denied", report.denied),
        ("errors", report.errors),
        ("unsent", report.unsent),
    ] {
        counts.add_row([name, &table::shown(count)]);
    }
    let mut latencies = table::table(&["latency", "microseconds"]);
    let latency = &report.latency;
    for (name, duration) in [
        ("p50", latency.p50),
        ("p90", latency.p90),
        ("p99", latency.p99),
        ("p99.9", latency.p999),
        ("p99.99", latency.p9999),
        ("max", latency.max),
    ] {
        latencies.add_row([name, &format!("{:.1}", micros(duration))]);
    }
    let tables = table::together([counts, latencies].map(|it| table::finished(it, 1)));
    let seconds = report.seconds.as_secs();
    let trouble = report.trouble.as_ref().filter(|_| report.errors > 0);
    let trouble = trouble.map_or_else(String::new, |it| format!("the last error: {it}\n"));
    format!("{tables}\nmeasured for {seconds} s\n{trouble}")
}

/// Microseconds with their decimals: so many nanoseconds are as many thousandths.
fn micros(duration: Duration) -> f64 {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_millis(nanos).as_secs_f64()
}

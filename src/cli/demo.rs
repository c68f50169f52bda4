//! `demo`: a gateway on free ports, two real traces through it on three editions, and what came of them.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::serve::{Signals, Told, log_to_stderr};
use super::table::{finished, shown, table, together};
use super::{print, remote_replay, runtime};
use crate::admission::OperationKind;
use crate::clock::{self, Clock, Stopwatch};
use crate::config::{self, Loaded, Settings};
use crate::control::{ControlPlane, Wanted};
use crate::entitlement::Terms;
use crate::gateway::Gateway;
use crate::id::{IdKey, SdkAppId};
use crate::ledger::Ledger;
use crate::proto::AdmitResponse;
use crate::rating::PushDay;
use crate::reload::Reloader;
use crate::server::Server;
use crate::trace::{Reader, Report, Verdicts};

/// The traces that the program carries with it: students writing to each other, people joining groups.
const TRACES: [(&str, &[u8]); 2] = [
    (
        "collegemsg.ndjson.gz",
        include_bytes!("../../tests/data/collegemsg.ndjson.gz"),
    ),
    (
        "nashville.ndjson.gz",
        include_bytes!("../../tests/data/nashville.ndjson.gz"),
    ),
];
/// SDKAppIDs of the demo's apps count from here.
const FIRST_APP: u32 = 1;

/// Shows it at work: real traces through a gateway on three editions
#[derive(Args)]
#[command(
    long_about = "Starts a gateway on free ports of this machine, creates an app on each edition, sends it two real \
                  traces over gRPC (students befriending and writing to each other; people of Nashville joining 602 \
                  groups) and prints what was allowed, what was denied, and why. Then it goes on serving until it is \
                  interrupted, so that other commands can be tried on it.",
    after_long_help = "\
Examples:
  quotagate demo
  quotagate demo --once

Exit status:
  0  done
  2  trouble"
)]
pub(super) struct Arguments {
    /// Ends when the traces are through
    #[arg(long)]
    once: bool,
}

/// An edition's app and what came of the traces.
struct Played {
    edition: String,
    verdicts: Verdicts,
}

/// A denial as the first that met it got it, and on which edition.
type Examples = BTreeMap<String, (String, AdmitResponse)>;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    log_to_stderr("warn");
    runtime()?.block_on(demo(arguments.once))
}

async fn demo(once: bool) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new().context("cannot listen to signals")?;
    let (server, editions) = start().await?;
    let at = format!("http://{}", server.grpc());
    print(&format!(
        "a gateway listens on {at}; two real traces on {} editions ...\n",
        editions.len()
    ))?;

    tokio::select! {
        shown = show(&at, editions) => shown?,
        _ = signals.next() => return Ok(ExitCode::SUCCESS),
    }
    if !once {
        print(&more(&server))?;
        while signals.next().await == Told::Reload {}
    }
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Plays the traces on every edition, and prints what came of it.
async fn show(at: &str, editions: Vec<String>) -> anyhow::Result<()> {
    let stopwatch = Stopwatch::start();
    let (mut played, mut examples, mut operations) = (Vec::new(), Examples::new(), 0);
    for (app, edition) in (FIRST_APP..).zip(editions) {
        let mut verdicts = Verdicts::new();
        for (name, trace) in TRACES {
            let mut watch = |answer: &AdmitResponse| note(&mut examples, &edition, answer);
            let report = play(name, trace, at, app, &mut watch).await?;
            operations += report.operations;
            add(&mut verdicts, report.verdicts);
        }
        played.push(Played { edition, verdicts });
    }
    let elapsed = stopwatch.elapsed();
    let rate = format!(
        "{} operations over gRPC, in order, in {:.1} s",
        shown(operations),
        elapsed.as_secs_f64()
    );
    print(&together([counts(&played), reasons(&examples), Some(rate)]))
}

/// A gateway of what is built in, on free ports, with an app on each edition.
async fn start() -> anyhow::Result<(Server, Vec<String>)> {
    let Loaded { catalog, policy } = config::builtin();
    let editions: Vec<_> = catalog
        .editions()
        .map(|(_, one)| one.name.to_string())
        .collect();
    let mut settings = Settings::default();
    settings.listen.set_port(0);
    settings.monitoring.set_port(0);
    let terms = Terms {
        catalog: Arc::new(catalog),
        policy: Arc::new(policy),
        zone: settings.zone,
    };
    let gateway = Arc::new(Gateway::new(terms, IdKey::random()));
    let apps = (FIRST_APP..).zip(&editions).map(|(number, edition)| {
        let edition = Some(edition.as_str().into());
        SdkAppId::new(number).map(|app| (app, edition))
    });
    let apps: Vec<_> = apps.collect::<Result<_, _>>()?;
    let wanted = Wanted {
        file: "the demo",
        apps: &apps,
        push_day: PushDay::default(),
    };
    let ledger = Ledger::in_memory().await?;
    let plane = ControlPlane::start(gateway, ledger, &wanted, clock::now()).await?;
    let plane = Arc::new(plane);
    let reloader = Arc::new(Reloader::new(Arc::clone(&plane), None));
    let clock = Clock::machine();
    Ok((
        Server::start(settings, plane, reloader, clock).await?,
        editions,
    ))
}

async fn play(
    name: &str,
    trace: &'static [u8],
    at: &str,
    app: u32,
    watch: &mut dyn FnMut(&AdmitResponse),
) -> anyhow::Result<Report> {
    let mut reader = Reader::new(name, Cursor::new(trace))?;
    remote_replay::replay(&mut reader, name, at, app, watch).await
}

fn note(examples: &mut Examples, edition: &str, answer: &AdmitResponse) {
    if answer.reason != 0 {
        let reason = answer.reason().as_str_name();
        if !examples.contains_key(reason) {
            examples.insert(reason.to_owned(), (edition.to_owned(), answer.clone()));
        }
    }
}

fn add(to: &mut Verdicts, verdicts: Verdicts) {
    for (operation, counts) in verdicts {
        let of_operation = to.entry(operation).or_default();
        for (verdict, count) in counts {
            *of_operation.entry(verdict).or_default() += count;
        }
    }
}

/// What was answered how often, an edition beside the other.
fn counts(played: &[Played]) -> Option<String> {
    let editions = played.iter().map(|one| one.edition.as_str());
    let header: Vec<_> = ["operation", "verdict"]
        .into_iter()
        .chain(editions)
        .collect();
    let mut rows = table(&header);
    for operation in OperationKind::ALL.map(OperationKind::name) {
        let of = |one: &Played, verdict: &str| {
            let counts = one.verdicts.get(operation);
            counts
                .and_then(|counts| counts.get(verdict))
                .copied()
                .unwrap_or(0)
        };
        let known = played.iter().filter_map(|one| one.verdicts.get(operation));
        let mut verdicts: Vec<_> = known.flat_map(|counts| counts.keys().copied()).collect();
        verdicts.sort_unstable();
        verdicts.dedup();
        for verdict in verdicts {
            let counted = played.iter().map(|one| shown(of(one, verdict)));
            let named = [operation, verdict].map(str::to_owned);
            rows.add_row(named.into_iter().chain(counted).collect::<Vec<_>>());
        }
    }
    finished(rows, 2)
}

/// An example of each denial, in words.
fn reasons(examples: &Examples) -> Option<String> {
    let words = |(reason, (edition, answer)): (&String, &(String, AdmitResponse))| {
        let mut text = format!(
            "{reason} ({edition}, {})\n  {}",
            answer.im_error_code, answer.message
        );
        if let Some(remedy) = &answer.remedy {
            text = format!("{text}\n  would help: {}", remedy.description);
        }
        text
    };
    let words: Vec<_> = examples.iter().map(words).collect();
    (!words.is_empty()).then(|| format!("Why, for example:\n\n{}", words.join("\n")))
}

fn more(server: &Server) -> String {
    let at = format!("http://{}", server.grpc());
    let (trial, flagship) = (FIRST_APP, FIRST_APP + 2);
    [
        "\nIt goes on serving until you press Ctrl-C. In another terminal:".to_owned(),
        format!("  export QUOTAGATE_SERVER={at}"),
        format!("  quotagate usage {trial}"),
        format!("  quotagate admit register_user --app {trial} --user alice"),
        format!("  quotagate app set-edition {trial} pro"),
        format!("  quotagate admit register_user --app {trial} --user alice"),
        format!("  quotagate app show {flagship}"),
        format!("  curl http://{}/metrics", server.http()),
        String::new(),
    ]
    .join("\n")
}

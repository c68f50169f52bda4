//! `journal snapshot`: a snapshot now, by the gateway that has the directory, or by this command where none has.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::{Bar, Opened, Place};
use crate::cli::table::shown;
use crate::cli::{json, print, remote, runtime};
use crate::client::ClientError;
use crate::config;
use crate::entitlement::Terms;
use crate::gateway::Gateway;
use crate::id::IdKey;
use crate::journal::{Directory, Options, Scribe};
use crate::proto::SnapshotResponse;
use crate::recovery::recover;
use crate::snapshot::Taken;
use crate::subscription::{Plan, Standing};

/// How long a snapshot may take.
const DEADLINE: Duration = Duration::from_hours(1);

/// Takes a snapshot, so that the next start has little to replay
#[derive(Args)]
#[command(
    long_about = "Takes a snapshot of a data directory; the journal before it goes. Where a gateway has the directory it is \
                  asked to do it, and goes on serving; where none has, this command does it.\n\n\
                  Gateways take snapshots by themselves as the journal grows: this is for the time before a planned stop, \
                  a copy or an upgrade.",
    after_long_help = "\
Examples:
  quotagate journal snapshot data
  quotagate journal snapshot /var/lib/quotagate --json

Exit status:
  0  taken, and in force
  2  trouble: it could not be written, or the directory is damaged, or no data directory"
)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Prints the response as one line of JSON, by the proto's field names
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let place = &arguments.place;
    let taken = match place.lock("journal snapshot") {
        Ok(lock) => {
            lock.renew()?;
            here(&place.opened(lock)?)?
        }
        Err(error) => match error.serving() {
            Some(address) => there(address)?,
            None => return Err(error.into()),
        },
    };
    let text = if arguments.json {
        json::line("SnapshotResponse", &taken)?
    } else {
        let span = |span: Option<prost_types::Duration>| {
            Duration::try_from(span.unwrap_or_default()).unwrap_or_default()
        };
        format!(
            "a snapshot of {} bytes, taken in {:.1?}; the longest wait for it was {:.0?}\n",
            shown(taken.bytes),
            span(taken.took),
            span(taken.longest_hold)
        )
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// By the gateway that serves there.
fn there(address: &str) -> anyhow::Result<SnapshotResponse> {
    let server = format!("http://{address}");
    let asked: Result<_, ClientError> = runtime()?.block_on(async {
        let client = remote::connect(&server)?.with_deadline(DEADLINE);
        Ok::<_, anyhow::Error>(client.snapshot().await)
    })?;
    asked.map_err(|error| remote::trouble(&server, &error))
}

/// By this command. No id is hashed and nothing decided for it, so that keys and terms do not matter.
fn here(opened: &Opened) -> anyhow::Result<SnapshotResponse> {
    let bar = Bar::new();
    let storage = Arc::new(Directory::new(&opened.dir));
    let created = |id| opened.created(id);
    let recovered = recover(storage, Options::default(), &created, &mut |progress| {
        bar.tell(progress);
    })?;
    drop(bar);
    let loaded = config::builtin();
    let terms = Terms {
        catalog: Arc::new(loaded.catalog),
        policy: Arc::new(loaded.policy),
        zone: opened.zone,
    };
    let first = terms.catalog.edition(terms.catalog.first_edition());
    let plan = Plan::of(&first.name);
    let gateway = Gateway::durable(terms, IdKey::random(), recovered);
    for app in &opened.apps {
        gateway.create_app(app.id, plan.clone(), Standing::GOOD, app.created_at)?;
    }
    let log = Arc::clone(gateway.log().context("the gateway has a journal")?);
    let scribe = Scribe::start(&log).context("cannot start a thread")?;
    let taken = gateway.take_snapshot();
    let closed = scribe.close();
    let taken = taken.and_then(|taken| taken.ok_or_else(|| io::ErrorKind::Unsupported.into()));
    let taken = taken.context("no snapshot could be taken")?;
    closed.context("the journal could not be closed")?;
    Ok(response(&taken))
}

fn response(taken: &Taken) -> SnapshotResponse {
    let span = |span| prost_types::Duration::try_from(span).ok();
    SnapshotResponse {
        base: taken.base.get(),
        bytes: taken.bytes,
        took: span(taken.took),
        longest_hold: span(taken.longest_hold),
    }
}

//! `serve`: the gateway as a server, until it is told to stop.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::config_check::summary;
use super::journal::Bar;
use super::table::shown;
use super::{TROUBLE, complain, counted, faults_in, print, runtime};
use crate::clock::Clock;
use crate::config::{self, Fault, Loaded, Settings, Storage};
use crate::control::{ControlPlane, Wanted};
use crate::data_dir::DataDir;
use crate::entitlement::Terms;
use crate::gateway::Gateway;
use crate::id::SdkAppId;
use crate::journal::{Directory, Ending, Options};
use crate::ledger::{Caller, Ledger};
use crate::recovery::{RecoverError, Recovered, Summary, recover};
use crate::reload::Reloader;
use crate::server::{Drained, Keeper, Server};
use crate::time::Day;

/// The gateway file that is taken when none is named and there is one.
pub(super) const USUAL_CONFIG: &str = "config/gateway.toml";

/// Serves admissions by gRPC
#[derive(Args)]
#[command(
    long_about = "Serves admissions by gRPC to IM servers, and control to operators, until SIGTERM or SIGINT; then it \
                  answers the calls in flight and ends. SIGHUP reads catalog.toml and limits.toml anew.\n\n\
                  With no flags it takes ./config/gateway.toml if there is one, else what is built in, and listens on \
                  127.0.0.1:7600; /metrics and /readyz are on 127.0.0.1:7601.\n\n\
                  What was admitted is kept in the data directory, with apps, overrides and the audit trail; a start goes on from \
                  there. One process at a time may have it.",
    after_long_help = "\
Examples:
  quotagate serve
  quotagate serve --uds /run/quotagate.sock
  quotagate serve --config /etc/quotagate/gateway.toml --listen 10.0.0.5:7600

Environment:
  QUOTAGATE_LOG  what is logged on stderr: error, warn, info (usual), debug; or by module: info,quotagate::server=debug

Exit status:
  0  told to stop, and stopped
  2  trouble: a fault in a file or an argument, or an address that cannot be listened on"
)]
pub(super) struct Arguments {
    /// The data directory, instead of the file's `data_dir`; it is created when it is missing
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The gateway file; catalog.toml and limits.toml are taken from beside it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where gRPC is served, instead of the file's `listen`; port 0 lets the system choose
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// A Unix domain socket where gRPC is served as well, instead of the file's `uds`
    #[arg(long, value_name = "PATH")]
    uds: Option<PathBuf>,
    /// Where /metrics and /readyz are served, instead of the file's `http`; with --listen on port 0, a free port
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
}

/// Everything that is read before the gateway serves.
struct Setup {
    settings: Settings,
    loaded: Loaded,
    /// Where the files are; nothing for what is built in.
    dir: Option<PathBuf>,
    /// The gateway file, as messages name it.
    file: String,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    log_to_stderr("info");
    let mut setup = match Setup::read(arguments.config.as_deref()) {
        Ok(setup) => setup,
        Err(faults) => {
            complain(&faults_in("the configuration", &faults));
            return Ok(ExitCode::from(TROUBLE));
        }
    };
    arguments.put_into(&mut setup.settings);
    raise_descriptors();
    stop_at_a_panic();
    runtime()?.block_on(serve(setup))
}

impl Arguments {
    fn put_into(&self, settings: &mut Settings) {
        if let Some(data_dir) = &self.data_dir {
            settings.storage.data_dir.clone_from(data_dir);
        }
        if let Some(listen) = self.listen {
            settings.listen = listen;
            if listen.port() == 0 {
                settings.monitoring.set_port(0);
            }
        }
        if let Some(uds) = &self.uds {
            settings.uds = Some(uds.clone());
        }
        if let Some(http) = self.http {
            settings.monitoring = http;
        }
    }
}

impl Setup {
    fn read(config: Option<&Path>) -> Result<Self, Vec<Fault>> {
        let usual = Path::new(USUAL_CONFIG);
        let Some(file) = config.or_else(|| usual.exists().then_some(usual)) else {
            return Ok(Self {
                settings: config::builtin_settings(),
                loaded: config::builtin(),
                dir: None,
                file: "the built-in gateway.toml".to_owned(),
            });
        };
        let dir = match file.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let (settings, loaded) = (config::load_settings(file), config::load_dir(dir));
        match (settings, loaded) {
            (Ok(settings), Ok(loaded)) => Ok(Self {
                settings,
                loaded,
                dir: Some(dir.to_owned()),
                file: file.display().to_string(),
            }),
            (settings, loaded) => {
                let mut faults = settings.err().unwrap_or_default();
                faults.extend(loaded.err().unwrap_or_default());
                Err(faults)
            }
        }
    }

    /// A line for people about what was read.
    fn told(&self) -> String {
        let place = match &self.dir {
            Some(dir) => format!("{}/", dir.display()),
            None => "what is built in".to_owned(),
        };
        format!(
            "loaded {}: {}; zone {}",
            place,
            summary(&self.loaded),
            self.settings.zone
        )
    }
}

async fn serve(setup: Setup) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new().context("cannot listen to signals")?;
    let told = setup.told();
    let Setup {
        settings,
        loaded,
        dir,
        file,
    } = setup;
    let terms = Terms {
        catalog: Arc::new(loaded.catalog),
        policy: Arc::new(loaded.policy),
        zone: settings.zone,
    };
    let (storage, clock) = (settings.storage.clone(), Clock::machine());
    let opened = DataDir::open(
        &storage.data_dir,
        settings.id_key,
        "that is starting",
        clock.now(),
    );
    let (data, id_key) = opened?;
    let ledger = Ledger::open(data.path()).await?;
    let created = ledger.apps().await?.into_iter();
    let created = created
        .map(|app| (app.id, terms.zone.day(app.created_at)))
        .collect();
    let recovered = recovered(&storage, &created)?;
    let recovery = told_of_recovery(recovered.summary());
    let gateway = Arc::new(Gateway::durable(terms, id_key, recovered));
    let wanted = Wanted {
        file: &file,
        apps: &settings.apps,
        push_day: settings.push_day,
    };
    let plane = ControlPlane::start(Arc::clone(&gateway), ledger, &wanted, clock.now()).await?;
    let plane = Arc::new(plane);
    let reloader = Arc::new(Reloader::new(Arc::clone(&plane), dir));
    let apps = gateway.app_ids();
    let keeper = Keeper::start(&gateway, storage.snapshot_mib << 20);
    let keeper = keeper.context("cannot start the threads that keep the journal")?;
    let server = Server::start(
        settings,
        Arc::clone(&plane),
        Arc::clone(&reloader),
        clock.clone(),
    )
    .await?;
    data.says(&format!("serving on {}", server.grpc()))?;
    print(&greeting(&server, &told, &storage, recovery, &apps))?;

    let by_signal = Caller::new("SIGHUP", "");
    while signals.next().await == Told::Reload {
        // It logs what comes of it; whoever sent the signal reads it there.
        let _ = reloader.reload(&by_signal, clock.now()).await;
    }
    tracing::info!("told to stop: answering the calls in flight");
    let drained = tokio::select! {
        drained = server.stop() => drained,
        () = signals.stop_again() => Drained::CutOff,
    };
    match drained {
        Drained::Wholly => tracing::info!("stopped; every call in flight was answered"),
        Drained::CutOff => tracing::warn!("stopped; calls that took too long were cut off"),
    }
    let mut status = ExitCode::SUCCESS;
    if let Some(Err(error)) = keeper.map(Keeper::close) {
        complain(&format!("the journal could not be closed: {error}"));
        status = ExitCode::from(TROUBLE);
    }
    drop(reloader);
    // Calls that were cut off may still hold it; then it closes as it would at a kill.
    if let Some(plane) = Arc::into_inner(plane) {
        plane.close().await?;
    }
    Ok(status)
}

/// The facts that the data directory holds.
fn recovered(
    storage: &Storage,
    created: &HashMap<SdkAppId, Day>,
) -> Result<Recovered, RecoverError> {
    let options = Options {
        level: storage.level,
        ..Options::default()
    };
    let directory = Arc::new(Directory::new(&storage.data_dir));
    let created = |app| created.get(&app).copied();
    let bar = Bar::new();
    recover(directory, options, &created, &mut |progress| {
        bar.tell(progress);
    })
}

fn greeting(
    server: &Server,
    told: &str,
    storage: &Storage,
    recovery: Option<String>,
    apps: &[SdkAppId],
) -> String {
    let at = format!("http://{}", server.grpc());
    let elsewhere = if at == "http://127.0.0.1:7600" {
        String::new()
    } else {
        format!(" --server {at}")
    };
    let first = match apps.first() {
        Some(app) => format!("admit register_user --app {app} --user alice"),
        None => "app create 1400000001".to_owned(),
    };
    let uds = server
        .uds()
        .map(|path| format!("listening on unix://{}", path.display()));
    let lines = [
        Some(format!("quotagate {}: {told}", env!("CARGO_PKG_VERSION"))),
        Some(told_of(storage)),
        recovery,
        Some(format!("listening on {at}")),
        uds,
        Some(format!("metrics on http://{}/metrics", server.http())),
        Some(format!("try: quotagate {first}{elsewhere}")),
    ];
    lines
        .into_iter()
        .flatten()
        .map(|line| line + "\n")
        .collect()
}

/// A line for people about what was recovered; nothing if there was nothing.
fn told_of_recovery(summary: &Summary) -> Option<String> {
    if let Ending::Torn(tear) = &summary.ending {
        tracing::warn!(
            "{}: cut {} bytes off that were never durable, from byte {} on",
            tear.file,
            tear.bytes,
            tear.offset
        );
    }
    (summary.apps > 0).then(|| {
        format!(
            "recovered {} with {} users and {} edges in {:.1?}: a snapshot of {} bytes, and {} entries after it",
            counted(summary.apps, "app", "apps"),
            shown(summary.users),
            shown(summary.edges),
            summary.took,
            shown(summary.snapshot_bytes),
            shown(summary.entries)
        )
    })
}

/// A line for people about where data is kept.
fn told_of(storage: &Storage) -> String {
    let dir = &storage.data_dir;
    let here = if dir.is_relative() && !dir.starts_with(".") && !dir.starts_with("..") {
        "./"
    } else {
        ""
    };
    let level = storage.level.name();
    format!("data in {here}{}, level {level}", dir.display())
}

/// What a signal asks for.
#[derive(PartialEq, Eq)]
pub(super) enum Told {
    Stop,
    Reload,
}

pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hang_up.recv() => Told::Reload,
        }
    }

    /// Somebody does not want to wait.
    async fn stop_again(&mut self) {
        while self.next().await == Told::Reload {}
    }
}

/// Logs on stderr what `usual` names, or QUOTAGATE_LOG.
pub(super) fn log_to_stderr(usual: &str) {
    let filter = EnvFilter::try_from_env("QUOTAGATE_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let logged = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .try_init();
    // It fails only where somebody logs already.
    drop(logged);
}

/// A bug that panics may leave facts half changed, and the journal has what was promised: to stop and replay it is right.
fn stop_at_a_panic() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        told(info);
        complain(
            "stopped by a bug, before it can do harm: start it again, and tell its developers",
        );
        process::abort();
    }));
}

/// Each connection takes a descriptor, and shells allow few by default: takes as many as are to be had.
fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("cannot raise the limit on open files: {error}");
    }
}

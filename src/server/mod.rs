//! The server: sockets, threads, HTTP/2, and ending well.
//!
//! `listen` accepts, `worker` is a thread with the connections given to it, `connection` drives one; `short` are its calls of one
//! answer, `long` those that last, with `received` for their bodies and `stream` for the stream of batches; `authority` lets
//! clients name a Unix socket by its path; `http` serves people's tools, `metrics` their text; `keeper` looks after the files, `calendar`
//! lets happen what falls due.
//! Invariant: what a peer can take of memory, descriptors and time is bounded, on the gRPC sockets: monitoring is for those
//! who are trusted. When the server stops, calls in flight are
//! answered and nothing new is begun. Absent on purpose: what is decided.

mod authority;
mod bell;
mod calendar;
mod connection;
mod http;
mod keeper;
mod listen;
mod long;
mod metrics;
mod received;
mod short;
mod stream;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use keeper::Keeper;

pub use connection::{
    CONNECTION_WINDOW_BYTES, FRAMES_BYTES_MAX, HEADERS_BYTES_MAX, HELD_BYTES_MAX, OWN_RESETS_MAX,
    PENDING_RESETS_MAX, STREAM_WINDOW_BYTES,
};

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::clock::{Clock, JumpWatch};
use crate::config::Settings;
use crate::control::ControlPlane;
use crate::gateway::Gateway;
use crate::grpc::{Billing, Control, Usage};
use crate::ledger::LedgerError;
use crate::proto;
use crate::proto::billing_service_server::BillingServiceServer;
use crate::proto::control_service_server::ControlServiceServer;
use crate::proto::usage_service_server::UsageServiceServer;
use crate::reload::Reloader;
use crate::telemetry::Telemetry;
use bell::Bell;
use listen::Listener;
use metrics::Metrics;
use worker::{Shared, Worker};

/// Names under which health is told: the whole, and each service.
const HEALTH_NAMES: [&str; 5] = [
    "",
    "quotagate.v1.AdmissionService",
    "quotagate.v1.BillingService",
    "quotagate.v1.ControlService",
    "quotagate.v1.UsageService",
];

/// How often it is looked whether calls wait too long for the journal.
const WATCH_PERIOD: Duration = Duration::from_millis(50);
/// A jump of the machine's clock by more is told.
const JUMP_MS: i64 = 60_000;

/// A server that runs.
pub struct Server {
    grpc: SocketAddr,
    uds: Option<PathBuf>,
    http: SocketAddr,
    settings: Settings,
    workers: Vec<Worker>,
    accepting: JoinSet<()>,
    health: HealthReporter,
    /// Cancelled first: no more connections.
    stop: CancellationToken,
    /// Tells connections to finish what is begun, and cancelled for the calls that last.
    bell: Arc<Bell>,
    drain: CancellationToken,
    /// Cancelled last: end.
    deadline: CancellationToken,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot listen.
    #[error("cannot listen on {at}: {error}")]
    Listen {
        /// Where.
        at: String,
        /// Why not.
        error: io::Error,
    },
    /// The ledger does not say who takes usage in.
    #[error(transparent)]
    Ledger(LedgerError),
    /// It cannot start its threads.
    #[error("cannot start a thread that serves: {0}")]
    Thread(io::Error),
}

/// How a server ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drained {
    /// Every call in flight was answered.
    Wholly,
    /// Some were cut off at the deadline.
    CutOff,
}

impl Server {
    /// Listens and serves. Must run within a runtime, which accepts connections and serves HTTP; calls are served by threads
    /// of its own. Whatever it answers, it answers by that clock.
    pub async fn start(
        settings: Settings,
        plane: Arc<ControlPlane>,
        reloader: Arc<Reloader>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let gateway = Arc::clone(plane.gateway());
        let on = |at: String| move |error| StartError::Listen { at, error };
        let tcp = Listener::tcp(settings.listen).map_err(on(settings.listen.to_string()))?;
        let grpc = tcp.address().unwrap_or(settings.listen);
        let unix = settings
            .uds
            .as_deref()
            .map(|path| Listener::unix(path).map_err(on(path.display().to_string())));
        let unix = unix.transpose()?;
        let web = TcpListener::bind(settings.monitoring).await;
        let web = web.map_err(on(settings.monitoring.to_string()))?;
        let http = web.local_addr().unwrap_or(settings.monitoring);

        let (stop, drain, deadline) =
            <(CancellationToken, CancellationToken, CancellationToken)>::default();
        let bell = Arc::new(Bell::default());
        let telemetry = Telemetry::new(settings.workers.unwrap_or_else(processors));
        let name = settings.metered_as.as_deref();
        let streams = Arc::clone(telemetry.streams());
        let usage = Usage::start(Arc::clone(&plane), name, clock.clone(), streams).await;
        let usage = usage.map_err(StartError::Ledger)?;
        let billing = Billing::new(Arc::clone(&plane), clock.clone());
        let control = Control::new(Arc::clone(&plane), reloader, clock.clone());
        let (health, routes) = routes(billing, control, usage).await;
        let shared = |counters| Shared {
            gateway: Arc::clone(&gateway),
            counters: Arc::clone(counters),
            clock: clock.clone(),
            routes: routes.clone(),
            limits: settings.connections.clone(),
            bell: Arc::clone(&bell),
            drain: drain.clone(),
            deadline: deadline.clone(),
        };
        let workers = telemetry.counters().enumerate();
        let workers: Vec<_> = workers
            .map(|(number, counters)| Worker::start(number, Arc::new(shared(counters))))
            .collect::<Result<_, _>>()
            .map_err(StartError::Thread)?;

        let open = Arc::new(Semaphore::new(settings.connections.max));
        let mut accepting = JoinSet::new();
        for listener in std::iter::once(tcp).chain(unix) {
            let seats = workers.iter().map(Worker::seat).collect();
            accepting.spawn(listen::accept(
                listener,
                seats,
                Arc::clone(&open),
                stop.clone(),
            ));
        }
        accepting.spawn(ring(
            Arc::clone(&bell),
            settings.connections.keepalive,
            stop.clone(),
        ));
        accepting.spawn(watch(
            Arc::clone(&gateway),
            telemetry.clone(),
            health.clone(),
            stop.clone(),
            deadline.clone(),
        ));
        accepting.spawn(calendar::keep(
            Arc::clone(&plane),
            clock.clone(),
            stop.clone(),
        ));
        let metrics = Metrics::new(
            plane,
            telemetry,
            Arc::clone(&open),
            settings.connections.max,
            clock,
        );
        let (ended, late) = (stop.clone(), deadline.clone());
        accepting.spawn(http::serve(web, metrics, gateway, ended, late));
        Ok(Self {
            grpc,
            uds: settings.uds.clone(),
            http,
            settings,
            workers,
            accepting,
            health,
            stop,
            bell,
            drain,
            deadline,
        })
    }

    /// Where gRPC is served by TCP; the port that was chosen if it was left open.
    pub fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// The Unix socket where gRPC is served, if one is.
    pub fn uds(&self) -> Option<&Path> {
        self.uds.as_deref()
    }

    /// Where `/metrics` and `/readyz` are served.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Ends: health turns NOT_SERVING, no more connections are taken, calls in flight are answered, streams end with
    /// UNAVAILABLE. What is not done within the settings' `drain` is cut off.
    pub async fn stop(mut self) -> Drained {
        self.stop.cancel();
        tell(&self.health, ServingStatus::NotServing).await;
        // Before the token: who is woken by that finds that it is so.
        self.bell.ring_the_end();
        self.drain.cancel();
        let workers = std::mem::take(&mut self.workers);
        let finished = async {
            for worker in workers {
                worker.finish().await;
            }
        };
        tokio::pin!(finished);
        let drained = timeout(self.settings.drain, &mut finished).await;
        self.deadline.cancel();
        let drained = if drained.is_ok() {
            Drained::Wholly
        } else {
            finished.await;
            Drained::CutOff
        };
        while self.accepting.join_next().await.is_some() {}
        drained
    }
}

/// Rings the bell, one period after the other.
async fn ring(bell: Arc<Bell>, period: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(period) => bell.ring(),
        }
    }
}

/// Looks now and then after those who wait for the journal, says by health whether it takes changes, and sees the machine's
/// clock jump; until the last call may have been answered.
async fn watch(
    gateway: Arc<Gateway>,
    telemetry: Telemetry,
    health: HealthReporter,
    stop: CancellationToken,
    deadline: CancellationToken,
) {
    let (mut clock, mut was_well) = (JumpWatch::start(), true);
    while timeout(WATCH_PERIOD, deadline.cancelled()).await.is_err() {
        if let Some(log) = gateway.log() {
            log.watch();
        }
        let is_well = gateway.trouble().is_none();
        if is_well != was_well && !stop.is_cancelled() {
            tell(
                &health,
                if is_well {
                    ServingStatus::Serving
                } else {
                    ServingStatus::NotServing
                },
            )
            .await;
            was_well = is_well;
        }
        if let Some(ms) = clock.look(JUMP_MS) {
            telemetry.clock_jumped();
            tracing::warn!(
                "the machine's clock has jumped by {ms} ms; a day that has ended stays so"
            );
        }
    }
}

/// Tells health by every name.
async fn tell(health: &HealthReporter, status: ServingStatus) {
    for name in HEALTH_NAMES {
        health.set_service_status(name, status).await;
    }
}

/// One thread for each processor that the process may use.
fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The services that tonic answers.
async fn routes(billing: Billing, control: Control, usage: Usage) -> (HealthReporter, Routes) {
    let (health, health_service) = tonic_health::server::health_reporter();
    tell(&health, ServingStatus::Serving).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut routes = Routes::builder();
    routes
        .add_service(BillingServiceServer::new(billing))
        .add_service(ControlServiceServer::new(control))
        .add_service(UsageServiceServer::new(usage))
        .add_service(health_service)
        .add_service(
            reflection()
                .build_v1()
                .expect("the crate's own descriptors are readable"),
        )
        .add_service(
            reflection()
                .build_v1alpha()
                .expect("the crate's own descriptors are readable"),
        );
    (health, routes.routes().prepare())
}

//! UsageService: the stream of what apps used, how far its subscribers have got, and bandwidth that is reported.
//!
//! `stream` is a stream from its beginning to its end over `look`, which finds what has changed, and `pace`; `token` says how far a
//! reader has got; `bandwidth` checks reports. Invariant: what was acknowledged, and what was reported, is kept before the
//! answer. Absent on purpose: remembering what was sent; records are cumulative, and their readers say where to go on.

mod bandwidth;
mod look;
mod pace;
mod stream;
mod token;

use std::future::poll_fn;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use self::bandwidth::Sample;
use self::look::Wanted;
use self::stream::Stream;
use self::token::{Apps, Place, Token};
use super::fault::{Fault, unavailable};
use super::request::id_fault;
use crate::clock::Clock;
use crate::control::ControlPlane;
use crate::gateway::{Gateway, Mark, Reported, Sketches};
use crate::id::SdkAppId;
use crate::journal::{Change, Position};
use crate::ledger::LedgerError;
use crate::proto::usage_service_server::UsageService;
use crate::proto::{
    AcknowledgeUsageRequest, AcknowledgeUsageResponse, ReportBandwidthRequest,
    ReportBandwidthResponse, StreamUsageRequest, UsageBatch,
};
use crate::telemetry::StreamCounts;

/// Most streams at once.
const STREAMS_MAX: usize = 100;
/// Most apps that a stream names.
const APPS_MAX: usize = 10_000;
/// Most characters of a subscriber's name.
const SUBSCRIBER_CHARS_MAX: usize = 128;
/// How often a stream looks for changes unless it says.
const INTERVAL: Duration = Duration::from_secs(10);
/// The shortest and the longest interval.
const INTERVALS: [Duration; 2] = [Duration::from_secs(1), Duration::from_hours(1)];

/// The calls of UsageService.
#[derive(Clone)]
pub struct Usage {
    shared: Arc<Shared>,
    plane: Arc<ControlPlane>,
    /// A permit for each stream that may still come.
    room: Arc<Semaphore>,
}

/// What its streams share.
struct Shared {
    gateway: Arc<Gateway>,
    clock: Clock,
    /// The gateway's name in records.
    name: Arc<str>,
    /// This life of the gateway.
    life: u64,
    /// Where the journal was when it began.
    began: Position,
    counts: Arc<StreamCounts>,
}

impl Usage {
    /// The service of a gateway, by the operators' side of it. `name` is the gateway's in records; that of its data if nothing.
    pub async fn start(
        plane: Arc<ControlPlane>,
        name: Option<&str>,
        clock: Clock,
        counts: Arc<StreamCounts>,
    ) -> Result<Self, LedgerError> {
        let gateway = Arc::clone(plane.gateway());
        let log = gateway.log();
        let set = log.map(|log| log.set().get()).unwrap_or_default();
        let shared = Shared {
            name: name.map_or_else(|| format!("{set:016x}").into(), Into::into),
            life: RandomState::new().hash_one(0),
            began: log.map_or(Position::START, |log| log.position()),
            clock,
            counts,
            gateway,
        };
        let usage = Self {
            shared: Arc::new(shared),
            plane,
            room: Arc::new(Semaphore::new(STREAMS_MAX)),
        };
        usage.note_subscribers().await?;
        Ok(usage)
    }

    /// Has metrics tell when each subscriber has acknowledged something.
    async fn note_subscribers(&self) -> Result<(), LedgerError> {
        let all = self.plane.subscribers().await?.into_iter();
        let each = all.map(|one| (one.name, one.acknowledged_at));
        self.shared.counts.acknowledged(each);
        Ok(())
    }

    /// Where a stream begins: after its token, or after the last one that its subscriber has acknowledged.
    async fn resumed(
        &self,
        request: &StreamUsageRequest,
        apps: Apps,
    ) -> Result<Option<Mark>, Status> {
        let token = if !request.token.is_empty() {
            Some(token(&request.token)?)
        } else if !request.subscriber.is_empty() {
            let known = self.plane.subscriber(&request.subscriber).await;
            let known = known.map_err(|error| ledger(&error))?;
            known.and_then(|known| Token::parse(&known.token))
        } else {
            None
        };
        let place = self.shared.place().ok_or_else(in_memory)?;
        Ok(token.and_then(|token| place.resume(&token, apps)))
    }
}

impl Shared {
    /// Where tokens are gone on from; nothing if all is held in memory alone.
    fn place(&self) -> Option<Place> {
        let log = self.gateway.log()?;
        Some(Place {
            set: log.set(),
            life: self.life,
            began: self.began,
            now: log.position(),
        })
    }
}

#[tonic::async_trait]
impl UsageService for Usage {
    type StreamUsageStream = ReceiverStream<Result<UsageBatch, Status>>;

    async fn stream_usage(
        &self,
        request: Request<StreamUsageRequest>,
    ) -> Result<Response<Self::StreamUsageStream>, Status> {
        let request = request.into_inner();
        if !request.subscriber.is_empty() {
            subscriber(&request.subscriber)?;
        }
        let interval = interval(request.interval.as_ref())?;
        let ids = app_ids(&request.sdk_app_ids)?;
        let apps = ids.as_deref().map_or(Apps::ALL, Apps::these);
        let since = self.resumed(&request, apps).await?;
        let permit = Arc::clone(&self.room).try_acquire_owned();
        let permit = permit.map_err(|_| {
            let message = format!("there are {STREAMS_MAX} streams of usage already: end some");
            Status::resource_exhausted(message)
        })?;
        let wanted = Wanted {
            gateway: Arc::clone(&self.shared.name),
            apps: ids.map(Into::into),
            sketches: if request.without_sketches {
                Sketches::Left
            } else {
                Sketches::Wanted
            },
        };
        let stream = Stream {
            open: self.shared.counts.opened(),
            shared: Arc::clone(&self.shared),
            wanted: Arc::new(wanted),
            apps,
            since,
            interval,
            permit,
        };
        // Room for one batch: the next is made when the connection has taken it.
        let (to, batches) = mpsc::channel(1);
        tokio::spawn(stream.run(to));
        Ok(Response::new(ReceiverStream::new(batches)))
    }

    async fn acknowledge_usage(
        &self,
        request: Request<AcknowledgeUsageRequest>,
    ) -> Result<Response<AcknowledgeUsageResponse>, Status> {
        let request = request.into_inner();
        subscriber(&request.subscriber)?;
        let token = token(&request.token)?;
        let place = self.shared.place().ok_or_else(in_memory)?;
        if !place.has(&token) {
            let message = "the token is not of this gateway's data: it is that of another, or from before a backup was put back; \
                           begin a stream without it";
            return Err(Status::failed_precondition(message));
        }
        let (usage, now) = (self.clone(), self.shared.clock.now());
        let work = async move {
            let AcknowledgeUsageRequest { subscriber, token } = request;
            usage.plane.acknowledge(subscriber, token, now).await?;
            usage.note_subscribers().await
        };
        // What is begun is finished, also when its caller goes away.
        let done = tokio::spawn(work).await;
        let done = done.map_err(|_| Status::internal("the call broke off"))?;
        done.map_err(|error| ledger(&error))?;
        Ok(Response::new(AcknowledgeUsageResponse {}))
    }

    async fn report_bandwidth(
        &self,
        request: Request<ReportBandwidthRequest>,
    ) -> Result<Response<ReportBandwidthResponse>, Status> {
        let (gateway, now) = (&self.shared.gateway, self.shared.clock.now());
        let samples = bandwidth::samples(request.get_ref(), gateway, now)?;
        if let Some(log) = gateway.log() {
            log.accepts(Change::Adds).map_err(unavailable)?;
        }
        for Sample {
            app,
            day,
            bits_per_second,
        } in samples
        {
            let reported = gateway.report_bandwidth(app, day, bits_per_second, now);
            debug_assert_eq!(reported, Reported::Taken, "checked before");
        }
        kept(gateway).await?;
        Ok(Response::new(ReportBandwidthResponse {}))
    }
}

/// Waits until the journal has everything up to now as well as an answer needs it.
async fn kept(gateway: &Gateway) -> Result<(), Status> {
    let (Some(position), Some(log)) = (gateway.commit(), gateway.log()) else {
        return Ok(());
    };
    let reached = poll_fn(|cx| log.poll_reached(position, cx.waker())).await;
    reached.map_err(unavailable)
}

fn in_memory() -> Status {
    Status::failed_precondition(
        "the gateway holds everything in memory: there is nothing to go on from",
    )
}

fn ledger(error: &LedgerError) -> Status {
    Status::unavailable(error.to_string())
}

fn token(text: &str) -> Result<Token, Status> {
    Token::parse(text).ok_or_else(|| Fault::of("token", "is no token of a batch").status())
}

fn subscriber(name: &str) -> Result<(), Status> {
    let fits = (1..=SUBSCRIBER_CHARS_MAX).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let problem = "must have 1 to 128 characters, and none that controls a terminal";
    Err(Fault::of("subscriber", problem).status())
}

fn interval(asked: Option<&prost_types::Duration>) -> Result<Duration, Status> {
    let Some(asked) = asked else {
        return Ok(INTERVAL);
    };
    let [shortest, longest] = INTERVALS;
    let asked = Duration::try_from(*asked).ok();
    let fits = asked.filter(|it| (shortest..=longest).contains(it));
    fits.ok_or_else(|| Fault::of("interval", "must be from 1 s to 1 h").status())
}

/// The apps that are asked for, each once and in order; nothing for all.
fn app_ids(numbers: &[u32]) -> Result<Option<Vec<SdkAppId>>, Status> {
    if numbers.len() > APPS_MAX {
        return Err(Fault::of(
            "sdk_app_ids",
            "must be at most 10,000; leave them out for all",
        )
        .status());
    }
    let each = numbers.iter().enumerate().map(|(place, number)| {
        let wrong = |error| id_fault(format!("sdk_app_ids[{place}]"), error).status();
        SdkAppId::new(*number).map_err(wrong)
    });
    let mut ids = each.collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok((!ids.is_empty()).then_some(ids))
}

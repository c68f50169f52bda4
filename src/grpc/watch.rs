//! `WatchEntitlements`: what apps may do, and every change of it, told to whoever watches.
//!
//! Invariant: a token stands for everything before it, so one that goes on from it misses nothing; a watcher that does not read costs one
//! message and what a round has found. Absent on purpose: what has changed, which `gateway` finds.

use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::convert::{self, timestamp};
use super::fault::Fault;
use crate::clock::{Clock, Stopwatch};
use crate::gateway::{Changes, Gateway, Seen};
use crate::id::SdkAppId;
use crate::proto::{WatchEntitlementsRequest, WatchEntitlementsResponse};
use crate::time::Timestamp;

/// Apps in a message: some 60 KB.
const APPS_A_MESSAGE: usize = 100;
/// Most apps that a watcher may name.
const NAMED_MAX: usize = 1_000;
/// Most watchers at once: each looks on its own.
const WATCHERS_MAX: usize = 256;
/// How often it is looked for changes: they are told within a second.
const PERIOD: Duration = Duration::from_millis(200);
/// How long nothing is said when nothing has changed.
const SILENCE: Duration = Duration::from_mins(1);

/// What watchers are sent.
pub(super) type Watching = ReceiverStream<Result<WatchEntitlementsResponse, Status>>;

/// Those who watch a gateway.
#[derive(Clone)]
pub(super) struct Watchers {
    gateway: Arc<Gateway>,
    clock: Clock,
    /// Revisions begin anew when the gateway does: a token is of one life of it.
    life: u64,
    seats: Arc<Semaphore>,
}

/// One that watches.
struct Watcher {
    gateway: Arc<Gateway>,
    clock: Clock,
    only: Option<Arc<[SdkAppId]>>,
    /// What its tokens begin with: the life of the gateway and the apps that are watched.
    scope: String,
    to: mpsc::Sender<Result<WatchEntitlementsResponse, Status>>,
    _seat: OwnedSemaphorePermit,
}

/// The one that watches has gone.
struct Gone;

impl Watchers {
    pub(super) fn new(gateway: Arc<Gateway>, clock: Clock) -> Self {
        Self {
            gateway,
            clock,
            life: RandomState::new().hash_one(0),
            seats: Arc::new(Semaphore::new(WATCHERS_MAX)),
        }
    }

    /// Begins to tell.
    pub(super) fn begin(&self, request: &WatchEntitlementsRequest) -> Result<Watching, Status> {
        let only = named(&request.sdk_app_ids)?;
        let seat = Arc::clone(&self.seats).try_acquire_owned();
        let seat = seat.map_err(|_| {
            let message = format!("{WATCHERS_MAX} watch already: end one, or ask again later");
            Status::resource_exhausted(message)
        })?;
        let mut apps = DefaultHasher::new();
        only.hash(&mut apps);
        let scope = format!("{:016x}-{:016x}", self.life, apps.finish());
        let mark = mark_of(&request.token, &scope);
        // One message waits for the peer, one is in its hand.
        let (to, watching) = mpsc::channel(1);
        let watcher = Watcher {
            gateway: Arc::clone(&self.gateway),
            clock: self.clock.clone(),
            only,
            scope,
            to,
            _seat: seat,
        };
        tokio::spawn(watcher.tell(mark));
        Ok(ReceiverStream::new(watching))
    }
}

impl Watcher {
    /// Tells one round after the other, until nobody listens.
    async fn tell(self, mut mark: Option<Seen>) {
        let mut silent = None;
        loop {
            let Ok(changes) = self.look(mark).await else {
                return;
            };
            let is_due = silent.is_none_or(|since: Stopwatch| since.elapsed() >= SILENCE);
            if is_due || !changes.apps.is_empty() {
                if self.send(mark, &changes).await.is_err() {
                    return;
                }
                silent = Some(Stopwatch::start());
            }
            mark = Some(changes.mark);
            tokio::select! {
                () = self.to.closed() => return,
                () = sleep(PERIOD) => {}
            }
        }
    }

    /// Looks for changes, on a thread that serves nobody: there may be many apps.
    async fn look(&self, mark: Option<Seen>) -> Result<Changes, Gone> {
        let (gateway, only) = (Arc::clone(&self.gateway), self.only.clone());
        let now = self.clock.now();
        let look = spawn_blocking(move || {
            let mut changes = gateway.changes(only.as_deref(), mark.as_ref(), now);
            changes.apps.sort_unstable_by_key(|(id, _)| *id);
            changes
        });
        look.await.map_err(|_| Gone)
    }

    /// Sends a round. Until its last message the token is that of the round before.
    async fn send(&self, before: Option<Seen>, changes: &Changes) -> Result<(), Gone> {
        let at = changes.mark.at;
        let mut parts = changes.apps.chunks(APPS_A_MESSAGE).peekable();
        loop {
            let part = parts.next().unwrap_or_default();
            let is_complete = parts.peek().is_none();
            let mark = if is_complete {
                Some(changes.mark)
            } else {
                before
            };
            let apps = part.iter();
            let message = WatchEntitlementsResponse {
                apps: apps
                    .map(|(id, entitlements)| convert::entitlements(id.get(), entitlements, at))
                    .collect(),
                token: mark.map(|mark| self.token(mark)).unwrap_or_default(),
                is_complete,
                as_of: Some(timestamp(at)),
            };
            self.to.send(Ok(message)).await.map_err(|_| Gone)?;
            if is_complete {
                return Ok(());
            }
        }
    }

    fn token(&self, mark: Seen) -> String {
        format!("{}-{}-{}", self.scope, mark.revision, mark.at.as_unix_ms())
    }
}

/// The apps that are named, each once; nothing for all.
fn named(numbers: &[u32]) -> Result<Option<Arc<[SdkAppId]>>, Status> {
    if numbers.len() > NAMED_MAX {
        let problem = format!("names more than {NAMED_MAX} apps: name none to watch all");
        return Err(Fault::of("sdk_app_ids", problem).status());
    }
    let ids = numbers.iter().enumerate().map(|(place, number)| {
        let wrong = |error| Fault::of(format!("sdk_app_ids[{place}]"), format!("{error}")).status();
        SdkAppId::new(*number).map_err(wrong)
    });
    let mut ids = ids.collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok((!ids.is_empty()).then(|| ids.into()))
}

/// Where a token leaves off; nothing for one of another life, or of other apps: then everything is told.
fn mark_of(token: &str, scope: &str) -> Option<Seen> {
    let parts = token.strip_prefix(scope)?.strip_prefix('-')?;
    let (revision, at) = parts.split_once('-')?;
    let at = Timestamp::from_unix_ms_saturating(at.parse().ok()?);
    Some(Seen::kept(revision.parse().ok()?, at))
}

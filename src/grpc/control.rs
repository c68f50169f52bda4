//! ControlService: apps, their editions and overrides, reloading, snapshots, the audit trail.
//!
//! Invariant: what is answered is on the disk and in force; a call that has begun is finished, also when its caller goes away.
//! Absent on purpose: who may call; the service listens where operators are.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Mutex;
use tonic::{Request, Response, Status};

use super::fault::Fault;
use super::request::id_fault;
use super::watch::{Watchers, Watching};
use super::{convert, operator};
use crate::clock::Clock;
use crate::control::{ControlError, ControlPlane};
use crate::gateway::AppError;
use crate::id::SdkAppId;
use crate::ledger::Page;
use crate::proto::control_service_server::ControlService;
use crate::proto::{
    App, CreateAppRequest, GetAppRequest, ListAppsRequest, ListAppsResponse, ListAuditRequest,
    ListAuditResponse, ReloadRequest, ReloadResponse, RemoveOverrideRequest, SetEditionRequest,
    SetOverrideRequest, SnapshotRequest, SnapshotResponse, WatchEntitlementsRequest,
};
use crate::reload::Reloader;
use crate::time::Timestamp;

/// Most apps or entries on a page.
const PAGE_MAX: u32 = 1_000;
/// How many are on a page when nothing is asked for.
const PAGE: u32 = 100;

/// The calls of ControlService.
#[derive(Clone)]
pub struct Control {
    plane: Arc<ControlPlane>,
    reloader: Arc<Reloader>,
    clock: Clock,
    /// Held while a snapshot is taken: at most one call has a thread for it, the others can be given up.
    snapshotting: Arc<Mutex<()>>,
    watchers: Watchers,
}

impl Control {
    /// The service over the operators' side of a gateway and the reloader of its files.
    pub fn new(plane: Arc<ControlPlane>, reloader: Arc<Reloader>, clock: Clock) -> Self {
        Self {
            watchers: Watchers::new(Arc::clone(plane.gateway()), clock.clone()),
            plane,
            reloader,
            clock,
            snapshotting: Arc::default(),
        }
    }

    fn app(&self, id: SdkAppId) -> Result<Response<App>, Status> {
        let shown = self.shown(id, self.clock.now());
        let shown = shown.ok_or_else(|| self.refused(&AppError::NotFound(id).into()));
        shown.map(Response::new)
    }

    fn shown(&self, id: SdkAppId, now: Timestamp) -> Option<App> {
        let gateway = self.plane.gateway();
        let entitlements = gateway.entitlements(id, now)?;
        let overrides = gateway.control(id)?.overrides;
        let overrides = overrides
            .iter()
            .map(|(limit, one)| operator::shown(*limit, one));
        Some(App {
            overrides: overrides.collect(),
            ..convert::app(id.get(), &entitlements, now)
        })
    }

    fn refused(&self, error: &ControlError) -> Status {
        operator::refused(error, &self.plane.gateway().terms().catalog)
    }

    /// Changes an app and shows it. Between what is written down and what is in force, nobody's going away may come.
    async fn change(
        &self,
        id: SdkAppId,
        work: impl Future<Output = Result<(), ControlError>> + Send + 'static,
    ) -> Result<Response<App>, Status> {
        let done = tokio::spawn(work).await;
        let done = done.map_err(|_| Status::internal("the call broke off"))?;
        done.map_err(|error| self.refused(&error))?;
        self.app(id)
    }
}

#[tonic::async_trait]
impl ControlService for Control {
    type WatchEntitlementsStream = Watching;

    async fn watch_entitlements(
        &self,
        request: Request<WatchEntitlementsRequest>,
    ) -> Result<Response<Watching>, Status> {
        self.watchers.begin(request.get_ref()).map(Response::new)
    }

    async fn create_app(
        &self,
        request: Request<CreateAppRequest>,
    ) -> Result<Response<App>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let request = request.into_inner();
        let (id, now) = (app_id(request.sdk_app_id)?, self.clock.now());
        let work = async move {
            plane
                .create_app(&caller, id, None, &request.edition, now)
                .await
        };
        self.change(id, work).await
    }

    async fn get_app(&self, request: Request<GetAppRequest>) -> Result<Response<App>, Status> {
        self.app(app_id(request.into_inner().sdk_app_id)?)
    }

    async fn list_apps(
        &self,
        request: Request<ListAppsRequest>,
    ) -> Result<Response<ListAppsResponse>, Status> {
        let request = request.into_inner();
        let size = usize::try_from(page_size(request.page_size)?).unwrap_or(usize::MAX);
        let after: u32 = page_token(&request.page_token)?.unwrap_or(0);
        let ids = self.plane.gateway().app_ids();
        let start = ids.partition_point(|id| id.get() <= after);
        let page = ids.get(start..).unwrap_or_default();
        let now = self.clock.now();
        let apps = page.iter().take(size);
        let last = page.get(size - 1).filter(|_| page.len() > size);
        Ok(Response::new(ListAppsResponse {
            apps: apps.filter_map(|id| self.shown(*id, now)).collect(),
            next_page_token: last.map(ToString::to_string).unwrap_or_default(),
        }))
    }

    async fn set_edition(
        &self,
        request: Request<SetEditionRequest>,
    ) -> Result<Response<App>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let request = request.into_inner();
        let (id, now) = (app_id(request.sdk_app_id)?, self.clock.now());
        let work = async move { plane.set_edition(&caller, id, &request.edition, now).await };
        self.change(id, work).await
    }

    async fn set_override(
        &self,
        request: Request<SetOverrideRequest>,
    ) -> Result<Response<App>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let (request, now) = (request.into_inner(), self.clock.now());
        let id = app_id(request.sdk_app_id)?;
        let limit = operator::limit(&request.limit)?;
        let one = operator::override_of(&request, now)?;
        let work = async move { plane.set_override(&caller, id, limit, one, now).await };
        self.change(id, work).await
    }

    async fn remove_override(
        &self,
        request: Request<RemoveOverrideRequest>,
    ) -> Result<Response<App>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let request = request.into_inner();
        let (id, now) = (app_id(request.sdk_app_id)?, self.clock.now());
        let limit = operator::limit(&request.limit)?;
        let work = async move { plane.remove_override(&caller, id, limit, now).await };
        self.change(id, work).await
    }

    async fn list_audit(
        &self,
        request: Request<ListAuditRequest>,
    ) -> Result<Response<ListAuditResponse>, Status> {
        let request = request.into_inner();
        let app = match request.sdk_app_id {
            0 => None,
            number => Some(app_id(number)?),
        };
        let size = page_size(request.page_size)?;
        let before = page_token(&request.page_token)?;
        // One more than asked for tells whether there is another page.
        let page = Page {
            app,
            before,
            size: size + 1,
        };
        let entries = self.plane.audit(&page).await;
        let mut entries = entries.map_err(|error| self.refused(&error.into()))?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = entries.len() > size;
        entries.truncate(size);
        let last = entries.last().filter(|_| more);
        Ok(Response::new(ListAuditResponse {
            next_page_token: last.map(|it| it.sequence.to_string()).unwrap_or_default(),
            entries: entries.into_iter().map(operator::entry).collect(),
        }))
    }

    async fn reload(
        &self,
        request: Request<ReloadRequest>,
    ) -> Result<Response<ReloadResponse>, Status> {
        let (reloader, caller) = (Arc::clone(&self.reloader), operator::caller(&request));
        let now = self.clock.now();
        let done = tokio::spawn(async move { reloader.reload(&caller, now).await }).await;
        let done = done.map_err(|_| Status::internal("the reload broke off"))?;
        let catalog = &self.plane.gateway().terms().catalog;
        let revision = done.map_err(|error| operator::not_reloaded(&error, catalog))?;
        Ok(Response::new(ReloadResponse { revision }))
    }

    async fn snapshot(
        &self,
        _: Request<SnapshotRequest>,
    ) -> Result<Response<SnapshotResponse>, Status> {
        let gateway = Arc::clone(self.plane.gateway());
        // One at a time: each has a thread to itself.
        let alone = Arc::clone(&self.snapshotting).lock_owned().await;
        let taken = tokio::task::spawn_blocking(move || {
            let _alone = alone;
            gateway.take_snapshot()
        });
        let taken = taken.await;
        let taken = taken.map_err(|_| Status::internal("the snapshot broke off"))?;
        let taken = taken
            .map_err(|error| Status::unavailable(format!("no snapshot could be taken: {error}")))?;
        let taken = taken.ok_or_else(|| {
            let message =
                "the gateway holds everything in memory: there is nothing to take a snapshot into";
            Status::failed_precondition(message)
        })?;
        tracing::info!(bytes = taken.bytes, "snapshot taken as asked for");
        Ok(Response::new(SnapshotResponse {
            base: taken.base.get(),
            bytes: taken.bytes,
            took: Some(convert::duration(taken.took)),
            longest_hold: Some(convert::duration(taken.longest_hold)),
        }))
    }
}

fn app_id(number: u32) -> Result<SdkAppId, Status> {
    SdkAppId::new(number).map_err(|error| id_fault("sdk_app_id", error).status())
}

fn page_size(asked: u32) -> Result<u32, Status> {
    match asked {
        0 => Ok(PAGE),
        1..=PAGE_MAX => Ok(asked),
        _ => Err(Fault::of("page_size", "must be at most 1,000").status()),
    }
}

/// Where the page before ended; nothing for the first page.
fn page_token<T: std::str::FromStr>(token: &str) -> Result<Option<T>, Status> {
    let wrong = |_| Fault::of("page_token", "is no `next_page_token` of this call").status();
    match token {
        "" => Ok(None),
        token => token.parse().map(Some).map_err(wrong),
    }
}

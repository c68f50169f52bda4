//! ControlService: apps, their editions, add-ons and overrides, reloading, snapshots, the audit trail.
//!
//! Invariant: what is answered is on the disk and in force; a call that has begun is finished, also when its caller goes away.
//! Absent on purpose: who may call; the service listens where operators are.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Mutex;
use tonic::{Request, Response, Status};

use super::bill::{self, Terms};
use super::fault::Fault;
use super::read::{self, app_id, page_size, page_token};
use super::watch::{Watchers, Watching};
use super::{convert, operator};
use crate::clock::Clock;
use crate::control::{ControlError, ControlPlane, WantedChange};
use crate::gateway::AppError;
use crate::id::SdkAppId;
use crate::ledger::Page;
use crate::proto::control_service_server::ControlService;
use crate::proto::{
    App, ChangeConfigurationRequest, CreateAppRequest, DisableRequest, GetAppRequest,
    ListAppsRequest, ListAppsResponse, ListAuditRequest, ListAuditResponse, PreviewChangeRequest,
    PreviewChangeResponse, ReloadRequest, ReloadResponse, RemoveOverrideRequest, SetEditionRequest,
    SetOverrideRequest, SetPrepaidRequest, SnapshotRequest, SnapshotResponse, UpgradeRequest,
    WatchEntitlementsRequest,
};
use crate::reload::Reloader;
use crate::time::Timestamp;

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

    async fn app(&self, id: SdkAppId) -> Result<Response<App>, Status> {
        let shown = self.shown(id, self.clock.now()).await;
        let shown = shown.ok_or_else(|| self.refused(&AppError::NotFound(id).into()));
        shown.map(Response::new)
    }

    /// What an app is, by what the gateway has in force and by what the books know of it.
    async fn shown(&self, id: SdkAppId, now: Timestamp) -> Option<App> {
        let subscribed = self.plane.subscription(id).await?;
        let gateway = self.plane.gateway();
        let entitlements = gateway.entitlements(id, now)?;
        let overrides = gateway.control(id)?.overrides;
        let overrides = overrides
            .iter()
            .map(|(limit, one)| operator::shown(*limit, one));
        let costs = subscribed.costs.iter();
        let prepaid_until = subscribed.prepaid_until.map(|day| day.to_string());
        Some(App {
            overrides: overrides.collect(),
            account: subscribed.account.as_str().to_owned(),
            add_ons: Some(bill::chosen(&subscribed.choices)),
            costs: costs
                .map(|it| bill::cost(it, &entitlements.catalog))
                .collect(),
            prepaid_until: prepaid_until.unwrap_or_default(),
            ..convert::app(id.get(), &entitlements, now)
        })
    }

    fn refused(&self, error: &ControlError) -> Status {
        operator::refused(error, &self.plane.gateway().terms())
    }

    /// The refusal of a call about an app.
    fn refused_of(&self, id: SdkAppId, error: &ControlError) -> Status {
        match error {
            ControlError::Refused(refusal) => operator::forbidden(Some(id), *refusal),
            error => self.refused(error),
        }
    }

    /// Changes an app and shows it. Between what is written down and what is in force, nobody's going away may come.
    async fn change(
        &self,
        id: SdkAppId,
        work: impl Future<Output = Result<(), ControlError>> + Send + 'static,
    ) -> Result<Response<App>, Status> {
        let done = operator::finished(work).await?;
        done.map_err(|error| self.refused_of(id, &error))?;
        self.app(id).await
    }

    /// Whether a change of an app would be an upgrade: whether it is on the free edition.
    async fn would_upgrade(&self, id: SdkAppId) -> Result<(bool, Box<str>), Status> {
        let subscribed = self.plane.subscription(id).await;
        let not_found = || self.refused(&AppError::NotFound(id).into());
        let edition = subscribed.ok_or_else(not_found)?.edition;
        let catalog = &self.plane.gateway().terms().catalog;
        let free = &catalog.edition(catalog.first_edition()).name;
        Ok((edition == *free, edition))
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
        let account = read::maybe_account(&request.account)?;
        let work = async move {
            plane
                .create_app(&caller, id, account, &request.edition, now)
                .await
        };
        self.change(id, work).await
    }

    async fn upgrade(&self, request: Request<UpgradeRequest>) -> Result<Response<App>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let request = request.into_inner();
        let (id, now) = (app_id(request.sdk_app_id)?, self.clock.now());
        let wanted = WantedChange {
            upgrade: true,
            edition: Some(request.edition),
            settings: read::settings(request.add_ons),
        };
        let work = async move { plane.change(&caller, id, wanted, now).await };
        self.change(id, work).await
    }

    async fn change_configuration(
        &self,
        request: Request<ChangeConfigurationRequest>,
    ) -> Result<Response<App>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let request = request.into_inner();
        let (id, now) = (app_id(request.sdk_app_id)?, self.clock.now());
        let wanted = WantedChange {
            upgrade: false,
            edition: read::named(request.edition),
            settings: read::settings(request.add_ons),
        };
        let work = async move { plane.change(&caller, id, wanted, now).await };
        self.change(id, work).await
    }

    async fn preview_change(
        &self,
        request: Request<PreviewChangeRequest>,
    ) -> Result<Response<PreviewChangeResponse>, Status> {
        let request = request.into_inner();
        let (id, now) = (app_id(request.sdk_app_id)?, self.clock.now());
        let (upgrade, edition_before) = self.would_upgrade(id).await?;
        let edition = read::named(request.edition);
        let edition_after = edition
            .clone()
            .unwrap_or_else(|| edition_before.to_string());
        let wanted = WantedChange {
            upgrade,
            edition,
            settings: read::settings(request.add_ons),
        };
        let preview = self.plane.preview(id, wanted, now).await;
        let preview = preview.map_err(|error| self.refused_of(id, &error))?;
        let mut closes_at = Vec::new();
        for bill in &preview.bills {
            closes_at.push(self.plane.closes_at(bill.month).await.unwrap_or(now));
        }
        let terms = self.plane.gateway().terms();
        Ok(Response::new(PreviewChangeResponse {
            edition_before: edition_before.into(),
            edition_after,
            ..bill::preview(&preview, now, &closes_at, Terms::of(&terms))
        }))
    }

    async fn disable(&self, request: Request<DisableRequest>) -> Result<Response<App>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let request = request.into_inner();
        let (id, now) = (app_id(request.sdk_app_id)?, self.clock.now());
        let confirm = SdkAppId::new(request.confirm_sdk_app_id).map_err(|_| {
            let problem = "must repeat sdk_app_id: a disabled app never comes back";
            Fault::of("confirm_sdk_app_id", problem).status()
        })?;
        let work = async move { plane.disable(&caller, id, confirm, now).await };
        self.change(id, work).await
    }

    async fn set_prepaid(
        &self,
        request: Request<SetPrepaidRequest>,
    ) -> Result<Response<App>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let request = request.into_inner();
        let (id, now) = (app_id(request.sdk_app_id)?, self.clock.now());
        let expires = read::day("expires", &request.expires)?;
        let work = async move { plane.prepay(&caller, id, expires, now).await };
        self.change(id, work).await
    }

    async fn get_app(&self, request: Request<GetAppRequest>) -> Result<Response<App>, Status> {
        self.app(app_id(request.into_inner().sdk_app_id)?).await
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
        let mut apps = Vec::new();
        for id in page.iter().take(size) {
            apps.extend(self.shown(*id, now).await);
        }
        let last = page.get(size - 1).filter(|_| page.len() > size);
        Ok(Response::new(ListAppsResponse {
            apps,
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
        let done = operator::finished(async move { reloader.reload(&caller, now).await }).await?;
        let terms = self.plane.gateway().terms();
        let revision = done.map_err(|error| operator::not_reloaded(&error, &terms))?;
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

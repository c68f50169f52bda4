//! ControlService: apps, their editions, reloading, and snapshots.
//!
//! Invariant: what is answered is in force. Absent on purpose: who may call; the service listens where operators are.

use std::sync::Arc;

use tokio::sync::Mutex;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, PreconditionViolation, StatusExt as _};

use super::convert;
use super::fault::Fault;
use super::request::id_fault;
use crate::clock;
use crate::gateway::{AppError, Gateway};
use crate::id::SdkAppId;
use crate::proto::control_service_server::ControlService;
use crate::proto::{
    App, CreateAppRequest, GetAppRequest, ListAppsRequest, ListAppsResponse, ReloadRequest,
    ReloadResponse, SetEditionRequest, SnapshotRequest, SnapshotResponse,
};
use crate::reload::{ReloadError, Reloader};
use crate::subscription::{Plan, Standing};

/// Most apps on a page.
const PAGE_MAX: usize = 1_000;
/// Apps on a page when nothing is asked for.
const PAGE: usize = 100;
/// Most faults that a status carries: it travels in headers, which clients bound at some 8 KiB.
const FAULTS_MAX: usize = 20;

/// The calls of ControlService.
#[derive(Clone)]
pub struct Control {
    gateway: Arc<Gateway>,
    reloader: Arc<Reloader>,
    /// Held while files are read: at most one call has a thread for it, the others can be given up.
    reloading: Arc<Mutex<()>>,
    /// Held while a snapshot is taken, likewise.
    snapshotting: Arc<Mutex<()>>,
}

impl Control {
    /// The service over a gateway and the reloader of its files.
    pub fn new(gateway: Arc<Gateway>, reloader: Arc<Reloader>) -> Self {
        Self {
            gateway,
            reloader,
            reloading: Arc::default(),
            snapshotting: Arc::default(),
        }
    }

    fn app(&self, id: SdkAppId) -> Result<Response<App>, Status> {
        let entitlements = self.gateway.entitlements(id, clock::now());
        let entitlements = entitlements.ok_or_else(|| self.refused(AppError::NotFound(id)))?;
        Ok(Response::new(convert::app(
            id.get(),
            &entitlements,
            clock::now(),
        )))
    }

    fn first_edition(&self) -> String {
        let catalog = &self.gateway.terms().catalog;
        catalog.edition(catalog.first_edition()).name.to_string()
    }

    fn refused(&self, error: AppError) -> Status {
        match error {
            AppError::Exists(_) => Status::already_exists(error.to_string()),
            AppError::NotFound(_) => Status::not_found(error.to_string()),
            AppError::NoEdition(name) => {
                let terms = self.gateway.terms();
                let known: Vec<_> = terms
                    .catalog
                    .editions()
                    .map(|(_, one)| &*one.name)
                    .collect();
                let known = known.join(", ");
                let name: String = name.chars().take(64).collect();
                let problem = format!("the catalog has no edition {name:?}; it has {known}");
                Fault::of("edition", problem).status()
            }
        }
    }
}

#[tonic::async_trait]
impl ControlService for Control {
    async fn create_app(
        &self,
        request: Request<CreateAppRequest>,
    ) -> Result<Response<App>, Status> {
        let CreateAppRequest {
            sdk_app_id,
            edition,
        } = request.into_inner();
        let id = app_id(sdk_app_id)?;
        let edition = if edition.is_empty() {
            self.first_edition()
        } else {
            edition
        };
        let plan = Plan::of(&edition);
        let created = self
            .gateway
            .create_app(id, plan, Standing::GOOD, clock::now());
        created.map_err(|error| self.refused(error))?;
        tracing::info!(app = id.get(), edition, "app created");
        self.app(id)
    }

    async fn get_app(&self, request: Request<GetAppRequest>) -> Result<Response<App>, Status> {
        self.app(app_id(request.into_inner().sdk_app_id)?)
    }

    async fn list_apps(
        &self,
        request: Request<ListAppsRequest>,
    ) -> Result<Response<ListAppsResponse>, Status> {
        let ListAppsRequest {
            page_size,
            page_token,
        } = request.into_inner();
        let size = match usize::try_from(page_size).unwrap_or(usize::MAX) {
            0 => PAGE,
            size @ 1..=PAGE_MAX => size,
            _ => return Err(Fault::of("page_size", "must be at most 1,000").status()),
        };
        let after: u32 = match page_token.as_str() {
            "" => 0,
            token => token.parse().map_err(|_| {
                Fault::of("page_token", "is no `next_page_token` of this call").status()
            })?,
        };
        let ids = self.gateway.app_ids();
        let start = ids.partition_point(|id| id.get() <= after);
        let page = ids.get(start..).unwrap_or_default();
        let now = clock::now();
        let apps = page.iter().take(size).filter_map(|id| {
            let entitlements = self.gateway.entitlements(*id, now)?;
            Some(convert::app(id.get(), &entitlements, now))
        });
        let last = page.get(size - 1).filter(|_| page.len() > size);
        Ok(Response::new(ListAppsResponse {
            apps: apps.collect(),
            next_page_token: last.map(ToString::to_string).unwrap_or_default(),
        }))
    }

    async fn set_edition(
        &self,
        request: Request<SetEditionRequest>,
    ) -> Result<Response<App>, Status> {
        let SetEditionRequest {
            sdk_app_id,
            edition,
        } = request.into_inner();
        let id = app_id(sdk_app_id)?;
        let set = self.gateway.set_edition(id, &edition, clock::now());
        set.map_err(|error| self.refused(error))?;
        tracing::info!(app = id.get(), edition, "edition set");
        self.app(id)
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, Status> {
        let reloader = Arc::clone(&self.reloader);
        // Reading files blocks: not on a thread that serves admissions.
        let alone = Arc::clone(&self.reloading).lock_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let _alone = alone;
            reloader.reload(clock::now())
        });
        let done = done.await;
        let done = done.map_err(|_| Status::internal("the reload broke off"))?;
        let revision = done.map_err(|error| not_reloaded(&error))?;
        Ok(Response::new(ReloadResponse { revision }))
    }

    async fn snapshot(
        &self,
        _: Request<SnapshotRequest>,
    ) -> Result<Response<SnapshotResponse>, Status> {
        let gateway = Arc::clone(&self.gateway);
        // One at a time, as with files that are read: each has a thread to itself.
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

/// A failed reload as a status: what is wrong in the files, each fault with its place.
fn not_reloaded(error: &ReloadError) -> Status {
    let violations: Vec<_> = match error {
        ReloadError::BuiltIn => Vec::new(),
        ReloadError::Faults(faults) => faults
            .iter()
            .take(FAULTS_MAX)
            .map(|fault| {
                let place = format!("{}:{}:{}", fault.file, fault.line, fault.column);
                PreconditionViolation::new("CONFIG_FAULT", place, &*fault.message)
            })
            .collect(),
        ReloadError::Stranded(stranded) => stranded
            .iter()
            .take(FAULTS_MAX)
            .map(|one| {
                let what = format!(
                    "is on edition \"{}\", which the new catalog lacks",
                    one.edition
                );
                PreconditionViolation::new("EDITION_IN_USE", format!("app {}", one.app), what)
            })
            .collect(),
    };
    let details = ErrorDetails::with_precondition_failure(violations);
    Status::with_error_details(Code::FailedPrecondition, error.to_string(), details)
}

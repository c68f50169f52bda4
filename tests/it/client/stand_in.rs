//! A stand-in for a gateway: allows all but the user `denied`, calls empty ids wrong, and remembers what it was asked.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use quotagate::client::OperationKind;
use quotagate::proto::admission_service_server::{AdmissionService, AdmissionServiceServer};
use quotagate::proto::control_service_server::{ControlService, ControlServiceServer};
use quotagate::proto::{
    AdmitBatchRequest, AdmitBatchResponse, AdmitRequest, AdmitResponse, App, AuditEntry,
    BatchError, ChangeConfigurationRequest, CreateAppRequest, DisableRequest, FieldViolation,
    GetAppRequest, GetUsageRequest, GetUsageResponse, ListAppsRequest, ListAppsResponse,
    ListAuditRequest, ListAuditResponse, Login, Outcome, PreviewChangeRequest,
    PreviewChangeResponse, Reason, ReloadRequest, ReloadResponse, RemoveOverrideRequest,
    SetEditionRequest, SetOverrideRequest, SetPrepaidRequest, SnapshotRequest, SnapshotResponse,
    UpgradeRequest, WatchEntitlementsRequest, WatchEntitlementsResponse, admit_request, operation,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{self, Runtime};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The revision of every answer.
pub const REVISION: u64 = 9;

/// A running stand-in, in a runtime of its own: when that goes, its connections go.
pub struct StandIn {
    pub address: String,
    seen: Shared,
    runtime: Option<Runtime>,
}

/// What it was asked.
#[derive(Default)]
struct Seen {
    operations: Vec<&'static str>,
    batches: Vec<usize>,
    timeout: Option<String>,
    unavailable: bool,
}

type Shared = Arc<Mutex<Seen>>;

impl StandIn {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    pub fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        listener.set_nonblocking(true).expect("a listener");
        Self::serve(address, || {
            TcpListenerStream::new(listener.try_into().expect("in a runtime"))
        })
    }

    pub fn start_at_socket(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a free path");
        let address = format!("unix://{}", path.display());
        listener.set_nonblocking(true).expect("a listener");
        Self::serve(address, || {
            UnixListenerStream::new(listener.try_into().expect("in a runtime"))
        })
    }

    fn serve<I, C>(address: String, incoming: impl FnOnce() -> I) -> Self
    where
        I: Stream<Item = io::Result<C>> + Send + 'static,
        C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let mut builder = runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let seen = Shared::default();
        let admission = Admission(Arc::clone(&seen));
        let server = Server::builder()
            .add_service(AdmissionServiceServer::new(admission))
            .add_service(ControlServiceServer::new(Control));
        let incoming = {
            let _inside = runtime.enter();
            incoming()
        };
        runtime.spawn(server.serve_with_incoming(incoming));
        let runtime = Some(runtime);
        Self {
            address,
            seen,
            runtime,
        }
    }

    /// Ends, with its port and every connection.
    pub async fn kill(mut self) {
        let runtime = self.runtime.take();
        let dropped = tokio::task::spawn_blocking(|| drop(runtime));
        dropped.await.expect("no panic");
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic")
    }

    /// The names of the operations so far, in order.
    pub fn asked(&self) -> Vec<&'static str> {
        self.seen().operations.clone()
    }

    /// The sizes of the batches so far.
    pub fn batches(&self) -> Vec<usize> {
        self.seen().batches.clone()
    }

    /// The grpc-timeout of the last call.
    pub fn timeout(&self) -> Option<String> {
        self.seen().timeout.clone()
    }

    /// The next call or batch is answered UNAVAILABLE, as by a gateway that shuts down.
    pub fn be_unavailable_once(&self) {
        self.seen().unavailable = true;
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub fn login(app: u32, user: &str) -> AdmitRequest {
    let user = user.into();
    AdmitRequest {
        sdk_app_id: app,
        operation: Some(admit_request::Operation::Login(Login { user })),
        ..AdmitRequest::default()
    }
}

struct Admission(Shared);

type Answers = Pin<Box<dyn Stream<Item = Result<AdmitBatchResponse, Status>> + Send>>;

impl Admission {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().expect("no panic")
    }

    /// A `login` by its user; the other operations are allowed. The user `silent` gets no answer.
    async fn answer(&self, operation: Option<&operation::Operation>) -> AdmitResponse {
        let Some(operation) = operation else {
            return AdmitResponse::default();
        };
        let name = OperationKind::from(operation).name();
        self.seen().operations.push(name);
        let mut response = AdmitResponse {
            outcome: Outcome::Allowed.into(),
            changed: true,
            ..AdmitResponse::default()
        };
        match user(operation) {
            Some("silent") => std::future::pending().await,
            Some("denied") => {
                response.outcome = Outcome::Denied.into();
                response.reason = Reason::UserLimit.into();
                response.im_error_code = 42;
                response.message = "no room".into();
            }
            _ => {}
        }
        response
    }

    async fn batch(&self, request: AdmitBatchRequest) -> Result<AdmitBatchResponse, Status> {
        self.seen().batches.push(request.operations.len());
        if std::mem::take(&mut self.seen().unavailable) {
            return Err(Status::unavailable("shutting down"));
        }
        let batch_id = request.batch_id;
        let wrong: Vec<_> = request
            .operations
            .iter()
            .enumerate()
            .filter(|(_, it)| it.operation.as_ref().and_then(user) == Some(""))
            .map(|(at, _)| FieldViolation {
                field: format!("operations[{at}].login.user"),
                description: "is empty; give an id".into(),
            })
            .collect();
        if !wrong.is_empty() {
            let error = BatchError {
                code: Code::InvalidArgument.into(),
                message: "wrong".into(),
                violations: wrong,
                retry_ms: 0,
            };
            return Ok(AdmitBatchResponse {
                batch_id,
                error: Some(error),
                ..AdmitBatchResponse::default()
            });
        }
        let mut results = Vec::new();
        for it in &request.operations {
            results.push(self.answer(it.operation.as_ref()).await);
        }
        Ok(AdmitBatchResponse {
            batch_id,
            committed: true,
            revision: REVISION,
            results,
            error: None,
        })
    }
}

fn user(operation: &operation::Operation) -> Option<&str> {
    match operation {
        operation::Operation::Login(Login { user }) => Some(user),
        _ => None,
    }
}

fn invalid(violations: Vec<FieldViolation>) -> Status {
    let mut details = ErrorDetails::new();
    for it in violations {
        details.add_bad_request_violation(it.field, it.description);
    }
    Status::with_error_details(Code::InvalidArgument, "wrong", details)
}

#[tonic::async_trait]
impl AdmissionService for Admission {
    async fn admit(
        &self,
        request: Request<AdmitRequest>,
    ) -> Result<Response<AdmitResponse>, Status> {
        let timeout = request.metadata().get("grpc-timeout");
        let timeout = timeout.and_then(|it| it.to_str().ok()).map(Into::into);
        self.seen().timeout = timeout;
        if std::mem::take(&mut self.seen().unavailable) {
            return Err(Status::unavailable("shutting down"));
        }
        let part = quotagate::proto::Operation::from(request.into_inner());
        if part.operation.as_ref().and_then(user) == Some("") {
            return Err(invalid(vec![FieldViolation {
                field: "login.user".into(),
                description: "is empty; give an id".into(),
            }]));
        }
        let mut response = self.answer(part.operation.as_ref()).await;
        response.revision = REVISION;
        Ok(Response::new(response))
    }

    async fn admit_batch(
        &self,
        request: Request<AdmitBatchRequest>,
    ) -> Result<Response<AdmitBatchResponse>, Status> {
        let mut response = self.batch(request.into_inner()).await?;
        match response.error.take() {
            Some(error) => Err(invalid(error.violations)),
            None => Ok(Response::new(response)),
        }
    }

    type AdmitStreamStream = Answers;

    async fn admit_stream(
        &self,
        request: Request<Streaming<AdmitBatchRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let this = Self(Arc::clone(&self.0));
        let answers = request.into_inner().then(move |batch| {
            let this = Self(Arc::clone(&this.0));
            async move { this.batch(batch?).await }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_usage(
        &self,
        _: Request<GetUsageRequest>,
    ) -> Result<Response<GetUsageResponse>, Status> {
        Err(Status::invalid_argument("sdk_app_id: is 0"))
    }
}

struct Control;

fn app(sdk_app_id: u32, edition: String) -> Response<App> {
    Response::new(App {
        sdk_app_id,
        edition,
        ..App::default()
    })
}

#[tonic::async_trait]
impl ControlService for Control {
    type WatchEntitlementsStream = tokio_stream::Empty<Result<WatchEntitlementsResponse, Status>>;

    async fn watch_entitlements(
        &self,
        _: Request<WatchEntitlementsRequest>,
    ) -> Result<Response<Self::WatchEntitlementsStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn upgrade(&self, request: Request<UpgradeRequest>) -> Result<Response<App>, Status> {
        let request = request.into_inner();
        Ok(app(request.sdk_app_id, request.edition))
    }

    async fn change_configuration(
        &self,
        request: Request<ChangeConfigurationRequest>,
    ) -> Result<Response<App>, Status> {
        let request = request.into_inner();
        Ok(app(request.sdk_app_id, request.edition))
    }

    async fn preview_change(
        &self,
        request: Request<PreviewChangeRequest>,
    ) -> Result<Response<PreviewChangeResponse>, Status> {
        Ok(Response::new(PreviewChangeResponse {
            edition_after: request.into_inner().edition,
            ..PreviewChangeResponse::default()
        }))
    }

    async fn disable(&self, request: Request<DisableRequest>) -> Result<Response<App>, Status> {
        let request = request.into_inner();
        Ok(app(
            request.sdk_app_id,
            request.confirm_sdk_app_id.to_string(),
        ))
    }

    async fn set_prepaid(
        &self,
        request: Request<SetPrepaidRequest>,
    ) -> Result<Response<App>, Status> {
        let request = request.into_inner();
        Ok(app(request.sdk_app_id, request.expires))
    }

    async fn create_app(
        &self,
        request: Request<CreateAppRequest>,
    ) -> Result<Response<App>, Status> {
        let request = request.into_inner();
        Ok(app(request.sdk_app_id, request.edition))
    }

    async fn get_app(&self, request: Request<GetAppRequest>) -> Result<Response<App>, Status> {
        let number = request.into_inner().sdk_app_id;
        Err(Status::not_found(format!("there is no app {number}")))
    }

    async fn list_apps(
        &self,
        _: Request<ListAppsRequest>,
    ) -> Result<Response<ListAppsResponse>, Status> {
        Ok(Response::new(ListAppsResponse::default()))
    }

    async fn set_edition(
        &self,
        request: Request<SetEditionRequest>,
    ) -> Result<Response<App>, Status> {
        let request = request.into_inner();
        Ok(app(request.sdk_app_id, request.edition))
    }

    async fn set_override(
        &self,
        request: Request<SetOverrideRequest>,
    ) -> Result<Response<App>, Status> {
        let request = request.into_inner();
        Ok(app(request.sdk_app_id, request.limit))
    }

    async fn remove_override(
        &self,
        request: Request<RemoveOverrideRequest>,
    ) -> Result<Response<App>, Status> {
        let limit = request.into_inner().limit;
        Err(Status::not_found(format!("no override of {limit}")))
    }

    /// One entry, by whoever asks for it.
    async fn list_audit(
        &self,
        request: Request<ListAuditRequest>,
    ) -> Result<Response<ListAuditResponse>, Status> {
        let actor = request.metadata().get("x-quotagate-actor");
        let actor = actor.map_or("", |actor| actor.to_str().expect("text"));
        let entry = AuditEntry {
            actor: actor.to_owned(),
            ..AuditEntry::default()
        };
        Ok(Response::new(ListAuditResponse {
            entries: vec![entry],
            next_page_token: String::new(),
        }))
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, Status> {
        let mut details = ErrorDetails::new();
        details.add_precondition_failure_violation("CONFIG", "a.toml:1:2", "is wrong");
        details.add_precondition_failure_violation("CONFIG", "b.toml:3:4", "is wrong too");
        let (code, message) = (Code::FailedPrecondition, "2 faults");
        Err(Status::with_error_details(code, message, details))
    }

    async fn snapshot(
        &self,
        _: Request<SnapshotRequest>,
    ) -> Result<Response<SnapshotResponse>, Status> {
        Ok(Response::new(SnapshotResponse::default()))
    }
}

//! Servers on stock tonic, each in a process of its own: the echo, and the gateway behind the generated service.
//!
//! The second shows what the gateway's own transport is for: the same decisions, asked for the usual way.

use std::net::TcpListener as StdTcpListener;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll};

use quotagate::admission::{Decision, Mode, Request as Operation};
use quotagate::catalog::Catalog;
use quotagate::clock;
use quotagate::gateway::{Commit, Gateway};
use quotagate::id::{GroupId, UserId};
use quotagate::proto::admission_service_server::{AdmissionService, AdmissionServiceServer};
use quotagate::proto::{self, JoinGroup};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::server::{Router, Server, TcpIncoming};
use tonic::{Request, Response, Status, Streaming};

use crate::common;
use crate::echo::{EchoServer, Echoing};
use crate::procs;
use crate::talk::APP;

/// The first argument of a child.
const ECHO: &str = "echo";
/// The first argument of the other kind of child.
const GENERATED: &str = "generated";

/// The echo over stock tonic, on a runtime of so many threads.
pub fn echo(threads: usize) -> procs::Server {
    start(ECHO, threads)
}

/// The gateway behind the generated service over stock tonic.
pub fn generated(threads: usize) -> procs::Server {
    start(GENERATED, threads)
}

fn start(kind: &str, threads: usize) -> procs::Server {
    let dir = tempfile::tempdir().expect("a directory");
    let unix = dir.path().join("socket");
    let mut command = Command::new(std::env::current_exe().expect("a running program"));
    command.args([kind, &threads.to_string()]).arg(&unix);
    procs::Server::start(command, unix, dir)
}

/// Runs the child that the arguments name, for ever; returns if they name none.
pub fn run_if_asked() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, threads, path, ..] = arguments.as_slice() else {
        return;
    };
    if kind != ECHO && kind != GENERATED {
        return;
    }
    common::settle_allocator();
    let threads: usize = threads.parse().expect("a number of threads");
    let runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    }
    .worker_threads(threads)
    .enable_all()
    .build()
    .expect("a runtime");
    let router = if kind == ECHO {
        Server::builder().add_service(EchoServer::new(Echoing))
    } else {
        let (gateway, catalog) = common::gateway();
        common::create_app(&gateway, common::app(APP));
        let service = AdmissionServiceServer::new(Admissions {
            gateway: Arc::new(gateway),
            catalog,
        });
        Server::builder().add_service(service)
    };
    runtime.block_on(async {
        // On several threads connections are accepted by one of them, not by the thread that waits here.
        let serving = tokio::spawn(serve(router, path.clone()));
        serving.await.expect("no panic");
    });
}

/// Serves on a free port, which it prints as the program does, and on a Unix socket.
async fn serve(router: Router, path: String) {
    let tcp = StdTcpListener::bind("127.0.0.1:0").expect("a free port");
    tcp.set_nonblocking(true).expect("non-blocking");
    let address = tcp.local_addr().expect("an address");
    let unix = UnixListener::bind(path).expect("a free path");
    println!("listening on http://{address}");
    let tcp = TcpListener::from_std(tcp).expect("a listener");
    let tcp = TcpIncoming::from(tcp).with_nodelay(Some(true));
    let both = tokio::join!(
        router.clone().serve_with_incoming(tcp),
        router.serve_with_incoming(UnixIncoming(unix))
    );
    both.0.expect("it serves");
    both.1.expect("it serves");
}

struct UnixIncoming(UnixListener);

impl Stream for UnixIncoming {
    type Item = std::io::Result<UnixStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = self.0.poll_accept(cx);
        accepted.map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

/// The gateway behind the generated service. It takes joins, which are all that is measured.
#[derive(Clone)]
struct Admissions {
    gateway: Arc<Gateway>,
    catalog: Arc<Catalog>,
}

type Answered<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AdmissionService for Admissions {
    async fn admit(&self, request: Request<proto::AdmitRequest>) -> Answered<proto::AdmitResponse> {
        let request = request.get_ref();
        let Some(proto::admit_request::Operation::JoinGroup(join)) = &request.operation else {
            return Err(Status::unimplemented("only joins"));
        };
        let operation = operation(&self.catalog, join)?;
        let id = common::app(request.sdk_app_id);
        let mode = mode(request.mode());
        let answer = self.gateway.admit(id, &operation, mode, clock::now());
        Ok(Response::new(proto::AdmitResponse {
            revision: answer.revision,
            ..response(&answer.decision)
        }))
    }

    async fn admit_batch(
        &self,
        request: Request<proto::AdmitBatchRequest>,
    ) -> Answered<proto::AdmitBatchResponse> {
        self.batch(request.get_ref()).map(Response::new)
    }

    type AdmitStreamStream =
        Pin<Box<dyn Stream<Item = Result<proto::AdmitBatchResponse, Status>> + Send>>;

    async fn admit_stream(
        &self,
        request: Request<Streaming<proto::AdmitBatchRequest>>,
    ) -> Answered<Self::AdmitStreamStream> {
        let service = self.clone();
        let answers = request.into_inner();
        let answers = answers.map(move |message| service.batch(&message?));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_usage(
        &self,
        _: Request<proto::GetUsageRequest>,
    ) -> Answered<proto::GetUsageResponse> {
        Err(Status::unimplemented("only admissions"))
    }
}

impl Admissions {
    fn batch(
        &self,
        request: &proto::AdmitBatchRequest,
    ) -> Result<proto::AdmitBatchResponse, Status> {
        let joins = request.operations.iter().map(|one| match &one.operation {
            Some(proto::operation::Operation::JoinGroup(join)) => operation(&self.catalog, join),
            _ => Err(Status::unimplemented("only joins")),
        });
        let operations: Vec<_> = joins.collect::<Result<_, _>>()?;
        let id = common::app(request.sdk_app_id);
        let mode = mode(request.mode());
        let answer = self
            .gateway
            .admit_batch(id, &operations, mode, Commit::Each, clock::now());
        Ok(proto::AdmitBatchResponse {
            batch_id: request.batch_id,
            committed: answer.committed,
            revision: answer.revision,
            results: answer.decisions.iter().map(response).collect(),
            error: None,
        })
    }
}

fn operation<'a>(catalog: &Catalog, join: &'a JoinGroup) -> Result<Operation<'a>, Status> {
    let wrong = |_| Status::invalid_argument("an id is 1 to 128 bytes");
    Ok(Operation::JoinGroup {
        group: GroupId::new(&join.group).map_err(wrong)?,
        user: UserId::new(&join.user).map_err(wrong)?,
        kind: catalog.group_type_named(&join.r#type).map(|kind| kind.id),
    })
}

fn mode(mode: proto::Mode) -> Mode {
    match mode {
        proto::Mode::Enforce => Mode::Enforce,
        proto::Mode::DryRun => Mode::DryRun,
        proto::Mode::Record => Mode::Record,
    }
}

/// An answer without the words of a denial: here nothing is denied.
fn response(decision: &Decision) -> proto::AdmitResponse {
    let outcome = if decision.outcome.is_allowed() {
        proto::Outcome::Allowed
    } else {
        proto::Outcome::Denied
    };
    proto::AdmitResponse {
        outcome: outcome.into(),
        changed: decision.changed,
        over_limit: decision.over_limit,
        ..proto::AdmitResponse::default()
    }
}

//! A served gateway with app 1, and ways to ask it: messages, bytes, bodies. Everything has a default, and a bound in time.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use quotagate::clock::Clock;
use quotagate::config::Settings;
use quotagate::control::{ControlPlane, Wanted};
use quotagate::gateway::Gateway;
use quotagate::id::IdKey;
use quotagate::journal::{Options, Storage};
use quotagate::ledger::Ledger;
use quotagate::proto::admission_service_client::AdmissionServiceClient;
use quotagate::proto::control_service_client::ControlServiceClient;
use quotagate::proto::{self, admit_request, operation};
use quotagate::recovery::recover;
use quotagate::reload::Reloader;
use quotagate::server::{Drained, Keeper, Server};
use quotagate::time::Zone;
use quotagate::usage::AppUsage;
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};

use crate::support::{app, terms};

/// Nothing takes as long, however busy the machine.
pub const PATIENT: Duration = Duration::from_secs(30);

pub const ADMIT: &str = "/quotagate.v1.AdmissionService/Admit";
pub const ADMIT_BATCH: &str = "/quotagate.v1.AdmissionService/AdmitBatch";
pub const ADMIT_STREAM: &str = "/quotagate.v1.AdmissionService/AdmitStream";
pub const GET_USAGE: &str = "/quotagate.v1.AdmissionService/GetUsage";
pub const CREATE_APP: &str = "/quotagate.v1.ControlService/CreateApp";

/// What a gateway is served with.
pub struct Setup {
    pub edition: &'static str,
    /// The text of the limits file.
    pub limits: &'static str,
    pub settings: Settings,
    /// Where files to reload are.
    pub dir: Option<PathBuf>,
    /// What time it is.
    pub clock: Clock,
    /// Where its journal is; nothing for a gateway that holds all in memory.
    pub storage: Option<(Arc<dyn Storage>, Options)>,
}

/// A served gateway.
pub struct Gate {
    pub gateway: Arc<Gateway>,
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    pub clock: Clock,
    server: Option<Server>,
    runtime: Runtime,
    keeper: Option<Keeper>,
}

impl Gate {
    pub fn open() -> Self {
        Self::with(|_| {})
    }

    pub fn with(edit: impl FnOnce(&mut Setup)) -> Self {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings {
            listen: anywhere,
            monitoring: anywhere,
            workers: Some(2),
            ..Settings::default()
        };
        let mut setup = Setup {
            edition: "trial",
            limits: "",
            settings,
            dir: None,
            clock: Clock::machine(),
            storage: None,
        };
        edit(&mut setup);
        let key = IdKey::new(*b"a key for tests.");
        let gateway = Arc::new(match setup.storage {
            None => Gateway::new(terms(setup.limits), key),
            Some((storage, options)) => {
                let created = |_| Some(Zone::default().day(setup.clock.now()));
                let recovered = recover(storage, options, &created, &mut |_| {});
                let recovered = recovered.expect("what a gateway has left");
                Gateway::durable(terms(setup.limits), key, recovered)
            }
        });
        let keeper = Keeper::start(&gateway, 1 << 20).expect("threads");
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let plane = runtime.block_on(async {
            let ledger = Ledger::in_memory().await.expect("memory");
            let wanted = Wanted {
                file: "the test",
                apps: &[(app(1), Some(setup.edition.into()))],
                push_day: quotagate::rating::PushDay::default(),
            };
            ControlPlane::start(Arc::clone(&gateway), ledger, &wanted, setup.clock.now()).await
        });
        let plane = Arc::new(plane.expect("a new app"));
        let reloader = Arc::new(Reloader::new(Arc::clone(&plane), setup.dir));
        let server = Server::start(setup.settings, plane, reloader, setup.clock.clone());
        let server = runtime.block_on(server).expect("a free port");
        Self {
            gateway,
            grpc: server.grpc(),
            http: server.http(),
            clock: setup.clock,
            server: Some(server),
            runtime,
            keeper,
        }
    }

    /// Does something that must not take for ever.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let bounded = async { timeout(PATIENT, work).await };
        self.runtime.block_on(bounded).expect("done in time")
    }

    /// Does something beside the test.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(work)
    }

    /// A connection of its own.
    pub fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.grpc)).expect("an address");
        self.run(endpoint.connect()).expect("it listens")
    }

    pub fn admission(&self) -> AdmissionServiceClient<Channel> {
        AdmissionServiceClient::new(self.channel())
    }

    pub fn control(&self) -> ControlServiceClient<Channel> {
        ControlServiceClient::new(self.channel())
    }

    /// Admits to app 1.
    pub fn admit(&self, operation: admit_request::Operation) -> proto::AdmitResponse {
        let mut client = self.admission();
        let answer = self.run(client.admit(ask(operation)));
        answer.expect("a valid request").into_inner()
    }

    /// Takes the server, to be stopped.
    pub fn server(&mut self) -> Server {
        self.server.take().expect("it was not stopped yet")
    }

    /// Stops the server.
    pub fn stop(&mut self) -> Drained {
        let server = self.server();
        self.run(server.stop())
    }

    /// Stops the server, and closes the journal.
    pub fn close(mut self) {
        self.stop();
        let closed = self.keeper.take().map(Keeper::close);
        closed.expect("a journal").expect("a disk in good order");
    }

    /// What app 1 has.
    pub fn usage(&self) -> AppUsage {
        self.gateway
            .app_usage(app(1), self.clock.now())
            .expect("an app")
    }

    /// The status of a call whose body is `body`, whatever that is.
    pub fn status_of(&self, path: &str, body: &[u8]) -> (Code, String) {
        self.run(status_of(self.grpc, path, Bytes::copy_from_slice(body)))
    }
}

/// A request to admit one operation to app 1.
pub fn ask(operation: admit_request::Operation) -> proto::AdmitRequest {
    proto::AdmitRequest {
        sdk_app_id: 1,
        operation: Some(operation),
        ..Default::default()
    }
}

/// A batch of operations for app 1.
pub fn batch(
    operations: impl IntoIterator<Item = operation::Operation>,
) -> proto::AdmitBatchRequest {
    let operation = |operation| proto::Operation {
        operation: Some(operation),
        ..Default::default()
    };
    proto::AdmitBatchRequest {
        sdk_app_id: 1,
        operations: operations.into_iter().map(operation).collect(),
        ..Default::default()
    }
}

pub fn register(user: impl Into<String>) -> admit_request::Operation {
    admit_request::Operation::RegisterUser(proto::RegisterUser { user: user.into() })
}

pub fn register_in_batch(user: impl Into<String>) -> operation::Operation {
    operation::Operation::RegisterUser(proto::RegisterUser { user: user.into() })
}

pub fn create(group: &str, kind: &str, owner: &str, members: &[&str]) -> admit_request::Operation {
    admit_request::Operation::CreateGroup(proto::CreateGroup {
        group: group.to_owned(),
        r#type: kind.to_owned(),
        owner: owner.to_owned(),
        members: members.iter().map(ToString::to_string).collect(),
    })
}

pub fn join(group: &str, user: impl Into<String>) -> admit_request::Operation {
    admit_request::Operation::JoinGroup(proto::JoinGroup {
        group: group.to_owned(),
        user: user.into(),
        r#type: String::new(),
    })
}

/// A message with gRPC's prefix.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// Asks for one answer with a message's bytes.
pub async fn unary(channel: &Channel, path: &'static str, message: Bytes) -> Result<Bytes, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.expect("a connection");
    let path = PathAndQuery::from_static(path);
    let answer = client.unary(Request::new(message), path, Bytewise).await;
    answer.map(tonic::Response::into_inner)
}

/// Opens a stream of batches as bytes.
pub async fn stream(
    channel: &Channel,
    batches: impl Stream<Item = Bytes> + Send + 'static,
) -> Result<Streaming<Bytes>, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.expect("a connection");
    let path = PathAndQuery::from_static(ADMIT_STREAM);
    let answers = client.streaming(Request::new(batches), path, Bytewise);
    answers.await.map(tonic::Response::into_inner)
}

async fn status_of(address: SocketAddr, path: &str, body: Bytes) -> (Code, String) {
    let socket = TcpStream::connect(address).await.expect("it listens");
    let (mut client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let request = http::Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .body(())
        .expect("a request");
    let (answer, mut sending) = client.send_request(request, false).expect("a stream");
    // It may be refused before its body is there.
    let _ = sending.send_data(body, true);
    let (head, mut body) = answer.await.expect("an answer").into_parts();
    let mut headers = head.headers;
    while let Some(data) = body.data().await {
        let data = data.expect("a body").len();
        body.flow_control()
            .release_capacity(data)
            .expect("received");
    }
    if let Some(trailers) = body.trailers().await.expect("trailers") {
        headers.extend(trailers);
    }
    connection.abort();
    let status = Status::from_header_map(&headers).expect("a status");
    (status.code(), status.message().to_owned())
}

/// Messages as they stand on the wire.
#[derive(Clone, Copy)]
struct Bytewise;

impl Codec for Bytewise {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bytewise {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Bytewise {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

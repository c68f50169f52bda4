//! A gateway with its data directory and its files, which can be stopped and started again, and a diary of the calls made to it.

use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quotagate::clock::Clock;
use quotagate::config::{self, Settings};
use quotagate::control::{ControlPlane, Wanted};
use quotagate::data_dir::DataDir;
use quotagate::entitlement::Terms;
use quotagate::gateway::Gateway;
use quotagate::id::IdKey;
use quotagate::journal::{Directory, Options};
use quotagate::ledger::Ledger;
use quotagate::proto::admission_service_client::AdmissionServiceClient;
use quotagate::proto::admit_request::Operation;
use quotagate::proto::billing_service_client::BillingServiceClient;
use quotagate::proto::control_service_client::ControlServiceClient;
use quotagate::proto::{
    AdmitRequest, AdmitResponse, AuditEntry, Bill, GetBillRequest, ListAuditRequest, Outcome,
    Reason,
};
use quotagate::recovery::recover;
use quotagate::reload::Reloader;
use quotagate::server::{Keeper, Server};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use crate::support::at;

/// Nothing takes as long, however busy the machine.
const PATIENT: Duration = Duration::from_mins(1);

/// A deployment, from its first day on.
pub struct House {
    pub clock: Clock,
    dir: TempDir,
    runtime: Runtime,
    running: Option<Running>,
    /// The operators' calls that were made, each with what came of it, in order.
    diary: Vec<(&'static str, bool)>,
}

struct Running {
    server: Server,
    keeper: Option<Keeper>,
    plane: Arc<ControlPlane>,
    channel: Channel,
    data: DataDir,
}

impl House {
    /// Its quotas are so small that a few users are beyond them: 3 daily users and blocks of 2, 4 groups and blocks of 3.
    pub fn found(on: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/catalog.toml");
        let catalog = fs::read_to_string(bundled).expect("readable");
        let (users, groups) = (
            "free = 10000, block = 10000",
            "free = 100000, block = 100000",
        );
        assert!(catalog.contains(users) && catalog.contains(groups));
        let catalog = catalog.replace(users, "free = 3, block = 2");
        let catalog = catalog.replace(groups, "free = 4, block = 3");
        fs::write(dir.path().join("catalog.toml"), catalog).expect("written");
        fs::write(dir.path().join("limits.toml"), "").expect("written");
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let mut house = Self {
            clock: Clock::by_hand(at(on)),
            dir,
            runtime,
            running: None,
            diary: Vec::new(),
        };
        house.start();
        house
    }

    /// As `serve` does it.
    fn start(&mut self) {
        let loaded = config::load_dir(self.dir.path()).expect("no fault");
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings {
            listen: anywhere,
            monitoring: anywhere,
            workers: Some(1),
            ..Settings::default()
        };
        let terms = Terms {
            catalog: Arc::new(loaded.catalog),
            policy: Arc::new(loaded.policy),
            zone: settings.zone,
        };
        let (clock, key) = (self.clock.clone(), IdKey::new(*b"a key for tests."));
        let path = self.dir.path().join("data");
        let (data, key) =
            DataDir::open(&path, Some(key), "of a test", clock.now()).expect("a directory");
        let config = self.dir.path().to_owned();
        let started = async {
            let ledger = Ledger::open(&path).await.expect("a ledger");
            let apps = ledger.apps().await.expect("apps");
            let zone = terms.zone;
            let created = |id| {
                let app = apps.iter().find(|it| it.id == id);
                app.map(|it| zone.day(it.created_at))
            };
            let directory = Arc::new(Directory::new(&path));
            let recovered = recover(directory, Options::default(), &created, &mut |_| {});
            let gateway = Gateway::durable(terms, key, recovered.expect("nothing is damaged"));
            let gateway = Arc::new(gateway);
            let wanted = Wanted {
                file: "the test",
                apps: &[],
                push_day: settings.push_day,
            };
            let plane = ControlPlane::start(Arc::clone(&gateway), ledger, &wanted, clock.now());
            let plane = Arc::new(plane.await.expect("what was left"));
            let reloader = Arc::new(Reloader::new(Arc::clone(&plane), Some(config)));
            let keeper = Keeper::start(&gateway, 1 << 20).expect("threads");
            let server = Server::start(settings, Arc::clone(&plane), reloader, clock).await;
            let server = server.expect("a free port");
            let endpoint = Endpoint::from_shared(format!("http://{}", server.grpc()));
            let channel = endpoint.expect("an address").connect().await;
            Running {
                channel: channel.expect("it listens"),
                server,
                keeper,
                plane,
                data,
            }
        };
        self.running = Some(self.runtime.block_on(started));
    }

    /// Stops it, and starts it again from its files.
    pub fn restart(&mut self) {
        let Running {
            server,
            keeper,
            plane,
            channel,
            data,
        } = self.running.take().expect("it runs");
        self.runtime.block_on(async {
            drop(channel);
            server.stop().await;
            if let Some(keeper) = keeper {
                keeper.close().expect("the journal is closed");
            }
            if let Some(plane) = Arc::into_inner(plane) {
                plane.close().await.expect("the ledger is closed");
            }
        });
        drop(data);
        self.start();
    }

    /// Turns the clock.
    pub fn turn(&self, to: &str) {
        self.clock.turn(at(to));
    }

    fn channel(&self) -> Channel {
        self.running.as_ref().expect("it runs").channel.clone()
    }

    /// Does something that must not take for ever.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let bounded = async { timeout(PATIENT, work).await };
        self.runtime.block_on(bounded).expect("done in time")
    }

    pub fn control(&self) -> ControlServiceClient<Channel> {
        ControlServiceClient::new(self.channel())
    }

    pub fn billing(&self) -> BillingServiceClient<Channel> {
        BillingServiceClient::new(self.channel())
    }

    /// A call that changes something, which is to be in the audit trail once, done or refused.
    pub fn operate<T>(
        &mut self,
        call: &'static str,
        work: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Status> {
        let done = self.run(work).map(Response::into_inner);
        self.diary.push((call, done.is_ok()));
        done
    }

    /// What came of one operation of an app: nothing if it was allowed, else why not.
    pub fn admit(&self, sdk_app_id: u32, operation: Operation) -> Option<Reason> {
        let answer = self.admitted_at(sdk_app_id, operation, None);
        (answer.outcome() != Outcome::Allowed).then(|| answer.reason())
    }

    /// The answer to one operation, said to have happened at another time.
    pub fn admitted_at(
        &self,
        sdk_app_id: u32,
        operation: Operation,
        time: Option<&str>,
    ) -> AdmitResponse {
        let request = AdmitRequest {
            sdk_app_id,
            at: time.map(|time| prost_types::Timestamp {
                seconds: at(time).as_unix_ms() / 1_000,
                nanos: 0,
            }),
            operation: Some(operation),
            ..AdmitRequest::default()
        };
        let mut client = AdmissionServiceClient::new(self.channel());
        let answer = self.run(client.admit(request));
        answer.expect("a valid request").into_inner()
    }

    /// The bill of a closed month.
    pub fn bill(&self, account: &str, month: &str) -> Bill {
        let request = GetBillRequest {
            account: account.to_owned(),
            month: month.to_owned(),
        };
        let bill = self.run(self.billing().get_bill(request));
        bill.expect("a bill").into_inner()
    }

    /// The audit trail, oldest first.
    pub fn trail(&self) -> Vec<AuditEntry> {
        let (mut entries, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListAuditRequest {
                page_token,
                ..ListAuditRequest::default()
            };
            let page = self.run(self.control().list_audit(request));
            let page = page.expect("a page").into_inner();
            entries.extend(page.entries);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                entries.reverse();
                return entries;
            }
        }
    }

    /// The calls that were made, as the trail should have them.
    pub fn diary(&self) -> &[(&'static str, bool)] {
        &self.diary
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.server.stop());
        }
    }
}

/// A bill's lines: each item with its amount.
pub fn lines(bill: &Bill) -> String {
    let each = |line: &quotagate::proto::BillLine| {
        format!("{} {} {}", line.sdk_app_id, line.item, line.amount)
    };
    let lines: Vec<_> = bill.lines.iter().map(each).collect();
    format!("{} = {}", lines.join(", "), bill.total)
}

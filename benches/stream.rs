//! What does it cost a gateway to stream the usage of 10,000 apps that change every second?
//!
//! `cargo bench --bench stream [-- [--apps N] [--users N] [--seconds N] [--rounds N]]`. The program serves, at level `process`, apps
//! in each of which so many users (10, 100 and 1,000 unless one number is named) have logged in today, and a group is created every
//! second. The processor time of its process is measured in neighbouring turns: without a reader of the stream, with one that leaves
//! the sketches out, and with one that takes them, each looking every second. What a reader costs is the difference. The records
//! that it got stand beside it: they show that all changes were told. The exit status is 0 whatever was measured.

#![allow(
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    reason = "a bench divides, and may panic"
)]
#![allow(dead_code, reason = "it uses what it needs of another's parts")]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prost::Message as _;
use quotagate::client::{BatchStream, Client};
use quotagate::proto::{
    AdmitBatchRequest, CreateGroup, Login, Mode, Operation, StreamUsageRequest, operation,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

const SECOND: Duration = Duration::from_secs(1);
/// Logins in a batch while the apps are filled.
const LOGINS: u32 = 500;

/// The program in a process of its own, which ends with this value.
struct Server {
    child: Child,
    address: String,
    dir: TempDir,
}

/// What is asked of it, on one stream of batches.
struct Traffic {
    batches: UnboundedSender<AdmitBatchRequest>,
    answers: BatchStream,
    apps: u64,
    /// Groups that each app has.
    groups: u64,
}

/// What a reader has got.
#[derive(Default)]
struct Got {
    records: AtomicU64,
    bytes: AtomicU64,
}

/// Who reads while it is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Nobody,
    WithoutSketches,
    WithSketches,
}

impl Server {
    fn start(apps: u64) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = "listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n".to_owned();
        for app in 1..=apps {
            let _ = write!(config, "[[apps]]\nsdk_app_id = {app}\nedition = \"pro\"\n");
        }
        let files = [
            ("catalog.toml", include_str!("../config/catalog.toml")),
            ("limits.toml", ""),
            ("gateway.toml", config.as_str()),
        ];
        for (name, text) in files {
            fs::write(dir.path().join(name), text).expect("a written file");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_quotagate"));
        command.arg("serve").arg("--config");
        command.arg(dir.path().join("gateway.toml"));
        command.arg("--data-dir").arg(dir.path().join("data"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a child");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = stdout.lines();
        let address = lines.find_map(|line| {
            let line = line.expect("text");
            line.strip_prefix("listening on ").map(ToOwned::to_owned)
        });
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address: address.expect("it listens"),
            dir,
        }
    }

    fn client(&self) -> Client {
        let client = Client::builder(&self.address).deadline(Duration::from_secs(30));
        client.connect().expect("an address")
    }

    /// Milliseconds that its threads, those that have ended too, have been on a processor.
    fn cpu_ms(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("Linux");
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |place: usize| fields[place].parse::<u64>().expect("a number");
        let a_second = rustix::param::clock_ticks_per_second();
        (ticks(11) + ticks(12)) as f64 * 1e3 / a_second as f64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Traffic {
    fn begin(server: &Server, apps: u64) -> Self {
        let (batches, waiting) = unbounded_channel();
        let answers = server
            .client()
            .admit_stream(UnboundedReceiverStream::new(waiting));
        Self {
            batches,
            answers,
            apps,
            groups: 0,
        }
    }

    /// Has so many users log in to each app.
    async fn fill(&mut self, users: u64) {
        for app in 1..=self.apps {
            let mut sent = 0;
            for first in (0..users).step_by(LOGINS.try_into().expect("small")) {
                let logins = (first..users.min(first + u64::from(LOGINS))).map(|number| {
                    operation::Operation::Login(Login {
                        user: format!("user {number} of {app}"),
                    })
                });
                self.send(app, logins.collect());
                sent += 1;
            }
            self.answered(sent).await;
        }
    }

    /// Creates another group in each app.
    async fn change(&mut self) {
        self.groups += 1;
        for app in 1..=self.apps {
            let group = operation::Operation::CreateGroup(CreateGroup {
                group: format!("group {}", self.groups),
                r#type: "Public".to_owned(),
                owner: format!("user 0 of {app}"),
                members: Vec::new(),
            });
            self.send(app, vec![group]);
        }
        self.answered(self.apps).await;
    }

    fn send(&self, app: u64, operations: Vec<operation::Operation>) {
        let each = operations.into_iter().map(|operation| Operation {
            operation: Some(operation),
            ..Default::default()
        });
        let batch = AdmitBatchRequest {
            sdk_app_id: u32::try_from(app).expect("an SDKAppID"),
            mode: Mode::Record.into(),
            operations: each.collect(),
            ..Default::default()
        };
        self.batches.send(batch).expect("the stream goes on");
    }

    async fn answered(&mut self, batches: u64) {
        for _ in 0..batches {
            let answer = self.answers.next().await.expect("the stream goes on");
            let answer = answer.expect("an answer");
            assert!(answer.results.iter().all(|it| it.changed), "{answer:?}");
        }
    }
}

/// Milliseconds of the server's processor time a second while the apps change every second, and the records and bytes that a reader
/// got in each.
async fn measure(server: &Server, traffic: &mut Traffic, reader: Reader, seconds: u32) -> [f64; 3] {
    let got = Arc::new(Got::default());
    let reading = (reader != Reader::Nobody).then(|| {
        let request = StreamUsageRequest {
            interval: Some(prost_types::Duration {
                seconds: 1,
                nanos: 0,
            }),
            without_sketches: reader == Reader::WithoutSketches,
            ..Default::default()
        };
        tokio::spawn(read(server.client(), request, Arc::clone(&got)))
    });
    // The first look tells everything; the others what has changed.
    for _ in 0..2 {
        let begun = Instant::now();
        traffic.change().await;
        tokio::time::sleep(SECOND.saturating_sub(begun.elapsed())).await;
    }
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let before = [
        server.cpu_ms(),
        load(&got.records) as f64,
        load(&got.bytes) as f64,
    ];
    let begun = Instant::now();
    for second in 1..=seconds {
        traffic.change().await;
        tokio::time::sleep((SECOND * second).saturating_sub(begun.elapsed())).await;
    }
    let passed = begun.elapsed().as_secs_f64();
    let after = [
        server.cpu_ms(),
        load(&got.records) as f64,
        load(&got.bytes) as f64,
    ];
    if let Some(reading) = reading {
        reading.abort();
    }
    std::array::from_fn(|place| (after[place] - before[place]) / passed)
}

async fn read(client: Client, request: StreamUsageRequest, got: Arc<Got>) {
    let mut stream = client.stream_usage(request).await.expect("a stream");
    while let Some(batch) = stream.next().await.expect("it goes on") {
        let (records, bytes) = (batch.records.len() as u64, batch.encoded_len() as u64);
        got.records.fetch_add(records, Ordering::Relaxed);
        got.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    let number = common::number_after;
    let (apps, rounds) = (
        number("--apps").unwrap_or(10_000),
        number("--rounds").unwrap_or(3),
    );
    let seconds = number("--seconds").map_or(10, |it| u32::try_from(it).expect("a short time"));
    let users = number("--users").map_or(vec![10, 100, 1_000], |users| vec![users]);
    let runtime = Runtime::new().expect("a runtime");
    println!(
        "{apps} apps, a change of each a second; ms of the gateway's processor time a second, medians of {rounds} rounds"
    );
    for users in users {
        let server = Server::start(apps);
        runtime.block_on(async {
            let mut traffic = Traffic::begin(&server, apps);
            traffic.fill(users).await;
            let readers = [Reader::Nobody, Reader::WithoutSketches, Reader::WithSketches];
            let mut figures = readers.map(|_| Vec::new());
            let mut got = [[0.0; 2]; 3];
            for _ in 0..rounds {
                for (place, reader) in readers.into_iter().enumerate() {
                    let [cpu, records, bytes] = measure(&server, &mut traffic, reader, seconds).await;
                    figures[place].push(cpu);
                    got[place] = [records, bytes];
                }
            }
            let told = figures.each_ref().map(|rounds| format!("{rounds:.1?}"));
            let [nobody, without, with] = figures.map(median);
            println!("{users} users a day: {nobody:.1} without a reader {}", told[0]);
            for (place, name, cpu) in [(1, "without", without), (2, "with", with)] {
                let [records, bytes] = got[place];
                println!(
                    "  a reader {name} sketches: {:.1} more, {:.1} % of a core (target: at most 10) {}; {records:.0} records, {:.2} MB a second",
                    cpu - nobody,
                    (cpu - nobody) / 10.0,
                    told[place],
                    bytes / 1e6
                );
            }
        });
    }
}

//! Stopping under load: what was answered is there, what is there was answered, and nobody is waited for for ever.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message as _;
use quotagate::clock;
use quotagate::proto::admission_service_client::AdmissionServiceClient;
use quotagate::proto::{self, AdmitBatchRequest, Outcome};
use quotagate::server::Drained;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::gate::{ADMIT, ADMIT_STREAM, Gate, ask, batch, framed, register, register_in_batch};
use super::raw::{DATA, END_STREAM, GOAWAY, Peer, SETTINGS};
use super::tools::get;
use crate::support::{app, user};

const OPERATIONS: usize = 20;

/// What one client was told, or not.
#[derive(Default)]
struct Ledger {
    acknowledged: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Ledger {
    fn note(&mut self, id: String, answer: &proto::AdmitResponse) {
        assert_eq!(
            (answer.outcome(), answer.changed),
            (Outcome::Allowed, true),
            "{id}"
        );
        assert!(self.acknowledged.insert(id));
    }

    fn merge(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.failed.extend(other.failed);
    }
}

/// Registers one new user after the other, several at a time, until the server is gone.
async fn unary(channel: Channel, name: String, answered: Arc<AtomicUsize>) -> Ledger {
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..8 {
        let (channel, name, answered) = (channel.clone(), name.clone(), Arc::clone(&answered));
        callers.spawn(async move {
            let (mut client, mut ledger) =
                (AdmissionServiceClient::new(channel), Ledger::default());
            for n in 0.. {
                let id = format!("{name} {caller} {n}");
                match client.admit(ask(register(id.as_str()))).await {
                    Ok(answer) => ledger.note(id, answer.get_ref()),
                    Err(_) => {
                        ledger.failed.insert(id);
                        break;
                    }
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            ledger
        });
    }
    let mut all = Ledger::default();
    for ledger in callers.join_all().await {
        all.merge(ledger);
    }
    all
}

/// The same in a stream of batches, some of which are always under way; how it ended.
async fn stream(channel: Channel, name: String, answered: Arc<AtomicUsize>) -> (Ledger, Code) {
    let (give, batches) = mpsc::channel(16);
    let mut client = AdmissionServiceClient::new(channel);
    let sender = {
        let name = name.clone();
        tokio::spawn(async move {
            for n in 0_u64.. {
                let ids = (0..OPERATIONS).map(|place| format!("{name} {n} {place}"));
                let batch = AdmitBatchRequest {
                    batch_id: n,
                    ..batch(ids.map(register_in_batch))
                };
                if give.send(batch).await.is_err() {
                    return n;
                }
            }
            0
        })
    };
    let answers = client.admit_stream(ReceiverStream::new(batches)).await;
    let mut answers = answers.expect("a stream").into_inner();
    let (mut ledger, mut next) = (Ledger::default(), 0);
    let code = loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                assert_eq!(
                    (answer.batch_id, answer.committed),
                    (next, true),
                    "in order"
                );
                assert_eq!(answer.results.len(), OPERATIONS);
                for (place, result) in answer.results.iter().enumerate() {
                    ledger.note(format!("{name} {next} {place}"), result);
                }
                next += 1;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(None) => panic!("it ended as if all was answered"),
            Err(status) => break status.code(),
        }
    };
    drop(answers);
    let sent = sender.await.expect("no panic");
    let unanswered = (next..sent).flat_map(|n| (0..OPERATIONS).map(move |place| (n, place)));
    ledger
        .failed
        .extend(unanswered.map(|(n, place)| format!("{name} {n} {place}")));
    (ledger, code)
}

fn channel(gate: &Gate, which: usize) -> (Channel, String) {
    (gate.channel(), format!("client {which}"))
}

#[test]
fn under_load_every_fact_is_acknowledged_and_every_acknowledgement_a_fact() {
    let mut gate = Gate::with(|setup| setup.edition = "pro");
    let answered = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for which in 0..3 {
        let (channel, name) = channel(&gate, which);
        callers.push(gate.spawn(unary(channel, name, Arc::clone(&answered))));
    }
    let mut streams = Vec::new();
    for which in 3..6 {
        let (channel, name) = channel(&gate, which);
        streams.push(gate.spawn(stream(channel, name, Arc::clone(&answered))));
    }
    gate.run(async {
        while answered.load(Ordering::Relaxed) < 1_000 {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(gate.stop(), Drained::Wholly);
    let mut all = Ledger::default();
    for caller in callers {
        all.merge(gate.run(caller).expect("no panic"));
    }
    for stream in streams {
        let (ledger, code) = gate.run(stream).expect("no panic");
        assert_eq!(code, Code::Unavailable);
        all.merge(ledger);
    }
    let now = clock::now();
    let is_there = |id: &String| gate.gateway.user_usage(app(1), user(id), now).is_some();
    assert!(
        all.acknowledged.iter().all(is_there),
        "an acknowledged fact is not there"
    );
    let cut: Vec<_> = all.failed.iter().filter(|id| is_there(id)).collect();
    assert!(cut.is_empty(), "decided, and not answered: {cut:?}");
    assert_eq!(gate.usage().users, all.acknowledged.len() as u64);
}

#[test]
fn an_idle_server_stops_at_once_and_frees_its_sockets() {
    let dir = tempfile::TempDir::new().expect("a temporary directory");
    let path = dir.path().join("gate.sock");
    let mut gate = Gate::with(|setup| setup.settings.uds = Some(path.clone()));
    let mut kept = gate.admission();
    gate.run(kept.admit(ask(register("a"))))
        .expect("it is served");
    assert!(path.exists());
    assert_eq!(gate.stop(), Drained::Wholly);
    assert!(!path.exists(), "the socket is removed");
    assert!(std::net::TcpStream::connect(gate.grpc).is_err());
    assert!(std::net::TcpStream::connect(gate.http).is_err());
    let status = gate
        .run(kept.admit(ask(register("b"))))
        .expect_err("it is gone");
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(gate.usage().users, 1);
}

#[test]
fn who_watches_health_is_told_before_the_end() {
    let mut gate = Gate::open();
    let mut client = HealthClient::new(gate.channel());
    let asked = HealthCheckRequest {
        service: "quotagate.v1.AdmissionService".to_owned(),
    };
    let mut watch = gate
        .run(client.watch(asked))
        .expect("it is known")
        .into_inner();
    let first = gate
        .run(watch.message())
        .expect("a message")
        .expect("a status");
    assert_eq!(first.status(), ServingStatus::Serving);
    let watching = gate.spawn(async move {
        let told = watch.message().await.expect("a message").expect("a status");
        (
            told.status(),
            watch.message().await.expect_err("it ends").code(),
        )
    });
    assert_eq!(gate.stop(), Drained::Wholly);
    let told = gate.run(watching).expect("no panic");
    assert_eq!(told, (ServingStatus::NotServing, Code::Unavailable));
}

/// Calls that are half sent when it is told to stop: finished in time they are answered, else they are cut off.
#[test]
fn a_call_that_is_half_sent_may_be_finished() {
    let mut gate = Gate::open();
    let body = framed(&ask(register("a")).encode_to_vec());
    let mut peer = Peer::connect(gate.grpc);
    peer.until(|frame| frame.kind == SETTINGS)
        .expect("settings");
    peer.begin(1, ADMIT).expect("it reads");
    peer.send(DATA, 0, 1, &body[..4]).expect("it reads");
    // It is begun once the next is answered.
    peer.call(3, ADMIT, &body).expect("it reads");
    peer.until(|frame| frame.kind == DATA).expect("an answer");
    let server = gate.server();
    let stopping = gate.spawn(server.stop());
    peer.until(|frame| frame.kind == GOAWAY)
        .expect("it is told");
    assert!(get(gate.http, "/readyz").0.contains("503"));
    peer.send(DATA, END_STREAM, 1, &body[4..])
        .expect("it reads");
    let answer = peer.until(|frame| frame.kind == DATA).expect("an answer");
    assert_eq!(answer.stream, 1);
    assert!(peer.until(|_| false).is_none(), "then it is closed");
    assert_eq!(gate.run(stopping).expect("no panic"), Drained::Wholly);
}

#[test]
fn who_does_not_finish_is_cut_off() {
    let mut gate = Gate::with(|setup| setup.settings.drain = Duration::from_secs(1));
    let body = framed(&ask(register("a")).encode_to_vec());
    let mut peer = Peer::connect(gate.grpc);
    peer.begin(1, ADMIT).expect("it reads");
    peer.send(DATA, 0, 1, &body[..4]).expect("it reads");
    peer.call(3, ADMIT, &body).expect("it reads");
    peer.until(|frame| frame.kind == DATA).expect("an answer");
    let begun = Instant::now();
    assert_eq!(gate.stop(), Drained::CutOff);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    peer.until(|_| false);
    assert_eq!(gate.usage().users, 1, "the half call changed nothing");
}

/// A peer that never pauses must not keep a stream, and so the server, from ending.
#[test]
fn a_stream_that_never_pauses_ends_too() {
    let mut gate = Gate::with(|setup| setup.edition = "pro");
    let one: Bytes = framed(&batch([register_in_batch("a")]).encode_to_vec()).into();
    let address = gate.grpc;
    let (told, mut begun) = mpsc::channel(1);
    let pouring = gate.spawn(async move {
        let socket = tokio::net::TcpStream::connect(address)
            .await
            .expect("it listens");
        let (mut client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
        tokio::spawn(connection);
        let request = http::Request::post(format!("http://{address}{ADMIT_STREAM}"))
            .header("content-type", "application/grpc")
            .body(())
            .expect("a request");
        let (answer, mut sending) = client.send_request(request, false).expect("a stream");
        let many: Bytes = one.repeat(500).into();
        let reading = tokio::spawn(async move {
            let mut body = answer.await.expect("an answer").into_body();
            let mut read = 0;
            while let Some(Ok(data)) = body.data().await {
                let _ = body.flow_control().release_capacity(data.len());
                read += data.len();
                if read > 100_000 {
                    let _ = told.try_send(());
                }
            }
            let trailers = body.trailers().await.expect("trailers").expect("trailers");
            tonic::Status::from_header_map(&trailers)
                .expect("a status")
                .code()
        });
        // Always with more on the way than was taken.
        loop {
            sending.reserve_capacity(many.len());
            let room = std::future::poll_fn(|cx| sending.poll_capacity(cx)).await;
            if !matches!(room, Some(Ok(_))) || sending.send_data(many.clone(), false).is_err() {
                break;
            }
        }
        reading.await.expect("no panic")
    });
    gate.run(begun.recv()).expect("it is served");
    assert_eq!(gate.stop(), Drained::Wholly);
    assert_eq!(gate.run(pouring).expect("no panic"), Code::Unavailable);
}

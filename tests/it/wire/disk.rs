//! What callers, load balancers and operators are told when the disk is full or does not keep up, and that it ends by itself.

use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use quotagate::journal::{Level, Options};
use quotagate::proto::admit_request::Operation;
use quotagate::proto::{self, AdmitResponse};
use quotagate::server::Drained;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use super::gate::{Gate, PATIENT, ask, batch, register, register_in_batch};
use super::tools;
use crate::journal::faulty::Faulty;

const SHORT: Duration = Duration::from_millis(100);

fn gate(disk: &Faulty, level: Level, patience: Duration) -> Gate {
    let options = Options {
        level,
        ahead_bytes: 4 << 10,
        patience,
        ..Options::default()
    };
    Gate::with(|setup| {
        setup.edition = "flagship";
        setup.storage = Some((disk.storage(), options));
    })
}

fn admit(gate: &Gate, operation: Operation) -> Result<AdmitResponse, Status> {
    let mut client = gate.admission();
    let answer = gate.run(client.admit(ask(operation)));
    answer.map(tonic::Response::into_inner)
}

fn dry(gate: &Gate, operation: Operation) -> Result<AdmitResponse, Status> {
    let mut client = gate.admission();
    let request = proto::AdmitRequest {
        mode: proto::Mode::DryRun.into(),
        ..ask(operation)
    };
    let answer = gate.run(client.admit(request));
    answer.map(tonic::Response::into_inner)
}

fn health(gate: &Gate) -> ServingStatus {
    let mut client = HealthClient::new(gate.channel());
    let request = HealthCheckRequest {
        service: "quotagate.v1.AdmissionService".to_owned(),
    };
    let told = gate.run(client.check(request)).expect("an answer");
    told.into_inner().status()
}

/// Until it is so; the test's own patience is the end.
fn until(gate: &Gate, is_so: impl Fn() -> bool) {
    gate.run(async {
        while !tokio::task::block_in_place(&is_so) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

fn get(gate: &Gate, path: &str) -> String {
    tools::get(gate.http, path).1
}

/// The status says when to ask again, to people's libraries and to gRPC's own.
fn assert_retry(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let details = status.get_error_details();
    let retry = details.retry_info().expect("it says when to ask again");
    let after = retry.retry_delay.expect("a time");
    let pushback = status.metadata().get("grpc-retry-pushback-ms");
    let pushback = pushback
        .expect("the same to gRPC")
        .to_str()
        .expect("digits");
    assert_eq!(pushback, after.as_millis().to_string());
}

#[test]
fn a_full_disk_is_told_and_takes_removals() {
    let disk = Faulty::new(1);
    let gate = gate(&disk, Level::Process, SHORT);
    admit(&gate, register("alice")).expect("there is room");
    assert_eq!(health(&gate), ServingStatus::Serving);
    assert_eq!(get(&gate, "/readyz"), "ready\n");
    disk.room(Some(disk.bytes()));
    // What lies ahead is used up by and by.
    let mut users = 0;
    let refused = loop {
        match admit(&gate, register(format!("user {users}"))) {
            Ok(_) => users += 1,
            Err(status) => break status,
        }
        assert!(users < 10_000, "the disk is never full");
    };
    assert_retry(&refused);
    assert!(refused.message().contains("disk is full"), "{refused}");
    let removed = admit(
        &gate,
        Operation::DeleteUser(proto::DeleteUser {
            user: "alice".to_owned(),
        }),
    );
    assert!(removed.expect("removals are taken").changed);
    assert!(
        dry(&gate, register("bob"))
            .expect("it changes nothing")
            .changed
    );

    let mut client = gate.admission();
    let asked = batch([register_in_batch("bob")]);
    let batches = tokio_stream::iter([proto::AdmitBatchRequest {
        batch_id: 7,
        ..asked
    }]);
    let answer = gate.run(async {
        let mut answers = client
            .admit_stream(batches)
            .await
            .expect("a stream")
            .into_inner();
        answers
            .next()
            .await
            .expect("an answer")
            .expect("the stream goes on")
    });
    let error = answer.error.expect("it cannot be kept");
    assert_eq!(
        (answer.batch_id, error.code, error.retry_ms),
        (7, 14, 1_000)
    );

    until(&gate, || health(&gate) == ServingStatus::NotServing);
    assert!(get(&gate, "/readyz").contains("disk is full"));
    let metrics = get(&gate, "/metrics");
    assert!(
        metrics.contains("quotagate_journal_state{state=\"full\"} 1"),
        "{metrics}"
    );

    disk.room(None);
    until(&gate, || health(&gate) == ServingStatus::Serving);
    assert_eq!(get(&gate, "/readyz"), "ready\n");
    assert!(
        admit(&gate, register("bob"))
            .expect("there is room")
            .changed
    );
}

#[test]
fn a_disk_that_does_not_keep_up_keeps_nobody_waiting() {
    let disk = Faulty::new(2);
    let gate = gate(&disk, Level::Power, SHORT);
    admit(&gate, register("alice")).expect("the disk is quick");
    // From now on a sync takes until it is let go.
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    disk.meanwhile(Some(Box::new(move || {
        let _ = held.lock().recv();
    })));
    let late = admit(&gate, register("bob")).expect_err("it is not durable");
    assert_retry(&late);
    assert!(late.message().contains("does not keep up"), "{late}");
    assert_retry(&admit(&gate, register("carol")).expect_err("nothing more is taken"));
    assert!(
        !dry(&gate, register("alice"))
            .expect("it changes nothing")
            .changed
    );
    assert_eq!(
        gate.usage().users,
        2,
        "bob is there, and his caller was told to ask again"
    );
    until(&gate, || health(&gate) == ServingStatus::NotServing);

    drop(release);
    disk.meanwhile(None);
    until(&gate, || health(&gate) == ServingStatus::Serving);
    assert!(
        !admit(&gate, register("bob"))
            .expect("it is durable")
            .changed
    );
    assert!(
        admit(&gate, register("carol"))
            .expect("it is taken")
            .changed
    );
}

/// A batch that was taken and waits for the disk is answered before a stream ends, when the gateway stops.
#[test]
fn what_waits_for_the_disk_is_answered_before_the_gateway_stops() {
    let disk = Faulty::new(3);
    let mut gate = gate(&disk, Level::Power, PATIENT);
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let (begun, waits) = mpsc::channel();
    disk.meanwhile(Some(Box::new(move || {
        let _ = begun.send(());
        let _ = held.lock().recv();
    })));
    let mut client = gate.admission();
    let asked = proto::AdmitBatchRequest {
        batch_id: 9,
        ..batch([register_in_batch("bob")])
    };
    // It goes on after the batch: the stream's end is the gateway's.
    let batches = tokio_stream::iter([asked]).chain(tokio_stream::pending());
    let answers = gate.spawn(async move {
        let answers = client.admit_stream(batches).await.expect("a stream");
        answers.into_inner().collect::<Vec<_>>().await
    });
    waits.recv().expect("a sync begins");
    let server = gate.server();
    let stopped = gate.spawn(server.stop());
    std::thread::sleep(Duration::from_millis(20));
    drop(release);
    let answers = gate.run(answers).expect("they end");
    assert_eq!(gate.run(stopped).expect("it stops"), Drained::Wholly);
    let [Ok(answer), Err(end)] = answers.as_slice() else {
        panic!("an answer, and the end: {answers:?}");
    };
    assert_eq!((answer.batch_id, answer.results.len()), (9, 1));
    assert_eq!(end.code(), Code::Unavailable);
}

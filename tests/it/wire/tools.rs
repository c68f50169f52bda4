//! What everybody's tools ask: reflection, health, readiness and metrics.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use prost::Message as _;
use prost_types::FileDescriptorProto;
use quotagate::proto::{self, AdmitBatchRequest, AdmitRequest, Mode};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::gate::{ADMIT, Gate, PATIENT, ask, batch, create, join, register, register_in_batch};

/// Status line and body.
pub fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(PATIENT)).expect("a socket");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
    let status = head.lines().next().unwrap_or_default();
    (status.to_owned(), body.to_owned())
}

#[test]
fn reflection_shows_every_service_and_file() {
    let gate = Gate::open();
    let mut client = ServerReflectionClient::new(gate.channel());
    let mut reflect = |request| {
        let asked = ServerReflectionRequest {
            message_request: Some(request),
            ..Default::default()
        };
        gate.run(async {
            let answers = client
                .server_reflection_info(tokio_stream::iter([asked]))
                .await;
            let answer = answers.expect("a stream").into_inner().message().await;
            let answer = answer.expect("an answer").expect("an answer");
            answer.message_response.expect("an answer")
        })
    };
    let MessageResponse::ListServicesResponse(list) =
        reflect(MessageRequest::ListServices(String::new()))
    else {
        panic!("no list");
    };
    let names: Vec<_> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    for (service, file) in [
        (
            "quotagate.v1.AdmissionService",
            "quotagate/v1/admission.proto",
        ),
        ("quotagate.v1.BillingService", "quotagate/v1/billing.proto"),
        ("quotagate.v1.ControlService", "quotagate/v1/control.proto"),
        ("quotagate.v1.UsageService", "quotagate/v1/usage.proto"),
        ("grpc.health.v1.Health", ""),
    ] {
        assert!(names.contains(&service), "{names:?}");
        let by_symbol = reflect(MessageRequest::FileContainingSymbol(service.to_owned()));
        let MessageResponse::FileDescriptorResponse(files) = by_symbol else {
            panic!("{service}")
        };
        let bytes = files.file_descriptor_proto.first().expect("a file");
        let described = FileDescriptorProto::decode(bytes.as_slice()).expect("a descriptor");
        let (_, plain) = service.rsplit_once('.').expect("a package");
        assert!(
            described.service.iter().any(|it| it.name() == plain),
            "{service}"
        );
        if !file.is_empty() {
            assert_eq!(described.name(), file);
            let by_name = reflect(MessageRequest::FileByFilename(file.to_owned()));
            assert!(
                matches!(by_name, MessageResponse::FileDescriptorResponse(_)),
                "{file}"
            );
        }
    }
}

#[test]
fn health_knows_the_whole_and_each_service() {
    let gate = Gate::open();
    let mut client = HealthClient::new(gate.channel());
    for service in [
        "",
        "quotagate.v1.AdmissionService",
        "quotagate.v1.BillingService",
        "quotagate.v1.ControlService",
    ] {
        let asked = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = gate
            .run(client.check(asked))
            .expect("it is known")
            .into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let asked = HealthCheckRequest {
        service: "none".to_owned(),
    };
    let status = gate.run(client.check(asked)).expect_err("there is none");
    assert_eq!(status.code(), Code::NotFound);
}

#[test]
fn readiness_and_the_way_to_it_are_told_by_http() {
    let gate = Gate::open();
    assert_eq!(
        get(gate.http, "/readyz"),
        ("HTTP/1.1 200 OK".to_owned(), "ready\n".to_owned())
    );
    let (status, about) = get(gate.http, "/");
    assert!(
        status.contains("200") && about.contains("/metrics"),
        "{about}"
    );
    assert!(get(gate.http, "/none").0.contains("404"));
}

/// Samples that are whole numbers, by name and labels; every one has a type.
pub fn metrics(address: SocketAddr) -> BTreeMap<String, i64> {
    let (status, text) = get(address, "/metrics");
    assert!(status.contains("200"), "{status}");
    let (mut types, mut samples) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            let (name, kind) = described.split_once(' ').expect("a type");
            assert!(types.insert(name, kind).is_none(), "{name} twice");
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            let name = sample.split('{').next().unwrap_or_default();
            let parts = ["_bucket", "_sum", "_count"].into_iter();
            let of_histogram = parts.filter_map(|part| name.strip_suffix(part));
            let mut of_histogram =
                of_histogram.filter(|name| types.get(name) == Some(&"histogram"));
            assert!(
                types.contains_key(name) || of_histogram.next().is_some(),
                "{line}"
            );
            value.parse::<f64>().expect("a number");
            if let Ok(value) = value.parse() {
                let first = samples.insert(sample.to_owned(), value).is_none();
                assert!(first, "{sample} twice");
            }
        }
    }
    samples
}

fn moved(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> Vec<(String, i64)> {
    let moves = after.iter().map(|(sample, value)| {
        (
            sample.clone(),
            value - before.get(sample).copied().unwrap_or_default(),
        )
    });
    moves.filter(|(_, by)| *by != 0).collect()
}

#[test]
fn metrics_move_by_exactly_what_was_decided() {
    let gate = Gate::open();
    gate.admit(register("a"));
    let before = metrics(gate.http);
    for user in ["a", "b", "c"] {
        gate.admit(register(user));
    }
    gate.admit(join("none", "a"));
    gate.admit(create("g", "AVChatRoom", "a", &[]));
    let dry = AdmitRequest {
        mode: Mode::DryRun.into(),
        ..ask(register("d"))
    };
    gate.run(gate.admission().admit(dry))
        .expect("a valid request");
    let unknown = AdmitRequest {
        sdk_app_id: 9,
        ..ask(register("d"))
    };
    gate.run(gate.admission().admit(unknown))
        .expect("a valid request");
    let two = batch(["e", "f"].map(register_in_batch));
    gate.run(gate.admission().admit_batch(two.clone()))
        .expect("a valid request");
    let streamed = [
        two.clone(),
        AdmitBatchRequest {
            operations: Vec::new(),
            ..two
        },
    ];
    gate.run(async {
        let answers = gate_stream(&gate, streamed).await;
        assert!(answers[0].error.is_none() && answers[1].error.is_some());
    });
    assert_eq!(gate.status_of(ADMIT, b"").0, Code::InvalidArgument);
    let moved = moved(&before, &metrics(gate.http));
    let by = |part: &str| {
        let found = moved.iter().filter(|(sample, _)| sample.starts_with(part));
        found
            .map(|(sample, by)| (sample.strip_prefix(part).unwrap_or_default(), *by))
            .collect::<Vec<_>>()
    };
    let decided = "quotagate_decisions_total{operation=";
    assert_eq!(
        by(decided),
        [
            (r#""create_group",outcome="ALLOWED",reason=""}"#, 1),
            (
                r#""join_group",outcome="DENIED",reason="GROUP_NOT_FOUND"}"#,
                1
            ),
            (r#""register_user",outcome="ALLOWED",reason=""}"#, 8),
            (
                r#""register_user",outcome="DENIED",reason="APP_NOT_FOUND"}"#,
                1
            ),
        ]
    );
    let called = "quotagate_call_duration_seconds_count{method=";
    let calls = [
        (r#""Admit"}"#, 7),
        (r#""AdmitBatch"}"#, 1),
        (r#""AdmitStream"}"#, 2),
    ];
    assert_eq!(by(called), calls);
    let usage = [
        (r#""av_chat_rooms"}"#, 1),
        (r#""daily_groups"}"#, 1),
        (r#""groups"}"#, 1),
        (r#""max_users"}"#, 4),
    ];
    assert_eq!(by(r#"quotagate_app_usage{app="1",limit="#), usage);
    let after = metrics(gate.http);
    assert_eq!(
        after[r#"quotagate_app_limit{app="1",limit="max_users"}"#],
        100
    );
    assert_eq!(
        after[r#"quotagate_app_usage{app="1",limit="max_users"}"#],
        5
    );
    assert_eq!(
        (after["quotagate_apps"], after["quotagate_revision"]),
        (1, 1)
    );
    assert!(
        !after
            .keys()
            .any(|sample| sample.contains("broadcast_rooms\"")
                && sample.contains("app_limit")
                && !sample.contains("daily"))
    );
}

#[test]
fn calls_that_are_refused_are_counted_however_they_came() {
    let gate = Gate::open();
    let refused = || metrics(gate.http)["quotagate_refused_calls_total"];
    assert_eq!(refused(), 0);
    gate.status_of(ADMIT, b"");
    assert_eq!(refused(), 1);
    gate.run(gate.admission().admit(ask(register(""))))
        .expect_err("no id");
    assert_eq!(refused(), 2);
    gate.run(gate.admission().admit_batch(batch([])))
        .expect_err("empty");
    assert_eq!(refused(), 3);
    gate.run(gate_stream(&gate, [batch([])]));
    assert_eq!(refused(), 4, "a batch of a stream as well");
}

async fn gate_stream(
    gate: &Gate,
    batches: impl IntoIterator<Item = AdmitBatchRequest, IntoIter: Send + 'static> + Send,
) -> Vec<proto::AdmitBatchResponse> {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", gate.grpc));
    let channel = endpoint
        .expect("an address")
        .connect()
        .await
        .expect("it listens");
    let mut client = proto::admission_service_client::AdmissionServiceClient::new(channel);
    let batches = tokio_stream::iter(batches);
    let mut answers = client
        .admit_stream(batches)
        .await
        .expect("a stream")
        .into_inner();
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await.expect("it goes on") {
        all.push(answer);
    }
    all
}

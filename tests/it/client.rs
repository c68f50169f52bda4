//! The client against gateways that are well, ill, slow, deaf and gone.
//!
//! The gateway here is a stand-in: what a gateway decides is tested elsewhere, and none of these may depend on it.

mod away;
mod batched;
mod stand_in;

use std::time::Duration;

use quotagate::client::{
    Answer, Client, ClientError, ConnectError, DecidedBy, OperationKind, Sides,
};
use quotagate::proto::admit_request::Operation;
use quotagate::proto::{AdmitBatchRequest, AdmitRequest, GetUsageRequest, Login, Reason};
use tonic::Code;

use self::stand_in::StandIn;

/// Long enough for a busy machine; nothing waits for it where all is well.
const PATIENT: Duration = Duration::from_secs(20);

fn patient(address: &str) -> Client {
    let builder = Client::builder(address).deadline(PATIENT);
    builder.connect().expect("an address")
}

fn is_by_gateway(answer: &Answer) -> bool {
    *answer.decided_by() == DecidedBy::Gateway
}

#[tokio::test]
async fn every_operation_is_asked_and_answered() {
    let gateway = StandIn::start();
    for client in [
        patient(&gateway.address),
        Client::builder(&gateway.address)
            .deadline(PATIENT)
            .batched()
            .connect()
            .expect("an address"),
    ] {
        for answer in [
            client.register_user(1, "ann").await,
            client.delete_user(1, "ann").await,
            client.login(1, "ann").await,
            client.add_friend(1, "ann", "bob", Sides::Both).await,
            client.remove_friend(1, "ann", "bob", Sides::Own).await,
            client.create_group(1, "g", "Public", "ann", &["bob"]).await,
            client.delete_group(1, "g").await,
            client.join_group(1, "g", "ann").await,
            client.leave_group(1, "g", "ann").await,
        ] {
            let answer = answer.expect("a valid request");
            assert!(answer.is_allowed() && is_by_gateway(&answer));
            assert_eq!(answer.response().revision, stand_in::REVISION);
            assert_eq!((answer.im_error_code(), answer.message()), (0, ""));
        }
    }
    let names = OperationKind::ALL.map(OperationKind::name);
    assert_eq!(gateway.asked(), [names, names].concat());
}

#[tokio::test]
async fn a_denial_says_why() {
    let gateway = StandIn::start();
    let answer = patient(&gateway.address).login(1, "denied").await;
    let answer = answer.expect("a valid request");
    assert!(!answer.is_allowed() && is_by_gateway(&answer));
    assert_eq!(answer.reason(), Reason::UserLimit);
    assert_eq!(answer.im_error_code(), 42);
    assert_eq!(answer.message(), "no room");
}

#[tokio::test]
async fn a_wrong_request_is_an_error_that_names_the_fields() {
    let gateway = StandIn::start();
    let client = patient(&gateway.address);
    let error = client.login(1, "").await.expect_err("no id");
    assert_eq!(
        error.to_string(),
        "invalid request: login.user: is empty; give an id"
    );
    assert_eq!(error.violations.len(), 1);
    let error = client
        .admit(AdmitRequest::default())
        .await
        .expect_err("nothing");
    assert_eq!(
        error.to_string(),
        "invalid request: operation: there is none; set exactly one"
    );
    let long = "x".repeat(1 << 20);
    let error = client.login(1, &long).await.expect_err("too large");
    assert!(error.to_string().contains("a gateway takes 1048576"));
}

#[tokio::test]
async fn a_batch_of_the_callers_own_is_answered_in_order() {
    let gateway = StandIn::start();
    let client = patient(&gateway.address);
    let logins = ["ann", "denied", "bob"].map(|user| stand_in::login(1, user).into());
    let mut batch = AdmitBatchRequest {
        sdk_app_id: 1,
        operations: logins.into(),
        ..AdmitBatchRequest::default()
    };
    let answer = client.admit_batch(batch.clone()).await.expect("valid");
    let allowed: Vec<_> = answer.answers.iter().map(Answer::is_allowed).collect();
    assert_eq!(allowed, [true, false, true]);
    assert!(answer.committed && answer.revision == stand_in::REVISION);
    batch.operations.push(stand_in::login(1, "").into());
    let error = client.admit_batch(batch.clone()).await.expect_err("wrong");
    assert_eq!(error.violations[0].field, "operations[3].login.user");
    batch.operations[3].operation = None;
    let error = client.admit_batch(batch).await.expect_err("nothing");
    assert_eq!(error.violations[0].field, "operations[3].operation");
}

#[tokio::test]
async fn operators_calls_tell_refusals_from_trouble() {
    let gateway = StandIn::start();
    let client = patient(&gateway.address);
    let app = client.create_app(7, "pro").await.expect("created");
    assert_eq!((app.sdk_app_id, app.edition.as_str()), (7, "pro"));
    let refused = client.get_app(404).await.expect_err("none");
    assert!(matches!(
        &refused,
        ClientError::Refused {
            code: Code::NotFound,
            ..
        }
    ));
    assert_eq!(refused.to_string(), "there is no app 404");
    let refused = client.reload().await.expect_err("a fault");
    let ClientError::Refused { violations, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(violations.len(), 2);
    assert_eq!(
        refused.to_string(),
        "a.toml:1:2: is wrong; b.toml:3:4: is wrong too"
    );
    let usage = client.get_usage(GetUsageRequest::default()).await;
    assert!(matches!(usage, Err(ClientError::Invalid(_))));
}

#[tokio::test]
async fn the_deadline_is_told_to_the_gateway() {
    let gateway = StandIn::start();
    let client = patient(&gateway.address);
    client.login(1, "ann").await.expect("valid");
    assert_eq!(gateway.timeout().as_deref(), Some("20000000u"));
    let client = client.with_deadline(PATIENT * 2);
    client.login(1, "ann").await.expect("valid");
    assert_eq!(gateway.timeout().as_deref(), Some("40000000u"));
}

#[tokio::test]
async fn a_unix_socket_does_as_well() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("gate.sock");
    let gateway = StandIn::start_at_socket(&path);
    let client = patient(&gateway.address);
    assert!(is_by_gateway(&client.login(1, "ann").await.expect("valid")));
}

#[test]
fn what_is_no_address_and_no_runtime_is_said_at_once() {
    let error = Client::builder("gateway:7600").connect().expect_err("no");
    assert_eq!(
        error.to_string(),
        "\"gateway:7600\" is no address of a gateway: it has no scheme; write http://HOST:PORT or unix:///PATH"
    );
    let error = Client::builder("http://127.0.0.1:1").connect();
    assert_eq!(error.err(), Some(ConnectError::NoRuntime));
}

/// IM servers spawn tasks on many threads: it is a matter of compiling.
#[test]
fn calls_can_be_spawned() {
    fn can_be_spawned<T: Send + 'static>(_: T) {}
    fn check(client: &'static Client) {
        can_be_spawned(client.login(1, "ann"));
        can_be_spawned(client.admit(AdmitRequest {
            operation: Some(Operation::Login(Login::default())),
            ..AdmitRequest::default()
        }));
        can_be_spawned(client.admit_batch(AdmitBatchRequest::default()));
        can_be_spawned(client.admit_stream(tokio_stream::empty()));
        can_be_spawned(client.get_usage(GetUsageRequest::default()));
        can_be_spawned(client.get_app(1));
        can_be_spawned(client.reload());
    }
    let _ = check;
}

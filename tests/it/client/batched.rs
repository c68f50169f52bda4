//! Many callers at once on one stream: each is told its own answer.

use quotagate::client::Client;
use quotagate::proto::{AdmitRequest, Mode};
use tokio::task::JoinSet;

use super::stand_in::{self, StandIn};
use super::{PATIENT, is_by_gateway};

fn batched(address: &str) -> Client {
    let builder = Client::builder(address).batched().deadline(PATIENT);
    builder.connect().expect("an address")
}

/// Callers of two apps and two modes, and one among them asks for what is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_callers_are_told_their_own_answers() {
    let gateway = StandIn::start();
    let client = batched(&gateway.address);
    let mut callers = JoinSet::new();
    for number in 0..400 {
        let client = client.clone();
        callers.spawn(async move {
            let user = match number % 4 {
                0 => "denied".to_owned(),
                _ if number == 201 => String::new(),
                _ => format!("user {number}"),
            };
            let mode = if number % 3 == 0 {
                Mode::DryRun
            } else {
                Mode::Enforce
            };
            let request = AdmitRequest {
                mode: mode.into(),
                ..stand_in::login(1 + number % 2, &user)
            };
            (number, client.admit(request).await)
        });
    }
    for (number, answer) in callers.join_all().await {
        if number == 201 {
            let error = answer.expect_err("wrong");
            assert_eq!(
                error.to_string(),
                "invalid request: login.user: is empty; give an id"
            );
            continue;
        }
        let answer = answer.expect("a valid request");
        assert!(is_by_gateway(&answer), "{number}: {answer:?}");
        assert_eq!(answer.is_allowed(), number % 4 != 0, "{number}");
        assert_eq!(answer.response().revision, stand_in::REVISION);
    }
    let batches = gateway.batches();
    assert!(batches.iter().all(|size| (1..=128).contains(size)));
    assert!(batches.len() < 200, "gathered: {batches:?}");
}

#[tokio::test]
async fn what_is_wrong_with_one_is_told_to_its_caller_alone() {
    let gateway = StandIn::start();
    let client = batched(&gateway.address);
    let wrong = |answer: Result<_, quotagate::client::InvalidRequest>| {
        let error = answer.expect_err("wrong");
        assert_eq!(error.violations[0].field, "login.user");
    };
    wrong(client.login(1, "").await);
    let (first, second, third, fourth) = tokio::join!(
        client.login(1, "ann"),
        client.login(1, ""),
        client.login(1, "denied"),
        client.login(1, ""),
    );
    wrong(second);
    wrong(fourth);
    let (first, third) = (first.expect("valid"), third.expect("valid"));
    assert!(is_by_gateway(&first) && first.is_allowed());
    assert!(is_by_gateway(&third) && !third.is_allowed());
}

/// One that gets no answer holds up those behind it no longer than its own patience.
#[tokio::test]
async fn a_stalled_stream_is_replaced() {
    let gateway = StandIn::start();
    let client = batched(&gateway.address);
    let short = client.with_deadline(std::time::Duration::from_millis(50));
    let answer = short.login(1, "silent").await.expect("valid");
    assert!(!is_by_gateway(&answer));
    let answer = client.login(1, "ann").await.expect("valid");
    assert!(is_by_gateway(&answer));
}

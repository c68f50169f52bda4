//! The client of IM servers against a served gateway: both must mean the same by a wrong request, in a batch or not.

use std::time::Duration;

use quotagate::client::{Client, DecidedBy};
use quotagate::proto::Reason;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Served;

const PATIENT: Duration = Duration::from_secs(20);

/// Sixty users ask to be registered on an edition that takes a hundred, twice, and every tenth has no id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_callers_are_told_their_own_answers() {
    let served = Served::start();
    for (app, builder) in [
        (1, Client::builder(&served.address)),
        (2, Client::builder(&served.address).batched()),
        (3, Client::builder(served.socket()).batched()),
    ] {
        served.done(&["app", "create", &app.to_string()]);
        let client = builder.deadline(PATIENT).connect().expect("an address");
        let mut allowed = 0;
        for round in 0..2 {
            let mut callers = JoinSet::new();
            for number in 0..60 {
                let client = client.clone();
                callers.spawn(async move {
                    let is_wrong = number % 10 == 0;
                    let id = format!("user {round} {number}");
                    let id = if is_wrong { "" } else { &id };
                    (is_wrong, client.register_user(app, id).await)
                });
            }
            for (is_wrong, answer) in callers.join_all().await {
                if is_wrong {
                    let error = answer.expect_err("no id");
                    assert_eq!(error.violations.len(), 1);
                    assert_eq!(error.violations[0].field, "register_user.user");
                    assert!(!error.to_string().contains("operations["), "{error}");
                    continue;
                }
                let answer = answer.expect("a valid request");
                assert_eq!(answer.decided_by(), &DecidedBy::Gateway);
                assert!(answer.response().revision > 0);
                allowed += u32::from(answer.is_allowed());
                if !answer.is_allowed() {
                    assert_eq!(answer.reason(), Reason::UserLimit);
                    assert_eq!(answer.response().used, 100);
                }
            }
        }
        assert_eq!(allowed, 100, "of app {app}");
    }
}

/// Callers never see more of it than answers by policy, and are answered by the next gateway as soon as it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_may_be_replaced_under_load() {
    let mut dir = TempDir::new().expect("a temporary directory");
    for batched in [false, true] {
        let served = Served::start_with(dir, &[]);
        let builder = Client::builder(served.socket()).deadline(PATIENT);
        let builder = if batched { builder.batched() } else { builder };
        let client = builder.connect().expect("an address");
        let ended = CancellationToken::new();
        let mut callers = JoinSet::new();
        for number in 0..8 {
            let (client, ended) = (client.clone(), ended.clone());
            callers.spawn(async move {
                let user = format!("user {number}");
                while !ended.is_cancelled() {
                    let answer = client.login(1, &user).await.expect("valid");
                    if *answer.decided_by() != DecidedBy::Gateway {
                        sleep(Duration::from_millis(1)).await;
                    }
                }
            });
        }
        until(&client, true).await;
        let stopped = tokio::task::spawn_blocking(|| served.stop());
        dir = stopped.await.expect("it stops");
        until(&client, false).await;
        let served = Served::start_with(dir, &[]);
        until(&client, true).await;
        ended.cancel();
        callers.join_all().await;
        dir = served.stop();
    }
}

/// Asks until the gateway answers, or does not.
async fn until(client: &Client, by_gateway: bool) {
    let asked = async {
        loop {
            let answer = client.login(1, "ann").await.expect("valid");
            if (*answer.decided_by() == DecidedBy::Gateway) == by_gateway {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENT, asked).await.expect("it changes");
}

//! The client of IM servers against a served gateway: both must mean the same by a wrong request, in a batch or not.

use std::time::Duration;

use quotagate::client::{Client, DecidedBy};
use quotagate::proto::Reason;
use tokio::task::JoinSet;

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

//! A gateway that is gone, deaf or slow: the deadline holds, the policy answers, and the client comes back by itself.

use std::net::TcpListener;
use std::time::Duration;

use quotagate::client::{Answer, Cause, Client, DecidedBy, OnUnreachable, OperationKind, Sides};
use quotagate::proto::{AdmitBatchRequest, GetUsageRequest, Outcome};
use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};

use super::stand_in::{self, StandIn};
use super::{PATIENT, is_by_gateway, patient};

/// Short, for where nobody will answer.
const SHORT: Duration = Duration::from_millis(50);

/// An address where nobody listens, as long as the socket is kept: its port is taken.
fn nowhere() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(([127, 0, 0, 1], 0).into())
        .expect("a free port");
    let address = format!("http://{}", socket.local_addr().expect("bound"));
    (socket, address)
}

fn cause(answer: &Answer) -> &Cause {
    match answer.decided_by() {
        DecidedBy::Policy(cause) => cause,
        DecidedBy::Gateway => panic!("decided by the gateway"),
    }
}

#[tokio::test]
async fn each_operation_is_answered_by_its_policy_which_the_answer_says() {
    let denied = [OperationKind::CreateGroup, OperationKind::AddFriend];
    for general in [OnUnreachable::Allow, OnUnreachable::Deny] {
        let single = match general {
            OnUnreachable::Allow => OnUnreachable::Deny,
            OnUnreachable::Deny => OnUnreachable::Allow,
        };
        let (_taken, address) = nowhere();
        let mut builder = Client::builder(address).on_unreachable(general);
        for kind in denied {
            builder = builder.on_unreachable_for(kind, single);
        }
        let client = builder.deadline(PATIENT).connect().expect("an address");
        let answers = [
            client.register_user(1, "ann").await,
            client.delete_user(1, "ann").await,
            client.login(1, "ann").await,
            client.add_friend(1, "ann", "bob", Sides::Both).await,
            client.remove_friend(1, "ann", "bob", Sides::Both).await,
            client.create_group(1, "g", "Public", "ann", &[]).await,
            client.delete_group(1, "g").await,
            client.join_group(1, "g", "ann").await,
            client.leave_group(1, "g", "ann").await,
        ];
        for (kind, answer) in OperationKind::ALL.into_iter().zip(answers) {
            let answer = answer.expect("a valid request");
            let policy = if denied.contains(&kind) {
                single
            } else {
                general
            };
            assert_eq!(
                answer.is_allowed(),
                policy == OnUnreachable::Allow,
                "{kind:?}"
            );
            assert!(matches!(
                cause(&answer),
                Cause::Unreachable(_) | Cause::Down
            ));
            let verdict = if answer.is_allowed() {
                "allowed"
            } else {
                "denied"
            };
            let said = format!("{verdict} by the client's policy: the gateway ");
            assert!(answer.message().starts_with(&said), "{}", answer.message());
        }
    }
}

#[tokio::test]
async fn fail_open_is_the_default_and_a_refused_connection_is_named() {
    let (_taken, address) = nowhere();
    let client = patient(&address);
    let answer = client.login(1, "ann").await.expect("valid");
    assert!(answer.is_allowed());
    let said = cause(&answer).to_string();
    assert!(said.contains("Connection refused"), "{said}");
    assert_eq!(answer.response().outcome(), Outcome::Allowed);
    let socket = patient("unix:///no/such/socket");
    let answer = socket.login(1, "ann").await.expect("valid");
    assert!(cause(&answer).to_string().contains("No such file"));
}

#[tokio::test]
async fn a_batch_of_the_callers_own_goes_by_policy_too() {
    let (_taken, address) = nowhere();
    let client = patient(&address);
    let batch = AdmitBatchRequest {
        sdk_app_id: 1,
        operations: vec![stand_in::login(1, "ann").into()],
        ..AdmitBatchRequest::default()
    };
    let answer = client.admit_batch(batch).await.expect("valid");
    assert_eq!((answer.committed, answer.revision), (false, 0));
    assert!(matches!(cause(&answer.answers[0]), Cause::Unreachable(_)));
}

/// The kernel accepts, and nobody reads: no call may wait for it, nor any part of one.
#[tokio::test]
async fn the_deadline_holds_where_nobody_answers() {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", deaf.local_addr().expect("bound"));
    let silent = StandIn::start();
    for (address, user) in [(&address, "ann"), (&silent.address, "silent")] {
        for builder in [Client::builder(address), Client::builder(address).batched()] {
            let client = builder.deadline(SHORT).connect().expect("an address");
            for _ in 0..3 {
                let asked = timeout(PATIENT, client.login(1, user)).await;
                let answer = asked.expect("in time").expect("valid");
                assert_eq!(cause(&answer), &Cause::Deadline(SHORT));
                assert!(answer.is_allowed());
            }
        }
    }
    let client = Client::builder(&address).deadline(SHORT).connect();
    let client = client.expect("an address");
    let usage = timeout(PATIENT, client.get_usage(GetUsageRequest::default())).await;
    let error = usage.expect("in time").expect_err("nobody answers");
    assert_eq!(error.to_string(), "the gateway did not answer within 50ms");
}

#[tokio::test]
async fn a_gateway_that_is_down_is_not_asked_for_a_while() {
    let silent = StandIn::start();
    let client = Client::builder(&silent.address).deadline(SHORT).connect();
    let client = client.expect("an address");
    for _ in 0..5 {
        let answer = client.login(1, "silent").await.expect("valid");
        assert_eq!(cause(&answer), &Cause::Deadline(SHORT));
    }
    let answer = client.login(1, "ann").await.expect("valid");
    assert_eq!(cause(&answer), &Cause::Down);
    assert_eq!(silent.asked().len(), 5);
    comes_back(&client).await;
}

#[tokio::test]
async fn the_client_comes_back_when_the_gateway_does() {
    for batched in [false, true] {
        let gateway = StandIn::start();
        let address = gateway.address.clone();
        let builder = Client::builder(&address).deadline(PATIENT);
        let builder = if batched { builder.batched() } else { builder };
        let client = builder.connect().expect("an address");
        let answer = client.login(1, "ann").await.expect("valid");
        assert!(is_by_gateway(&answer));
        gateway.kill().await;
        for _ in 0..10 {
            let answer = client.login(1, "ann").await.expect("valid");
            assert!(matches!(
                cause(&answer),
                Cause::Unreachable(_) | Cause::Down
            ));
        }
        let port = address.strip_prefix("http://").expect("as made");
        let _gateway = StandIn::start_at(port);
        comes_back(&client).await;
    }
}

/// Asks until the gateway is asked again, which is due in half a second.
async fn comes_back(client: &Client) {
    let asking = async {
        while !is_by_gateway(&client.login(1, "ann").await.expect("valid")) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENT, asking).await.expect("it comes back");
}

#[tokio::test]
async fn a_call_to_a_gateway_that_is_going_away_is_repeated_once() {
    let gateway = StandIn::start();
    for builder in [
        Client::builder(&gateway.address),
        Client::builder(&gateway.address).batched(),
    ] {
        let client = builder.deadline(PATIENT).connect().expect("an address");
        gateway.be_unavailable_once();
        let answer = client.login(1, "ann").await.expect("valid");
        assert!(is_by_gateway(&answer));
    }
}

/// The connection breaks under a call that waits for its answer; the repetition finds nobody.
#[tokio::test]
async fn a_connection_that_breaks_under_a_call_is_told_as_such() {
    for batched in [false, true] {
        let gateway = StandIn::start();
        let builder = Client::builder(&gateway.address).deadline(PATIENT);
        let builder = if batched { builder.batched() } else { builder };
        let client = builder.connect().expect("an address");
        let waiting = tokio::spawn(async move { client.login(1, "silent").await });
        let asked = async {
            while gateway.asked().is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENT, asked).await.expect("it is asked");
        gateway.kill().await;
        let answer = waiting.await.expect("no panic").expect("valid");
        assert!(
            matches!(cause(&answer), Cause::Unreachable(_)),
            "{answer:?}"
        );
    }
}

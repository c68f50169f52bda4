//! Many clients at once for one place: one gets it, by whichever socket and call, and the others are told why not.

use std::path::Path;
use std::sync::Arc;

use quotagate::proto::admission_service_client::AdmissionServiceClient;
use quotagate::proto::{self, AdmitRequest, AdmitResponse, Mode, Outcome, Reason, operation};
use tempfile::TempDir;
use tokio::sync::Barrier;
use tonic::transport::{Channel, Endpoint};

use super::gate::{Gate, ask, batch, create, join};

const CLIENTS: usize = 50;
const ROUNDS: usize = 8;
/// Members that a group of Trial may have.
const MEMBERS_MAX: usize = 20;

async fn by_socket(path: &Path) -> Channel {
    let endpoint = Endpoint::from_shared(format!("unix://{}", path.display()));
    endpoint
        .expect("an address")
        .connect()
        .await
        .expect("it listens")
}

/// The answer to joining a group, alone, in a batch or in a stream.
async fn join_by(client: usize, channel: Channel, group: &str, user: String) -> AdmitResponse {
    let mut asking = AdmissionServiceClient::new(channel);
    let joining = proto::JoinGroup {
        group: group.to_owned(),
        user: user.clone(),
        r#type: String::new(),
    };
    let batch = batch([operation::Operation::JoinGroup(joining)]);
    let mut answer = match client % 3 {
        0 => {
            let answer = asking.admit(ask(join(group, user))).await;
            return answer.expect("it is served").into_inner();
        }
        1 => asking
            .admit_batch(batch)
            .await
            .expect("it is served")
            .into_inner(),
        _ => {
            let answers = asking.admit_stream(tokio_stream::iter([batch])).await;
            let mut answers = answers.expect("it is served").into_inner();
            answers
                .message()
                .await
                .expect("it goes on")
                .expect("an answer")
        }
    };
    answer.results.pop().expect("one result")
}

fn record(gate: &Gate, operation: proto::admit_request::Operation) {
    let asked = AdmitRequest {
        mode: Mode::Record.into(),
        ..ask(operation)
    };
    let answer = gate
        .run(gate.admission().admit(asked))
        .expect("it is served");
    assert!(answer.get_ref().changed);
}

fn channels(gate: &Gate, path: &Path) -> Vec<Channel> {
    let channel = |client: usize| match client % 2 {
        0 => gate.channel(),
        _ => gate.run(by_socket(path)),
    };
    (0..CLIENTS).map(channel).collect()
}

#[test]
fn one_of_fifty_clients_gets_the_last_place() {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("gate.sock");
    let gate = Gate::with(|setup| {
        setup.settings.uds = Some(path.clone());
        // Enough users for every round.
        setup.limits = "[[override]]\nlimit = \"max_users\"\nvalue = 5000\nreason = \"a test\"\n";
    });
    let channels = channels(&gate, &path);
    let users: Vec<_> = (0..CLIENTS).map(|client| format!("u{client}")).collect();
    for user in &users {
        record(&gate, super::gate::register(user.as_str()));
    }
    for round in 0..ROUNDS {
        let group = format!("g{round}");
        // All places but one are taken, the owner's among them.
        let members: Vec<_> = (0..MEMBERS_MAX - 2).map(|n| format!("m{n}")).collect();
        let members: Vec<_> = members.iter().map(String::as_str).collect();
        record(&gate, create(&group, "Public", "owner", &members));
        let start = Arc::new(Barrier::new(CLIENTS));
        let callers = channels.iter().zip(&users).enumerate();
        let callers: Vec<_> = callers
            .map(|(client, (channel, user))| {
                let (channel, user) = (channel.clone(), user.clone());
                let (start, group) = (Arc::clone(&start), group.clone());
                gate.spawn(async move {
                    start.wait().await;
                    join_by(client + round, channel, &group, user).await
                })
            })
            .collect();
        let (mut admitted, mut denied) = (0, 0);
        for caller in callers {
            let answer = gate.run(caller).expect("no panic");
            if answer.outcome() == Outcome::Allowed {
                assert!(answer.changed);
                admitted += 1;
            } else {
                assert_eq!(answer.reason(), Reason::GroupMemberLimit);
                assert_eq!((answer.limit, answer.used), (20, 20), "denied when full");
                denied += 1;
            }
        }
        assert_eq!((admitted, denied), (1, CLIENTS - 1), "round {round}");
    }
    assert_eq!(gate.usage().memberships, (ROUNDS * MEMBERS_MAX) as u64);
}

/// The same user by all clients: one answer says that it changed something, all that it is so.
#[test]
fn one_user_asked_for_by_all_joins_once() {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("gate.sock");
    let gate = Gate::with(|setup| setup.settings.uds = Some(path.clone()));
    let channels = channels(&gate, &path);
    record(&gate, create("g", "Public", "owner", &[]));
    record(&gate, super::gate::register("a"));
    let callers = channels.iter().enumerate().map(|(client, channel)| {
        let channel = channel.clone();
        gate.spawn(async move { join_by(client, channel, "g", "a".to_owned()).await })
    });
    let callers: Vec<_> = callers.collect();
    let mut changed = 0;
    for caller in callers {
        let answer = gate.run(caller).expect("no panic");
        assert_eq!(answer.outcome(), Outcome::Allowed);
        changed += u32::from(answer.changed);
    }
    assert_eq!(changed, 1);
}

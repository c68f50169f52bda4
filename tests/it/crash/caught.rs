//! The judge is judged: it finds nothing where nothing was lost, and whatever is lost, comes back or is too much, it finds.

use std::fs;
use std::time::{Duration, Instant};

use quotagate::proto::admission_service_client::AdmissionServiceClient;
use quotagate::proto::{AdmitBatchRequest, Mode, Operation};

use super::deed::{Deed, Fact, group_of};
use super::ledger::{Ledger, State};
use super::program::{Program, Start};
use super::rig::{Ending, Fault, Rig, copy};
use super::told::{Exchange, Heard};

/// The app whose facts are changed behind the clients' backs.
const APP: u32 = 1;

fn plain(seed: u64) -> Rig {
    Rig::new("process", "", seed)
}

fn started(rig: &Rig) -> Program {
    match rig.start(None) {
        Start::Ready(program) => program,
        Start::Ended(status, said) => panic!("it does not start: {status}: {said}"),
    }
}

/// The clients ask for a while, and all that they ask is answered.
fn used(rig: &mut Rig, program: &Program) -> Result<(), Fault> {
    let loading = rig.begin(program, 150)?.expect("it lives");
    rig.finish(loading, Instant::now())
}

/// Some operation on app 1 that no client knows of.
fn behind_their_backs(rig: &Rig, program: &Program, operations: Vec<Operation>) {
    let request = AdmitBatchRequest {
        sdk_app_id: APP,
        mode: Mode::Record.into(),
        operations,
        ..AdmitBatchRequest::default()
    };
    rig.runtime.block_on(async {
        let channel = program.channel().await.expect("it listens");
        let answer = AdmissionServiceClient::new(channel)
            .admit_batch(request)
            .await;
        let changed = answer.expect("it is served").into_inner().results;
        assert!(changed.iter().all(|it| it.changed), "{changed:?}");
    });
}

fn found(outcome: Result<Program, Fault>, expected: &str) {
    let fault = outcome.err().expect("it is found");
    assert!(fault.contains(expected), "{fault}");
}

#[test]
fn nothing_is_found_where_nothing_was_lost() {
    let mut rig = plain(1);
    let program = started(&rig);
    for _ in 0..8 {
        used(&mut rig, &program).expect("as promised");
        assert_eq!(rig.examine(&program), Ok(None));
    }
    let counted = rig.ledger.counted;
    assert!(
        counted.allowed > 1000 && counted.denied > 500,
        "{counted:?}"
    );
}

/// The first fact of a kind that is there.
fn first(rig: &mut Rig, is_of_kind: impl Fn(Fact) -> bool) -> Fact {
    let known = rig.ledger.of(APP).known().into_iter();
    let mut there = known.filter(|(_, state)| *state == State::There);
    let first = there.find(|(fact, _)| is_of_kind(*fact));
    first.expect("one of each kind").0
}

#[test]
fn a_single_fact_that_is_lost_is_found() {
    let kinds: [fn(Fact) -> bool; 4] = [
        |fact| matches!(fact, Fact::User(_)),
        |fact| matches!(fact, Fact::Group(_)),
        |fact| matches!(fact, Fact::Member(..)),
        |fact| matches!(fact, Fact::Friend(..)),
    ];
    for (is_of_kind, seed) in kinds.into_iter().zip(2..) {
        let mut rig = plain(seed);
        let program = started(&rig);
        used(&mut rig, &program).expect("as promised");
        let lost = first(&mut rig, is_of_kind);
        behind_their_backs(&rig, &program, vec![lost.removal().ask(0)]);
        let fault = rig.examine(&program).expect_err("it is found");
        let expected = "expected there: it was acknowledged, found gone";
        assert!(fault.contains(expected), "{lost:?}: {fault}");
    }
}

#[test]
fn what_comes_back_or_is_too_much_is_found() {
    let stranger = |name: &str| {
        let user = name.to_owned();
        let register = quotagate::proto::RegisterUser { user };
        Operation {
            operation: Some(quotagate::proto::operation::Operation::RegisterUser(
                register,
            )),
            ..Operation::default()
        }
    };
    let mut rig = plain(6);
    let program = started(&rig);
    used(&mut rig, &program).expect("as promised");
    let gone = rig.ledger.of(APP).known().into_iter();
    let mut gone = gone.filter(|(_, state)| *state == State::Gone);
    let is_user = |fact| matches!(fact, Fact::User(_));
    let (back, _) = gone
        .find(|(fact, _)| is_user(*fact))
        .expect("one was deleted");
    behind_their_backs(&rig, &program, vec![back.addition().ask(0)]);
    let fault = rig.examine(&program).expect_err("it is found");
    assert!(fault.contains("expected gone"), "{fault}");

    // Users that nobody asks for are found by their number.
    let mut rig = plain(7);
    let program = started(&rig);
    behind_their_backs(&rig, &program, vec![stranger("stranger")]);
    let fault = rig.examine(&program).expect_err("it is found");
    assert!(fault.contains("expected 0 users, found 1"), "{fault}");

    let mut rig = plain(8);
    let program = started(&rig);
    let many = (0..27).map(|n| stranger(&format!("stranger-{n}")));
    behind_their_backs(&rig, &program, many.collect());
    let fault = rig.examine(&program).expect_err("it is found");
    assert!(
        fault.contains("max_users: expected at most 26, found 27"),
        "{fault}"
    );
}

/// The gateway forgets: its data is removed.
#[test]
fn a_gateway_that_forgets_is_found() {
    let mut rig = plain(9);
    let killed = rig.run(None, Ending::Killed(Duration::from_millis(200)));
    killed.expect("it begins well");
    fs::remove_dir_all(rig.data()).expect("removed");
    found(rig.judge_now(), "found gone");
}

/// The data directory is an older one: all that it has is right, but not all is there.
#[test]
fn an_older_copy_of_the_data_is_found() {
    let mut rig = Rig::new("process", "", 10);
    let killed = Ending::Killed(Duration::from_millis(100));
    rig.run(None, killed).expect("it begins well");
    let older = rig.dir().join("older");
    copy(&rig.data(), &older);
    rig.run(None, killed).expect("it goes on well");
    fs::remove_dir_all(rig.data()).expect("removed");
    copy(&older, &rig.data());
    found(rig.judge_now(), "expected");
}

/// A batch that was all or nothing is half there.
#[test]
fn a_torn_batch_is_found() {
    let mut ledger = Ledger::new();
    let room = group_of(0, 0);
    let exchange = Exchange {
        app: APP,
        client: 0,
        deeds: vec![Deed::Register(1), Deed::Create(room, Vec::new())],
        whole: true,
        heard: Heard::Silence,
        at: Instant::now(),
        took: Duration::ZERO,
    };
    for (is_torn, group) in [(false, true), (true, false)] {
        ledger.note(&exchange, None).expect("nothing is known yet");
        let facts = ledger.of(APP);
        facts.see(Fact::User(1), true).expect("open");
        facts.see(Fact::Group(room), group).expect("open");
        facts.see(Fact::Member(room, 0), group).expect("open");
        assert_eq!(facts.torn().is_some(), is_torn);
        ledger = Ledger::new();
    }
}

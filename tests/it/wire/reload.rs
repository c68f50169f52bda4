//! Reloading under load: what is answered was decided by files that were in force, and faulty ones change nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use quotagate::proto::admission_service_client::AdmissionServiceClient;
use quotagate::proto::{Outcome, Reason, ReloadRequest};
use tempfile::TempDir;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::gate::{Gate, ask, join, register};

/// A directory with the bundled catalog and no rules.
pub fn files() -> TempDir {
    let dir = TempDir::new().expect("a temporary directory");
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/catalog.toml");
    fs::copy(bundled, dir.path().join("catalog.toml")).expect("copied");
    write(dir.path(), "");
    dir
}

pub fn write(dir: &Path, limits: &str) {
    fs::write(dir.join("limits.toml"), limits).expect("written");
}

pub fn users_max(value: usize) -> String {
    format!("[[override]]\nlimit = \"max_users\"\nvalue = {value}\nreason = \"a test\"\n")
}

fn gate(dir: &TempDir) -> Gate {
    Gate::with(|setup| setup.dir = Some(dir.path().to_owned()))
}

#[test]
fn faults_are_named_with_their_places_and_change_nothing() {
    let dir = files();
    let gate = gate(&dir);
    let mut control = gate.control();
    let before = gate.admit(register("a")).revision;
    let limits = dir.path().join("limits.toml");
    write(dir.path(), "colour = 1\n\n  size = 2\n");
    let status = gate
        .run(control.reload(ReloadRequest {}))
        .expect_err("two faults");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("2 faults"), "{status}");
    let details = status.get_details_precondition_failure().expect("details");
    let places: Vec<_> = details
        .violations
        .iter()
        .map(|it| it.subject.clone())
        .collect();
    let place = |line, column| format!("{}:{line}:{column}", limits.display());
    assert_eq!(places, [place(1, 1), place(3, 3)]);
    assert!(
        details.violations[0].description.contains("colour"),
        "{details:?}"
    );

    // As many as a status can carry.
    let many: Vec<_> = (0..500).map(|n| format!("x{n} = 1")).collect();
    write(dir.path(), &many.join("\n"));
    let status = gate
        .run(control.reload(ReloadRequest {}))
        .expect_err("500 faults");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("500 faults"), "{status}");
    let details = status.get_details_precondition_failure().expect("details");
    assert!((1..500).contains(&details.violations.len()));

    fs::remove_file(&limits).expect("it is there");
    let status = gate
        .run(control.reload(ReloadRequest {}))
        .expect_err("no file");
    let details = status.get_details_precondition_failure().expect("details");
    assert_eq!(details.violations[0].subject, place(1, 1));
    assert_eq!(gate.admit(register("b")).revision, before);
}

#[test]
fn an_edition_in_use_cannot_go() {
    let dir = files();
    let gate = gate(&dir);
    let path = dir.path().join("catalog.toml");
    let catalog = fs::read_to_string(&path).expect("UTF-8");
    fs::write(
        &path,
        catalog.replace("name = \"trial\"", "name = \"tryout\""),
    )
    .expect("written");
    let status = gate
        .run(gate.control().reload(ReloadRequest {}))
        .expect_err("app 1 is on it");
    assert_eq!(status.code(), Code::FailedPrecondition);
    let details = status.get_details_precondition_failure().expect("details");
    assert_eq!(details.violations[0].subject, "app 1");
    assert_eq!(gate.admit(register("a")).revision, 1);
}

/// Whatever the clients see while good and bad files alternate: a revision that was in force, and limits that go with it.
#[test]
fn under_load_every_answer_is_by_files_that_were_in_force() {
    const ROUNDS: usize = 40;
    let dir = files();
    let gate = gate(&dir);
    let (done, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let mut clients = Vec::new();
    for client in 0..4 {
        let (mut asking, done) = (
            AdmissionServiceClient::new(gate.channel()),
            Arc::clone(&done),
        );
        let answered = Arc::clone(&answered);
        clients.push(gate.spawn(async move {
            let mut seen = Vec::new();
            while !done.load(Ordering::Relaxed) {
                // Leaves no user, and is asked what the limit is when there is none left.
                let answer = asking
                    .admit(ask(register(format!("client {client}"))))
                    .await;
                let answer = answer.expect("it is served").into_inner();
                let limit = (answer.outcome() == Outcome::Denied).then_some(answer.limit);
                seen.push((answer.revision, limit));
                answered.fetch_add(1, Ordering::Relaxed);
            }
            seen
        }));
    }
    let mut control = gate.control();
    // The bound by revision: full for newcomers from the second on.
    let mut in_force = vec![(1_u64, 100_usize)];
    for round in 0..ROUNDS {
        let (_, bound) = *in_force.last().expect("the first");
        let before = answered.load(Ordering::Relaxed);
        if round % 2 == 0 {
            let bound = if bound == 3 { 4 } else { 3 };
            write(dir.path(), &users_max(bound));
            let reloaded = gate
                .run(control.reload(ReloadRequest {}))
                .expect("good files");
            in_force.push((reloaded.get_ref().revision, bound));
        } else {
            write(
                dir.path(),
                "[[override]]\nlimit = \"max_users\"\nvalue = -1\n",
            );
            let status = gate
                .run(control.reload(ReloadRequest {}))
                .expect_err("faults");
            assert_eq!(status.code(), Code::FailedPrecondition);
        }
        // What begins after the answer is by what it said.
        let (revision, _) = *in_force.last().expect("the first");
        assert_eq!(gate.admit(register("somebody")).revision, revision);
        gate.run(async {
            while answered.load(Ordering::Relaxed) < before + 20 {
                tokio::task::yield_now().await;
            }
        });
    }
    done.store(true, Ordering::Relaxed);
    let revisions: BTreeSet<_> = in_force.iter().map(|(revision, _)| *revision).collect();
    let mut seen_by_all = BTreeSet::new();
    for client in clients {
        let seen = gate.run(client).expect("no panic");
        assert!(
            seen.is_sorted_by_key(|(revision, _)| *revision),
            "revisions go back"
        );
        for (revision, limit) in seen {
            assert!(
                revisions.contains(&revision),
                "{revision} was never in force"
            );
            if let Some(limit) = limit {
                let expected = in_force.iter().find(|(it, _)| *it == revision);
                assert_eq!(expected.map(|(_, bound)| *bound as u64), Some(limit));
            }
            seen_by_all.insert(revision);
        }
    }
    assert!(
        seen_by_all.len() > ROUNDS / 4,
        "the load saw the reloads: {seen_by_all:?}"
    );
}

/// A lowered limit holds for whoever asks after the answer, from whichever connection.
#[test]
fn a_lowered_limit_is_in_force_when_the_reload_is_answered() {
    let dir = files();
    let gate = gate(&dir);
    for n in 0..30 {
        gate.admit(register(format!("u{n}")));
    }
    let (mut control, mut asking) = (gate.control(), gate.admission());
    for bound in (30..60).rev() {
        write(dir.path(), &users_max(bound));
        let reloaded = gate
            .run(control.reload(ReloadRequest {}))
            .expect("good files");
        let answer = gate.run(asking.admit(ask(register(format!("v{bound}")))));
        let answer = answer.expect("it is served").into_inner();
        assert_eq!(answer.revision, reloaded.get_ref().revision);
        let room = gate.usage().users <= bound as u64 && answer.outcome() == Outcome::Allowed;
        let full = answer.reason() == Reason::UserLimit && answer.limit == bound as u64;
        assert!(room || full, "{bound}: {answer:?}");
    }
    // Below what there is: nothing goes, nobody else comes, and leaving is allowed.
    write(dir.path(), &users_max(1));
    gate.run(control.reload(ReloadRequest {}))
        .expect("good files");
    let before = gate.usage().users;
    let denied = gate.admit(register("w"));
    assert_eq!(
        (denied.reason(), denied.limit, denied.used),
        (Reason::UserLimit, 1, before)
    );
    let left = quotagate::proto::DeleteUser {
        user: "u0".to_owned(),
    };
    let left = gate.admit(quotagate::proto::admit_request::Operation::DeleteUser(left));
    assert!(left.changed);
    assert_eq!(
        gate.admit(join("none", "u1")).reason(),
        Reason::GroupNotFound
    );
    assert_eq!(gate.usage().users, before - 1);
}

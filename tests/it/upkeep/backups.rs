//! Backups: of a gateway at work, restored elsewhere; of the ledger; what is refused, and leaves nothing.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use quotagate::client::Client;
use quotagate::ledger::Ledger;
use quotagate::proto::admit_request::Operation;
use quotagate::proto::{AdmitRequest, RegisterUser};
use tempfile::TempDir;

use super::{Kept, every, in_ledger, journal, names, only, path, run};
use crate::data_dir::contents;
use crate::served::Served;
use crate::support::{MORNING, at, register};

const APP: u32 = 1_400_000_001;

fn admit(user: &str) -> AdmitRequest {
    let user = user.into();
    AdmitRequest {
        sdk_app_id: APP,
        operation: Some(Operation::RegisterUser(RegisterUser { user })),
        ..AdmitRequest::default()
    }
}

/// Registers users one after the other until it is told to stop; `acknowledged` says how many were.
fn load(address: &str, acknowledged: &AtomicUsize, stop: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let builder = Client::builder(address).deadline(std::time::Duration::from_mins(1));
        let client = builder.connect().expect("an address");
        while !stop.load(Ordering::Relaxed) {
            let next = acknowledged.load(Ordering::Relaxed);
            let answer = client.admit(admit(&format!("user-{next:06}"))).await;
            assert!(answer.expect("a valid request").is_allowed());
            acknowledged.fetch_add(1, Ordering::Release);
        }
    });
}

#[test]
fn a_backup_under_load_has_what_was_answered_before_and_can_be_restored() {
    let served = Served::start_with(TempDir::new().expect("a directory"), &[]);
    served.done(&["app", "set-edition", &APP.to_string(), "flagship"]);
    let data = served.dir().join("data");
    let home = TempDir::new().expect("a directory");
    let (acknowledged, stop) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let loading = {
        let (address, acknowledged, stop) = (
            served.address().to_owned(),
            Arc::clone(&acknowledged),
            Arc::clone(&stop),
        );
        thread::spawn(move || load(&address, &acknowledged, &stop))
    };
    let mut before = Vec::new();
    for round in 0..4 {
        // On from the last one, and some of it in a snapshot.
        let wanted = acknowledged.load(Ordering::Acquire) + 200;
        while acknowledged.load(Ordering::Acquire) < wanted {
            assert!(!loading.is_finished(), "the load has failed");
            thread::yield_now();
        }
        let snapshots = thread::scope(|scope| {
            let taking = (round > 0).then(|| {
                let data = &data;
                scope.spawn(move || journal("snapshot", data, &[]))
            });
            before.push(acknowledged.load(Ordering::Acquire));
            let to = home.path().join(round.to_string());
            let (status, stdout, stderr) = run(&["backup", path(&data), path(&to)], &data);
            assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
            taking.map(|taking| taking.join().expect("it ends"))
        });
        assert!(snapshots.is_none_or(|(status, _)| status == 0));
    }
    stop.store(true, Ordering::Relaxed);
    loading.join().expect("the load goes well");
    drop(served);
    for (round, before) in before.into_iter().enumerate() {
        let backup = home.path().join(round.to_string());
        let (status, text) = journal("verify", &backup, &[]);
        assert_eq!(status, 0, "{text}");
        let kept = names(&backup, APP, &[]);
        assert!(kept.len() >= before, "{} of {before}", kept.len());
        let expected: Vec<_> = (0..kept.len()).map(|n| format!("user-{n:06}")).collect();
        assert_eq!(kept, expected, "all before the last, and no other");
    }
    restored(&home.path().join("3"));
}

/// As the README says: a copy in the place of the data directory, and start.
fn restored(backup: &Path) {
    let kept = names(backup, APP, &[]).len();
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("it is created");
    for file in every(backup, "") {
        let name = file.file_name().expect("a name");
        fs::copy(&file, data.join(name)).expect("there is room");
    }
    let served = Served::start_with(dir, &[]);
    let usage = served.done(&["usage", &APP.to_string(), "--json"]);
    let usage: serde_json::Value = serde_json::from_str(&usage).expect("JSON");
    assert_eq!(usage["app"]["users"], kept);
    // Known, by the same key.
    served.done(&["usage", &APP.to_string(), "user", "user-000000"]);
}

#[test]
fn the_ledger_is_copied_and_facts_that_it_does_not_know_are_refused() {
    let home = TempDir::new().expect("a directory");
    let (dir, to) = (home.path().join("data"), home.path().join("backup"));
    let kept = Kept::open(&dir);
    kept.allowed(1, &register("ann"), at(MORNING));
    kept.close();
    in_ledger(&dir, &[7]);
    let (status, stdout, stderr) = run(&["backup", path(&dir), path(&to)], home.path());
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let copied = runtime.expect("a runtime").block_on(async {
        let ledger = Ledger::open(&to).await.expect("it opens");
        let apps = ledger.apps().await.expect("it is whole");
        ledger.close().await.expect("it closes");
        apps
    });
    let ids: Vec<_> = copied.iter().map(|app| app.id.get()).collect();
    assert_eq!(ids, [1, 2, 7]);
    assert_eq!(names(&to, 1, &[]), ["ann"]);

    fs::remove_file(dir.join("ledger.sqlite")).expect("it is there");
    let again = home.path().join("again");
    let (status, _, stderr) = run(&["backup", path(&dir), path(&again)], home.path());
    assert_eq!(status, 2);
    assert!(
        stderr.contains("facts of app 1, which the ledger does not know"),
        "{stderr}"
    );
    assert!(!again.exists());
    let (status, text) = journal("verify", &dir, &[]);
    assert_eq!(status, 2);
    assert!(
        text.contains("facts of app 1, which the ledger does not know"),
        "{text}"
    );
    assert!(!dir.join("ledger.sqlite").exists(), "none is begun");
}

#[test]
fn a_backup_that_cannot_be_made_leaves_nothing() {
    let home = TempDir::new().expect("a directory");
    let (dir, to) = (home.path().join("data"), home.path().join("backup"));
    let kept = Kept::open(&dir);
    kept.allowed(1, &register("ann"), at(MORNING));
    kept.snapshot();
    // Of one that a process has and does not serve.
    let (status, _, stderr) = run(&["backup", path(&dir), path(&to)], home.path());
    assert_eq!(status, 2);
    assert!(stderr.contains("that is tested"), "{stderr}");
    kept.close();
    // Into what is not empty.
    fs::create_dir(&to).expect("it is created");
    fs::write(to.join("mine"), "text").expect("there is room");
    let (status, _, stderr) = run(&["backup", path(&dir), path(&to)], home.path());
    assert_eq!(status, 2);
    insta::assert_snapshot!(stderr, @"quotagate: DIR/backup is not empty: name a directory that is missing or empty");
    assert_eq!(contents(&to).len(), 1);
    fs::remove_file(to.join("mine")).expect("it is there");
    // Of a snapshot that is damaged behind what a backup reads before it copies.
    let snapshot = only(&dir, ".qgs");
    let mut bytes = fs::read(&snapshot).expect("it is there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&snapshot, bytes).expect("there is room");
    let (status, _, stderr) = run(&["backup", path(&dir), path(&to)], home.path());
    assert_eq!(status, 2);
    assert!(
        stderr.contains("the copy cannot be read: snapshot-"),
        "{stderr}"
    );
    assert_eq!(
        contents(&to).len(),
        0,
        "what was begun is gone, and the directory stays"
    );
    fs::remove_dir(&to).expect("it is empty");
    let (status, _, _) = run(&["backup", path(&dir), path(&to)], home.path());
    assert_eq!((status, to.exists()), (2, false));
}

//! What operators do with data directories, by the program: names, checking, salvaging, snapshots, backups.

mod backups;
mod commands;
mod names;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use assert_cmd::cargo::cargo_bin;
use quotagate::admission::{Mode, Request};
use quotagate::data_dir::DataDir;
use quotagate::gateway::Gateway;
use quotagate::id::{AccountId, SdkAppId};
use quotagate::journal::{Directory, Options, Scribe};
use quotagate::ledger::{Change, Ledger, NewEvent};
use quotagate::rating::Event;
use quotagate::recovery::recover;
use quotagate::subscription::{Plan, Standing};
use quotagate::time::{Timestamp, Zone};
use tokio::runtime::Builder;

use super::support::{MORNING, app, at, catalog, terms};

/// A gateway in this process with apps 1 and 2, which keeps a data directory.
struct Kept {
    gateway: Gateway,
    scribe: Scribe,
    _data: DataDir,
}

impl Kept {
    fn open(dir: &Path) -> Self {
        let now = at(MORNING);
        let (data, key) = DataDir::open(dir, None, "that is tested", now).expect("it is free");
        in_ledger(dir, &[1, 2]);
        let created = |_: SdkAppId| Some(Zone::default().day(now));
        let storage = Arc::new(Directory::new(dir));
        let recovered = recover(storage, Options::default(), &created, &mut |_| {});
        let gateway = Gateway::durable(terms(""), key, recovered.expect("it is whole"));
        for id in [1, 2] {
            let created = gateway.create_app(app(id), Plan::of("flagship"), Standing::GOOD, now);
            created.expect("a new app");
        }
        let scribe = Scribe::start(gateway.log().expect("it has a journal"));
        Self {
            gateway,
            scribe: scribe.expect("a thread"),
            _data: data,
        }
    }

    fn allowed(&self, id: u32, request: &Request<'_>, now: Timestamp) {
        let answer = self.gateway.admit(app(id), request, Mode::Record, now);
        assert!(answer.decision.outcome.is_allowed());
        // Each in a frame of its own.
        while self.gateway.commit().is_some() {
            std::thread::yield_now();
        }
    }

    fn snapshot(&self) {
        let taken = self.gateway.take_snapshot().expect("the disk is fine");
        taken.expect("it has a journal");
    }

    fn close(self) {
        self.scribe.close().expect("the disk is fine");
    }
}

/// Has the ledger of a directory know apps, which it may know already.
fn in_ledger(dir: &Path, apps: &[u32]) {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let ledger = Ledger::open(dir).await.expect("it opens");
        let catalog = catalog();
        let known = ledger.apps().await.expect("it is whole");
        for id in apps.iter().map(|id| app(*id)) {
            if known.iter().all(|app| app.id != id) {
                let event = Event::AppCreated {
                    app: id,
                    account: AccountId::new(&id.to_string()).expect("an id"),
                    edition: catalog.edition_id("flagship").expect("it is sold"),
                };
                let new = NewEvent {
                    at: at(MORNING),
                    event: &event,
                    catalog: &catalog,
                    note: None,
                    reference: None,
                };
                let written = ledger.write(&[Change::AddEvent(new)], &[]).await;
                written.expect("the disk is fine");
            }
        }
        ledger.close().await.expect("it closes");
    });
}

/// Runs the program; exit status, stdout and stderr, the directory called DIR.
fn run(arguments: &[&str], dir: &Path) -> (i32, String, String) {
    let output = Command::new(cargo_bin!()).args(arguments).output();
    let output = output.expect("it runs");
    let text = |bytes| {
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.replace(path(dir), "DIR")
    };
    let status = output.status.code().expect("it ends by itself");
    (status, text(output.stdout), text(output.stderr))
}

/// Runs a command of `journal` on a directory; its status, and what it says.
fn journal(command: &str, dir: &Path, flags: &[&str]) -> (i32, String) {
    let arguments = [&["journal", command, path(dir)], flags].concat();
    let (status, stdout, stderr) = run(&arguments, dir);
    (status, stdout + &stderr)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The ids of an app that the program prints, sorted.
fn names(dir: &Path, id: u32, flags: &[&str]) -> Vec<String> {
    let id = id.to_string();
    let (status, text) = journal("names", dir, &[&["--app", &id], flags].concat());
    assert_eq!(status, 0, "{text}");
    let mut names: Vec<_> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// The only file in a directory whose name ends so.
fn only(dir: &Path, end: &str) -> PathBuf {
    let mut found = every(dir, end);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Every file in a directory whose name ends so, by name.
fn every(dir: &Path, end: &str) -> Vec<PathBuf> {
    let listed = fs::read_dir(dir).expect("a directory");
    let paths = listed.map(|entry| entry.expect("readable").path());
    let mut found: Vec<_> = paths.filter(|it| path(it).ends_with(end)).collect();
    found.sort();
    found
}

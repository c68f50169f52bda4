//! Months that close, by the program that is killed at every call that changes its ledger, or whose disk refuses it.
//!
//! A gateway that was away for some months closes them when it starts. Whatever comes of such a start, the next one completes
//! the closes: the bills, to the last byte, are those of a gateway that nothing has happened to; nothing is there twice, and the
//! balances are right.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::Arc;

use quotagate::admission::{Mode, Operation};
use quotagate::catalog::Catalog;
use quotagate::clock;
use quotagate::config;
use quotagate::control::{ControlPlane, Wanted, WantedChange};
use quotagate::data_dir::DataDir;
use quotagate::entitlement::Terms;
use quotagate::gateway::Gateway;
use quotagate::id::{AccountId, SdkAppId};
use quotagate::journal::{Directory, Options};
use quotagate::ledger::{BillPage, Caller, Ledger, Page, Posted, Posting, StatementPage};
use quotagate::money::Money;
use quotagate::rating::{Books, Event, Keep, PushDay, Tariff};
use quotagate::recovery::recover;
use quotagate::subscription::Settings;
use quotagate::time::{DAY_MS, Month, Timestamp, Zone};
use tempfile::TempDir;

use super::program::{self, Start};
use super::rig::{copy, tell};
use crate::support::{app, create, login, terms, user};

/// What a process may be killed at, or be refused: system calls on the ledger's files.
const CALLS: [(&str, &str); 4] = [
    ("write", "pwrite64,pwritev,pwritev2,write,writev"),
    ("sync", "fsync,fdatasync"),
    ("truncate", "ftruncate,truncate"),
    ("open", "openat"),
];
/// Files of the ledger; calls for others are not counted.
const FILES: [&str; 3] = [
    "data/ledger.sqlite",
    "data/ledger.sqlite-wal",
    "data/ledger.sqlite-shm",
];
/// How long the gateway was away.
const AWAY_DAYS: i64 = 80;
const ACCOUNTS: [&str; 2] = ["acme", "beta"];

/// How far a close had come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Half {
    Nothing,
    Frozen,
    Finished,
}

/// A gateway's files, as it left them some months ago.
struct Left {
    dir: TempDir,
    catalog: Arc<Catalog>,
    zone: Zone,
    since: Timestamp,
    /// What a start makes of it that nothing happens to.
    expected: String,
}

impl Left {
    fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        // So few users are free that some hundred make a bill.
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/catalog.toml");
        let catalog = fs::read_to_string(file).expect("readable");
        let catalog = catalog.replace("free = 10000, block = 10000", "free = 3, block = 2");
        let zone = zone_of_noon();
        let gateway = format!("time_zone = \"{zone}\"\nworkers = 1\ndrain_seconds = 5\n");
        for (name, text) in [
            ("catalog.toml", catalog.as_str()),
            ("limits.toml", ""),
            ("gateway.toml", &gateway),
        ] {
            fs::write(dir.path().join(name), text).expect("written");
        }
        let catalog = config::read_catalog("catalog.toml", &catalog).expect("valid");
        let since = clock::now().plus_ms(-AWAY_DAYS * DAY_MS);
        block_on(lived(&dir.path().join("data"), zone, since));
        let mut left = Self {
            dir,
            catalog: Arc::new(catalog),
            zone,
            since,
            expected: String::new(),
        };
        let whole = left.copied();
        start(whole.path());
        left.expected = block_on(left.told(whole.path()));
        left
    }

    fn copied(&self) -> TempDir {
        let dir = TempDir::new().expect("a temporary directory");
        copy_files(self.dir.path(), dir.path());
        dir
    }

    /// The months that have closed meanwhile.
    fn months(&self) -> Vec<Month> {
        let zone = self.zone;
        let now = zone.day(clock::now()).month();
        let first = zone.day(self.since).month();
        let all = std::iter::successors(Some(first), |month| Some(month.next()));
        all.take_while(|month| *month < now).collect()
    }

    /// How far the closes of a directory have come; what is half done must be nothing or one of the two halves.
    async fn halves(&self, dir: &Path) -> Vec<Half> {
        let ledger = Ledger::open(&dir.join("data")).await.expect("it is whole");
        let events = ledger.events(&self.catalog).await.expect("whole");
        let mut halves = Vec::new();
        for month in self.months() {
            let close = ledger.close_of(month).await.expect("whole");
            let (bills, _) = ledger.bills_of(month).await.expect("whole");
            let is_closed = |event: &Event| matches!(event, Event::MonthClosed { month: it, .. } if *it == month);
            let closed = events.iter().filter(|(_, event)| is_closed(event)).count();
            let finished = close.and_then(|close| close.finished_at).is_some();
            if let Some(close) = close {
                ledger.frozen(&close).await.expect("whole");
            }
            let half = match (close.is_some(), finished, bills, closed) {
                (false, false, 0, 0) => Half::Nothing,
                (true, false, 0, 0) => Half::Frozen,
                (true, true, 2, 1) => Half::Finished,
                other => panic!("{month} is half done: {other:?}"),
            };
            halves.push(half);
        }
        let in_order = halves
            .windows(2)
            .all(|two| two[0] == Half::Finished || two[1] == Half::Nothing);
        assert!(in_order, "{halves:?}");
        halves
    }

    /// What is billed by a directory, how it came about, and what the accounts have; but for when it was written.
    async fn told(&self, dir: &Path) -> String {
        let ledger = Ledger::open(&dir.join("data")).await.expect("it is whole");
        let every = BillPage {
            size: 1_000,
            ..BillPage::default()
        };
        let mut told = Vec::new();
        for head in ledger.bills(&every).await.expect("whole") {
            let bill = ledger.bill(&self.catalog, &head.account, head.month).await;
            told.push(format!("{:?}", bill.expect("whole").expect("a bill")));
        }
        for (close, usage) in ledger.billed_usage(self.months()[0]).await.expect("whole") {
            assert!(close.finished_at.is_some(), "{close:?}");
            told.push(format!("{} {} {usage:?}", close.month, close.at));
        }
        let events = ledger.events(&self.catalog).await.expect("whole");
        let tariff = Tariff {
            catalog: Arc::clone(&self.catalog),
            zone: self.zone,
            push_day: PushDay::default(),
        };
        let mut books = Books::new(tariff, Keep::Recent);
        for (at, event) in events {
            told.push(format!("{at} {event:?}"));
            books.take(at, event).expect("in order");
        }
        for account in ACCOUNTS.map(account) {
            let money = books.account(&account).expect("it is there");
            let unpaid = money.unpaid().collect::<Vec<_>>();
            told.push(format!("{account:?} {} {unpaid:?}", money.balance()));
            let page = StatementPage {
                before: None,
                size: 1_000,
            };
            let statement = ledger.statement(&account, page).await;
            let statement = statement.expect("whole");
            assert_eq!(money.balance(), balance(&statement), "{account:?}");
            told.push(format!("{statement:?}"));
        }
        let page = Page {
            app: None,
            before: None,
            size: 1_000,
        };
        for entry in ledger.audit(&page).await.expect("whole") {
            told.push(format!(
                "{} {:?} {}",
                entry.call, entry.after, entry.outcome
            ));
        }
        ledger.close().await.expect("it is whole");
        told.join("\n")
    }

    /// Hurts starts at each number of a call, until one does not reach it; how many were hurt. `seen` is how far the closes had
    /// come then.
    fn hurt_at_each(&self, calls: &str, how: &str, seen: &mut BTreeMap<Half, u32>) -> u32 {
        let mut number = 1;
        loop {
            let dir = self.copied();
            let mut options = vec![
                "-e".to_owned(),
                format!("trace={calls}"),
                "-e".to_owned(),
                format!("inject={calls}:{how}:when={number}"),
            ];
            for file in FILES {
                let path = dir.path().join(file).display().to_string();
                options.extend(["-P".to_owned(), path]);
            }
            let is_hurt = hurt(dir.path(), &options);
            let aside = TempDir::new().expect("a temporary directory");
            copy_files(dir.path(), aside.path());
            for half in block_on(self.halves(aside.path())) {
                *seen.entry(half).or_default() += 1;
            }
            start(dir.path());
            let told = block_on(self.told(dir.path()));
            assert_eq!(told, self.expected, "{calls} {how} at {number}");
            if !is_hurt {
                return number - 1;
            }
            number += 1;
        }
    }
}

/// Starts a gateway that must be able to, and kills it.
fn start(dir: &Path) {
    match program::serve(dir, &["--data-dir", "data"], None) {
        Start::Ready(mut program) => program.kill(),
        Start::Ended(status, said) => panic!("it does not start: {status}: {said}"),
    }
}

/// Starts one beneath strace; whether it was hurt before it was ready.
fn hurt(dir: &Path, options: &[String]) -> bool {
    match program::serve(dir, &["--data-dir", "data"], Some(options)) {
        Start::Ready(mut program) => {
            program.kill();
            let trace = fs::read_to_string(dir.join("trace")).expect("strace's");
            trace.contains("(INJECTED)")
        }
        Start::Ended(status, said) => {
            let is_killed = status.signal() == Some(9);
            assert!(is_killed || said.contains("ledger"), "{status}: {said}");
            true
        }
    }
}

/// A zone where it is noon, for the month must not end meanwhile.
fn zone_of_noon() -> Zone {
    let hours = 12 - clock::now().as_unix_ms() / 3_600_000 % 24;
    let sign = if hours < 0 { '-' } else { '+' };
    let zone = format!("{sign}{:02}:00", hours.abs());
    Zone::parse(&zone).expect("a zone")
}

fn account(name: &str) -> AccountId {
    AccountId::new(name).expect("an id")
}

/// What is left to spend by a statement, of which the newest line comes first: bills are paid oldest first, each whole.
fn balance(statement: &[Posting]) -> Money {
    let is_bill = |line: &&Posting| matches!(line.what, Posted::Billed { .. });
    let received = statement.iter().filter(|line| !is_bill(line));
    let mut left = received.fold(Money::ZERO, |sum, line| sum.plus(line.amount));
    for bill in statement.iter().rev().filter(is_bill) {
        if bill.amount > left {
            break;
        }
        left = left.minus_or_zero(bill.amount);
    }
    left
}

/// The life of a gateway before it was away: apps that pay, and people that use them.
async fn lived(data: &Path, zone: Zone, since: Timestamp) {
    let (held, key) = DataDir::open(data, None, "that is tested", since).expect("it is new");
    let created = |_: SdkAppId| Some(zone.day(since));
    let storage = Arc::new(Directory::new(data));
    let recovered = recover(storage, Options::default(), &created, &mut |_| {});
    let recovered = recovered.expect("it is new");
    let terms = Terms { zone, ..terms("") };
    let gateway = Arc::new(Gateway::durable(terms, key, recovered));
    let wanted = Wanted {
        file: "the test",
        apps: &[],
        push_day: PushDay::default(),
    };
    let ledger = Ledger::open(data).await.expect("it is new");
    let plane = ControlPlane::start(Arc::clone(&gateway), ledger, &wanted, since).await;
    let (plane, caller) = (plane.expect("it starts"), Caller::new("ann", "a test"));
    for (id, of) in [(1, "acme"), (2, "acme"), (3, "beta")] {
        let of = Some(account(of));
        plane
            .create_app(&caller, app(id), of, "", since)
            .await
            .expect("new");
        let wanted = WantedChange {
            upgrade: true,
            edition: Some("pro".to_owned()),
            settings: Settings {
                content_filtering: Some(true),
                ..Settings::default()
            },
        };
        plane
            .change(&caller, app(id), wanted, since)
            .await
            .expect("an upgrade");
    }
    // Enough for the first bill, and not for all of them; the other account pays nothing.
    let amount = Money::parse("2000").expect("an amount");
    let paid = plane.top_up(&caller, account("acme"), amount, "wire 1", since);
    paid.await.expect("an account");
    for day in 0..20 {
        let now = since.plus_ms(day * DAY_MS);
        for id in 1..=3 {
            let group = format!("g{day}");
            let users: Vec<_> = (0..=day % 7 + i64::from(id))
                .map(|n| format!("u{n}"))
                .collect();
            let owner = user(&users[0]);
            let logins = users.iter().map(|user| login(user));
            let register = Operation::RegisterUser { user: owner };
            let terms = gateway.terms();
            let group = create(&terms.catalog, &group, "Public", &users[0], &[]);
            for request in logins.chain([register, group]) {
                let answer = gateway.admit(app(id), &request, Mode::Record, now);
                assert!(answer.decision.outcome.is_allowed());
            }
        }
    }
    plane.close().await.expect("it is whole");
    let log = Arc::clone(gateway.log().expect("it has a journal"));
    log.commit();
    log.step();
    log.close().expect("the disk is fine");
    drop(held);
}

/// Copies a gateway's files and its data.
fn copy_files(from: &Path, to: &Path) {
    for name in ["catalog.toml", "limits.toml", "gateway.toml"] {
        fs::copy(from.join(name), to.join(name)).expect("copied");
    }
    copy(&from.join("data"), &to.join("data"));
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}

fn hurt_at_every_call(how: &str, calls: &[(&str, &str)]) {
    let left = Left::new();
    assert!(
        left.months().len() > 1 && left.expected.contains("DauOverage"),
        "{}",
        left.expected
    );
    let (mut told, mut seen) = (format!("closes with {how}:"), BTreeMap::new());
    for (name, calls) in calls {
        let hurt = left.hurt_at_each(calls, how, &mut seen);
        told.push_str(&[" ", name, " ", &hurt.to_string()].concat());
    }
    tell(&format!("{told}; {seen:?}"));
    assert_eq!(
        seen.len(),
        3,
        "it was hurt before, between and after the halves"
    );
}

#[test]
fn a_close_that_is_killed_at_any_call_completes_with_the_same_bills() {
    hurt_at_every_call("signal=KILL", &CALLS);
}

#[test]
fn a_close_on_a_disk_that_refuses_completes_with_the_same_bills() {
    hurt_at_every_call("error=EIO", &CALLS[..3]);
    hurt_at_every_call("error=ENOSPC", &CALLS[..1]);
}

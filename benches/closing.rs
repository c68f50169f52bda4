//! How long does it take to close a month of 10,000 apps, with a ledger on the disk?
//!
//! `cargo bench --bench closing`. Each app has an account, a paid edition with two add-ons, and usage on every day of the month
//! that makes lines; every third count of users is an estimate. What is measured is a close as it is done: the usage is read out
//! of the ledger again before it is billed, and all of it is on the disk at the end. Four months are closed one after the other,
//! so that the last ones find tables that have grown; then a start reads what it needs of them, and a bill is read.

mod common;

use std::sync::Arc;
use std::time::Instant;

use quotagate::catalog::{Catalog, EditionId};
use quotagate::config;
use quotagate::id::{AccountId, SdkAppId};
use quotagate::ledger::{BilledDay, Caller, Change, Entry, Ledger, NewEvent};
use quotagate::metering::Counted;
use quotagate::money::{Money, Quantity};
use quotagate::rating::{Books, Command, DayReport, Event, Keep, PushDay, Tariff};
use quotagate::subscription::{Change as Wanted, Settings};
use quotagate::time::{Month, Timestamp, Zone};

const APPS: u32 = 10_000;
const MONTHS: [&str; 4] = ["2026-05", "2026-06", "2026-07", "2026-08"];

fn app(number: u32) -> SdkAppId {
    SdkAppId::new(number).expect("not 0")
}

fn account(number: u32) -> AccountId {
    AccountId::new(&format!("account-{number}")).expect("an id")
}

/// What each app used on each day of a month.
fn usage(of: Month) -> Vec<BilledDay> {
    let mut days = Vec::new();
    for number in 1..=APPS {
        let mut day = of.first_day();
        while day.month() == of {
            let users = (u64::from(number) * 7 + u64::from(day.number()) * 131) % 50_000;
            days.push(BilledDay {
                app: app(number),
                day,
                users: if number % 3 == 0 {
                    Counted::Estimated {
                        lower: users,
                        estimate: users + 100,
                        upper: users + 200,
                    }
                } else {
                    Counted::Exact(users)
                },
                groups: users * 5,
                av_chat_rooms: 12,
                bandwidth_bps: 12_500_000 + users,
            });
            day = day.next();
        }
    }
    days
}

/// Makes the apps in books and ledger, with money for all their bills.
async fn create(books: &mut Books, ledger: &Ledger, catalog: &Catalog, pro: EditionId) {
    let settings = Settings {
        content_filtering: Some(true),
        comment_bandwidth: Some(true),
        ..Settings::default()
    };
    let start = Zone::default().start(month(MONTHS[0]).first_day());
    let mut events = Vec::new();
    let mut at = start;
    for number in 1..=APPS {
        for command in [
            Command::CreateApp {
                app: app(number),
                account: account(number),
                edition: None,
            },
            Command::Change {
                app: app(number),
                change: Wanted::Upgrade {
                    edition: pro,
                    settings,
                },
            },
            Command::TopUp {
                account: account(number),
                amount: Money::parse("999999").expect("an amount"),
            },
        ] {
            at = at.plus_ms(1);
            events.push((at, books.apply(at, &command).expect("it is allowed")));
        }
    }
    let changes = events.iter().map(|(at, event)| {
        Change::AddEvent(NewEvent {
            at: *at,
            event,
            catalog,
            note: None,
            reference: None,
        })
    });
    let changes: Vec<_> = changes.collect();
    ledger.write(&changes, &[]).await.expect("room");
}

fn month(text: &str) -> Month {
    Month::parse(text).expect("a month")
}

/// Closes the open month by what was used in it.
async fn close(books: &mut Books, ledger: &Ledger, catalog: &Catalog, usage: &[BilledDay]) {
    let begun = Instant::now();
    let (at, month) = books.next_closing(Timestamp::MAX).expect("there are apps");
    let frozen = ledger.freeze(month, at, at, usage).await;
    frozen.expect("room");
    let froze = begun.elapsed();
    let close = ledger.close_of(month).await.expect("whole");
    let days = ledger.frozen(&close.expect("it is frozen")).await;
    let days = days.expect("whole");
    let read = begun.elapsed();
    for day in &days {
        let report = DayReport {
            dau: Some(day.users),
            groups: Some(day.groups),
            bandwidth_mbps: i64::try_from(day.bandwidth_bps)
                .ok()
                .and_then(Quantity::from_micros),
        };
        books.report(day.app, day.day, &report).expect("an app");
    }
    let bills = books.draft_all(month);
    let rated = begun.elapsed();
    let caller = Caller::new("bench", "");
    let entry = Entry {
        at,
        caller: &caller,
        call: "CloseMonth",
        app: None,
        before: None,
        after: None,
        outcome: "OK".to_owned(),
    };
    let finished = ledger.finish(month, catalog, &bills, at, &[entry]).await;
    finished.expect("room");
    let (count, lines) = (bills.len(), bills.iter().map(|bill| bill.lines.len()));
    let (lines, days) = (lines.sum::<usize>(), days.len());
    let taken = books.take(at, Event::MonthClosed { month, bills });
    taken.expect("it is the open month");
    println!(
        "{month}: {days} days of usage, {count} bills, {lines} lines: {:.2} s (frozen after {:.2}, read again {:.2}, rated {:.2})",
        begun.elapsed().as_secs_f64(),
        froze.as_secs_f64(),
        read.as_secs_f64(),
        rated.as_secs_f64(),
    );
}

async fn measure() {
    let catalog = Arc::new(config::builtin().catalog);
    let pro = catalog.edition_id("pro").expect("it is sold");
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on the disk");
    let ledger = Ledger::open(dir.path()).await.expect("a ledger");
    let tariff = Tariff {
        catalog: Arc::clone(&catalog),
        zone: Zone::default(),
        push_day: PushDay::default(),
    };
    let mut books = Books::new(tariff, Keep::Recent);
    create(&mut books, &ledger, &catalog, pro).await;
    for text in MONTHS {
        let usage = usage(month(text));
        close(&mut books, &ledger, &catalog, &usage).await;
    }
    ledger.close().await.expect("it is whole");

    let begun = Instant::now();
    let ledger = Ledger::open(dir.path()).await.expect("it is whole");
    let opened = begun.elapsed();
    let events = ledger.events(&catalog).await.expect("whole");
    let told = begun.elapsed();
    let billed = ledger.billed_usage(month(MONTHS[2])).await.expect("whole");
    let days: usize = billed.iter().map(|(_, days)| days.len()).sum();
    let bytes = std::fs::metadata(ledger.path()).expect("a file").len();
    println!(
        "a start with {} MB: {:.2} s (opened and checked after {:.2}, {} events read {:.2}, then {days} days of usage)",
        bytes / 1_000_000,
        begun.elapsed().as_secs_f64(),
        opened.as_secs_f64(),
        events.len(),
        told.as_secs_f64(),
    );
    let begun = Instant::now();
    let of = account(APPS / 2);
    let bill = ledger.bill(&catalog, &of, month(MONTHS[3]));
    let bill = bill.await.expect("whole").expect("a bill");
    println!(
        "a bill of {} lines: {} µs",
        bill.lines.len(),
        begun.elapsed().as_micros()
    );
}

fn main() {
    common::settle_allocator();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(measure());
}

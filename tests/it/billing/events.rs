//! The books made again from their events, by a catalog that has changed since; and what operators do by hand.

use std::sync::Arc;

use proptest::prelude::*;

use super::generate::{Act, EDITIONS, END, Step, account, date, milli, steps, time};
use super::script::told;
use crate::support::{app, at, catalog, catalog_selling as edited};
use quotagate::catalog::{Bound, Catalog};
use quotagate::id::AccountId;
use quotagate::metering::Counted;
use quotagate::money::{Money, Quantity};
use quotagate::rating::{
    Basis, Books, Command, DayReport, Event, FreeReason, Keep, Misfit, PushDay, Rejected, Tariff,
};
use quotagate::subscription::{Change, Refusal, Settings};
use quotagate::time::{Day, Timestamp, Zone};

/// Everything costs something else, the paid editions have changed their places, and quotas are others.
fn another() -> Arc<Catalog> {
    let price = |text| Money::parse(text).expect("an amount");
    edited(
        |editions| {
            editions.swap(1, 2);
            for edition in editions.iter_mut().skip(1) {
                edition.monthly_price = price("7.77");
                edition.history_days += 100;
                if let Some(overage) = &mut edition.overage {
                    overage.daily_users.free = 3;
                    overage.groups.price = price("0.01");
                }
            }
        },
        |tier| {
            tier.price = price("1.11");
            tier.up_to = tier.up_to.and(Bound::at_most(1_000_000));
        },
    )
}

fn books(catalog: Arc<Catalog>, keep: Keep) -> Books {
    let tariff = Tariff {
        catalog,
        zone: Zone::default(),
        push_day: PushDay::default(),
    };
    Books::new(tariff, keep)
}

fn of(name: &str) -> AccountId {
    AccountId::new(name).expect("an id")
}

fn settings(values: &[Option<i64>; 6]) -> Settings {
    let [av, members, groups, filter, history, bandwidth] = *values;
    let is_on = |switch: Option<i64>| switch.map(|it| it == 1);
    Settings {
        av_chat_rooms_unlimited: is_on(av),
        group_members: members,
        joined_groups: groups,
        content_filtering: is_on(filter),
        history_days: history,
        comment_bandwidth: is_on(bandwidth),
    }
}

enum Told {
    Command(Command),
    Usage(u32, Day, DayReport),
}

fn number(app: usize) -> u32 {
    u32::try_from(app).expect("a small number")
}

fn day(number: i64) -> Day {
    Day::parse(&date(number)).expect("a day")
}

fn said(act: &Act) -> Told {
    let edition = |place: usize| catalog().edition_id(EDITIONS[place]).expect("an edition");
    let command = match act {
        Act::Create {
            app: id,
            account: name,
        } => Command::CreateApp {
            app: app(number(*id)),
            account: of(account(*name)),
            edition: None,
        },
        Act::Upgrade {
            app: id,
            edition: place,
            settings: values,
        } => Command::Change {
            app: app(number(*id)),
            change: Change::Upgrade {
                edition: edition(*place),
                settings: settings(values),
            },
        },
        Act::Change {
            app: id,
            edition: place,
            settings: values,
        } => Command::Change {
            app: app(number(*id)),
            change: Change::Configuration {
                edition: place.map(edition),
                settings: settings(values),
            },
        },
        Act::Disable { app: id } => Command::Disable {
            app: app(number(*id)),
        },
        Act::Prepaid {
            app: id,
            day: expires,
        } => Command::Prepaid {
            app: app(number(*id)),
            expires: day(*expires),
        },
        Act::TopUp {
            account: name,
            cents,
        } => {
            let text = format!("{}.{:02}", cents / 100, cents % 100);
            Command::TopUp {
                account: of(account(*name)),
                amount: Money::parse(&text).expect("an amount"),
            }
        }
        Act::Usage {
            app: id,
            day: on,
            dau,
            groups,
            milli_mbps,
        } => {
            let whole = |count: &i64| u64::try_from(*count).expect("a count");
            let report = DayReport {
                dau: Some(Counted::Exact(whole(dau))),
                groups: Some(whole(groups)),
                bandwidth_mbps: Some(Quantity::parse(&milli(*milli_mbps)).expect("Mbps")),
            };
            return Told::Usage(number(*id), day(*on), report);
        }
    };
    Told::Command(command)
}

/// Plays steps, and gives the events that came of them.
fn kept(books: &mut Books, steps: &[Step]) -> Vec<(Timestamp, Event)> {
    let mut events = Vec::new();
    let mut advance = |books: &mut Books, to| {
        events.extend(books.advance(to).expect("in order"));
        events.len()
    };
    let mut taken = Vec::new();
    for step in steps {
        let now = at(&time(step.minute));
        let before = advance(books, now);
        match said(&step.act) {
            Told::Command(command) => {
                if let Ok(event) = books.apply(now, &command) {
                    taken.push((before, (now, event)));
                }
            }
            Told::Usage(id, day, report) => {
                let _ = books.report(app(id), day, &report);
            }
        }
    }
    advance(books, at(&time(END)));
    for (place, (before, event)) in taken.into_iter().enumerate() {
        events.insert(before + place, event);
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// By another catalog, and with bills that have no lines, as a ledger gives them back.
    #[test]
    fn events_make_the_books_again_whatever_has_become_of_the_prices(steps in steps()) {
        let mut first = books(catalog(), Keep::All);
        let events = kept(&mut first, &steps);
        let new = another();
        for keep in [Keep::All, Keep::Recent] {
            let mut again = books(catalog(), keep);
            again.set_catalog(Arc::clone(&new)).expect("the same editions");
            for (at, event) in &events {
                again.take(*at, renamed(event, &new)).expect("events in their order");
            }
            again.settle(at(&time(END)));
            prop_assert_eq!(again.now(), first.now());
            prop_assert_eq!(again.open_month(), first.open_month());
            prop_assert_eq!(again.happened(), first.happened());
            for account in first.accounts() {
                prop_assert_eq!(again.account(account), first.account(account));
            }
            let totals = |books: &Books| {
                let bills = books.bills().iter();
                bills.map(|it| (it.account.clone(), it.month, it.total)).collect::<Vec<_>>()
            };
            if keep == Keep::All {
                prop_assert_eq!(totals(&again), totals(&first));
            }
            // Back among the old prices they are the same in everything.
            again.set_catalog(catalog()).expect("the same editions");
            for app in first.apps() {
                let [one, other] = [&first, &again].map(|books| books.app(app).expect("an app").1);
                prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
            }
        }
    }
}

/// An event by the editions of another catalog, its bills without lines.
fn renamed(event: &Event, new: &Catalog) -> Event {
    let old = catalog();
    let find = |edition| {
        new.edition_id(&old.edition(edition).name)
            .expect("the same")
    };
    let mut event = event.clone();
    match &mut event {
        Event::AppCreated { edition, .. } => *edition = find(*edition),
        Event::Changed { changed, .. } => changed.edition = find(changed.edition),
        Event::MonthClosed { bills, .. } => {
            for bill in bills {
                bill.lines.clear();
                bill.free.clear();
            }
        }
        Event::Disabled { .. }
        | Event::Prepaid { .. }
        | Event::ToppedUp { .. }
        | Event::Credited { .. } => {}
    }
    event
}

fn create(on: Option<&str>) -> Command {
    Command::CreateApp {
        app: app(1),
        account: of("acme"),
        edition: on.and_then(|name| catalog().edition_id(name)),
    }
}

fn set(edition: &str) -> Command {
    Command::SetEdition {
        app: app(1),
        edition: catalog().edition_id(edition).expect("an edition"),
    }
}

fn configure(settings: Settings) -> Command {
    let edition = None;
    Command::Change {
        app: app(1),
        change: Change::Configuration { edition, settings },
    }
}

const FILTER: Settings = Settings {
    av_chat_rooms_unlimited: None,
    group_members: None,
    joined_groups: None,
    content_filtering: Some(true),
    history_days: None,
    comment_bandwidth: None,
};

fn bills(books: &Books) -> Vec<String> {
    books.bills().iter().map(told).collect()
}

fn done(books: &mut Books, when: &str, command: &Command) {
    let when = at(&format!("{when}T09:00:00+08:00"));
    books.apply(when, command).expect("taken");
}

#[test]
fn an_operator_sets_an_edition_whatever_the_calendar_says() {
    let mut books = books(catalog(), Keep::All);
    done(&mut books, "2026-01-10", &create(None));
    done(&mut books, "2026-01-10", &set("pro"));
    done(&mut books, "2026-01-11", &set("flagship"));
    done(&mut books, "2026-01-12", &set("pro"));
    // The month's own change is still there, and what is bought in the month of an adjustment is free in it.
    done(&mut books, "2026-01-13", &configure(FILTER));
    let to = |edition| Command::Change {
        app: app(1),
        change: Change::Configuration {
            edition: catalog().edition_id(edition),
            settings: Settings::default(),
        },
    };
    done(&mut books, "2026-01-14", &to("flagship"));
    let again = books.apply(at("2026-01-15T09:00:00+08:00"), &to("pro"));
    assert_eq!(again, Err(Rejected::Refused(Refusal::OnceAMonth)));
    done(&mut books, "2026-01-15", &set("pro"));
    // Suspended on 03-08 for the bill of February, and no calendar rule holds an operator up.
    books
        .advance(at("2026-03-09T00:00:00+08:00"))
        .expect("in order");
    done(&mut books, "2026-03-09", &set("flagship"));
    let refused = books.apply(at("2026-03-09T10:00:00+08:00"), &configure(FILTER));
    assert_eq!(refused, Err(Rejected::Refused(Refusal::AppSuspended)));
    done(&mut books, "2026-03-10", &Command::Disable { app: app(1) });
    let refused = books.apply(at("2026-03-10T10:00:00+08:00"), &set("pro"));
    assert_eq!(refused, Err(Rejected::Refused(Refusal::AppDisabled)));
    books
        .advance(at("2026-05-01T00:00:00+08:00"))
        .expect("in order");
    assert_eq!(
        bills(&books),
        [
            "2026-01: = 0.00",
            "2026-02: plan 149.99, content_filtering 149.99 = 299.98",
            "2026-03: plan 149.99, content_filtering 149.99 = 299.98",
            "2026-04: = 0.00",
        ]
    );
}

#[test]
fn an_app_created_on_a_paid_edition_is_activated_by_it() {
    let mut books = books(catalog(), Keep::All);
    done(&mut books, "2026-01-10", &create(Some("pro")));
    done(&mut books, "2026-01-20", &configure(FILTER));
    books
        .advance(at("2026-03-01T00:00:00+08:00"))
        .expect("in order");
    assert_eq!(
        bills(&books),
        [
            "2026-01: = 0.00",
            "2026-02: plan 149.99, content_filtering 149.99 = 299.98"
        ]
    );
    let free: Vec<_> = books.bills()[0].free.iter().map(|it| it.why).collect();
    let first = FreeReason::ActivationMonth { number: 1 };
    assert_eq!(free, [first, FreeReason::EditionAdjusted]);
}

#[test]
fn a_credit_pays_as_money_does() {
    let mut books = books(catalog(), Keep::All);
    done(&mut books, "2026-01-10", &create(Some("pro")));
    books
        .advance(at("2026-03-09T00:00:00+08:00"))
        .expect("in order");
    let credit = |text| Command::Credit {
        account: of("acme"),
        amount: Money::parse(text).expect("an amount"),
    };
    books.touched();
    done(&mut books, "2026-03-09", &credit("149.98"));
    assert_eq!(
        books.app(app(1)).expect("an app").1.state().name(),
        "SUSPENDED"
    );
    done(&mut books, "2026-03-10", &credit("0.02"));
    assert_eq!(
        books.app(app(1)).expect("an app").1.state().name(),
        "ACTIVE"
    );
    assert_eq!(books.touched().into_iter().collect::<Vec<_>>(), [app(1)]);
    let acme = books.account(&of("acme")).expect("an account");
    assert_eq!(acme.balance().to_string(), "0.01");
}

#[test]
fn prices_that_have_changed_do_not_leak_into_adjustments() {
    let mut books = books(catalog(), Keep::Recent);
    done(&mut books, "2026-01-10", &create(Some("pro")));
    let report = |books: &mut Books, when: &str, on: &str, count| {
        let when = at(&format!("{when}T09:00:00+08:00"));
        books.advance(when).expect("in order");
        let dau = Some(Counted::Exact(count));
        let report = DayReport {
            dau,
            ..DayReport::default()
        };
        let on = Day::parse(on).expect("a day");
        books.report(app(1), on, &report).expect("the app is there");
    };
    let totals = |books: &Books| {
        let month = books.open_month().expect("an open month");
        told(&books.draft(&of("acme"), month, None).expect("a bill"))
    };
    report(&mut books, "2026-02-20", "2026-02-20", 20_001);
    books
        .advance(at("2026-03-02T00:00:00+08:00"))
        .expect("in order");
    let dear = edited(
        |editions| {
            for edition in editions.iter_mut().skip(1) {
                edition.monthly_price = Money::parse("200").expect("an amount");
                if let Some(overage) = &mut edition.overage {
                    overage.daily_users.price = Money::parse("300").expect("an amount");
                }
            }
        },
        |_| {},
    );
    books.set_catalog(dear).expect("the same editions");
    assert_eq!(totals(&books), "2026-03: plan 200.00 = 200.00");
    // What was billed as two blocks is three now: one more, at the price of now.
    report(&mut books, "2026-03-03", "2026-02-21", 20_001);
    assert_eq!(
        totals(&books),
        "2026-03: plan 200.00 = 200.00",
        "nothing is raised"
    );
    report(&mut books, "2026-03-03", "2026-02-21", 30_001);
    assert_eq!(
        totals(&books),
        "2026-03: plan 200.00, adjustment 300.00 = 500.00"
    );
    // Older than the last two closed months: what it was billed as is not known any more.
    report(&mut books, "2026-06-03", "2026-02-21", 90_001);
    assert_eq!(totals(&books), "2026-06: = 0.00");
}

#[test]
fn a_catalog_without_an_edition_that_an_app_was_ever_on_is_not_taken() {
    let mut books = books(catalog(), Keep::All);
    done(&mut books, "2026-01-10", &create(Some("pro")));
    done(&mut books, "2026-01-11", &set("flagship"));
    let lacking = |name: &'static str| {
        edited(
            move |editions| editions.retain(|it| &*it.name != name),
            |_| {},
        )
    };
    let missing = books.set_catalog(lacking("pro"));
    assert_eq!(missing, Err(vec![(app(1), "pro".into())]));
    assert_eq!(books.tariff().catalog.revision(), catalog().revision());
    let missing = books.set_catalog(lacking("flagship"));
    assert_eq!(missing, Err(vec![(app(1), "flagship".into())]));
}

#[test]
fn of_an_estimate_the_lower_bound_is_billed() {
    let mut books = books(catalog(), Keep::All);
    done(&mut books, "2026-01-10", &create(Some("pro")));
    let estimate = Counted::Estimated {
        lower: 10_001,
        estimate: 20_080,
        upper: 30_160,
    };
    for dau in [Counted::Exact(9_000), estimate, Counted::Exact(10_000)] {
        let report = DayReport {
            dau: Some(dau),
            ..DayReport::default()
        };
        let on = Day::parse("2026-01-20").expect("a day");
        books.report(app(1), on, &report).expect("the app is there");
    }
    books
        .advance(at("2026-02-01T00:00:00+08:00"))
        .expect("in order");
    let lines = &books.bills()[0].lines;
    assert_eq!(bills(&books), ["2026-01: dau_overage 149.99 = 149.99"]);
    assert!(matches!(lines[0].basis, Basis::Peak { peak, .. } if peak == estimate));
    let shown = quotagate::presentation::csv(books.bills(), &catalog());
    let words = "peak 10001 at least: an estimate of 20080, 95 % within 10001 to 30160, 10000 free";
    assert!(shown.contains(words), "{shown}");
}

#[test]
fn an_event_that_does_not_follow_is_not_taken() {
    let mut books = books(catalog(), Keep::All);
    let (early, late) = (
        at("2026-01-01T00:00:00+08:00"),
        at("2026-01-20T00:00:00+08:00"),
    );
    let created = books.check(late, &create(None)).expect("a new app");
    let disabled = Event::Disabled { app: app(1) };
    assert_eq!(books.take(early, disabled), Err(Misfit::NoApp(app(1))));
    assert_eq!(books.take(late, created.clone()), Ok(()));
    assert_eq!(books.take(early, created.clone()), Err(Misfit::Earlier));
    assert_eq!(books.take(late, created), Err(Misfit::AppExists(app(1))));
    let month = Day::parse("2026-02-01").expect("a day").month();
    let closed = Event::MonthClosed {
        month,
        bills: Vec::new(),
    };
    assert_eq!(
        books.take(late, closed),
        Err(Misfit::NotTheOpenMonth(month))
    );
}

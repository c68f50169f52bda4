//! Events, pages of bills, statements and subscribers: what is written comes back, in order.

use crate::catalog::AddOn;
use crate::metering::Counted;
use crate::money::Quantity;
use crate::rating::{Basis, Free, FreeReason, Item, Line};
use crate::subscription::{Bought, Changed, Charge, Choice, Choices};
use crate::time::Day;

use super::*;

pub(super) fn month(text: &str) -> Month {
    Month::parse(text).unwrap()
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

pub(super) fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

pub(super) fn pro() -> EditionId {
    EditionId::at(1).unwrap()
}

pub(super) fn line(number: u32, item: Item, amount: &str, basis: Basis) -> Line {
    Line {
        app: app(number),
        item,
        quantity: Quantity::parse("37.500001").unwrap(),
        unit_price: money("0.6875"),
        amount: money(amount),
        basis,
    }
}

/// A bill with every kind of line and of reason.
pub(super) fn bill(of: &str, of_month: Month) -> Bill {
    let late = Basis::Late {
        month: month("2026-01"),
        item: Item::AddOn(AddOn::CommentBandwidth),
    };
    let peak = Basis::Peak {
        peak: Counted::Exact(10_001),
        free: 10_000,
        block: 10_000,
    };
    let free = |item, why| {
        let app = app(1);
        Free { app, item, why }
    };
    let until = day("2026-12-31");
    Bill {
        account: account(of),
        month: of_month,
        pushed: Some(of_month.next().first_day()),
        total: money("310.05"),
        lines: vec![
            line(1, Item::Plan, "149.99", Basis::Plan(pro())),
            line(1, Item::DauOverage, "149.99", peak),
            line(1, Item::AddOn(AddOn::History), "0.01", Basis::Month),
            line(
                1,
                Item::AddOn(AddOn::CommentBandwidth),
                "10.05",
                Basis::Bandwidth { days: 28 },
            ),
            line(1, Item::Adjustment, "0.01", late),
        ],
        free: vec![
            free(Item::Plan, FreeReason::ActivationMonth { number: 1 }),
            free(Item::Plan, FreeReason::Prepaid { until }),
            free(Item::Plan, FreeReason::Suspended),
            free(
                Item::GroupOverage,
                FreeReason::WithinQuota {
                    peak: Counted::Exact(7),
                    free: 9,
                },
            ),
            free(Item::AddOn(AddOn::History), FreeReason::EditionAdjusted),
        ],
    }
}

/// A bill of nothing, which was not pushed.
pub(super) fn nothing(of: &str, of_month: Month) -> Bill {
    Bill {
        pushed: None,
        total: Money::ZERO,
        lines: Vec::new(),
        free: Vec::new(),
        ..bill(of, of_month)
    }
}

/// Usage of an app on every day of a month: exact, and an estimate from the middle on.
pub(super) fn used(number: u32, of_month: Month) -> Vec<BilledDay> {
    let first = of_month.first_day();
    let days = (0..31).map(|n| first.plus(n));
    let of_month = days.filter(|day| day.month() == of_month);
    let used = of_month.map(|day| {
        let users = u64::from(day.number()) * u64::from(number);
        BilledDay {
            app: app(number),
            day,
            users: if day < first.plus(15) {
                Counted::Exact(users)
            } else {
                Counted::Estimated {
                    lower: users,
                    estimate: users + 3,
                    upper: users + 9,
                }
            },
            groups: users * 3,
            av_chat_rooms: 2,
            bandwidth_bps: 1_500_000,
        }
    });
    used.collect()
}

fn without_lines(bill: Bill) -> Bill {
    Bill {
        lines: Vec::new(),
        free: Vec::new(),
        ..bill
    }
}

/// Every kind of event but those of closes, each a millisecond after the other.
fn events() -> Vec<Event> {
    let mut carried = Choices::default();
    carried.set(AddOn::GroupMembers, Choice::Value(2_000));
    let changed = Changed {
        edition: pro(),
        carried,
        set: vec![
            (AddOn::AvChatRooms, Choice::On),
            (AddOn::History, Choice::Default),
        ],
        bought: vec![Bought {
            add_on: AddOn::AvChatRooms,
            price: money("149.99"),
            charge: Charge::NextMonth,
        }],
        activates: true,
        by_operator: false,
    };
    let by_operator = Changed {
        edition: EditionId::at(0).unwrap(),
        carried: Choices::default(),
        set: Vec::new(),
        bought: Vec::new(),
        activates: false,
        by_operator: true,
    };
    vec![
        created(1, "acme"),
        Event::Changed {
            app: app(1),
            changed,
        },
        created(2, "beta"),
        Event::Prepaid {
            app: app(2),
            expires: day("2026-12-31"),
        },
        Event::Changed {
            app: app(1),
            changed: by_operator,
        },
        Event::ToppedUp {
            account: account("acme"),
            amount: money("500"),
        },
        Event::Credited {
            account: account("not yet with an app"),
            amount: money("0.0001"),
        },
        Event::Disabled { app: app(2) },
    ]
}

#[test]
fn events_come_back_in_their_order() {
    wait(async {
        let dir = TempDir::new().unwrap();
        let ledger = Ledger::open(dir.path()).await.unwrap();
        let catalog = usual();
        let dated = |from: i64| (from..).map(at).zip(events());
        for (at, event) in dated(1_000) {
            let change = new(at, &event, &catalog);
            ledger.write(&[change], &[]).await.unwrap();
        }
        let mut expected: Vec<_> = dated(1_000).collect();
        assert_eq!(ledger.events(&catalog).await.unwrap(), expected);

        // A creation at the very instant of a close comes after it.
        let (february, over) = (month("2026-02"), at(5_000));
        ledger.freeze(february, over, at(5_001), &[]).await.unwrap();
        let bills = [bill("acme", february), nothing("beta", february)];
        let done = ledger.finish(february, &catalog, &bills, at(5_002), &[]);
        done.await.unwrap();
        let late = created(3, "acme");
        let change = new(over, &late, &catalog);
        ledger.write(&[change], &[]).await.unwrap();
        let bills = bills.into_iter().map(without_lines).collect();
        let month = february;
        expected.push((over, Event::MonthClosed { month, bills }));
        expected.push((over, late));
        assert_eq!(ledger.events(&catalog).await.unwrap(), expected);
        ledger.close().await.unwrap();
        let ledger = Ledger::open(dir.path()).await.unwrap();
        assert_eq!(ledger.events(&catalog).await.unwrap(), expected);
    });
}

#[test]
fn bills_are_told_a_page_at_a_time_the_newest_first() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let catalog = usual();
        let months = ["2026-01", "2026-02", "2026-03"].map(month);
        let event = created(1, "acme");
        ledger
            .write(&[new(at(1), &event, &catalog)], &[])
            .await
            .unwrap();
        for of in ["beta", "ü"] {
            let event = Event::ToppedUp {
                account: account(of),
                amount: money("1"),
            };
            ledger
                .write(&[new(at(2), &event, &catalog)], &[])
                .await
                .unwrap();
        }
        for month in months {
            ledger.freeze(month, at(3), at(3), &[]).await.unwrap();
            let bills = [
                bill("acme", month),
                nothing("beta", month),
                bill("ü", month),
            ];
            let done = ledger.finish(month, &catalog, &bills, at(4), &[]);
            done.await.unwrap();
        }
        let accounts = ["acme", "beta", "ü"].map(account);
        let newest_first = months.into_iter().rev();
        let all = newest_first.flat_map(|month| accounts.clone().map(|of| (month, of)));
        let all: Vec<_> = all.collect();
        let mut page = BillPage {
            size: 2,
            ..BillPage::default()
        };
        let mut told = Vec::new();
        loop {
            let bills = ledger.bills(&page).await.unwrap();
            assert!(bills.len() <= 2);
            let Some(last) = bills.last() else { break };
            page.after = Some((last.month, last.account.clone()));
            told.extend(bills.into_iter().map(|bill| (bill.month, bill.account)));
        }
        assert_eq!(told, all);
        let of = |account: Option<&str>, month| BillPage {
            account: account.map(super::account),
            month,
            after: None,
            size: 100,
        };
        let count = async |page| ledger.bills(&page).await.unwrap().len();
        assert_eq!(count(of(Some("ü"), None)).await, 3);
        assert_eq!(count(of(None, Some(months[1]))).await, 3);
        assert_eq!(count(of(Some("acme"), Some(months[1]))).await, 1);
        assert_eq!(count(of(Some("nobody"), None)).await, 0);
    });
}

#[test]
fn a_statement_has_what_came_in_and_what_was_billed() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let catalog = usual();
        let received = |at, event, note, reference| NewEvent {
            at,
            event,
            catalog: &catalog,
            note,
            reference,
        };
        let (acme, beta) = (account("acme"), account("beta"));
        let amount = money("500");
        let [of_acme, of_beta] = [&acme, &beta].map(|account| Event::ToppedUp {
            account: account.clone(),
            amount,
        });
        let credited = Event::Credited {
            account: acme.clone(),
            amount: money("0.5"),
        };
        for new in [
            received(at(1), &of_acme, None, Some("wire 1")),
            received(at(2), &of_beta, None, Some("wire 1")),
            received(at(3), &credited, Some("an outage"), Some("case 7")),
            received(at(4), &of_acme, None, None),
        ] {
            ledger.write(&[Change::AddEvent(new)], &[]).await.unwrap();
        }
        let february = month("2026-02");
        let event = created(1, "acme");
        ledger
            .write(&[new(at(5), &event, &catalog)], &[])
            .await
            .unwrap();
        ledger.freeze(february, at(6), at(7), &[]).await.unwrap();
        let bills = [bill("acme", february), nothing("beta", february)];
        let done = ledger.finish(february, &catalog, &bills, at(8), &[]);
        done.await.unwrap();

        let page = |before, size| StatementPage { before, size };
        let told = ledger.statement(&acme, page(None, 10)).await.unwrap();
        let reference = |text: &str| Some(text.to_owned());
        let posting = |sequence, ms, amount: &str, what| Posting {
            sequence,
            at: at(ms),
            amount: money(amount),
            what,
        };
        let month = february;
        let credit = Posted::Credited {
            note: reference("an outage"),
            reference: reference("case 7"),
        };
        let lines = [
            posting(5, 6, "310.05", Posted::Billed { month }),
            posting(4, 4, "500", Posted::ToppedUp { reference: None }),
            posting(3, 3, "0.5", credit),
            posting(
                1,
                1,
                "500",
                Posted::ToppedUp {
                    reference: reference("wire 1"),
                },
            ),
        ];
        assert_eq!(told, lines);
        let told = ledger.statement(&acme, page(Some(4), 1)).await.unwrap();
        assert_eq!(told, lines[2..3]);
        let told = ledger.statement(&beta, page(None, 10)).await.unwrap();
        assert_eq!(told.len(), 1, "a bill of nothing is not pushed");

        let found = ledger.by_reference(&acme, "case 7").await.unwrap();
        assert_eq!(found.as_ref(), Some(&lines[2]));
        assert_eq!(ledger.by_reference(&beta, "case 7").await.unwrap(), None);
        let again = received(at(9), &of_acme, None, Some("wire 1"));
        let again = ledger.write(&[Change::AddEvent(again)], &[]).await;
        assert!(again.is_err(), "a reference is of one event of an account");
        let told = ledger.statement(&acme, page(None, 10)).await.unwrap();
        assert_eq!(told, lines);
    });
}

#[test]
fn subscribers_are_remembered_until_there_are_too_many() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let most = i64::from(u16::try_from(subscribers::SUBSCRIBERS_MAX).unwrap());
        let one = |number: i64, token: &str| Subscriber {
            name: format!("billing-{number}"),
            token: token.to_owned(),
            acknowledged_at: at(number),
        };
        for number in 0..most {
            ledger.acknowledge(&one(number, "a")).await.unwrap();
        }
        let again = Subscriber {
            acknowledged_at: at(most + 1),
            ..one(0, "b")
        };
        ledger.acknowledge(&again).await.unwrap();
        assert_eq!(ledger.subscriber("billing-0").await.unwrap(), Some(again));
        assert_eq!(ledger.subscribers().await.unwrap().len(), 1_000);
        // The one that was silent for longest makes room.
        ledger.acknowledge(&one(most, "a")).await.unwrap();
        assert_eq!(ledger.subscribers().await.unwrap().len(), 1_000);
        assert_eq!(ledger.subscriber("billing-1").await.unwrap(), None);
        assert!(ledger.subscriber("billing-2").await.unwrap().is_some());
    });
}

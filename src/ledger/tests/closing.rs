//! Closes in their two halves: what they have written comes back, by the names of editions, and never changes.

use super::billing::{bill, line, money, month, nothing, pro, used};
use super::*;
use crate::money::Quantity;
use crate::rating::{Basis, Item};

/// Ids of editions mean nothing beside another catalog: names do.
#[test]
fn editions_are_found_again_by_name_or_told_to_be_gone() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let then = usual();
        let created = created(7, "acme");
        let change = new(at(1), &created, &then);
        ledger.write(&[change], &[]).await.unwrap();
        let february = month("2026-02");
        ledger.freeze(february, at(2), at(2), &[]).await.unwrap();
        let bills = [Bill {
            lines: vec![line(7, Item::Plan, "310.05", Basis::Plan(pro()))],
            free: Vec::new(),
            ..bill("acme", february)
        }];
        let done = ledger.finish(february, &then, &bills, at(3), &[]);
        done.await.unwrap();

        let moved = catalog(&["trial", "gold", "pro"]);
        let third = EditionId::at(2).unwrap();
        let events = ledger.events(&moved).await.unwrap();
        let is_third =
            |event: &Event| matches!(event, Event::AppCreated { edition, .. } if *edition == third);
        assert!(is_third(&events[0].1), "{events:?}");
        let acme = account("acme");
        let read = ledger.bill(&moved, &acme, february).await.unwrap();
        assert_eq!(read.unwrap().lines[0].basis, Basis::Plan(third));

        let less = catalog(&["trial", "gold"]);
        let said = "app 7 was on edition \"pro\", and catalog.toml has only trial, gold: put that edition back: what has \
                    happened is billed by it";
        let error = ledger.events(&less).await.unwrap_err();
        assert_eq!(error.to_string(), said);
        let error = ledger.bill(&less, &acme, february).await.unwrap_err();
        assert_eq!(error.to_string(), said);
    });
}

#[test]
fn a_close_is_frozen_then_finished_and_comes_back_as_it_was() {
    wait(async {
        let dir = TempDir::new().unwrap();
        let ledger = Ledger::open(dir.path()).await.unwrap();
        let catalog = usual();
        for (number, of) in [(1, "acme"), (2, "beta")] {
            let event = created(number, of);
            ledger
                .write(&[new(at(1), &event, &catalog)], &[])
                .await
                .unwrap();
        }
        let (february, march) = (month("2026-02"), month("2026-03"));
        assert_eq!(ledger.close_of(february).await.unwrap(), None);
        let usage = [used(1, february), used(2, february)].concat();
        ledger
            .freeze(february, at(10), at(12), &usage)
            .await
            .unwrap();
        ledger.close().await.unwrap();

        // Between the two halves the process may die: nothing of the second is there.
        let ledger = Ledger::open(dir.path()).await.unwrap();
        let close = ledger.close_of(february).await.unwrap().unwrap();
        let said = (close.at, close.frozen_at, close.finished_at);
        assert_eq!(said, (at(10), at(12), None));
        assert_eq!(ledger.frozen(&close).await.unwrap(), usage);
        assert_eq!(ledger.bills_of(february).await.unwrap(), (0, Money::ZERO));
        let again = ledger.freeze(february, at(10), at(12), &[]).await;
        assert!(again.is_err(), "it is frozen once");
        assert_eq!(ledger.frozen(&close).await.unwrap(), usage);

        let bills = [bill("acme", february), nothing("beta", february)];
        let caller = Caller::new("the push day", "");
        let entries = [entry(&caller)];
        let done = ledger.finish(february, &catalog, &bills, at(20), &entries);
        done.await.unwrap();
        let again = ledger
            .finish(february, &catalog, &[], at(21), &entries)
            .await;
        let error = again.unwrap_err().to_string();
        assert!(error.contains("2026-02 is closed already"), "{error}");
        assert_eq!(ledger.audit(&ALL).await.unwrap().len(), 1);
        for bill in &bills {
            let read = ledger
                .bill(&catalog, &bill.account, february)
                .await
                .unwrap();
            assert_eq!(read.as_ref(), Some(bill));
        }
        let none = ledger.bill(&catalog, &bills[0].account, march).await;
        assert_eq!(none.unwrap(), None);
        let (count, total) = ledger.bills_of(february).await.unwrap();
        assert_eq!((count, total), (2, money("310.05")));
        let close = ledger.close_of(february).await.unwrap().unwrap();
        assert_eq!(close.finished_at, Some(at(20)));

        // A later close has days of earlier months that were raised since.
        let raised = used(1, february).into_iter().rev().take(1);
        let seen: Vec<_> = raised.chain(used(1, march)).collect();
        ledger.freeze(march, at(30), at(31), &seen).await.unwrap();
        let told = ledger.billed_usage(february).await.unwrap();
        let months: Vec<_> = told
            .iter()
            .map(|(close, days)| (close.month, days))
            .collect();
        assert_eq!(months, [(february, &usage), (march, &seen)]);
        assert_eq!(ledger.billed_usage(march).await.unwrap().len(), 1);
        let never = ledger
            .finish(month("2026-04"), &catalog, &[], at(40), &[])
            .await;
        let error = never.unwrap_err().to_string();
        assert!(error.contains("no usage is frozen for 2026-04"), "{error}");
    });
}

#[test]
fn what_the_ledger_cannot_hold_is_an_error_and_nothing_is_written() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let catalog = usual();
        let event = created(1, "acme");
        ledger
            .write(&[new(at(1), &event, &catalog)], &[])
            .await
            .unwrap();
        let february = month("2026-02");
        let mut usage = used(1, february);
        usage[3].groups = u64::MAX;
        let error = ledger.freeze(february, at(2), at(2), &usage).await;
        let said = "18446744073709551615 groups of app 1 on 2026-02-04 is more than the ledger holds; nothing was written";
        assert_eq!(error.unwrap_err().to_string(), said);
        assert_eq!(ledger.close_of(february).await.unwrap(), None);

        ledger.freeze(february, at(2), at(2), &[]).await.unwrap();
        let mut large = bill("acme", february);
        large.lines[1].quantity = Quantity::whole(u64::MAX);
        let error = ledger
            .finish(february, &catalog, &[large], at(3), &[])
            .await;
        let said = "a quantity of 18446744073709551615 dau_overage of app 1 is more than the ledger holds; nothing was written";
        assert_eq!(error.unwrap_err().to_string(), said);
        let close = ledger.close_of(february).await.unwrap().unwrap();
        assert_eq!(close.finished_at, None);
        assert_eq!(ledger.bills_of(february).await.unwrap().0, 0);
    });
}

#[test]
fn what_is_written_never_changes() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let catalog = usual();
        let event = created(1, "acme");
        let disabled = Event::Disabled { app: app(1) };
        let changes = [&event, &disabled].map(|event| new(at(1), event, &catalog));
        ledger.write(&changes, &[]).await.unwrap();
        let february = month("2026-02");
        let usage = used(1, february);
        ledger.freeze(february, at(2), at(2), &usage).await.unwrap();
        let bills = [bill("acme", february)];
        let done = ledger.finish(february, &catalog, &bills, at(3), &[]);
        done.await.unwrap();
        let connection = &mut ledger.lock().await.connection;
        for (forbidden, said) in [
            ("DELETE FROM events", "only added to"),
            ("UPDATE events SET at = 1", "only added to"),
            ("DELETE FROM closes", "only added to"),
            ("UPDATE closes SET frozen_at = 1", "finished once"),
            ("UPDATE closes SET finished_at = NULL", "finished once"),
            ("UPDATE closes SET finished_at = 9", "finished once"),
            ("DELETE FROM billed_usage", "only added to"),
            ("UPDATE billed_usage SET dau = 1", "only added to"),
            ("DELETE FROM bills", "never change"),
            ("UPDATE bills SET total = 1", "never change"),
            ("DELETE FROM bill_lines", "never change"),
            ("UPDATE bill_lines SET amount = 1", "never change"),
            ("DELETE FROM bill_free", "never change"),
            ("UPDATE bill_free SET why = 'x'", "never change"),
        ] {
            let done = sqlx::query(forbidden).execute(&mut *connection).await;
            let error = done.expect_err(forbidden).to_string();
            assert!(error.contains(said), "{forbidden}: {error}");
        }
    });
}

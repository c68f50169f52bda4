//! A disk that is full, and calls that are given up halfway: all of a change is there or nothing, and then it goes on.

use std::future::Future as _;
use std::task::{Context, Poll, Waker};

use sqlx::AssertSqlSafe;

use super::billing::{bill, month, used};
use super::*;

/// Lets the file grow by so many pages from here on.
async fn room(ledger: &Ledger, pages: i64) {
    let connection = &mut ledger.lock().await.connection;
    let now: i64 = sqlx::query_scalar("PRAGMA page_count")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let most = AssertSqlSafe(format!("PRAGMA max_page_count = {}", now + pages));
    sqlx::query(most).execute(&mut *connection).await.unwrap();
}

#[test]
fn without_room_nothing_changes_and_with_room_it_goes_on() {
    let dir = TempDir::new().unwrap();
    let caller = Caller::new("ann", "");
    wait(async {
        let ledger = Ledger::open(dir.path()).await.unwrap();
        room(&ledger, 2).await;
        let catalog = usual();
        let mut number = 0;
        let error = loop {
            number += 1;
            assert!(number < 10_000, "it never gets full");
            let event = created(number, "acme");
            let change = new(at(1), &event, &catalog);
            if let Err(error) = ledger.write(&[change], &[entry(&caller)]).await {
                break error;
            }
        };
        assert!(matches!(error, LedgerError::Full { .. }), "{error}");
        let stored = usize::try_from(number - 1).unwrap();
        assert_eq!(ledger.apps().await.unwrap().len(), stored);
        assert_eq!(ledger.audit(&ALL).await.unwrap().len(), stored.min(1_000));
        room(&ledger, 1_000).await;
        let event = created(number, "acme");
        let change = new(at(1), &event, &catalog);
        ledger.write(&[change], &[entry(&caller)]).await.unwrap();
        assert_eq!(ledger.apps().await.unwrap().len(), stored + 1);
    });
}

/// With room for no page, one page, two pages: neither half of a close is ever half done.
#[test]
fn a_close_on_a_full_disk_is_done_by_whole_halves() {
    let dir = TempDir::new().unwrap();
    let caller = Caller::new("ann", "");
    wait(async {
        let ledger = Ledger::open(dir.path()).await.unwrap();
        let catalog = usual();
        let events: Vec<_> = (1..=20).map(|number| created(number, "acme")).collect();
        let changes: Vec<_> = events
            .iter()
            .map(|event| new(at(1), event, &catalog))
            .collect();
        ledger.write(&changes, &[]).await.unwrap();
        let february = month("2026-02");
        let usage: Vec<_> = (1..=20).flat_map(|number| used(number, february)).collect();
        let mut full = 0;
        loop {
            room(&ledger, full).await;
            match ledger.freeze(february, at(2), at(3), &usage).await {
                Ok(()) => break,
                Err(error) => assert!(matches!(error, LedgerError::Full { .. }), "{error}"),
            }
            assert_eq!(ledger.close_of(february).await.unwrap(), None);
            let connection = &mut ledger.lock().await.connection;
            let rows = sqlx::query_scalar("SELECT count(*) FROM billed_usage");
            let rows: i64 = rows.fetch_one(&mut *connection).await.unwrap();
            assert_eq!(rows, 0);
            full += 1;
        }
        assert!(full > 5, "{full}");
        let close = ledger.close_of(february).await.unwrap().unwrap();
        assert_eq!(ledger.frozen(&close).await.unwrap(), usage);

        let mut large = bill("acme", february);
        let line = large.lines[4];
        large.lines.extend(vec![line; 300]);
        let more = Money::from_micros(3_000_000).unwrap();
        large.total = large.total.plus(more);
        let bills = [large];
        let entries = [entry(&caller)];
        let mut full = 0;
        loop {
            room(&ledger, full).await;
            let done = ledger.finish(february, &catalog, &bills, at(4), &entries);
            match done.await {
                Ok(()) => break,
                Err(error) => assert!(matches!(error, LedgerError::Full { .. }), "{error}"),
            }
            let close = ledger.close_of(february).await.unwrap().unwrap();
            assert_eq!(close.finished_at, None);
            assert_eq!(ledger.bills_of(february).await.unwrap().0, 0);
            assert_eq!(ledger.events(&catalog).await.unwrap().len(), 20);
            assert!(ledger.audit(&ALL).await.unwrap().is_empty());
            full += 1;
        }
        assert!(full > 5, "{full}");
        let read = ledger.bill(&catalog, &bills[0].account, february).await;
        assert_eq!(read.unwrap().as_ref(), Some(&bills[0]));
        assert_eq!(ledger.audit(&ALL).await.unwrap().len(), 1);
    });
}

/// A call whose caller goes away: what it had begun is not there, and does not stand in the way of the next.
#[test]
fn a_call_that_is_dropped_halfway_has_done_nothing() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let catalog = usual();
        let event = created(1, "acme");
        ledger
            .write(&[new(at(1), &event, &catalog)], &[])
            .await
            .unwrap();
        let february = month("2026-02");
        let usage: Vec<_> = used(1, february);
        let mut is_done = false;
        let mut dropped = 0;
        // Each time it is given up after one more turn.
        while !is_done {
            let mut freeze = Box::pin(ledger.freeze(february, at(2), at(3), &usage));
            for turn in 0..=dropped {
                let polled = freeze
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
                is_done = polled.is_ready();
                if is_done {
                    assert!(matches!(polled, Poll::Ready(Ok(()))), "{turn}: {polled:?}");
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            drop(freeze);
            let close = ledger.close_of(february).await.unwrap();
            let event = created(100 + dropped, "acme");
            ledger
                .write(&[new(at(4), &event, &catalog)], &[])
                .await
                .unwrap();
            if let Some(close) = close.filter(|_| !is_done) {
                // It had committed, and only its caller does not know.
                assert_eq!(ledger.frozen(&close).await.unwrap(), usage);
                break;
            }
            dropped += 1;
        }
        assert!(dropped > 3, "{dropped}");
        let close = ledger.close_of(february).await.unwrap().unwrap();
        assert_eq!(ledger.frozen(&close).await.unwrap(), usage);
    });
}

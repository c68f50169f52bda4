//! A disk that is full, and calls that are given up halfway: all of a change is there or nothing, and then it goes on.

use std::future::Future;
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
        let first = new(at(1), &event, &catalog);
        ledger.write(&[first], &[]).await.unwrap();
        let (mut next, mut undone) = (2, 0);
        for name in 1..=9 {
            let month = month(&format!("2026-0{name}"));
            let usage = used(1, month);
            // Each time it is given up after one more turn.
            let mut turns = 1;
            loop {
                let is_done = turned(turns, ledger.freeze(month, at(2), at(3), &usage));
                let close = ledger.close_of(month).await.unwrap();
                let event = created(next, "acme");
                let change = new(at(4), &event, &catalog);
                ledger.write(&[change], &[]).await.unwrap();
                (next, turns) = (next + 1, turns + 1);
                // Where it had committed only its caller does not know.
                if let Some(close) = close {
                    assert_eq!(ledger.frozen(&close).await.unwrap(), usage);
                    break;
                }
                assert!(!is_done, "it says that it is done");
                undone += 1;
            }
        }
        assert!(undone > 0);
    });
}

/// Lets work go on for so many turns, and drops it; whether it was done by then.
fn turned(turns: u32, work: impl Future<Output = Result<(), LedgerError>>) -> bool {
    let mut work = std::pin::pin!(work);
    (0..turns).any(|_| {
        let polled = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        std::thread::sleep(std::time::Duration::from_millis(2));
        match polled {
            Poll::Pending => false,
            Poll::Ready(done) => {
                done.unwrap();
                true
            }
        }
    })
}

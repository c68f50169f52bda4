//! Damage: whatever bit of a ledger flips is found, or makes no difference.

use super::billing::{bill, month, nothing, used};
use super::*;

/// Each opening takes some milliseconds; prime, so that every part of every page has its turn.
const FLIP_EVERY: usize = 149;

/// All that can be read of a ledger.
#[derive(PartialEq, Debug)]
struct Told {
    apps: Vec<StoredApp>,
    trail: Vec<Audited>,
    events: Vec<(Timestamp, Event)>,
    usage: Vec<(Close, Vec<BilledDay>)>,
    bills: Vec<Bill>,
    statement: Vec<Posting>,
    subscribers: Vec<Subscriber>,
}

async fn told(dir: &std::path::Path) -> Result<Told, LedgerError> {
    let ledger = Ledger::open(dir).await?;
    let catalog = usual();
    let every = BillPage {
        size: 1_000,
        ..BillPage::default()
    };
    let mut bills = Vec::new();
    for head in ledger.bills(&every).await? {
        bills.extend(ledger.bill(&catalog, &head.account, head.month).await?);
    }
    let page = StatementPage {
        before: None,
        size: 1_000,
    };
    let told = Told {
        apps: ledger.apps().await?,
        trail: ledger.audit(&ALL).await?,
        events: ledger.events(&catalog).await?,
        usage: ledger.billed_usage(month("1970-01")).await?,
        bills,
        statement: ledger.statement(&account("acme"), page).await?,
        subscribers: ledger.subscribers().await?,
    };
    ledger.close().await?;
    Ok(told)
}

async fn filled(dir: &std::path::Path) {
    let ledger = Ledger::open(dir).await.unwrap();
    let (catalog, caller) = (usual(), Caller::new("ann", "127.0.0.1:1"));
    let [one, other] = overrides();
    for number in 1..30 {
        let events = [
            created(number, "acme"),
            Event::ToppedUp {
                account: account("acme"),
                amount: Money::parse("5").unwrap(),
            },
            Event::Disabled { app: app(number) },
        ];
        let events = events.each_ref().map(|event| new(at(1), event, &catalog));
        let set = [
            Change::SetOverride(app(number), LimitName::Friends, &one),
            Change::SetOverride(app(number), LimitName::Groups, &other),
        ];
        let changes: Vec<_> = events.into_iter().chain(set).collect();
        ledger.write(&changes, &[entry(&caller)]).await.unwrap();
        let name = format!("billing-{number}");
        let (token, acknowledged_at) = ("a token".to_owned(), at(7));
        let subscriber = Subscriber {
            name,
            token,
            acknowledged_at,
        };
        ledger.acknowledge(&subscriber).await.unwrap();
    }
    let beta = created(30, "beta");
    ledger
        .write(&[new(at(1), &beta, &catalog)], &[])
        .await
        .unwrap();
    for of in ["2026-02", "2026-03"].map(month) {
        let usage = [used(1, of), used(2, of), used(3, of)].concat();
        ledger.freeze(of, at(2), at(2), &usage).await.unwrap();
        let bills = [bill("acme", of), nothing("beta", of)];
        let done = ledger.finish(of, &catalog, &bills, at(3), &[]);
        done.await.unwrap();
    }
    ledger.close().await.unwrap();
}

/// Whatever bit flips in a ledger that is closed: it is found, or nothing is different.
#[test]
fn a_bit_that_flips_is_found_or_harmless() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(LEDGER_FILE);
    wait(async {
        filled(dir.path()).await;
        let before = told(dir.path()).await.unwrap();
        let whole = fs::read(&path).unwrap();
        let (mut found, mut harmless) = (0, 0);
        for place in (0..whole.len()).step_by(FLIP_EVERY) {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << (place / FLIP_EVERY % 8);
            for left in ["ledger.sqlite-wal", "ledger.sqlite-shm"] {
                let _ = fs::remove_file(dir.path().join(left));
            }
            fs::write(&path, bytes).unwrap();
            match told(dir.path()).await {
                Ok(after) => {
                    assert!(after == before, "byte {place}");
                    harmless += 1;
                }
                Err(_) => found += 1,
            }
        }
        assert!(found > 100 && harmless > 100, "{found} {harmless}");
    });
}

/// Rows that are gone, by another hand or because a page is old, are missed.
#[test]
fn rows_that_are_gone_are_missed() {
    let dir = TempDir::new().unwrap();
    wait(async {
        filled(dir.path()).await;
        for (table, condition, trigger) in [
            (
                "billed_usage",
                "day = '2026-02-28'",
                "billed_usage_never_shrinks",
            ),
            ("bill_lines", "number = 5", "bill_lines_never_shrink"),
            ("bill_free", "number = 5", "bill_free_never_shrinks"),
        ] {
            let copy = TempDir::new().unwrap();
            fs::copy(dir.path().join(LEDGER_FILE), copy.path().join(LEDGER_FILE)).unwrap();
            let ledger = Ledger::open(copy.path()).await.unwrap();
            {
                let connection = &mut ledger.lock().await.connection;
                for statement in [
                    format!("DROP TRIGGER {trigger}"),
                    format!("DELETE FROM {table} WHERE {condition}"),
                ] {
                    let statement = sqlx::AssertSqlSafe(statement);
                    sqlx::query(statement)
                        .execute(&mut *connection)
                        .await
                        .unwrap();
                }
            }
            ledger.close().await.unwrap();
            let error = told(copy.path()).await.unwrap_err().to_string();
            assert!(error.contains("is damaged"), "{table}: {error}");
        }
    });
}

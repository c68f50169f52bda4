//! Months that close: once, by the usage that was frozen, whatever breaks off in between.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tempfile::TempDir;

use super::rig::{Rig, Setup, instant, month};
use crate::billing::script::told;
use crate::support::catalog_selling;
use quotagate::control::ControlError;

/// Ten users a day are free, and so is every block's size: so that a test needs few.
fn small() -> Setup {
    let catalog = catalog_selling(
        |editions| {
            for edition in editions {
                if let Some(overage) = &mut edition.overage {
                    (overage.daily_users.free, overage.daily_users.block) = (10, 10);
                }
            }
        },
        |_| {},
    );
    Setup {
        catalog,
        ..Setup::default()
    }
}

/// Somebody else's statements on a ledger that is open, and what they find.
fn sql(rig: &Rig, dir: &Path, statement: &str) -> Vec<String> {
    let found = rig.runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(dir.join("ledger.sqlite"));
        let mut connection = options.connect().await?;
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        let rows = sqlx::query(statement).fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(rows)
    });
    let rows = found.expect("SQLite does it").into_iter();
    rows.map(|row| row.get::<String, _>(0)).collect()
}

/// What came of a close, row by row.
fn stored(rig: &Rig, dir: &Path) -> Vec<String> {
    let tables = [
        (
            "bills",
            "month, account, pushed, total, line_count, free_count, sum",
        ),
        (
            "bill_lines",
            "month, account, number, item, quantity, unit_price, amount, basis, sum",
        ),
        ("bill_free", "month, account, number, item, why, sum"),
        (
            "billed_usage",
            "closed_month, sdk_app_id, day, dau, groups, sum",
        ),
        ("events", "sequence, at, kind, month, sum"),
    ];
    let mut rows = Vec::new();
    for (table, columns) in tables {
        let cells = columns.replace(", ", ", ' ', ");
        let text = format!("SELECT concat('{table} ', {cells}) FROM {table} ORDER BY 1");
        rows.extend(sql(rig, dir, &text));
    }
    rows
}

/// An app on Pro with eleven users on a day of February, and one on Trial; at the end of the month.
fn lived(dir: &Path) -> Rig {
    let mut rig = Rig::open(small(), instant("2026-01-10"), dir);
    rig.create(1, "acme", "pro").expect("created");
    rig.create(2, "beta", "").expect("created");
    rig.go("2026-02-20").users(1, "2026-02-20", 11);
    rig.group(1, 2);
    rig.turn(instant("2026-02-28T23:59:59"));
    rig.advance();
    rig
}

/// A close that breaks off at a table, once after the other, and is done again: by the same process, or by the next one. In
/// between people's late logins come in.
#[test]
fn a_close_that_broke_off_anywhere_comes_to_the_same_bytes() {
    let whole = TempDir::new().expect("a directory");
    let mut rig = lived(whole.path());
    rig.go("2026-03-01");
    let expected = stored(&rig, whole.path());
    assert!(
        expected
            .iter()
            .any(|row| row.starts_with("bill_lines 2026-02 acme"))
    );
    let after_freeze = [
        "INSERT ON bills",
        "INSERT ON bill_lines",
        "INSERT ON bill_free",
        "UPDATE ON closes",
        "INSERT ON events",
        "INSERT ON audit",
    ];
    let in_freeze = ["INSERT ON closes", "INSERT ON billed_usage"];
    for (place, step) in in_freeze.into_iter().chain(after_freeze).enumerate() {
        for is_restarted in [false, true] {
            let dir = TempDir::new().expect("a directory");
            let mut rig = lived(dir.path());
            let told = rig.told(&["acme", "beta"], &rig.gateway.app_ids());
            let fail = format!(
                "CREATE TRIGGER broken BEFORE {step} BEGIN SELECT RAISE(ABORT, 'broken off'); END"
            );
            sql(&rig, dir.path(), &fail);
            rig.now = instant("2026-03-01");
            for _ in 0..2 {
                let failed = rig.runtime.block_on(rig.plane.advance(rig.now));
                assert!(
                    matches!(failed, Err(ControlError::Ledger(_))),
                    "{step}: {failed:?}"
                );
            }
            assert_eq!(rig.plane.closings().failed(), 2);
            let closed = rig.plane.closings().closed();
            assert_eq!(
                rig.told(&["acme", "beta"], &rig.gateway.app_ids()),
                told,
                "{step}"
            );
            let is_frozen = place >= in_freeze.len();
            if is_frozen && !is_restarted {
                rig.users(1, "2026-02-21", 41);
                // Looking ahead is by the usage of now, and leaves no trace.
                let ahead = rig.preview_bill("acme", Some("2026-02")).expect("a bill");
                assert_eq!(
                    crate::billing::script::told(&ahead),
                    "2026-02: plan 149.99, dau_overage 599.96 = 749.95"
                );
            }
            sql(&rig, dir.path(), "DROP TRIGGER broken");
            let closed = if is_restarted && is_frozen { 0 } else { closed };
            if is_restarted && is_frozen {
                // The next process has none of the facts, and closes by what was frozen.
                let now = rig.now;
                rig = Rig::open(rig.close(), now, dir.path());
            }
            rig.advance();
            assert_eq!(stored(&rig, dir.path()), expected, "{step}");
            assert_eq!(rig.plane.closings().closed(), closed + 1);
        }
    }
}

#[test]
fn usage_that_comes_after_the_freeze_is_adjusted_on_the_next_bill() {
    let dir = TempDir::new().expect("a directory");
    let mut rig = lived(dir.path());
    rig.go("2026-03-01").users(1, "2026-02-21", 11);
    rig.users(1, "2026-02-22", 21);
    let of = |rig: &Rig, of_month| told(&rig.bill("acme", of_month).expect("a bill"));
    assert_eq!(
        of(&rig, "2026-02"),
        "2026-02: plan 149.99, dau_overage 149.99 = 299.98"
    );
    let ahead = rig.preview_bill("acme", None).expect("a bill");
    assert_eq!(
        told(&ahead),
        "2026-03: plan 149.99, adjustment 149.99 = 299.98"
    );
    rig.top_up("acme", "10000", "").expect("paid");
    rig.go("2026-04-01");
    assert_eq!(rig.bill("acme", "2026-03"), Some(ahead));
    rig.go("2026-05-01");
    assert_eq!(of(&rig, "2026-04"), "2026-04: plan 149.99 = 149.99");
}

/// What was billed is in the ledger: late usage is what goes beyond it, also for a process that has begun since.
#[test]
fn after_a_restart_usage_is_late_beyond_what_was_billed() {
    let dir = TempDir::new().expect("a directory");
    let mut rig = lived(dir.path());
    rig.go("2026-03-01");
    let rig_now = rig.now;
    let mut rig = Rig::open(rig.close(), rig_now, dir.path());
    rig.users(1, "2026-02-20", 10);
    let ahead = rig.preview_bill("acme", None).expect("a bill");
    assert_eq!(told(&ahead), "2026-03: plan 149.99 = 149.99");
    rig.users(1, "2026-02-20", 31);
    rig.top_up("acme", "10000", "").expect("paid");
    rig.go("2026-04-01");
    let bill = rig.bill("acme", "2026-03").expect("a bill");
    assert_eq!(
        told(&bill),
        "2026-03: plan 149.99, adjustment 299.98 = 449.97"
    );
}

#[test]
fn a_month_is_closed_once_and_answers_the_same_again() {
    let dir = TempDir::new().expect("a directory");
    let rig = Rig::open(small(), instant("2026-01-10"), dir.path());
    assert!(matches!(rig.close_month(None), Err(ControlError::NoApps)));
    let mut rig = lived(TempDir::new().expect("a directory").path());
    let early = rig.close_month(Some("2026-02"));
    let Err(ControlError::NotDue { month: of, at }) = early else {
        panic!("{early:?}");
    };
    assert_eq!((of, at), (month("2026-02"), instant("2026-03-01")));
    // Nobody has looked since the month was over: the caller closes it.
    rig.now = instant("2026-03-01T09:00:00");
    let closed = rig.close_month(None).expect("it is due");
    assert_eq!(
        (closed.month, closed.at),
        (month("2026-02"), instant("2026-03-01"))
    );
    assert_eq!(
        (closed.bills, closed.total.to_string()),
        (2, "299.98".to_owned())
    );
    for of in [None, Some("2026-02")] {
        assert_eq!(rig.close_month(of).expect("closed"), closed);
    }
    let missing = rig.close_month(Some("2025-12"));
    assert!(matches!(missing, Err(ControlError::NothingToBill(_))));
    let trail = rig.audit();
    let told = trail.iter().filter(|entry| entry.call == "CloseMonth");
    let told: Vec<_> = told
        .map(|entry| (entry.caller.actor.as_str(), entry.outcome.as_str()))
        .collect();
    assert_eq!(told[0], ("calendar", "OK"), "January's, by itself");
    assert_eq!(told[1].0, "anna@desk");
    assert!(
        told[1].1.starts_with("2026-02 closes at 2026-0"),
        "{told:?}"
    );
    assert_eq!(told[2..6], [("anna@desk", "OK"); 4]);
    assert_eq!(told.len(), 7);
}

#[test]
fn a_bill_is_previewed_by_the_usage_of_now() {
    let dir = TempDir::new().expect("a directory");
    let mut rig = lived(dir.path());
    let before = rig.told(&["acme", "beta"], &rig.gateway.app_ids());
    let ahead = rig.preview_bill("acme", None).expect("a bill");
    assert_eq!(
        told(&ahead),
        "2026-02: plan 149.99, dau_overage 149.99 = 299.98"
    );
    assert_eq!(rig.told(&["acme", "beta"], &rig.gateway.app_ids()), before);
    let early = rig.preview_bill("acme", Some("2026-03"));
    assert!(matches!(early, Err(ControlError::NotDue { .. })));
    let unknown = rig.preview_bill("nobody", None);
    assert!(matches!(unknown, Err(ControlError::UnknownAccount(_))));
    rig.go("2026-03-02");
    assert_eq!(
        rig.preview_bill("acme", Some("2026-02")).expect("a bill"),
        ahead
    );
    assert_eq!(rig.bill("acme", "2026-02"), Some(ahead));
}

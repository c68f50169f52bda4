//! The ledger by itself: what it stores comes back, what fails changes nothing, what is newer stays as it is.

use std::fs;

use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use super::*;
use crate::catalog::{Bound, LimitName};
use crate::entitlement::{Enforcement, Override};
use crate::id::{AccountId, SdkAppId};
use crate::subscription::{Plan, Standing};
use crate::time::Timestamp;

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

fn app(number: u32) -> StoredApp {
    let one = Override {
        bound: Some(Bound::UNLIMITED),
        enforcement: Some(Enforcement::Shadow),
        reason: "why".into(),
        expires: Timestamp::from_unix_ms_saturating(7),
    };
    let other = Override {
        bound: None,
        expires: Timestamp::MAX,
        ..one.clone()
    };
    StoredApp {
        id: SdkAppId::new(number).unwrap(),
        account: AccountId::new("acme").unwrap(),
        created_at: Timestamp::from_unix_ms_saturating(1_800_000_000_000),
        plan: Plan {
            av_chat_rooms_unlimited: true,
            group_members: Some(500),
            joined_groups: None,
            ..Plan::of("pro")
        },
        standing: Standing {
            suspended_from: Timestamp::from_unix_ms_saturating(1_900_000_000_000),
            ..Standing::GOOD
        },
        overrides: [(LimitName::Friends, one), (LimitName::Groups, other)].into(),
    }
}

fn entry(caller: &Caller) -> Entry<'_> {
    Entry {
        at: Timestamp::from_unix_ms_saturating(5),
        caller,
        call: "CreateApp",
        app: SdkAppId::new(9).ok(),
        before: None,
        after: Some("{}".to_owned()),
        outcome: "OK".to_owned(),
    }
}

const ALL: Page = Page {
    app: None,
    before: None,
    size: 1_000,
};

#[test]
fn what_is_written_comes_back_also_from_the_disk() {
    let dir = TempDir::new().unwrap();
    let caller = Caller::new("ann\n", &"x".repeat(500));
    wait(async {
        let ledger = Ledger::open(dir.path()).await.unwrap();
        let (first, second) = (app(u32::MAX), app(9));
        let changes = [Change::AddApp(&first), Change::AddApp(&second)];
        ledger.write(&changes, &[entry(&caller)]).await.unwrap();
        ledger.close().await.unwrap();

        let ledger = Ledger::open(dir.path()).await.unwrap();
        assert_eq!(ledger.apps().await.unwrap(), [second.clone(), first]);
        let mut moved = second;
        moved.plan = Plan::of("trial");
        let kept = moved.overrides[&LimitName::Groups].clone();
        moved.overrides = [(LimitName::Friends, kept.clone())].into();
        let changes = [
            Change::SetPlan(moved.id, &moved.plan),
            Change::SetOverride(moved.id, LimitName::Friends, &kept),
            Change::RemoveOverride(moved.id, LimitName::Groups),
        ];
        ledger.write(&changes, &[entry(&caller)]).await.unwrap();
        assert_eq!(ledger.apps().await.unwrap()[0], moved);
        let trail = ledger.audit(&ALL).await.unwrap();
        let numbers: Vec<_> = trail.iter().map(|one| one.sequence).collect();
        assert_eq!(numbers, [2, 1]);
        assert_eq!(trail[0].caller.actor, "ann\\n");
        assert_eq!(trail[0].caller.peer.len(), 128);
    });
}

#[test]
fn each_migration_says_its_number() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let mut connection = ledger.connection.lock().await;
        for migration in MIGRATIONS.iter() {
            let number = format!("PRAGMA user_version = {};", migration.version);
            assert!(migration.sql.as_str().contains(&number), "{migration:?}");
        }
        let found: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(found, i64::from(newest()));
    });
}

/// The disk is full: all of the change or nothing is there, and it goes on when there is room.
#[test]
fn without_room_nothing_changes_and_with_room_it_goes_on() {
    let dir = TempDir::new().unwrap();
    let caller = Caller::new("ann", "");
    wait(async {
        let ledger = Ledger::open(dir.path()).await.unwrap();
        let pages = "PRAGMA page_count";
        let full: i64 = {
            let mut connection = ledger.connection.lock().await;
            let pages: i64 = sqlx::query_scalar(pages)
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            let most = AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 2));
            sqlx::query_scalar(most)
                .fetch_one(&mut *connection)
                .await
                .unwrap()
        };
        let mut number = 0;
        let error = loop {
            number += 1;
            assert!(number < full * 400, "it never gets full");
            let app = app(u32::try_from(number).unwrap());
            let changes = [Change::AddApp(&app)];
            if let Err(error) = ledger.write(&changes, &[entry(&caller)]).await {
                break error;
            }
        };
        assert!(matches!(error, LedgerError::Full { .. }), "{error}");
        let stored = usize::try_from(number - 1).unwrap();
        assert_eq!(ledger.apps().await.unwrap().len(), stored);
        assert_eq!(ledger.audit(&ALL).await.unwrap().len(), stored);
        {
            let mut connection = ledger.connection.lock().await;
            sqlx::query("PRAGMA max_page_count = 1000000")
                .execute(&mut *connection)
                .await
                .unwrap();
        }
        let app = app(u32::try_from(number).unwrap());
        let changes = [Change::AddApp(&app)];
        ledger.write(&changes, &[entry(&caller)]).await.unwrap();
        assert_eq!(ledger.apps().await.unwrap().len(), stored + 1);
    });
}

#[test]
fn the_audit_trail_is_only_added_to() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let caller = Caller::new("ann", "");
        ledger.write(&[], &[entry(&caller)]).await.unwrap();
        let mut connection = ledger.connection.lock().await;
        for forbidden in ["DELETE FROM audit", "UPDATE audit SET actor = 'bob'"] {
            let done = sqlx::query(forbidden).execute(&mut *connection).await;
            let error = done.expect_err(forbidden);
            assert!(error.to_string().contains("only added to"), "{error}");
        }
    });
}

/// A newer program has migrated it and was killed: what it committed is in the log alone.
#[test]
fn a_newer_schema_is_seen_also_in_the_log() {
    let (dir, killed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    wait(async {
        let ledger = Ledger::open(dir.path()).await.unwrap();
        let mut connection = ledger.connection.lock().await;
        for statement in [
            "PRAGMA wal_autocheckpoint = 0",
            "BEGIN",
            "PRAGMA user_version = 2",
            "CREATE TABLE later (x INTEGER) STRICT",
        ] {
            sqlx::query(statement)
                .execute(&mut *connection)
                .await
                .unwrap();
        }
        sqlx::query("COMMIT")
            .execute(&mut *connection)
            .await
            .unwrap();
        for name in [LEDGER_FILE, "ledger.sqlite-wal"] {
            fs::copy(dir.path().join(name), killed.path().join(name)).unwrap();
        }
    });
    let path = killed.path().join(LEDGER_FILE);
    let files = || {
        let read = |name| fs::read(killed.path().join(name)).unwrap();
        (read(LEDGER_FILE), read("ledger.sqlite-wal"))
    };
    let before = files();
    let in_file = u32::from_be_bytes(before.0[60..64].try_into().unwrap());
    assert_eq!(in_file, 1, "the file alone does not tell");
    assert_eq!(version::stored(&path).unwrap(), Some(2));
    let opened = wait(Ledger::open(killed.path()));
    let error = opened.err().expect("it is refused").to_string();
    assert!(
        error.contains("has schema 2, and this quotagate knows none after 1"),
        "{error}"
    );
    assert_eq!(files(), before);
    assert_eq!(fs::read_dir(killed.path()).unwrap().count(), 2);
}

/// Whatever bit flips in a ledger that is closed: it is found, or nothing is different.
#[test]
fn a_bit_that_flips_is_found_or_harmless() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(LEDGER_FILE);
    let caller = Caller::new("ann", "127.0.0.1:1");
    wait(async {
        let ledger = Ledger::open(dir.path()).await.unwrap();
        let apps: Vec<_> = (1..40).map(app).collect();
        let changes: Vec<_> = apps.iter().map(Change::AddApp).collect();
        let entries: Vec<_> = apps.iter().map(|_| entry(&caller)).collect();
        ledger.write(&changes, &entries).await.unwrap();
        let trail = ledger.audit(&ALL).await.unwrap();
        ledger.close().await.unwrap();
        let whole = fs::read(&path).unwrap();
        let (mut found, mut harmless) = (0, 0);
        for place in (0..whole.len()).step_by(FLIP_EVERY) {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << (place / FLIP_EVERY % 8);
            for left in ["ledger.sqlite-wal", "ledger.sqlite-shm"] {
                let _ = fs::remove_file(dir.path().join(left));
            }
            fs::write(&path, bytes).unwrap();
            let read = async {
                let ledger = Ledger::open(dir.path()).await?;
                let read = (ledger.apps().await?, ledger.audit(&ALL).await?);
                ledger.close().await?;
                Ok::<_, LedgerError>(read)
            };
            match read.await {
                Ok(read) => {
                    assert!(read == (apps.clone(), trail.clone()), "byte {place}");
                    harmless += 1;
                }
                Err(_) => found += 1,
            }
        }
        assert!(found > 100 && harmless > 100, "{found} {harmless}");
    });
}

/// Each opening takes some milliseconds; prime, so that every part of every page has its turn.
const FLIP_EVERY: usize = 31;

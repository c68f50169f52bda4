//! The ledger by itself: what it stores comes back, what fails changes nothing, what is newer stays as it is.

mod billing;
mod closing;
mod damage;
mod failing;

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::catalog::{
    Bound, Edition, EditionId, GroupType, GroupTypeId, LimitName, PerLimit, ReasonCodes,
};
use crate::entitlement::{Enforcement, Override, Overrides};
use crate::id::SdkAppId;

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

fn app(number: u32) -> SdkAppId {
    SdkAppId::new(number).unwrap()
}

fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms_saturating(ms)
}

/// Editions of these names, and nothing to buy.
fn catalog(names: &[&str]) -> Catalog {
    let edition = |name: &&str| Edition {
        name: (*name).into(),
        title: "an edition".into(),
        monthly_price: Money::ZERO,
        limits: PerLimit::from_fn(|_| Bound::UNLIMITED),
        history_days: 7,
        overage: None,
    };
    let kind = GroupType {
        id: GroupTypeId::default(),
        name: "Public".into(),
        aliases: Vec::new(),
        member_cap: Bound::UNLIMITED,
        group_members_apply: true,
        counts_to_joined_groups: true,
        keeps_members: true,
        initial_members: true,
        existing_limit: None,
        daily_limit: None,
    };
    Catalog::new(
        "USD".into(),
        names.iter().map(edition).collect(),
        Vec::new(),
        vec![kind],
        GroupTypeId::default(),
        ReasonCodes::from_fn(|_| 1),
    )
    .unwrap()
}

fn usual() -> Catalog {
    catalog(&["trial", "pro"])
}

fn created(number: u32, of: &str) -> Event {
    Event::AppCreated {
        app: app(number),
        account: account(of),
        edition: EditionId::at(1).unwrap(),
    }
}

fn new<'a>(at: Timestamp, event: &'a Event, catalog: &'a Catalog) -> Change<'a> {
    Change::AddEvent(NewEvent {
        at,
        event,
        catalog,
        note: None,
        reference: None,
    })
}

/// Two that differ in all that can be set.
fn overrides() -> [Override; 2] {
    let one = Override {
        bound: Some(Bound::UNLIMITED),
        enforcement: Some(Enforcement::Shadow),
        reason: "why".into(),
        expires: at(7),
    };
    let other = Override {
        bound: None,
        expires: Timestamp::MAX,
        ..one.clone()
    };
    [one, other]
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
    let [one, other] = overrides();
    let set = [
        (LimitName::Friends, one),
        (LimitName::Groups, other.clone()),
    ];
    let stored = |number, overrides: &[(LimitName, Override)]| StoredApp {
        id: app(number),
        account: account("acme"),
        created_at: at(1_800_000_000_000),
        edition: "pro".into(),
        overrides: overrides.iter().cloned().collect::<Overrides>(),
    };
    wait(async {
        let ledger = Ledger::open(dir.path()).await.unwrap();
        let catalog = usual();
        let events = [created(u32::MAX, "acme"), created(9, "acme")];
        let created_at = stored(9, &[]).created_at;
        let creations = events.iter().map(|event| new(created_at, event, &catalog));
        let overridden = set.iter().flat_map(|(limit, one)| {
            [u32::MAX, 9].map(|number| Change::SetOverride(app(number), *limit, one))
        });
        let changes: Vec<_> = creations.chain(overridden).collect();
        ledger.write(&changes, &[entry(&caller)]).await.unwrap();
        ledger.close().await.unwrap();

        let ledger = Ledger::open(dir.path()).await.unwrap();
        let kept = [stored(9, &set), stored(u32::MAX, &set)];
        assert_eq!(ledger.apps().await.unwrap(), kept);
        let changes = [
            Change::SetOverride(app(9), LimitName::Friends, &other),
            Change::RemoveOverride(app(9), LimitName::Groups),
        ];
        ledger.write(&changes, &[entry(&caller)]).await.unwrap();
        let now = stored(9, &[(LimitName::Friends, other)]);
        assert_eq!(ledger.apps().await.unwrap()[0], now);
        let trail = ledger.audit(&ALL).await.unwrap();
        let numbers: Vec<_> = trail.iter().map(|one| one.sequence).collect();
        assert_eq!(numbers, [2, 1]);
        assert_eq!(trail[0].caller.actor, "ann\\n");
        assert_eq!(trail[0].caller.peer.len(), 128);
    });
}

/// It was written by the program that knew no other: apps on an edition, one that was moved, overrides, refused calls.
#[test]
fn a_ledger_of_version_1_is_opened_with_all_that_is_in_it() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden-1");
    let dir = TempDir::new().unwrap();
    fs::copy(golden.join(LEDGER_FILE), dir.path().join(LEDGER_FILE)).unwrap();
    wait(async {
        let path = dir.path().join(LEDGER_FILE);
        assert_eq!(version::stored(&path).unwrap(), Some(1));
        let catalog = catalog(&["trial", "pro", "flagship"]);
        // Twice: the first time it is moved to the newest version.
        for _ in 0..2 {
            let ledger = Ledger::open(dir.path()).await.unwrap();
            let events = ledger.events(&catalog).await.unwrap();
            let created = |(at, number, edition): (i64, u32, usize)| {
                let event = Event::AppCreated {
                    app: app(number),
                    account: account(&number.to_string()),
                    edition: EditionId::at(edition).unwrap(),
                };
                (Timestamp::from_unix_ms_saturating(at), event)
            };
            let expected = [
                (1_795_563_888_241, 7, 2),
                (1_795_563_890_215, 1, 1),
                (1_795_563_890_240, 2, 1),
            ];
            assert_eq!(events, expected.map(created));
            let apps = ledger.apps().await.unwrap();
            let friends = &apps[0].overrides[&LimitName::Friends];
            assert_eq!(friends.bound, Bound::at_most(50));
            let groups = &apps[2].overrides[&LimitName::Groups];
            assert_eq!(groups.bound, Some(Bound::UNLIMITED));
            assert_eq!(groups.expires, at(4_070_908_800_000));
            assert_eq!(ledger.audit(&ALL).await.unwrap().len(), 7);
            ledger.close().await.unwrap();
        }
        assert_eq!(version::stored(&path).unwrap(), Some(newest()));
    });
}

#[test]
fn each_migration_says_its_number() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let connection = &mut ledger.lock().await.connection;
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

#[test]
fn the_audit_trail_is_only_added_to() {
    wait(async {
        let ledger = Ledger::in_memory().await.unwrap();
        let caller = Caller::new("ann", "");
        ledger.write(&[], &[entry(&caller)]).await.unwrap();
        let connection = &mut ledger.lock().await.connection;
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
        let connection = &mut ledger.lock().await.connection;
        for statement in [
            "PRAGMA wal_autocheckpoint = 0",
            "BEGIN",
            "PRAGMA user_version = 3",
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
    assert_eq!(in_file, 2, "the file alone does not tell");
    assert_eq!(version::stored(&path).unwrap(), Some(3));
    let opened = wait(Ledger::open(killed.path()));
    let error = opened.err().expect("it is refused").to_string();
    assert!(
        error.contains("has schema 3, and this quotagate knows none after 2"),
        "{error}"
    );
    assert_eq!(files(), before);
    assert_eq!(fs::read_dir(killed.path()).unwrap().count(), 2);
}

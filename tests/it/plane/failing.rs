//! A ledger that cannot be written: nothing changes, neither in memory nor on the disk, and the same call is done when it can be.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::rig::{Rig, Setup, instant};
use quotagate::control::ControlError;
use quotagate::subscription::Settings;

fn sql(rig: &Rig, dir: &TempDir, statement: &'static str) {
    let done = rig.runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(dir.path().join("ledger.sqlite"));
        let mut connection = options.connect().await?;
        sqlx::query(statement).execute(&mut connection).await?;
        connection.close().await
    });
    done.expect("SQLite does it");
}

type Call = fn(&Rig) -> Result<(), ControlError>;

#[test]
fn what_cannot_be_written_down_does_not_happen() {
    let dir = TempDir::new().expect("a directory");
    let mut rig = Rig::open(Setup::default(), instant("2026-01-10"), dir.path());
    rig.create(1, "acme", "").expect("created");
    rig.upgrade(1, "pro").expect("upgraded");
    rig.go("2026-02-10");
    let calls: [(&str, Call); 8] = [
        ("CreateApp", |rig| rig.create(2, "beta", "pro")),
        ("ChangeConfiguration", |rig| {
            let settings = Settings {
                content_filtering: Some(true),
                ..Settings::default()
            };
            rig.configure(1, settings)
        }),
        ("SetEdition", |rig| rig.set_edition(1, "flagship")),
        ("TopUp", |rig| rig.top_up("acme", "10", "r")),
        ("AddCredit", |rig| rig.credit("acme", "10", "c")),
        ("SetPrepaid", |rig| rig.prepay(1, "2026-08-01")),
        ("CloseMonth", |rig| rig.close_month(None).map(drop)),
        ("Disable", |rig| rig.disable(1, 1)),
    ];
    for (name, call) in calls {
        let (before, trail) = (all(&rig), rig.audit());
        sql(
            &rig,
            &dir,
            "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END",
        );
        let failed = call(&rig);
        assert!(
            matches!(failed, Err(ControlError::Ledger(_))),
            "{name}: {failed:?}"
        );
        sql(&rig, &dir, "DROP TRIGGER broken");
        assert_eq!(all(&rig), before, "{name}");
        assert_eq!(rig.audit(), trail, "{name}");
        call(&rig).expect(name);
        assert_eq!(rig.audit().len(), trail.len() + 1, "{name}");
    }
    let (now, after) = (rig.now, all(&rig));
    let rig = Rig::open(rig.close(), now, dir.path());
    assert_eq!(all(&rig), after);
}

fn all(rig: &Rig) -> String {
    rig.told(&["acme", "beta"], &rig.gateway.app_ids())
}

//! Calls of operators: what they do, that they are written down, that a refused one changes nothing.

use super::rig::{Rig, Setup, account, caller, instant, money};
use crate::support::{app, register};
use quotagate::admission::{Mode, Outcome};
use quotagate::catalog::Reason;
use quotagate::control::{ControlError, WantedChange};
use quotagate::ledger::{Posted, StatementPage};
use quotagate::subscription::{AppState, Refusal, Settings};

const FILTER: Settings = Settings {
    av_chat_rooms_unlimited: None,
    group_members: None,
    joined_groups: None,
    content_filtering: Some(true),
    history_days: Some(90),
    comment_bandwidth: None,
};

fn rig(now: &str) -> Rig {
    Rig::new(Setup::default(), instant(now))
}

#[test]
fn money_counts_once_for_a_reference() {
    let mut rig = rig("2026-01-10");
    rig.create(1, "acme", "").expect("created");
    rig.create(2, "beta", "").expect("created");
    let top_up = |rig: &Rig, of: &str, amount, reference| {
        let call = |caller| async move {
            let account = account(of);
            let called = rig
                .plane
                .top_up(caller, account, money(amount), reference, rig.now);
            called.await
        };
        rig.runtime.block_on(call(&caller()))
    };
    let first = top_up(&rig, "acme", "100", "wire 1").expect("paid");
    assert!(!first.is_repeated);
    rig.go("2026-01-11");
    let again = top_up(&rig, "acme", "100.00", "wire 1").expect("the same again");
    assert_eq!(
        (again.at, again.amount, again.is_repeated),
        (first.at, first.amount, true)
    );
    for other in [
        top_up(&rig, "acme", "99", "wire 1").map(drop),
        rig.credit("acme", "100", "wire 1"),
    ] {
        let Err(ControlError::ReferenceUsed { amount, at }) = other else {
            panic!("{other:?}");
        };
        assert_eq!((amount, at), (money("100"), first.at));
    }
    top_up(&rig, "beta", "100", "wire 1").expect("references are an account's own");
    rig.credit("acme", "5", "").expect("given");
    rig.credit("acme", "5", "")
        .expect("given again: no reference is none");
    assert!(matches!(
        rig.credit("nobody", "5", "x"),
        Err(ControlError::UnknownAccount(_))
    ));
    assert!(matches!(
        rig.credit("acme", "0", "x"),
        Err(ControlError::NoAmount)
    ));
    let view = rig
        .runtime
        .block_on(rig.plane.account(&account("acme"), rig.now));
    let view = view.expect("an account");
    assert_eq!(view.balance, money("110"));
    assert_eq!(view.apps, [(app(1), AppState::Active)]);
    let page = StatementPage {
        before: None,
        size: 10,
    };
    let lines = rig
        .runtime
        .block_on(rig.plane.statement(&account("acme"), page))
        .expect("it answers");
    let lines: Vec<_> = lines
        .into_iter()
        .map(|it| (it.amount.to_string(), it.what))
        .collect();
    let credit = Posted::Credited {
        note: Some("goodwill".into()),
        reference: None,
    };
    let paid = Posted::ToppedUp {
        reference: Some("wire 1".into()),
    };
    assert_eq!(
        lines,
        [
            ("5.00".into(), credit.clone()),
            ("5.00".into(), credit),
            ("100.00".into(), paid)
        ]
    );
}

/// RULES B14, B16, B48: known ahead, and in force from the very instant with nobody doing anything.
#[test]
fn who_does_not_pay_is_denied_from_the_very_instant() {
    let mut rig = rig("2026-01-10");
    rig.create(1, "acme", "pro").expect("created");
    rig.go("2026-03-01");
    let ask = |rig: &Rig, at: &str| {
        let now = instant(at);
        let answer = rig
            .gateway
            .admit(app(1), &register("ann"), Mode::DryRun, now);
        match answer.decision.outcome {
            Outcome::Denied(denial) => Some(denial.reason),
            _ => None,
        }
    };
    assert_eq!(ask(&rig, "2026-03-07T23:59:59.999"), None);
    assert_eq!(ask(&rig, "2026-03-08T00:00:00"), Some(Reason::AppSuspended));
    rig.go("2026-03-08T09:00:00")
        .top_up("acme", "149.99", "")
        .expect("paid");
    assert_eq!(ask(&rig, "2026-03-08T09:00:00"), None);
    rig.go("2026-04-01");
    rig.go("2026-07-06");
    assert_eq!(
        ask(&rig, "2026-07-06T23:59:59.999"),
        Some(Reason::AppSuspended)
    );
    assert_eq!(
        ask(&rig, "2026-07-07T00:00:00"),
        Some(Reason::AppRepossessed)
    );
    rig.create(2, "acme", "")
        .expect("created in an account in arrears");
    rig.disable(1, 1).expect("a suspended app may be disabled");
    assert_eq!(
        ask(&rig, "2026-07-06T00:00:00.001"),
        Some(Reason::AppDisabled)
    );
    assert_eq!(rig.state(2, rig.now), Some(AppState::Suspended));
}

#[test]
fn every_call_is_in_force_at_once_and_in_the_trail() {
    let mut rig = rig("2026-01-10");
    rig.create(1, "acme", "").expect("created");
    rig.upgrade(1, "pro").expect("upgraded");
    rig.go("2026-02-10").configure(1, FILTER).expect("changed");
    let now = rig.gateway.entitlements(app(1), rig.now).expect("an app");
    assert_eq!(
        (
            now.content_filtering,
            now.comment_bandwidth,
            now.history_days
        ),
        (true, false, 90)
    );
    rig.set_edition(1, "flagship").expect("set");
    rig.prepay(1, "2026-08-01").expect("noted");
    rig.top_up("acme", "10", "r").expect("paid");
    rig.top_up("acme", "10", "r").expect("paid");
    rig.credit("acme", "1", "c").expect("given");
    rig.disable(1, 1).expect("disabled");
    assert_eq!(rig.state(1, rig.now), Some(AppState::Disabled));
    let told = rig.audit().into_iter().map(|it| {
        let number = it.app.map_or(0, quotagate::id::SdkAppId::get);
        let (before, after) = (it.before.unwrap_or_default(), it.after.unwrap_or_default());
        let actor = it.caller.actor;
        format!(
            "{actor} {} {number}: {before} -> {after} {}",
            it.call, it.outcome
        )
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r#"
    anna@desk CreateApp 1:  -> {"edition":"trial","account":"acme"} OK
    anna@desk Upgrade 1: {"edition":"trial"} -> {"edition":"pro"} OK
    calendar CloseMonth 0:  -> {"month":"2026-01","bills":1,"total":"0.00"} OK
    anna@desk ChangeConfiguration 1: {"edition":"pro"} -> {"edition":"pro","content_filtering":true,"history_days":90} OK
    anna@desk SetEdition 1: {"edition":"pro","content_filtering":true,"history_days":90} -> {"edition":"flagship","content_filtering":true,"history_days":90} OK
    anna@desk SetPrepaid 1:  -> {"prepaid_until":"2026-08-01"} OK
    anna@desk TopUp 0: {"account":"acme","balance":"0.00"} -> {"account":"acme","amount":"10.00","reference":"r"} OK
    anna@desk TopUp 0:  -> {"account":"acme","reference":"r","repeated":true} OK
    anna@desk AddCredit 0: {"account":"acme","balance":"10.00"} -> {"account":"acme","amount":"1.00","reason":"goodwill","reference":"c"} OK
    anna@desk Disable 1: {"state":"ACTIVE"} -> {"state":"DISABLED"} OK
    "#);
}

type Call = fn(&Rig) -> Result<(), ControlError>;

const REFUSED: &[(&str, &str, Call)] = &[
    ("CreateApp", "app 1 exists already", |rig| {
        rig.create(1, "x", "pro")
    }),
    ("CreateApp", "app 1 exists already", |rig| {
        rig.create(1, "x", "gold")
    }),
    ("CreateApp", "there is no edition \"gold\"", |rig| {
        rig.create(9, "x", "gold")
    }),
    ("ChangeConfiguration", "APP_SUSPENDED: top up", |rig| {
        rig.configure(1, FILTER)
    }),
    ("ChangeConfiguration", "NOT_AVAILABLE_IN_EDITION", |rig| {
        rig.configure(2, FILTER)
    }),
    ("ChangeConfiguration", "APP_DISABLED", |rig| {
        rig.configure(3, FILTER)
    }),
    ("ChangeConfiguration", "there is no app 9", |rig| {
        rig.configure(9, FILTER)
    }),
    (
        "ChangeConfiguration",
        "there is no edition \"gold\"",
        |rig| rig.change(1, to("gold")),
    ),
    ("Upgrade", "APP_SUSPENDED", |rig| rig.upgrade(1, "pro")),
    ("Upgrade", "NOT_UPGRADABLE", |rig| rig.upgrade(2, "trial")),
    ("Upgrade", "there is no edition \"\"", |rig| {
        rig.upgrade(2, "")
    }),
    ("SetEdition", "APP_DISABLED", |rig| {
        rig.set_edition(3, "pro")
    }),
    ("SetEdition", "there is no app 9", |rig| {
        rig.set_edition(9, "gold")
    }),
    ("Disable", "app 2 is disabled for ever by this", |rig| {
        rig.disable(2, 1)
    }),
    ("Disable", "APP_DISABLED", |rig| rig.disable(3, 3)),
    ("SetPrepaid", "OUT_OF_RANGE", |rig| {
        rig.prepay(2, "2026-11-30")
    }),
    ("TopUp", "there is no account nobody", |rig| {
        rig.top_up("nobody", "1", "r")
    }),
    ("AddCredit", "an amount of nothing", |rig| {
        rig.credit("acme", "0", "r")
    }),
    ("CloseMonth", "2026-03 closes at", |rig| {
        rig.close_month(Some("2026-03")).map(drop)
    }),
];

fn to(edition: &str) -> WantedChange {
    WantedChange {
        edition: Some(edition.to_owned()),
        ..WantedChange::default()
    }
}

#[test]
fn a_refused_call_changes_nothing_and_is_in_the_trail() {
    let mut rig = rig("2026-01-10");
    rig.create(1, "acme", "pro").expect("created");
    rig.create(2, "beta", "").expect("created");
    rig.create(3, "beta", "").expect("created");
    rig.disable(3, 3).expect("disabled");
    rig.prepay(2, "2026-12-01").expect("noted");
    rig.go("2026-03-09");
    for (name, why, call) in REFUSED {
        let before = rig.told(&["acme", "beta", "x"], &rig.gateway.app_ids());
        let error = call(&rig).expect_err(why).to_string();
        assert!(error.starts_with(*why), "{name}: {error}");
        assert_eq!(
            rig.told(&["acme", "beta", "x"], &rig.gateway.app_ids()),
            before,
            "{name}"
        );
        let trail = rig.audit();
        let last = trail.last().expect("an entry");
        assert_eq!(
            (last.call.as_str(), last.outcome.as_str()),
            (*name, error.as_str())
        );
    }
    assert_eq!(rig.gateway.app_ids().len(), 3);
}

#[test]
fn a_preview_says_what_a_change_would_do_by_the_usage_of_now() {
    let mut rig = rig("2026-01-10");
    rig.create(1, "acme", "pro").expect("created");
    rig.go("2026-02-20").users(1, "2026-02-20", 150);
    let preview = |rig: &Rig, edition: &str| {
        let wanted = to(edition);
        rig.runtime
            .block_on(rig.plane.preview(app(1), wanted, rig.now))
    };
    let to_trial = preview(&rig, "trial").expect("allowed");
    let over = to_trial.over.iter().map(|it| (it.limit.name(), it.used));
    assert_eq!(
        over.collect::<Vec<_>>(),
        [("max_users", 150), ("daily_users", 150)]
    );
    let totals = to_trial
        .bills
        .iter()
        .map(|it| [it.before.total, it.after.total].map(|it| it.to_string()));
    assert_eq!(
        totals.collect::<Vec<_>>(),
        [["149.99", "149.99"], ["149.99", "0.00"]]
    );
    let missing = rig
        .runtime
        .block_on(rig.plane.preview(app(9), WantedChange::default(), rig.now));
    assert!(matches!(missing, Err(ControlError::App(_))));
    rig.go("2026-03-09");
    let refused = preview(&rig, "trial");
    assert!(matches!(
        refused,
        Err(ControlError::Refused(Refusal::AppSuspended))
    ));
    assert!(matches!(preview(&rig, "gold"), Err(ControlError::App(_))));
}

/// A clock that goes back holds nothing up: calls are stamped one after the other.
#[test]
fn calls_are_stamped_in_their_order_whatever_the_clock_does() {
    let mut rig = rig("2026-01-10T12:00:00");
    rig.create(1, "acme", "").expect("created");
    rig.now = instant("2026-01-10T11:00:00");
    rig.upgrade(1, "pro").expect("upgraded");
    rig.configure(1, FILTER).expect("changed");
    let view = rig
        .runtime
        .block_on(rig.plane.subscription(app(1)))
        .expect("an app");
    assert_eq!(&*view.edition, "pro");
    assert_eq!(view.costs.len(), 3);
    rig.go("2026-02-01");
    rig.go("2026-03-01");
    let bill = rig.bill("acme", "2026-02").expect("a bill");
    assert_eq!(bill.total, money("449.97"));
}

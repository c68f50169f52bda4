//! Upgrades, changes, previews, the end of an app and plans that are paid ahead: done, refused with rule and remedy, and in the audit
//! trail once each.

use quotagate::clock::Clock;
use quotagate::proto::app::State;
use quotagate::proto::bill;
use quotagate::proto::control_service_client::ControlServiceClient;
use quotagate::proto::{
    AddOns, App, ChangeConfigurationRequest, CreateAppRequest, DisableRequest, GetAppRequest,
    Outcome, PreviewChangeRequest, SetEditionRequest, SetPrepaidRequest, UpgradeRequest,
    WatchEntitlementsRequest,
};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::gate::{Gate, register};
use super::operators::trail;
use crate::support::{MORNING, at};

fn by_hand() -> (Gate, Clock, ControlServiceClient<Channel>) {
    let clock = Clock::by_hand(at(MORNING));
    let gate = Gate::with(|setup| setup.clock = clock.clone());
    let control = gate.control();
    (gate, clock, control)
}

fn upgrade(sdk_app_id: u32, edition: &str, add_ons: AddOns) -> UpgradeRequest {
    UpgradeRequest {
        sdk_app_id,
        edition: edition.to_owned(),
        add_ons: Some(add_ons),
    }
}

fn change(sdk_app_id: u32, edition: &str, add_ons: AddOns) -> ChangeConfigurationRequest {
    ChangeConfigurationRequest {
        sdk_app_id,
        edition: edition.to_owned(),
        add_ons: Some(add_ons),
    }
}

fn history(days: i64) -> AddOns {
    AddOns {
        history_days: Some(days),
        ..AddOns::default()
    }
}

fn app(gate: &Gate, sdk_app_id: u32) -> App {
    let app = gate.run(gate.control().get_app(GetAppRequest { sdk_app_id }));
    app.expect("an app").into_inner()
}

/// The reason, subject and sentence of a refusal.
fn refusal(status: &Status) -> (String, String, String) {
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    let details = status.get_details_precondition_failure();
    let [one] = <[_; 1]>::try_from(details.expect("details").violations).expect("one");
    (one.r#type, one.subject, one.description)
}

fn wrong_field(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_details_bad_request().expect("details");
    details.field_violations[0].field.clone()
}

#[test]
fn an_upgrade_is_in_force_at_once_with_what_it_costs() {
    let (gate, _, mut control) = by_hand();
    let wanted = AddOns {
        group_members: Some(500),
        content_filtering: Some(true),
        ..history(90)
    };
    let done = gate.run(control.upgrade(upgrade(1, "pro", wanted)));
    let done = done.expect("upgraded").into_inner();
    assert_eq!((done.edition.as_str(), done.account.as_str()), ("pro", "1"));
    let chosen = done.add_ons.expect("add-ons");
    assert_eq!(
        (
            chosen.group_members,
            chosen.joined_groups,
            chosen.history_days
        ),
        (Some(500), None, Some(90))
    );
    assert_eq!(
        (chosen.content_filtering, chosen.av_chat_rooms_unlimited),
        (Some(true), Some(false))
    );
    let published = done.published.expect("it is told");
    assert_eq!(
        (published.history_days, published.content_filtering),
        (90, true)
    );
    let members = done.limits.iter().find(|it| it.name == "group_members");
    assert_eq!(members.expect("a limit").value, Some(500));
    let april = at("2026-04-01T00:00:00+08:00").as_unix_ms() / 1_000;
    let costs: Vec<_> = done
        .costs
        .iter()
        .map(|it| {
            (
                it.item.as_str(),
                it.price.as_str(),
                it.from.expect("an instant").seconds,
            )
        })
        .collect();
    assert_eq!(
        costs,
        [
            ("plan", "149.99", april),
            ("group_members", "79.99", april),
            ("content_filtering", "149.99", april),
            ("history", "149.99", april),
        ]
    );
    assert_eq!(done, app(&gate, 1));
}

#[test]
fn a_refusal_says_reason_rule_and_remedy_and_changes_nothing() {
    let (gate, _, mut control) = by_hand();
    let status = gate.run(control.change_configuration(change(1, "", history(90))));
    let (reason, subject, says) = refusal(&status.expect_err("on the free edition"));
    assert_eq!(
        (reason.as_str(), subject.as_str()),
        ("NOT_AVAILABLE_IN_EDITION", "app 1")
    );
    assert!(says.starts_with("NOT_AVAILABLE_IN_EDITION: "), "{says}");
    for to in ["trial", "pro"] {
        let status = gate.run(control.upgrade(upgrade(1, to, AddOns::default())));
        let (reason, ..) = match (to, status) {
            ("trial", status) => refusal(&status.expect_err("it is free")),
            (_, status) => {
                status.expect("upgraded");
                continue;
            }
        };
        assert_eq!(reason, "NOT_UPGRADABLE");
    }
    let before = app(&gate, 1);
    for (edition, add_ons, expected) in [
        ("flagship", AddOns::default(), "ONCE_A_MONTH"),
        ("", history(361), "OUT_OF_RANGE"),
        ("", history(-1), "OUT_OF_RANGE"),
    ] {
        let status = gate.run(control.change_configuration(change(1, edition, add_ons)));
        let (reason, _, says) = refusal(&status.expect_err(expected));
        assert_eq!(reason, expected);
        let parts: Vec<_> = says.splitn(2, "; ").collect();
        assert_eq!(parts.len(), 2, "a rule, and what to do: {says}");
    }
    assert_eq!(app(&gate, 1), before);
    let same = gate.run(control.change_configuration(change(1, "", AddOns::default())));
    assert_eq!(same.expect("no change").get_ref().costs, before.costs);
}

#[test]
fn a_preview_says_what_would_be_and_changes_nothing() {
    let (gate, clock, mut control) = by_hand();
    let preview = |edition: &str, add_ons| PreviewChangeRequest {
        sdk_app_id: 1,
        edition: edition.to_owned(),
        add_ons: Some(add_ons),
    };
    let before = app(&gate, 1);
    let previewed = gate.run(control.preview_change(preview("pro", history(30))));
    let previewed = previewed.expect("an upgrade").into_inner();
    assert_eq!(
        (
            previewed.edition_before.as_str(),
            previewed.edition_after.as_str()
        ),
        ("trial", "pro")
    );
    assert_eq!(
        (previewed.history_days_before, previewed.history_days_after),
        (7, 30)
    );
    let users = previewed.limits.iter().find(|it| it.limit == "max_users");
    let users = users.expect("it would be another");
    assert_eq!((users.before, users.after), (Some(100), None));
    let months: Vec<_> = previewed
        .bills
        .iter()
        .flat_map(|it| [&it.before, &it.after])
        .map(|bill| bill.as_ref().expect("a bill"))
        .map(|bill| (bill.month.as_str(), bill.state(), bill.total.as_str()))
        .collect();
    let draft = bill::State::Draft;
    assert_eq!(
        months,
        [
            ("2026-03", draft, "0.00"),
            ("2026-03", draft, "0.00"),
            ("2026-04", draft, "0.00"),
            ("2026-04", draft, "229.98"),
        ]
    );
    let after = previewed.bills[1].after.as_ref().expect("a bill");
    let closes = after.closes_at.expect("it is known").seconds * 1_000;
    assert_eq!(closes, at("2026-05-01T00:00:00+08:00").as_unix_ms());
    assert_eq!(
        after.as_of.expect("now").seconds * 1_000,
        clock.now().as_unix_ms()
    );
    let status = gate.run(control.preview_change(preview("trial", history(30))));
    assert_eq!(
        refusal(&status.expect_err("as the change itself")).0,
        "NOT_UPGRADABLE"
    );
    assert_eq!(app(&gate, 1), before);
    let calls: Vec<_> = trail(&gate, 1).into_iter().map(|it| it.call).collect();
    assert_eq!(calls, ["CreateApp"], "a preview is no change");
}

#[test]
fn an_app_is_disabled_for_ever_only_if_it_is_named_twice() {
    let (gate, clock, mut control) = by_hand();
    clock.turn(at("2026-03-05T09:00:00+08:00"));
    let disable = |confirm_sdk_app_id| DisableRequest {
        sdk_app_id: 1,
        confirm_sdk_app_id,
    };
    for confirm in [0, 2] {
        let status = gate.run(control.disable(disable(confirm)));
        let field = wrong_field(&status.expect_err("not confirmed"));
        assert_eq!(field, "confirm_sdk_app_id");
    }
    assert_eq!(app(&gate, 1).state(), State::Active);
    assert_eq!(gate.admit(register("a")).outcome(), Outcome::Allowed);
    let done = gate.run(control.disable(disable(1))).expect("disabled");
    assert_eq!(done.get_ref().state(), State::Disabled);
    let standing = done.get_ref().standing.expect("it is told");
    assert!(standing.disabled_from.is_some());
    let denied = gate.admit(register("b"));
    assert_eq!(denied.reason(), quotagate::proto::Reason::AppDisabled);
    for status in [
        gate.run(control.disable(disable(1))).expect_err("gone"),
        gate.run(control.upgrade(upgrade(1, "pro", AddOns::default())))
            .expect_err("gone"),
    ] {
        assert_eq!(refusal(&status).0, "APP_DISABLED");
    }
}

#[test]
fn a_plan_that_is_paid_ahead_ends_its_app_at_its_instant() {
    let (gate, clock, mut control) = by_hand();
    gate.run(control.upgrade(upgrade(1, "pro", AddOns::default())))
        .expect("upgraded");
    let prepaid = |expires: &str| SetPrepaidRequest {
        sdk_app_id: 1,
        expires: expires.to_owned(),
    };
    let done = gate.run(control.set_prepaid(prepaid("2026-03-10")));
    let done = done.expect("paid ahead").into_inner();
    assert_eq!(done.prepaid_until, "2026-03-10");
    let from = done.standing.and_then(|it| it.suspended_from);
    let instant = at("2026-03-18T00:00:00+08:00");
    assert_eq!(
        from.expect("known ahead").seconds * 1_000,
        instant.as_unix_ms()
    );
    let status = gate.run(control.set_prepaid(prepaid("2026-03-09")));
    assert_eq!(refusal(&status.expect_err("earlier")).0, "OUT_OF_RANGE");
    clock.turn(instant.plus_ms(-1));
    assert_eq!(gate.admit(register("a")).outcome(), Outcome::Allowed);
    clock.turn(instant);
    assert_eq!(gate.admit(register("b")).outcome(), Outcome::Denied);
    let done = gate.run(control.set_prepaid(prepaid("2026-12-31")));
    assert_eq!(done.expect("renewed").get_ref().state(), State::Active);
    assert_eq!(gate.admit(register("b")).outcome(), Outcome::Allowed);
}

#[test]
fn what_is_wrong_is_named_and_what_is_not_there_is_not_found() {
    let (gate, _, mut control) = by_hand();
    let none = AddOns::default;
    let disable = |sdk_app_id| DisableRequest {
        sdk_app_id,
        confirm_sdk_app_id: sdk_app_id,
    };
    let prepaid = |sdk_app_id, expires: &str| SetPrepaidRequest {
        sdk_app_id,
        expires: expires.to_owned(),
    };
    let preview = |sdk_app_id, edition: &str| PreviewChangeRequest {
        sdk_app_id,
        edition: edition.to_owned(),
        add_ons: None,
    };
    for (app, code) in [(0, Code::InvalidArgument), (9, Code::NotFound)] {
        for status in [
            gate.run(control.upgrade(upgrade(app, "pro", none())))
                .expect_err("no app"),
            gate.run(control.change_configuration(change(app, "pro", none())))
                .expect_err("no app"),
            gate.run(control.preview_change(preview(app, "pro")))
                .expect_err("no app"),
            gate.run(control.disable(disable(app))).expect_err("no app"),
            gate.run(control.set_prepaid(prepaid(app, "2026-12-31")))
                .expect_err("no app"),
        ] {
            assert_eq!(status.code(), code, "{status}");
        }
    }
    for (status, field) in [
        (
            gate.run(control.upgrade(upgrade(1, "gold", none()))).err(),
            "edition",
        ),
        (
            gate.run(control.upgrade(upgrade(1, "", none()))).err(),
            "edition",
        ),
        (
            gate.run(control.preview_change(preview(1, "gold"))).err(),
            "edition",
        ),
        (
            gate.run(control.set_prepaid(prepaid(1, "tomorrow"))).err(),
            "expires",
        ),
    ] {
        assert_eq!(wrong_field(&status.expect("wrong")), field);
    }
    let account = CreateAppRequest {
        sdk_app_id: 5,
        account: "a".repeat(129),
        ..CreateAppRequest::default()
    };
    let status = gate.run(control.create_app(account)).expect_err("too long");
    assert_eq!(wrong_field(&status), "account");
}

#[test]
fn every_change_is_in_the_trail_once_done_or_refused() {
    let (gate, _, mut control) = by_hand();
    let create = CreateAppRequest {
        sdk_app_id: 2,
        account: "acme".to_owned(),
        ..CreateAppRequest::default()
    };
    gate.run(control.create_app(create)).expect("created");
    gate.run(control.upgrade(upgrade(2, "pro", history(90))))
        .expect("upgraded");
    gate.run(control.upgrade(upgrade(2, "pro", history(90))))
        .expect_err("twice");
    gate.run(control.change_configuration(change(2, "", history(30))))
        .expect_err("once a month");
    let edition = SetEditionRequest {
        sdk_app_id: 2,
        edition: "flagship".to_owned(),
    };
    gate.run(control.set_edition(edition))
        .expect("an operator's");
    let prepaid = SetPrepaidRequest {
        sdk_app_id: 2,
        expires: "2026-12-31".to_owned(),
    };
    gate.run(control.set_prepaid(prepaid)).expect("paid ahead");
    let disable = |confirm_sdk_app_id| DisableRequest {
        sdk_app_id: 2,
        confirm_sdk_app_id,
    };
    gate.run(control.disable(disable(1))).expect_err("another");
    gate.run(control.disable(disable(2))).expect("disabled");
    gate.run(control.disable(disable(2))).expect_err("gone");
    let told = trail(&gate, 2);
    let told: Vec<_> = told.iter().rev().map(super::operators::shown).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    2 CreateApp 2:  -> {"edition":"trial","account":"acme"} OK
    3 Upgrade 2: {"edition":"trial"} -> {"edition":"pro","history_days":90} OK
    4 Upgrade 2:  ->  NOT_UPGRADABLE: upgrade from the free edition to a paid one; else change the configuration
    5 ChangeConfiguration 2:  ->  ONCE_A_MONTH: wait for the first day of the next month, or restore the value from before
    6 SetEdition 2: {"edition":"pro","history_days":90} -> {"edition":"flagship","history_days":90} OK
    7 SetPrepaid 2:  -> {"prepaid_until":"2026-12-31"} OK
    8 Disable 2:  ->  app 2 is disabled for ever by this, and all its service ends at once: confirm by naming 2 again
    9 Disable 2: {"state":"ACTIVE"} -> {"state":"DISABLED"} OK
    10 Disable 2:  ->  APP_DISABLED: a disabled app never comes back; create another
    "#);
}

/// An upgrade is told to whoever watches, with what the IM server enforces.
#[test]
fn an_upgrade_reaches_those_who_watch() {
    let (gate, _, mut control) = by_hand();
    let request = WatchEntitlementsRequest::default();
    let watching = gate
        .run(control.watch_entitlements(request))
        .expect("a stream");
    let mut watching = watching.into_inner();
    gate.run(watching.message()).expect("it goes on");
    gate.run(control.upgrade(upgrade(1, "pro", history(180))))
        .expect("upgraded");
    let told = gate
        .run(watching.message())
        .expect("it goes on")
        .expect("it goes on");
    assert_eq!(told.apps.len(), 1);
    assert_eq!(told.apps[0].edition, "pro");
    assert_eq!(
        told.apps[0].published.expect("it is told").history_days,
        180
    );
}

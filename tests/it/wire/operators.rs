//! What operators change by calls: overrides, and the audit trail of every call.

use std::time::Duration;

use quotagate::proto::limit::Enforcement;
use quotagate::proto::set_override_request::Value;
use quotagate::proto::source::Kind;
use quotagate::proto::{
    App, AuditEntry, CreateAppRequest, GetAppRequest, Limit, ListAuditRequest, Outcome,
    ReloadRequest, RemoveOverrideRequest, SetEditionRequest, SetOverrideRequest, Source,
};
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use super::gate::{Gate, register};

fn users_at_most(count: u64) -> SetOverrideRequest {
    SetOverrideRequest {
        sdk_app_id: 1,
        limit: "max_users".to_owned(),
        value: Some(Value::AtMost(count)),
        enforcement: Enforcement::Unspecified.into(),
        reason: "a test".to_owned(),
        expires: None,
    }
}

fn of_users(app: &App) -> &Limit {
    let mut limits = app.limits.iter();
    limits.find(|it| it.name == "max_users").expect("a limit")
}

pub fn trail(gate: &Gate, sdk_app_id: u32) -> Vec<AuditEntry> {
    let request = ListAuditRequest {
        sdk_app_id,
        page_size: 1_000,
        page_token: String::new(),
    };
    let page = gate
        .run(gate.control().list_audit(request))
        .expect("a page");
    page.into_inner().entries
}

#[test]
fn an_override_is_in_force_at_once_until_it_is_removed() {
    // The file has rules for the app itself, too: the call's is nearer.
    let gate = Gate::with(|setup| {
        setup.limits =
            "[[override]]\nlimit = \"max_users\"\nvalue = 1\nreason = \"file\"\napp = 1\n";
    });
    let mut control = gate.control();
    let is_denied = |user| gate.admit(register(user)).outcome() == Outcome::Denied;
    assert!(!is_denied("a") && is_denied("b"), "by the file");
    let app = gate
        .run(control.set_override(users_at_most(2)))
        .expect("set");
    let limit = of_users(app.get_ref()).clone();
    assert_eq!(limit.value, Some(2));
    let source = limit.source.expect("a source");
    assert_eq!(
        (source.kind(), source.name.as_str()),
        (Kind::Override, "call")
    );
    assert!(!is_denied("b") && is_denied("c"), "by the call");
    let denial = gate.admit(register("c"));
    assert_eq!(denial.source.expect("a source").name, "call");

    // Enforcement alone leaves the file's number.
    let shadow = SetOverrideRequest {
        value: None,
        enforcement: Enforcement::Shadow.into(),
        ..users_at_most(0)
    };
    let app = gate.run(control.set_override(shadow)).expect("set");
    let limit = of_users(app.get_ref());
    assert_eq!(
        (limit.value, limit.enforcement()),
        (Some(1), Enforcement::Shadow)
    );
    assert_eq!(app.get_ref().overrides.len(), 1, "in place of the first");
    assert!(gate.admit(register("c")).would_deny);

    let unlimited = SetOverrideRequest {
        value: Some(Value::Unlimited(true)),
        ..users_at_most(0)
    };
    let app = gate.run(control.set_override(unlimited)).expect("set");
    assert_eq!(of_users(app.get_ref()).value, None);
    let remove = RemoveOverrideRequest {
        sdk_app_id: 1,
        limit: "max_users".to_owned(),
    };
    let app = gate
        .run(control.remove_override(remove.clone()))
        .expect("removed");
    assert_eq!(of_users(app.get_ref()).value, Some(1), "the file's again");
    assert!(app.get_ref().overrides.is_empty() && is_denied("d"));
    let status = gate.run(control.remove_override(remove)).expect_err("gone");
    assert_eq!(status.code(), Code::NotFound);
    assert!(
        status.message().contains("no override of max_users"),
        "{status}"
    );
}

#[test]
fn an_override_expires_by_itself() {
    let gate = Gate::open();
    let mut control = gate.control();
    let now = quotagate::clock::now().as_unix_ms();
    let expires = now + 1_500;
    let until = SetOverrideRequest {
        expires: Some(prost_types::Timestamp {
            seconds: expires / 1_000,
            nanos: i32::try_from(expires % 1_000).expect("small") * 1_000_000,
        }),
        ..users_at_most(0)
    };
    gate.run(control.set_override(until)).expect("set");
    let answer = gate.admit(register("a"));
    // A machine that takes a second and a half for it has seen it expire already.
    let in_time = quotagate::clock::now().as_unix_ms() < expires;
    assert!(answer.outcome() == Outcome::Denied || !in_time);
    while quotagate::clock::now().as_unix_ms() < expires {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(gate.admit(register("a")).outcome(), Outcome::Allowed);
    let app = gate.run(control.get_app(GetAppRequest { sdk_app_id: 1 }));
    let app = app.expect("an app").into_inner();
    assert_eq!(
        of_users(&app).source.as_ref().map(Source::kind),
        Some(Kind::Edition)
    );
}

#[test]
fn a_wrong_override_names_its_field() {
    let gate = Gate::open();
    let mut control = gate.control();
    let right = users_at_most(5);
    let at = |seconds, nanos| Some(prost_types::Timestamp { seconds, nanos });
    let wrong = [
        (
            "sdk_app_id",
            SetOverrideRequest {
                sdk_app_id: 0,
                ..right.clone()
            },
        ),
        (
            "limit",
            SetOverrideRequest {
                limit: "members".to_owned(),
                ..right.clone()
            },
        ),
        ("at_most", users_at_most(1_000_000_000_001)),
        (
            "unlimited",
            SetOverrideRequest {
                value: Some(Value::Unlimited(false)),
                ..right.clone()
            },
        ),
        (
            "enforcement",
            SetOverrideRequest {
                enforcement: 9,
                ..right.clone()
            },
        ),
        (
            "value",
            SetOverrideRequest {
                value: None,
                ..right.clone()
            },
        ),
        (
            "reason",
            SetOverrideRequest {
                reason: " ".to_owned(),
                ..right.clone()
            },
        ),
        (
            "reason",
            SetOverrideRequest {
                reason: "é".repeat(501),
                ..right.clone()
            },
        ),
        (
            "expires",
            SetOverrideRequest {
                expires: at(1, 0),
                ..right.clone()
            },
        ),
        (
            "expires",
            SetOverrideRequest {
                expires: at(i64::MAX, 0),
                ..right.clone()
            },
        ),
        (
            "expires",
            SetOverrideRequest {
                expires: at(4_000_000_000, -1),
                ..right.clone()
            },
        ),
    ];
    for (field, request) in wrong {
        let status = gate.run(control.set_override(request)).expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        let details = status.get_details_bad_request().expect("details");
        assert_eq!(details.field_violations[0].field, field);
    }
    let app = gate.run(control.get_app(GetAppRequest { sdk_app_id: 1 }));
    assert!(app.expect("an app").get_ref().overrides.is_empty());
    let other = SetOverrideRequest {
        sdk_app_id: 2,
        ..right
    };
    let status = gate.run(control.set_override(other)).expect_err("no app");
    assert_eq!(status.code(), Code::NotFound);
}

#[test]
fn every_call_is_in_the_audit_trail_with_before_and_after() {
    let dir = super::reload::files();
    let gate = Gate::with(|setup| setup.dir = Some(dir.path().to_owned()));
    let mut control = gate.control();
    let create = CreateAppRequest {
        sdk_app_id: 2,
        edition: "trial".to_owned(),
        account: String::new(),
    };
    let mut asked = Request::new(create.clone());
    let actor = format!("ann@{}", "x".repeat(200));
    asked
        .metadata_mut()
        .insert("x-quotagate-actor", actor.parse().expect("text"));
    gate.run(control.create_app(asked)).expect("created");
    let edition = |edition: &str| SetEditionRequest {
        sdk_app_id: 2,
        edition: edition.to_owned(),
    };
    gate.run(control.set_edition(edition("pro"))).expect("set");
    let mine = |count| SetOverrideRequest {
        sdk_app_id: 2,
        ..users_at_most(count)
    };
    gate.run(control.set_override(mine(5))).expect("set");
    gate.run(control.set_override(mine(6))).expect("set");
    let remove = RemoveOverrideRequest {
        sdk_app_id: 2,
        limit: "max_users".to_owned(),
    };
    gate.run(control.remove_override(remove.clone()))
        .expect("removed");
    gate.run(control.reload(ReloadRequest {}))
        .expect("reloaded");
    // Refused ones, too.
    gate.run(control.create_app(create))
        .expect_err("there is one");
    gate.run(control.set_edition(edition("gold")))
        .expect_err("no edition");
    gate.run(control.remove_override(remove))
        .expect_err("no override");
    super::reload::write(dir.path(), "colour = 1\n");
    gate.run(control.reload(ReloadRequest {}))
        .expect_err("a fault");

    let told: Vec<_> = trail(&gate, 0).iter().rev().map(shown).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    1 CreateApp 1:  -> {"edition":"trial","account":"1"} OK
    2 CreateApp 2:  -> {"edition":"trial","account":"2"} OK
    3 SetEdition 2: {"edition":"trial"} -> {"edition":"pro"} OK
    4 SetOverride 2:  -> {"limit":"max_users","value":5,"reason":"a test"} OK
    5 SetOverride 2: {"limit":"max_users","value":5,"reason":"a test"} -> {"limit":"max_users","value":6,"reason":"a test"} OK
    6 RemoveOverride 2: {"limit":"max_users","value":6,"reason":"a test"} ->  OK
    7 Reload 0: {"editions":["trial","pro","flagship"],"rules":0} -> {"editions":["trial","pro","flagship"],"rules":0} OK
    8 CreateApp 2:  ->  app 2 exists already
    9 SetEdition 2:  ->  there is no edition "gold" in the catalog
    10 RemoveOverride 2:  ->  app 2 has no override of max_users that a call has set
    11 Reload 0:  ->  1 fault in the files; what was in force stays
    "#);
    let of_app: Vec<_> = trail(&gate, 2).iter().map(|it| it.sequence).collect();
    assert_eq!(of_app, [10, 9, 8, 6, 5, 4, 3, 2]);
    let first = &trail(&gate, 2)[7];
    assert_eq!(first.actor, actor[..128]);
    assert!(first.peer.starts_with("127.0.0.1:"), "{}", first.peer);
    assert!(first.at.is_some());
    assert_eq!(trail(&gate, 9), []);
}

pub fn shown(entry: &AuditEntry) -> String {
    let AuditEntry {
        sequence,
        call,
        sdk_app_id,
        before,
        after,
        outcome,
        ..
    } = entry;
    format!("{sequence} {call} {sdk_app_id}: {before} -> {after} {outcome}")
}

#[test]
fn pages_of_the_audit_trail_show_every_entry_once() {
    let gate = Gate::open();
    let mut control = gate.control();
    for count in 0..24 {
        gate.run(control.set_override(users_at_most(count)))
            .expect("set");
    }
    for (page_size, pages) in [(0, 1), (1, 25), (10, 3), (24, 2), (25, 1), (1_000, 1)] {
        let (mut token, mut seen, mut count) = (String::new(), Vec::new(), 0);
        loop {
            let request = ListAuditRequest {
                sdk_app_id: 0,
                page_size,
                page_token: token,
            };
            let page = gate
                .run(control.list_audit(request))
                .expect("a page")
                .into_inner();
            seen.extend(page.entries.iter().map(|it| it.sequence));
            count += 1;
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let expected: Vec<_> = (1..=25).rev().collect();
        assert_eq!((count, &seen), (pages, &expected), "by {page_size}");
    }
    for (page_size, page_token, field) in [(1_001, "", "page_size"), (1, "x", "page_token")] {
        let page_token = page_token.to_owned();
        let request = ListAuditRequest {
            sdk_app_id: 0,
            page_size,
            page_token,
        };
        let status = gate.run(control.list_audit(request)).expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
}

/// Nobody fills the disk with calls that are refused.
#[test]
fn of_refused_calls_the_trail_takes_a_thousand_a_day() {
    let gate = Gate::open();
    let mut control = gate.control();
    for _ in 0..1_005 {
        let create = CreateAppRequest {
            sdk_app_id: 1,
            edition: String::new(),
            account: String::new(),
        };
        gate.run(control.create_app(create))
            .expect_err("there is one");
    }
    gate.run(control.set_override(users_at_most(1)))
        .expect("set");
    let entries = trail(&gate, 1);
    let newest = entries[0].sequence;
    // At midnight a new day begins.
    assert!((1_002..=1_007).contains(&newest), "{newest}");
    assert_eq!(entries[0].outcome, "OK");
}

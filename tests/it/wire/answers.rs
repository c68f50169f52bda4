//! Answers as clients of every language decode them: each field of every kind of answer.

use quotagate::clock;
use quotagate::proto::get_usage_response::Usage;
use quotagate::proto::limit::Enforcement;
use quotagate::proto::source::Kind;
use quotagate::proto::{
    self, AdmitRequest, AdmitResponse, GetUsageRequest, Mode, Outcome, Reason, Remedy, Source,
    Subject, get_usage_request, operation,
};
use quotagate::time::Zone;

use super::gate::{Gate, ask, batch, create, join, register, register_in_batch};

const DAY_S: i64 = 86_400;

fn login(user: &str) -> proto::admit_request::Operation {
    proto::admit_request::Operation::Login(proto::Login {
        user: user.to_owned(),
    })
}

fn record(gate: &Gate, operation: proto::admit_request::Operation) -> AdmitResponse {
    in_mode(gate, Mode::Record, operation)
}

fn in_mode(gate: &Gate, mode: Mode, operation: proto::admit_request::Operation) -> AdmitResponse {
    let asked = AdmitRequest {
        mode: mode.into(),
        ..ask(operation)
    };
    let answer = gate.run(gate.admission().admit(asked));
    answer.expect("a valid request").into_inner()
}

fn allowed(changed: bool, revision: u64) -> AdmitResponse {
    AdmitResponse {
        outcome: Outcome::Allowed.into(),
        changed,
        revision,
        ..Default::default()
    }
}

/// A group of app 1 with as many members as it may have, `m0` its owner.
fn full_group(gate: &Gate, kind: &str, members: usize) {
    let names: Vec<_> = (0..members).map(|n| format!("m{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let made = record(gate, create("g", kind, names[0], &names[1..]));
    assert_eq!((made.outcome(), made.over_limit), (Outcome::Allowed, false));
}

#[test]
fn allowed_answers_say_whether_something_changed() {
    let gate = Gate::open();
    assert_eq!(gate.admit(register("a")), allowed(true, 1));
    assert_eq!(gate.admit(register("a")), allowed(false, 1));
    assert_eq!(
        in_mode(&gate, Mode::DryRun, register("b")),
        allowed(true, 1)
    );
    assert_eq!(
        in_mode(&gate, Mode::DryRun, register("b")),
        allowed(true, 1),
        "nothing was kept"
    );
    assert_eq!(gate.usage().users, 1);
}

#[test]
fn a_limit_that_is_reached_is_explained_whole() {
    let gate = Gate::open();
    full_group(&gate, "Public", 20);
    gate.admit(register("a"));
    let mut denied = gate.admit(join("g", "a"));
    let message = std::mem::take(&mut denied.message);
    assert!(
        message.contains("\"g\"") && message.contains("20"),
        "{message}"
    );
    let mut remedy = denied.remedy.take().expect("an edition has more");
    let words = std::mem::take(&mut remedy.description);
    assert!(words.contains("pro") && words.contains("149.99"), "{words}");
    let expected = Remedy {
        edition: "pro".to_owned(),
        monthly_price: "149.99".to_owned(),
        currency: "USD".to_owned(),
        ..Default::default()
    };
    assert_eq!(remedy, expected);
    let expected = AdmitResponse {
        outcome: Outcome::Denied.into(),
        revision: 1,
        reason: Reason::GroupMemberLimit.into(),
        im_error_code: 10_038,
        subject: Subject::Group.into(),
        limit_name: "group_members".to_owned(),
        limit: 20,
        used: 20,
        source: Some(Source {
            kind: Kind::Edition.into(),
            name: "trial".to_owned(),
        }),
        ..Default::default()
    };
    assert_eq!(denied, expected);
}

#[test]
fn an_add_on_may_be_the_remedy() {
    let gate = Gate::with(|setup| setup.edition = "pro");
    full_group(&gate, "Public", 200);
    gate.admit(register("a"));
    let denied = gate.admit(join("g", "a"));
    let remedy = denied.remedy.expect("pro may buy more");
    assert_eq!(
        (remedy.edition.as_str(), remedy.add_on.as_str()),
        ("", "group_members")
    );
    assert!(remedy.value.is_some_and(|value| value > 200), "{remedy:?}");
    assert_eq!(
        (remedy.monthly_price.as_str(), remedy.currency.as_str()),
        ("79.99", "USD")
    );
}

#[test]
fn a_cap_that_nothing_lifts_has_no_remedy() {
    let gate = Gate::with(|setup| setup.edition = "flagship");
    full_group(&gate, "Private", 200);
    gate.admit(register("a"));
    let denied = gate.admit(join("g", "a"));
    assert_eq!(denied.reason(), Reason::GroupFull);
    assert_eq!(
        (denied.limit, denied.used, denied.im_error_code),
        (200, 200, 10_014)
    );
    assert_eq!(
        denied.source,
        Some(Source {
            kind: Kind::GroupType.into(),
            name: String::new()
        })
    );
    assert_eq!((denied.remedy, denied.resets_at), (None, None));
}

#[test]
fn a_days_limit_says_when_it_begins_anew() {
    let gate = Gate::open();
    gate.admit(register("a"));
    let zone = Zone::default();
    // At midnight rooms of two days count apart: then once more.
    let (denied, today) = loop {
        let today = zone.day(clock::now());
        let rooms: Vec<_> = (0..6)
            .map(|n| gate.admit(create(&format!("{today:?} {n}"), "BChatRoom", "a", &[])))
            .collect();
        if zone.day(clock::now()) == today {
            break (rooms[5].clone(), today);
        }
    };
    assert_eq!(denied.reason(), Reason::DailyBroadcastLimit);
    assert_eq!((denied.limit, denied.used), (5, 5));
    assert_eq!(denied.subject(), Subject::App);
    let resets_at = denied.resets_at.expect("tomorrow");
    assert_eq!(
        resets_at.seconds,
        zone.start(today.next()).as_unix_ms() / 1_000
    );
    assert_eq!(resets_at.nanos, 0);
    assert_eq!(
        (resets_at.seconds + 8 * 3_600) % DAY_S,
        0,
        "midnight in UTC+8"
    );
}

#[test]
fn who_is_unknown_is_said_without_a_limit() {
    let gate = Gate::open();
    gate.admit(register("a"));
    let befriend = proto::AddFriend {
        user: "a".to_owned(),
        friend: "x".to_owned(),
        one_way: false,
    };
    let rows = [
        (join("g", "a"), Reason::GroupNotFound, Subject::Group),
        (
            create("g", "Public", "x", &[]),
            Reason::UserNotFound,
            Subject::User,
        ),
        (
            proto::admit_request::Operation::AddFriend(befriend),
            Reason::UserNotFound,
            Subject::Friend,
        ),
    ];
    for (operation, reason, subject) in rows {
        let denied = gate.admit(operation);
        assert_eq!(
            (denied.outcome(), denied.reason()),
            (Outcome::Denied, reason)
        );
        assert_eq!((denied.subject(), denied.revision), (subject, 1));
        assert!(denied.im_error_code != 0 && !denied.message.is_empty());
        assert_eq!(
            (denied.limit_name.as_str(), denied.limit, denied.used),
            ("", 0, 0)
        );
        assert_eq!((denied.source, denied.remedy), (None, None));
    }
}

const SHADOW: &str = "
[[enforcement]]
limit = \"max_users\"
mode = \"shadow\"
reason = \"a test\"
[[override]]
limit = \"max_users\"
value = 2
reason = \"a test\"
app = 1
[[enforcement]]
limit = \"groups\"
mode = \"off\"
reason = \"a test\"
";

#[test]
fn a_limit_in_shadow_says_what_it_would_deny() {
    let gate = Gate::with(|setup| setup.limits = SHADOW);
    for user in ["a", "b"] {
        assert_eq!(gate.admit(register(user)), allowed(true, 1));
    }
    let shadowed = gate.admit(login("c"));
    assert_eq!(
        (shadowed.outcome(), shadowed.changed),
        (Outcome::Allowed, true)
    );
    assert!(shadowed.would_deny && !shadowed.over_limit);
    assert_eq!(
        (shadowed.reason(), shadowed.im_error_code),
        (Reason::UserLimit, 70_398)
    );
    assert_eq!(
        (shadowed.limit_name.as_str(), shadowed.limit, shadowed.used),
        ("max_users", 2, 2)
    );
    assert_eq!(
        shadowed.source,
        Some(Source {
            kind: Kind::Override.into(),
            name: "app".to_owned()
        })
    );
    assert!(!shadowed.message.is_empty());
    let results = gate.run(
        gate.admission()
            .admit_batch(batch(["c", "d"].map(register_in_batch))),
    );
    let results = results.expect("a valid request").into_inner().results;
    assert_eq!(
        (results[0].would_deny, results[1].would_deny),
        (false, true)
    );
    assert_eq!((results[1].used, results[1].revision), (3, 0));
}

#[test]
fn what_happened_elsewhere_may_be_over_the_limit() {
    let gate = Gate::open();
    full_group(&gate, "Public", 20);
    let over = record(&gate, join("g", "new"));
    let expected = AdmitResponse {
        over_limit: true,
        ..allowed(true, 1)
    };
    assert_eq!(over, expected);
    assert_eq!(gate.usage().memberships, 21);
}

#[test]
fn all_or_nothing_keeps_its_verdicts() {
    let gate = Gate::open();
    gate.admit(register("a"));
    let leave = |user: &str| proto::LeaveGroup {
        group: "none".to_owned(),
        user: user.to_owned(),
    };
    let operations = [
        register_in_batch("b"),
        operation::Operation::LeaveGroup(leave("a")),
        operation::Operation::JoinGroup(proto::JoinGroup {
            group: "none".to_owned(),
            user: "b".to_owned(),
            r#type: String::new(),
        }),
    ];
    let asked = proto::AdmitBatchRequest {
        all_or_nothing: true,
        batch_id: 77,
        ..batch(operations)
    };
    for mode in [Mode::DryRun, Mode::Enforce] {
        let asked = proto::AdmitBatchRequest {
            mode: mode.into(),
            ..asked.clone()
        };
        let answer = gate.run(gate.admission().admit_batch(asked));
        let answer = answer.expect("a valid request").into_inner();
        assert_eq!(
            (answer.committed, answer.batch_id, answer.revision),
            (false, 77, 1)
        );
        assert_eq!(answer.error, None);
        assert_eq!(
            answer.results[0],
            allowed(false, 0),
            "its verdict stays, and nothing changed"
        );
        assert_eq!(answer.results[2].reason(), Reason::GroupNotFound);
        assert_eq!(gate.usage().users, 1);
    }
    let asked = proto::AdmitBatchRequest {
        all_or_nothing: false,
        ..asked
    };
    let answer = gate.run(gate.admission().admit_batch(asked));
    let answer = answer.expect("a valid request").into_inner();
    assert!(answer.committed && answer.results[0].changed);
    assert_eq!(gate.usage().users, 2);
}

#[test]
fn initial_members_have_their_own_results() {
    let gate = Gate::open();
    for user in ["o", "a", "c"] {
        gate.admit(register(user));
    }
    let made = gate.admit(create("g", "Public", "o", &["a", "nobody", "c", "a"]));
    assert_eq!(
        (made.outcome(), made.changed, made.revision),
        (Outcome::Allowed, true, 1)
    );
    assert_eq!(made.members.len(), 4);
    assert_eq!(
        [0, 2].map(|place| made.members[place].clone()),
        [true, true].map(|_| allowed(true, 0))
    );
    let denied = &made.members[1];
    assert_eq!(
        (denied.outcome(), denied.reason()),
        (Outcome::Denied, Reason::UserNotFound)
    );
    assert!(
        denied.message.contains("nobody") && denied.im_error_code == 70_107,
        "{denied:?}"
    );
    assert_eq!(made.members[3], allowed(false, 0), "there already");
    assert_eq!(
        gate.admit(create("g", "Public", "o", &["a", "c"])),
        allowed(false, 1)
    );
    assert_eq!(
        gate.admit(create("g", "Public", "a", &[])).reason(),
        Reason::GroupExists
    );
}

#[test]
fn usage_stands_beside_its_limits() {
    let gate = Gate::with(|setup| setup.limits = SHADOW);
    full_group(&gate, "Work", 3);
    gate.admit(login("m1"));
    let usage = |subject| {
        let asked = GetUsageRequest {
            sdk_app_id: 1,
            subject,
        };
        gate.run(gate.admission().get_usage(asked))
            .expect("it is there")
            .into_inner()
    };
    let app = usage(None);
    let Some(Usage::App(counts)) = &app.usage else {
        panic!("{app:?}")
    };
    assert_eq!((counts.users, counts.groups, counts.memberships), (3, 1, 3));
    assert_eq!(counts.groups_by_type, [("Private".to_owned(), 1)].into());
    let limit = |name: &str| {
        let named =
            |limit: &&proto::LimitUsage| limit.limit.as_ref().is_some_and(|it| it.name == name);
        app.limits
            .iter()
            .find(named)
            .expect("a limit of the app")
            .clone()
    };
    let users = limit("max_users");
    let bound = users.limit.expect("a limit");
    assert_eq!(
        (bound.value, bound.enforcement(), users.used),
        (Some(2), Enforcement::Shadow, 3)
    );
    assert_eq!(
        limit("groups").limit.expect("a limit").enforcement(),
        Enforcement::Off
    );
    assert!(limit("daily_groups").resets_at.is_some() && limit("groups").resets_at.is_none());
    assert_eq!(
        limit("broadcast_rooms").limit.expect("a limit").value,
        None,
        "unlimited"
    );

    let user = usage(Some(get_usage_request::Subject::User("m1".to_owned())));
    let expected = proto::UserUsage {
        joined_groups: 1,
        friends: 0,
        counted_today: true,
    };
    assert_eq!(user.usage, Some(Usage::User(expected)));
    let group = usage(Some(get_usage_request::Subject::Group("g".to_owned())));
    let expected = proto::GroupUsage {
        r#type: "Private".to_owned(),
        members: 3,
    };
    assert_eq!(group.usage, Some(Usage::Group(expected)));
    assert_eq!(
        group.limits[0].limit.as_ref().and_then(|limit| limit.value),
        Some(20)
    );
}

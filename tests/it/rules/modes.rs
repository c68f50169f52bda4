//! RULES section 2: RECORD and DRY_RUN, adoption of the unknown, batches, apps.

use quotagate::admission::{Decision, Mode, Sides};
use quotagate::gateway::Commit;

use crate::script::{Stage, play};
use crate::support::{MORNING, admit, app, at, befriend, catalog, create, gateway, join, register};

#[test]
fn record_takes_in_what_happened_elsewhere() {
    play(&[
        (
            "RECORD is counted beyond the limit, and says so",
            "limit max_users 1
             record register u1 => ok
             record register u2 => over
             record register u2 => same
             register u3 => USER_LIMIT 2/1
             usage users=2",
        ),
        (
            "RECORD takes unknown users and groups in",
            "record join g1 u1 => ok
             record befriend a b => ok
             record create g2 Private c with d => ok [ ok ]
             usage users=5 groups=2 memberships=3 friends=2 g1=1 net=1",
        ),
        (
            "an adopted group has no owner",
            "record join g1 u1 as ChatRoom => ok
             create g1 ChatRoom u1 => GROUP_EXISTS
             record create g1 ChatRoom u1 => same
             usage net=0",
        ),
        (
            "RECORD passes a suspension, not an end",
            "suspended from 2026-03-01T00:00:00+08:00
             record register u1 => ok
             disabled from 2026-03-02T00:00:00+08:00
             record register u2 => APP_DISABLED",
        ),
        (
            "a dry run answers and changes nothing",
            "dry register u1 => ok
             dry register u1 => ok
             register u1 => ok
             dry create g1 Public u1 with u1 => ok [ same ]
             dry delete u1 => ok
             dry login u1 => ok
             usage users=1 groups=0 dau=0 net=0 peak-groups=0 peak-dau=0",
        ),
    ]);
}

#[test]
fn unknown_users_and_groups_are_adopted_where_the_app_says_so() {
    play(&[
        (
            "adopt_unknown: users register, their limit applies",
            "adopt for app:1
             befriend u1 u2 => ok
             limit max_users 3
             befriend u3 u4 => USER_LIMIT
             usage users=2
             befriend u3 u1 => ok
             usage users=3 friends=4",
        ),
        (
            "adopt_unknown: a group if its type is given, as existing before today",
            "adopt
             join g1 u1 => GROUP_NOT_FOUND
             usage users=0
             join g1 u1 as Private => ok
             usage users=1 groups=1 net=0 g1=1 peak-groups=1",
        ),
        (
            "adopt_unknown for another app or edition is none",
            "adopt for app:2
             adopt for edition:pro
             befriend u1 u2 => USER_NOT_FOUND",
        ),
    ]);
}

#[test]
fn batches_are_decided_in_order() {
    let gateway = gateway("trial", "");
    let catalog = catalog();
    let now = at(MORNING);
    admit(&gateway, &register("a"), MORNING);
    let requests = [
        register("b"),
        create(&catalog, "g", "Public", "a", &["b"]),
        join("g", "nobody"),
        befriend("a", "b", Sides::Both),
    ];
    let names = |mode, commit| {
        let answer = gateway.admit_batch(app(1), &requests, mode, commit, now);
        let told = |d: &Decision| (d.outcome.name(), d.changed);
        (
            answer.decisions.iter().map(told).collect::<Vec<_>>(),
            answer.committed,
        )
    };
    let each = |changed| {
        vec![
            ("ALLOWED", changed),
            ("ALLOWED", changed),
            ("USER_NOT_FOUND", false),
            ("ALLOWED", changed),
        ]
    };
    let users = || gateway.app_usage(app(1), now).expect("an app").users;
    assert_eq!(names(Mode::DryRun, Commit::Each), (each(true), true));
    assert_eq!(users(), 1, "a dry run changes nothing");
    assert_eq!(
        names(Mode::Enforce, Commit::AllOrNothing),
        (each(false), false)
    );
    assert_eq!(users(), 1, "one is denied, none is remembered");
    assert_eq!(names(Mode::Enforce, Commit::Each), (each(true), true));
    assert_eq!(users(), 2);
    assert_eq!(names(Mode::Enforce, Commit::Each), (each(false), true));
}

/// Traps 1 to 3 concern one app; two apps have nothing in common (RULES 6.1, rule 4).
#[test]
fn apps_are_apart() {
    let mut stage = Stage::new();
    let played = stage.play(
        "limit max_users 1 for app:1
         register u1 => ok
         register u2 => USER_LIMIT
         app 2
         register u2 => ok
         register u1 => ok
         usage users=2
         app 3
         register u1 => APP_NOT_FOUND 60006
         record register u1 => APP_NOT_FOUND",
    );
    played.expect("as the rules say");
}

//! Threads contend for the last places of every kind: nobody gets in beyond the limit, nobody is kept out below it.

mod limits;

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use quotagate::admission::{Mode, Outcome, Request};
use quotagate::id::SdkAppId;

use crate::script::{Stage, operation};
use crate::support::{MORNING, app, at};

const THREADS: u32 = 8;
const TRIES: u32 = 25;

/// The answers to a command, asked by every thread many times and all at once, of one app or of several in turn. `{n}` in
/// the command is a number given once.
fn contend(stage: &Stage, apps: u32, command: &str) -> Vec<Outcome> {
    let start = &Barrier::new(THREADS as usize);
    let run = |thread: u32| {
        let numbered = |n: u32| request(stage, &command.replace("{n}", &n.to_string()));
        let requests: Vec<_> = (thread * TRIES..(thread + 1) * TRIES)
            .map(numbered)
            .collect();
        let app = app(1 + thread % apps);
        start.wait();
        let admit = |request| stage.gateway.admit(app, request, Mode::Enforce, stage.now);
        let outcomes = requests
            .iter()
            .map(|request| admit(request).decision.outcome);
        outcomes.collect::<Vec<_>>()
    };
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || run(n))).collect();
        let outcomes = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        outcomes.flatten().collect()
    })
}

fn request(stage: &Stage, command: &str) -> Request<'static> {
    let words: Vec<&str> = command.split_whitespace().collect();
    operation(&words, stage.now).request(&stage.catalog, stage.now)
}

fn ask(stage: &Stage, app: SdkAppId, command: &str) -> Outcome {
    let request = request(stage, command);
    let answer = stage.gateway.admit(app, &request, Mode::Enforce, stage.now);
    answer.decision.outcome
}

/// What is set up, what all ask for, how many must get it, what the others are told, and what is there in the end.
const CONTESTS: [(&str, &str, usize, &str, &str); 14] = [
    (
        "limit max_users 40",
        "register v{n}",
        40,
        "USER_LIMIT",
        "users=40",
    ),
    (
        "limit max_users 40",
        "login v{n}",
        40,
        "USER_LIMIT",
        "users=40 dau=40",
    ),
    (
        "record register v0..199 => any\n limit daily_users 40",
        "login v{n}",
        40,
        "TRIAL_DAU_LIMIT",
        "dau=40 user-days=40 peak-dau=40",
    ),
    (
        "record register v0..199 => any\n record register u => any",
        "befriend u v{n}",
        20,
        "FRIEND_LIMIT",
        "u=0+20 friends=40",
    ),
    (
        "record register v0..199 => any\n record register u => any",
        "befriend v{n} u",
        20,
        "PEER_FRIEND_LIMIT",
        "u=0+20 friends=40",
    ),
    (
        "record create g0..199 Public o0..199 => any\n record register u => any",
        "join g{n} u",
        50,
        "JOINED_GROUP_LIMIT",
        "u=50+0 memberships=250",
    ),
    (
        "record register u => any",
        "create h{n} Public u",
        50,
        "JOINED_GROUP_LIMIT",
        "u=50+0 groups=50 net=50 peak-groups=50",
    ),
    (
        "record register v0..199 => any\n record create g Public u => any",
        "join g v{n}",
        19,
        "GROUP_MEMBER_LIMIT",
        "g=20 memberships=20",
    ),
    (
        "record register v0..199 => any",
        "create h{n} AVChatRoom v{n}",
        10,
        "AV_CHAT_ROOM_LIMIT",
        "groups=10 net=10",
    ),
    (
        "record register v0..199 => any",
        "create h{n} BChatRoom v{n}",
        5,
        "DAILY_BROADCAST_LIMIT",
        "groups=5 net=5",
    ),
    (
        "record register v0..199 => any\n limit daily_groups 30",
        "create h{n} Public v{n}",
        30,
        "DAILY_GROUP_LIMIT",
        "groups=30 net=30 memberships=30",
    ),
    (
        "record register v0..199 => any\n limit groups 30",
        "create h{n} Public v{n}",
        30,
        "TRIAL_GROUP_LIMIT",
        "groups=30 net=30",
    ),
    (
        "budget users 30",
        "register v{n}",
        30,
        "BUDGET_EXCEEDED",
        "users=30",
    ),
    (
        "budget all-users 30",
        "register v{n}",
        30,
        "BUDGET_EXCEEDED",
        "users=30",
    ),
];

#[test]
fn exactly_the_limit_gets_in() {
    for (set_up, command, limit, reason, usage) in CONTESTS {
        let mut stage = Stage::new();
        stage.play(set_up).expect(set_up);
        let outcomes = contend(&stage, 1, command);
        let admitted = outcomes
            .iter()
            .filter(|outcome| outcome.is_allowed())
            .count();
        assert_eq!(admitted, limit, "{command} after {set_up}");
        for denial in outcomes.iter().filter_map(Outcome::denial) {
            assert_eq!(denial.reason.name(), reason, "{command}");
            let reached = denial.reached.expect("a count");
            assert_eq!(
                reached.bound.finite(),
                Some(reached.used),
                "denied when full: {command}"
            );
        }
        stage.play(&format!("usage {usage}")).expect(command);
    }
}

/// Budgets in all are the one thing that apps share.
#[test]
fn exactly_the_budget_in_all_gets_in_whichever_app() {
    for (set_up, command, limit) in [
        ("budget all-users 30", "register v{n}", 30),
        ("adopt\n budget all-groups 30", "join g{n} u as Public", 30),
        ("adopt\n budget all-edges 31", "befriend v{n} u one-way", 31),
    ] {
        let mut stage = Stage::new();
        stage.play(set_up).expect(set_up);
        let outcomes = contend(&stage, 2, command);
        let admitted = outcomes.iter().filter(|outcome| outcome.is_allowed());
        assert_eq!(admitted.count(), limit, "{command}");
        let held = stage.gateway.totals().held();
        let usage = [1, 2].map(|n| {
            let usage = stage.gateway.app_usage(app(n), stage.now).expect("an app");
            [
                usage.users,
                usage.groups,
                usage.memberships + usage.friend_entries,
            ]
        });
        let sum = |kind: usize| usage.iter().map(|counts| counts[kind]).sum::<u64>();
        assert_eq!(
            [held.users, held.groups, held.edges],
            [sum(0), sum(1), sum(2)]
        );
    }
}

#[test]
fn the_same_thing_asked_by_all_is_done_once() {
    for command in [
        "register v",
        "login v",
        "befriend a b",
        "create h Public a",
        "join g a",
    ] {
        let mut stage = Stage::new();
        stage
            .play("register a => ok\n register b => ok\n record create g Public o => ok")
            .expect("set up");
        let changed = AtomicU32::new(0);
        let start = Barrier::new(THREADS as usize);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let request = request(&stage, command);
                    start.wait();
                    let answer = stage
                        .gateway
                        .admit(app(1), &request, Mode::Enforce, stage.now);
                    assert!(answer.decision.outcome.is_allowed(), "{command}");
                    changed.fetch_add(u32::from(answer.decision.changed), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(changed.into_inner(), 1, "{command}");
    }
}

/// As many places as threads: each holds at most one at a time, so a denial would be false.
#[test]
fn nobody_is_denied_while_there_is_room() {
    let stage = &{
        let mut stage = Stage::new();
        let set_up = format!(
            "record create g Public o => ok
             record register v0..7 => ok
             limit group_members {}
             limit max_users {}
             limit friends {THREADS}
             limit av_chat_rooms {THREADS}
             limit daily_groups {THREADS}",
            THREADS + 1,
            9 + THREADS
        );
        stage.play(&set_up).expect("set up");
        stage
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let rounds = [
                    (format!("join g v{thread}"), format!("leave g v{thread}")),
                    (format!("register w{thread}"), format!("delete w{thread}")),
                    (
                        format!("befriend o v{thread}"),
                        format!("unfriend o v{thread}"),
                    ),
                    (
                        format!("create h{thread} AVChatRoom v{thread}"),
                        format!("disband h{thread}"),
                    ),
                ];
                for _ in 0..60 {
                    for command in rounds.iter().flat_map(|(add, remove)| [add, remove]) {
                        let outcome = ask(stage, app(1), command);
                        assert_eq!(outcome, Outcome::Allowed, "{command}");
                    }
                }
            });
        }
    });
    let usage = stage.gateway.app_usage(app(1), stage.now).expect("an app");
    let counts = [
        usage.users,
        usage.groups,
        usage.memberships,
        usage.friend_entries,
    ];
    assert_eq!((counts, usage.daily_groups), ([9, 1, 1, 0], 1));
}

/// More threads than places: every denial shows a full count, and what is there is what came less what went.
#[test]
fn counts_add_up_when_places_come_and_go() {
    let mut stage = Stage::new();
    stage.play("limit max_users 3").expect("set up");
    let (registered, deleted) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (stage, registered, deleted) = (&stage, &registered, &deleted);
            scope.spawn(move || {
                for round in 0..200 {
                    let id = format!("u{}", thread * 1_000 + round);
                    match ask(stage, app(1), &format!("register {id}")) {
                        Outcome::Allowed => registered.fetch_add(1, Ordering::Relaxed),
                        Outcome::Denied(denial) => {
                            let reached = denial.reached.expect("a count");
                            assert_eq!(reached.used, 3, "denied when full");
                            continue;
                        }
                        Outcome::Shadowed(_) => panic!("no limit is in shadow"),
                    };
                    if round % 3 != 0 {
                        assert!(ask(stage, app(1), &format!("delete {id}")).is_allowed());
                        deleted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let users = stage
        .gateway
        .app_usage(app(1), stage.now)
        .expect("an app")
        .users;
    let balance = registered.into_inner() - deleted.into_inner();
    assert_eq!(users, u64::from(balance));
    assert_eq!(users, 3, "every third stays, until it is full");
}

#[test]
fn apps_do_not_disturb_each_other() {
    let stage = Stage::new();
    thread::scope(|scope| {
        for thread in 0..4 {
            let stage = &stage;
            scope.spawn(move || {
                let app = app(1 + thread % 2);
                for n in 0..100 {
                    ask(stage, app, &format!("register t{thread}-{n}"));
                }
            });
        }
    });
    for number in [1, 2] {
        let usage = stage
            .gateway
            .app_usage(app(number), at(MORNING))
            .expect("an app");
        assert_eq!(usage.users, 100, "app {number}");
    }
}

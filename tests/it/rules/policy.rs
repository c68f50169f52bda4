//! What operators set: enforcement, overrides and adoption, for a deployment, an edition or an app, and for a time.

use crate::script::{Stage, play};

#[test]
fn limits_in_shadow_allow_and_say_so() {
    play(&[
        (
            "section 2: shadow counts and allows, the answer says what it would have been",
            "limit max_users 1
             enforce max_users shadow
             register u1 => ok
             register u2 => shadow USER_LIMIT 1/1 70398
             register u2 => same
             register u3 => shadow USER_LIMIT 2/1
             dry register u4 => shadow USER_LIMIT 3/1
             record register u4 => over
             enforce max_users enforce
             register u5 => USER_LIMIT 4/1",
        ),
        (
            "section 2: off counts and allows without a word",
            "limit max_users 1
             enforce max_users off
             register u1..2 => ok
             record register u3 => ok
             usage users=3",
        ),
        (
            "the first limit in shadow is told, one that is enforced still denies",
            "register u1..2 => ok
             limit joined_groups 0
             limit av_chat_rooms 0
             enforce joined_groups shadow
             create g AVChatRoom u1 => AV_CHAT_ROOM_LIMIT 0/0
             usage groups=0
             enforce av_chat_rooms shadow
             create g AVChatRoom u1 => shadow JOINED_GROUP_LIMIT 0/0",
        ),
        (
            "enforcement of group_members governs the type's cap too",
            "record create g Private u1 => ok
             enforce group_members shadow
             record join g u2..200 => any
             register v1..2 => USER_LIMIT
             record register v1..2 => any
             join g v1 => shadow GROUP_FULL 200/200
             enforce group_members off
             join g v2 => ok
             usage g=202",
        ),
        (
            "a day's limits in shadow",
            "limit daily_users 0
             limit daily_groups 0
             enforce daily_users shadow
             enforce daily_groups shadow
             login u1 => shadow TRIAL_DAU_LIMIT 0/0 72000
             create g Public u1 => shadow DAILY_GROUP_LIMIT 0/0
             usage dau=1 net=1",
        ),
    ]);
}

#[test]
fn the_nearest_rule_that_has_not_expired_counts() {
    play(&[
        (
            "overrides: app before edition before deployment",
            "limit max_users 1
             limit max_users 2 for edition:trial
             limit max_users 3 for app:1
             register u1..3 => ok
             register u4 => USER_LIMIT 3/3 70398 from override for the app
             app 2
             register u1..2 => ok
             register u3 => USER_LIMIT 2/2 70398 from override for the edition
             plan pro
             register u3 => USER_LIMIT 2/1 70398 from override for the deployment",
        ),
        (
            "an override ends at its instant, with no call in between",
            "limit max_users 1 until 2026-03-03T00:00:00+08:00
             register u1 => ok
             now 2026-03-02T23:59:59+08:00
             register u2 => USER_LIMIT 1/1
             now 2026-03-03T00:00:00+08:00
             register u2 => ok",
        ),
        (
            "behind an expired rule stands the next nearest",
            "limit max_users 2
             limit max_users 1 for app:1 until 2026-03-03T00:00:00+08:00
             register u1 => ok
             register u2 => USER_LIMIT 1/1
             now 2026-03-03T00:00:00+08:00
             register u2 => ok
             register u3 => USER_LIMIT 2/2 70398 from override for the deployment",
        ),
        (
            "enforcement and adoption end too",
            "limit max_users 0
             enforce max_users off for app:1 until 2026-03-03T00:00:00+08:00
             adopt for edition:trial until 2026-03-04T00:00:00+08:00
             befriend a b => ok
             now 2026-03-03T00:00:00+08:00
             befriend a c => USER_LIMIT 2/0
             now 2026-03-04T00:00:00+08:00
             befriend a c => USER_NOT_FOUND",
        ),
        (
            "an override may be below or above what was bought",
            "plan pro members=2000
             limit group_members 2
             record create g Public u1 => ok
             record join g u2 => ok
             record register u3 => ok
             join g u3 => GROUP_MEMBER_LIMIT 2/2 10038 from override",
        ),
    ]);
}

#[test]
fn a_change_of_plan_or_policy_is_in_force_at_the_next_decision() {
    let mut stage = Stage::new();
    let revision = |stage: &Stage| {
        let entitlements = stage
            .gateway
            .entitlements(crate::support::app(1), stage.now);
        entitlements.expect("an app").revision
    };
    let mut last = revision(&stage);
    for (change, answer) in [
        ("limit friends 0", "befriend u1 u2 => FRIEND_LIMIT"),
        ("enforce friends off", "befriend u1 u2 => ok"),
        ("plan pro", "login u1 => any"),
        (
            "suspended from 2026-03-01T00:00:00+08:00",
            "login u3 => APP_SUSPENDED",
        ),
    ] {
        stage.play("record register u1..2 => any").expect("known");
        stage.play(change).expect("in force");
        assert!(revision(&stage) > last, "{change}");
        last = revision(&stage);
        stage.play(answer).expect(change);
    }
}

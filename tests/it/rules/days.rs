//! Days and months: RULES 5, B24 to B32, traps 4 and 15.

use crate::script::play;
use crate::support::{at, catalog};
use quotagate::admission::{InvalidOperation, LoginTime, NewFriendship, NewGroup};

#[test]
fn logins_count_once_a_user_and_day() {
    play(&[
        (
            "B24: unique users by UTC+8 day, reconnecting after midnight",
            "now 2026-03-31T15:59:59Z
             login u1 => ok
             login u1 => same
             usage dau=1 month=2026-03 peak-dau=1
             now 2026-03-31T16:00:00Z
             usage dau=0 month=2026-04 peak-dau=0
             now 2026-04-01T00:10:00+08:00
             login u1 => ok
             usage dau=1 user-days=2 month=2026-04 peak-dau=1",
        ),
        (
            "B23: the highest day of the month, not the sum",
            "login u1..5 => ok
             now 2026-03-03T09:00:00+08:00
             login u1..3 => ok
             usage dau=3 user-days=8 peak-dau=5",
        ),
        (
            "B24: a blocked login is not counted",
            "limit daily_users 1
             login u1 => ok
             login u2 => TRIAL_DAU_LIMIT
             usage dau=1 user-days=1",
        ),
        (
            "trap 15: deleted and registered again is one of the day, and counts stay",
            "login u1..2 => ok
             delete u1 => ok
             usage users=1 dau=2 user-days=2 peak-dau=2
             register u1 => ok
             usage dau=2
             login u1 => same
             usage dau=2 user-days=2 peak-dau=2",
        ),
        (
            "trap 15: deleted, and back by logging in: changed, but not one more of the day",
            "limit daily_users 1
             login u1 => ok
             delete u1 => ok
             login u1 => ok
             delete u1 => ok
             login u2 => TRIAL_DAU_LIMIT 1/1
             usage users=0 dau=1 user-days=1",
        ),
        (
            "trap 12: renewals of the same day change nothing",
            "login u1 => ok
             now 2026-03-02T09:10:00+08:00
             login u1 => same
             now 2026-03-02T23:59:59+08:00
             login u1 => same
             usage dau=1",
        ),
        (
            "a late login counts in its own day and month",
            "now 2026-03-10T09:00:00+08:00
             login u1 => ok
             login u1 at 2026-02-20T12:00:00+08:00 => ok
             login u1 at 2026-02-20T23:00:00+08:00 => same
             login u2 at 2026-02-20T12:00:00+08:00 => ok
             usage users=2 dau=1 user-days=3 peak-dau=1
             now 2026-03-23T11:00:00+08:00
             login u1 at 2026-02-20T12:00:00+08:00 => same
             usage user-days=3",
        ),
        (
            "B26: a late login meets the limit of its own day",
            "now 2026-03-10T09:00:00+08:00
             limit daily_users 1
             login u1 => ok
             login u2 at 2026-03-09T09:00:00+08:00 => ok
             login u3 at 2026-03-09T09:00:00+08:00 => TRIAL_DAU_LIMIT 1/1
             login u2 => TRIAL_DAU_LIMIT",
        ),
        (
            "five minutes ahead is tomorrow",
            "now 2026-03-10T23:58:00+08:00
             login u1 => ok
             login u1 at 2026-03-11T00:02:00+08:00 => ok
             usage dau=1 user-days=2
             now 2026-03-11T00:03:00+08:00
             login u1 => same
             usage dau=1 user-days=2",
        ),
    ]);
}

/// A deleted user's logins are remembered for 39 days, more than a login may be late: for a clock that jumps back over midnight.
#[test]
fn a_deleted_users_logins_outlive_every_late_login() {
    play(&[(
        "trap 15: deleted on the 32nd day after the login, then the clock jumps back",
        "login u1 => ok
         now 2026-04-03T00:00:01+08:00
         delete u1 => ok
         now 2026-04-02T23:59:59+08:00
         login u1 at 2026-03-02T23:59:59+08:00 => ok
         usage users=1 user-days=1 peak-dau=0",
    )]);
}

#[test]
fn the_days_net_is_created_less_deleted() {
    play(&[
        (
            "B31: 10,000, then delete an old one, then one more",
            "record create old Public u1 => ok
             now 2026-03-03T09:00:00+08:00
             record create g1..10000 AVChatRoom u1..10000 => any
             register v => USER_LIMIT
             create h Public u2 => DAILY_GROUP_LIMIT 10000/10000 10110 from edition
             disband old => ok
             create h Public u2 => ok
             create i Public u2 => DAILY_GROUP_LIMIT",
        ),
        (
            "B31: may be negative, then more are possible (500 and 10,000 in small)",
            "register u1 => ok
             create old1..3 Public u1 => ok
             limit daily_groups 4
             now 2026-03-03T09:00:00+08:00
             disband old1..3 => ok
             usage net=-3
             create g1..7 Public u1 => ok
             usage net=4
             create g8 Public u1 => DAILY_GROUP_LIMIT 4/4",
        ),
        (
            "B31, trap 4: resets at 16:00:00Z; a deletion a second later helps the new day",
            "register u1 => ok
             limit daily_groups 1
             now 2026-03-31T15:59:58Z
             create g1 Public u1 => ok
             now 2026-03-31T15:59:59Z
             create g2 Public u1 => DAILY_GROUP_LIMIT
             now 2026-03-31T16:00:00Z
             create g2 Public u1 => ok
             create g3 Public u1 => DAILY_GROUP_LIMIT
             now 2026-03-31T16:00:01Z
             disband g1 => ok
             create g3 Public u1 => ok
             usage net=1 groups=2",
        ),
        (
            "trap 4: a clock that jumps back reopens no day",
            "register u1 => ok
             limit daily_groups 1
             now 2026-03-03T00:00:00+08:00
             create g1 Public u1 => ok
             now 2026-03-02T23:59:59+08:00
             create g2 Public u1 => DAILY_GROUP_LIMIT 1/1
             usage net=1",
        ),
        (
            "B32: five a day, net; six consume the shared net as well",
            "register u1 => ok
             create g1..5 BChatRoom u1 => ok
             create g6 BChatRoom u1 => DAILY_BROADCAST_LIMIT 5/5
             disband g1 => ok
             create g6 BChatRoom u1 => ok
             usage net=5 groups=5
             now 2026-03-03T09:00:00+08:00
             disband g2 => ok
             create h1..6 BChatRoom u1 => ok
             create h7 BChatRoom u1 => DAILY_BROADCAST_LIMIT",
        ),
    ]);
}

/// RULES 5.4: 35,904 created and 35,019 deleted on one day is +885.
#[test]
fn the_published_day_is_allowed_when_interleaved() {
    let mut stage = crate::script::Stage::new();
    stage
        .play("limit joined_groups unlimited\n register u1 => ok")
        .expect("set up");
    let create = |from: u32, to: u32| format!("create g{from}..{to} Public u1 => ok");
    let disband = |from: u32, to: u32| format!("disband g{from}..{to} => ok");
    // Nine thousand a time, then all of them go but the last 885.
    let mut first = 1;
    for _ in 0..3 {
        let last = first + 8_999;
        stage.play(&create(first, last)).expect("created");
        stage.play(&disband(first, last)).expect("deleted");
        first = last + 1;
    }
    stage.play(&create(first, 35_904)).expect("created");
    stage.play(&disband(first, 35_019)).expect("deleted");
    stage.play("usage net=885 groups=885").expect("+885");
}

#[test]
fn peaks_are_high_water_marks() {
    play(&[
        (
            "B29: one more for five minutes is the peak",
            "register u1 => ok
             create g1..3 Public u1 => ok
             now 2026-03-20T10:00:00+08:00
             create g4 Public u1 => ok
             now 2026-03-20T10:05:00+08:00
             disband g4 => ok
             usage groups=3 peak-groups=4 month=2026-03",
        ),
        (
            "B29, trap 4: a month begins with what is carried into it",
            "register u1 => ok
             create g1..4 Public u1 => ok
             disband g4 => ok
             usage peak-groups=4
             now 2026-06-01T00:00:00+08:00
             usage month=2026-06 peak-groups=3 peak-dau=0 net=0",
        ),
        (
            "B28: groups that exist, not memberships",
            "register u1..4 => ok
             create g1..2 Public u1 with u2 u3 u4 => ok
             usage peak-groups=2 memberships=8",
        ),
        (
            "B27: an existing total over the limit, no creation until below",
            "register u1..2 => ok
             create g1..5 Public u1 => ok
             limit groups 3
             create x Public u1 => TRIAL_GROUP_LIMIT 5/3 10111
             disband g1..2 => ok
             create x Public u1 => TRIAL_GROUP_LIMIT 3/3
             disband g3 => ok
             create x Public u1 => ok",
        ),
        (
            "B27: Trial only",
            "plan pro
             register u1 => ok
             create g1 Public u1 => ok",
        ),
    ]);
}

/// RULES B27: 100,000 groups on Trial, the real number; ten owners, as a list has 10,000 entries.
#[test]
fn trial_stops_at_100_000_groups() {
    let mut stage = crate::script::Stage::new();
    stage.play("limit joined_groups unlimited").expect("set up");
    for day in 0..10 {
        let (from, to) = (day * 10_000 + 1, (day + 1) * 10_000);
        let lines = format!(
            "now 2026-03-{:02}T09:00:00+08:00
             record create g{from}..{to} Public u{day} => ok",
            day + 2
        );
        stage.play(&lines).expect("recorded");
    }
    stage
        .play(
            "now 2026-03-12T09:00:00+08:00
             register v => ok
             create h Public v => TRIAL_GROUP_LIMIT 100000/100000 10111 from edition
             disband g1 => ok
             create h Public v => ok
             plan pro
             create i Public v => ok
             usage peak-groups=100001",
        )
        .expect("B27");
}

#[test]
fn what_is_no_operation_is_refused_before() {
    let now = at("2026-03-10T09:00:00+08:00");
    let rows = [
        ("2026-02-07T09:00:00+08:00", Ok(())),
        ("2026-02-07T08:59:59+08:00", Err(false)),
        ("2026-03-10T09:05:00+08:00", Ok(())),
        ("2026-03-10T09:05:01+08:00", Err(true)),
    ];
    for (time, expected) in rows {
        let found = match LoginTime::new(at(time), now) {
            Ok(_) => Ok(()),
            Err(InvalidOperation::TooEarly(_)) => Err(true),
            Err(_) => Err(false),
        };
        assert_eq!(found, expected, "a login at {time}");
    }
    let (user, group) = (crate::support::user("u"), crate::support::group("g"));
    let own = NewFriendship::new(user, user, quotagate::admission::Sides::Both);
    assert_eq!(own, Err(InvalidOperation::OwnFriend), "B37");
    let catalog = catalog();
    for kind in catalog.group_types() {
        let created = NewGroup::new(group, kind, user, vec![user]);
        let live = ["AVChatRoom", "BChatRoom"].contains(&&*kind.name);
        assert_eq!(created.is_err(), live, "4.2: members of {}", kind.name);
    }
    assert!(catalog.group_type_named("Community").is_none(), "4.1");
}

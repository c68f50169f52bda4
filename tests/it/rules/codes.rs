//! RULES 3: the code of every denial, and of every state of an app.

use super::filled;
use crate::script::play;

#[test]
fn every_limit_of_the_seed_has_its_code() {
    play(&[
        (
            "3.1: Trial users, 70398",
            "register u1..100 => ok
             register u101 => USER_LIMIT 100/100 70398 from edition",
        ),
        (
            "3.1: Trial DAU, 72000",
            "record login u1..101 => any
             login u102 => USER_LIMIT
             plan pro
             register u102 => ok
             plan trial
             login u102 => TRIAL_DAU_LIMIT 101/100 72000 from edition",
        ),
        (
            "3.1 and B37: friends, own 30010 and peer 30014",
            "register u1..23 => ok
             befriend u1 u2..21 => ok
             befriend u1 u22 => FRIEND_LIMIT 20/20 30010 from edition
             befriend u22 u1 => PEER_FRIEND_LIMIT 20/20 30014 from edition",
        ),
        (
            "3.1: groups of one user, 10037",
            "register u1..2 => ok
             create g1..49 Public u1 => ok
             create h Public u2 => ok
             join h u1 => ok
             create g50 Public u1 => JOINED_GROUP_LIMIT 50/50 10037 from edition",
        ),
        (
            "3.1: audio-video chat rooms, 10036",
            "register u1 => ok
             create g1..10 AVChatRoom u1 => ok
             create g11 AVChatRoom u1 => AV_CHAT_ROOM_LIMIT 10/10 10036 from edition",
        ),
        (
            "3.4: broadcasting chat rooms of the day, 10105",
            "register u1 => ok
             create g1..5 BChatRoom u1 => ok
             create g6 BChatRoom u1 => DAILY_BROADCAST_LIMIT 5/5 10105 from edition",
        ),
        (
            "3.4: Trial's total of groups, 10111 (in small)",
            "register u1 => ok
             limit groups 3
             create g1..3 Public u1 => ok
             create g4 Public u1 => TRIAL_GROUP_LIMIT 3/3 10111 from override",
        ),
        (
            "3.3: what is not found or taken",
            "register u1..2 => ok
             create g1 Public u1 => ok
             join g1 nobody => USER_NOT_FOUND 70107
             join nothing u1 => GROUP_NOT_FOUND 10010
             create g1 Public u2 => GROUP_EXISTS 10021",
        ),
        (
            "B32: broadcasting chat rooms that exist, off by default",
            "register u1 => ok
             create g1..5 BChatRoom u1 => ok
             now 2026-03-03T09:00:00+08:00
             create g6 BChatRoom u1 => ok
             limit broadcast_rooms 6
             create g7 BChatRoom u1 => BROADCAST_ROOM_LIMIT 6/6",
        ),
    ]);
}

#[test]
fn a_full_group_says_whether_buying_would_help() {
    let rows = [
        (
            "3.1: Trial group at 20",
            "trial",
            "Public",
            20,
            "GROUP_MEMBER_LIMIT 20/20 10038 from edition",
        ),
        (
            "3.1: Pro Public at 200",
            "pro",
            "Public",
            200,
            "GROUP_MEMBER_LIMIT 200/200 10038 from edition",
        ),
        (
            "3.1: Pro Private at 200",
            "pro",
            "Private",
            200,
            "GROUP_FULL 200/200 10014 from group type",
        ),
        (
            "3.1: Flagship ChatRoom at 2,000",
            "flagship",
            "ChatRoom",
            2_000,
            "GROUP_MEMBER_LIMIT 2000/2000 10038",
        ),
        (
            "3.1: Flagship Public at 2,000",
            "flagship",
            "Public",
            2_000,
            "GROUP_FULL 2000/2000 10014",
        ),
    ];
    for (rule, edition, kind, members, next) in rows {
        play(&[(rule, &filled(edition, kind, members, next))]);
    }
    play(&[
        (
            "3.1: an override below the type's cap gives 10038",
            &format!(
                "limit group_members 30\n{}",
                filled(
                    "pro",
                    "Private",
                    30,
                    "GROUP_MEMBER_LIMIT 30/30 10038 from override for the deployment"
                )
            ),
        ),
        (
            "3.1: an override above the type's cap gives 10014",
            &format!(
                "limit group_members 300\n{}",
                filled("pro", "Private", 200, "GROUP_FULL 200/200 10014")
            ),
        ),
    ]);
}

#[test]
fn every_state_of_an_app_has_its_code() {
    play(&[
        (
            "3.2, B19: suspended, adding is refused and removing is not",
            "register u1..2 => ok
             create g1 Public u1 with u2 => ok
             befriend u1 u2 => ok
             suspended from 2026-03-08T00:00:00+08:00
             now 2026-03-07T23:59:59+08:00
             register u3 => ok
             now 2026-03-08T00:00:00+08:00
             register u4 => APP_SUSPENDED 60020
             register u1 => APP_SUSPENDED
             login u1 => APP_SUSPENDED
             befriend u1 u3 => APP_SUSPENDED
             create g2 Public u1 => APP_SUSPENDED
             join g1 u3 => APP_SUSPENDED
             leave g1 u2 => ok
             unfriend u1 u2 => ok
             disband g1 => ok
             delete u3 => ok
             usage users=2 groups=0 friends=0",
        ),
        (
            "3.2, B19, B42: disabled, everything is refused and usage stays readable",
            "register u1 => ok
             disabled from 2026-03-03T00:00:00+08:00
             now 2026-03-03T00:00:00+08:00
             register u2 => APP_DISABLED 60016
             delete u1 => APP_DISABLED
             leave g u1 => APP_DISABLED
             record login u1 => APP_DISABLED
             usage users=1",
        ),
        (
            "3.2: repossessed, everything is refused",
            "register u1 => ok
             suspended from 2026-03-08T00:00:00+08:00
             repossessed from 2026-06-06T00:00:00+08:00
             now 2026-06-05T23:59:59+08:00
             delete u1 => ok
             now 2026-06-06T00:00:00+08:00
             register u2 => APP_REPOSSESSED 70020
             delete u1 => APP_REPOSSESSED
             record register u2 => APP_REPOSSESSED",
        ),
        (
            "B20: restored in time",
            "suspended from 2026-03-01T00:00:00+08:00
             register u1 => APP_SUSPENDED
             restored
             register u1 => ok",
        ),
    ]);
}

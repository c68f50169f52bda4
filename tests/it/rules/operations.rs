//! RULES section 2: the nine operations, what is already so, and the order of checks.

use crate::script::play;

#[test]
fn each_operation_has_its_condition_and_effect() {
    play(&[
        (
            "register_user, B50, trap 5",
            "register u1..100 => ok
             register u101 => USER_LIMIT 100/100 70398 from edition
             register u7 => same
             delete u7 => ok
             register u101 => ok
             register u7 => USER_LIMIT
             usage users=100 dau=0",
        ),
        (
            "delete_user, trap 16",
            "register u1..3 => ok
             create g1 Public u1 with u2 u3 => ok [ ok ok ]
             befriend u1 u2 => ok
             befriend u3 u1 one-way => ok
             delete u1 => ok
             delete u1 => same
             usage users=2 groups=1 memberships=2 friends=0 g1=2 u1=- u2=1+0 u3=1+0",
        ),
        (
            "login: an unknown user registers first",
            "login u1 => ok
             login u1 => same
             usage users=1 dau=1 user-days=1 peak-dau=1
             limit max_users 1
             login u2 => USER_LIMIT 1/1
             usage users=1 dau=1 u2=-",
        ),
        (
            "login, B26: Trial's distinct users of a day",
            "limit daily_users 2
             register u1..3 => ok
             login u1..2 => ok
             login u3 => TRIAL_DAU_LIMIT 2/2 72000
             login u1 => same
             now 2026-03-03T09:00:00+08:00
             login u3 => ok
             usage dau=1 user-days=3 peak-dau=2",
        ),
        (
            "login: refused by the day's limit, nobody is registered",
            "limit daily_users 1
             login u1 => ok
             login u2 => TRIAL_DAU_LIMIT
             usage users=1 u2=-",
        ),
        (
            "create_group: the owner is the first member",
            "register u1 => ok
             create g1 Public u1 => ok
             usage groups=1 memberships=1 net=1 g1=1 u1=1+0 peak-groups=1",
        ),
        (
            "delete_group: all memberships end, net - 1 whatever the age",
            "register u1..2 => ok
             create g1 Public u1 with u2 => ok
             now 2026-03-03T09:00:00+08:00
             disband g1 => ok
             disband g1 => same
             usage groups=0 memberships=0 net=-1 u1=0+0 g1=- peak-groups=1",
        ),
        (
            "join_group and leave_group",
            "register u1..2 => ok
             create g1 Public u1 => ok
             join g1 u2 => ok
             join g1 u2 => same
             leave g1 u2 => ok
             leave g1 u2 => same
             leave g1 u1 => ok
             usage memberships=0 groups=1 g1=0",
        ),
    ]);
}

#[test]
fn friends_are_counted_on_each_side() {
    let set_up = "register u1..4 => ok\n limit friends 1\n";
    let rows = [
        (
            "B37: two-way is on both lists",
            "befriend u1 u2 => ok
             befriend u2 u1 => same
             usage friends=2 u1=0+1 u2=0+1",
        ),
        (
            "B37: own list full, 30010",
            "befriend u1 u2 => ok
             befriend u1 u3 => FRIEND_LIMIT 1/1 30010 from override for the deployment
             usage friends=2 u3=0+0",
        ),
        (
            "B37: peer's list full, 30014; nothing written",
            "befriend u1 u2 => ok
             befriend u3 u1 => PEER_FRIEND_LIMIT 1/1 30014
             usage friends=2 u3=0+0",
        ),
        (
            "B37: both full, the own is told",
            "befriend u1 u2 => ok
             befriend u3 u4 => ok
             befriend u1 u3 => FRIEND_LIMIT",
        ),
        (
            "B37: one-way checks the own side only",
            "befriend u1 u2 => ok
             befriend u3 u1 one-way => ok
             usage friends=3 u1=0+1 u3=0+1
             befriend u3 u2 one-way => FRIEND_LIMIT",
        ),
        (
            "B37: a side that stands needs no room",
            "befriend u1 u2 one-way => ok
             befriend u1 u2 => ok
             usage friends=2
             befriend u1 u2 one-way => same",
        ),
        (
            "B37: a side that stands needs no room, the other does",
            "befriend u1 u2 one-way => ok
             befriend u2 u3 => ok
             befriend u1 u2 => PEER_FRIEND_LIMIT
             unfriend u2 u3 => ok
             befriend u1 u2 => ok",
        ),
        (
            "remove_friend: both lists, or the own alone",
            "befriend u1 u2 => ok
             unfriend u1 u2 one-way => ok
             unfriend u1 u2 one-way => same
             usage friends=1 u1=0+0 u2=0+1
             unfriend u1 u2 => ok
             unfriend u2 u1 => same
             usage friends=0",
        ),
    ];
    for (rule, steps) in rows {
        play(&[(rule, &format!("{set_up}{steps}"))]);
    }
}

#[test]
fn what_is_already_so_changes_nothing() {
    play(&[
        (
            "removing who or what is unknown",
            "delete nobody => same
             unfriend nobody else => same
             disband nothing => same
             leave nothing nobody => same
             register u1 => ok
             leave nothing u1 => same
             unfriend u1 nobody => same
             usage users=1 net=0",
        ),
        (
            "a group that exists: same owner or another",
            "register u1..3 => ok
             create g1 Public u1 => ok
             create g1 Private u1 with u3 => same
             create g1 Public u2 => GROUP_EXISTS 10021
             usage g1=1 groups=1 net=1",
        ),
        (
            "a group's owner is the id given at its creation, for ever",
            "register u1..2 => ok
             create g1 Public u1 with u2 => ok
             leave g1 u1 => ok
             create g1 Public u1 => same
             delete u1 => ok
             create g1 Public u1 => USER_NOT_FOUND
             register u1 => ok
             create g1 Public u1 => same
             create g1 Public u2 => GROUP_EXISTS
             usage g1=1 u1=0+0",
        ),
        (
            "a deleted group's id is free again, for another owner and type",
            "register u1..2 => ok
             create g1 Public u1 with u2 => ok
             disband g1 => ok
             create g1 Private u2 => ok
             join g1 u2 => same
             usage g1=1 u1=0+0 u2=1+0 memberships=1",
        ),
        (
            "already so is answered when the limit is full",
            "limit max_users 2
             limit friends 1
             limit joined_groups 1
             limit group_members 2
             register u1..2 => ok
             befriend u1 u2 => ok
             create g1 Public u1 with u2 => ok
             register u1 => same
             befriend u1 u2 => same
             join g1 u2 => same
             create g1 Public u1 => same",
        ),
        (
            "B38: the owner and duplicates among the members are already so",
            "register u1..2 => ok
             create g1 Public u1 with u1 u2 u2 => ok [ same ok same ]
             usage g1=2",
        ),
    ]);
}

#[test]
fn the_first_reason_in_the_order_of_checks_is_the_one_reported() {
    play(&[
        (
            "app state before existence",
            "suspended from 2026-03-01T00:00:00+08:00
             join nothing nobody => APP_SUSPENDED 60020",
        ),
        (
            "existence: user, then friend, then group",
            "befriend a b => USER_NOT_FOUND 70107
             join nothing a => USER_NOT_FOUND
             create g Public a => USER_NOT_FOUND
             register a => ok
             befriend a b => USER_NOT_FOUND
             join nothing a => GROUP_NOT_FOUND 10010",
        ),
        (
            "the acting user's own limit before the group's",
            "register u1..2 => ok
             create g1..2 Public u1 => ok
             limit joined_groups 2
             limit group_members 1
             join g1 u2 => GROUP_MEMBER_LIMIT
             create g3 Public u2 => ok
             create g4 Public u2 => ok
             join g1 u2 => JOINED_GROUP_LIMIT 2/2 10037",
        ),
        (
            "the owner's joined groups before the type's own limit",
            "register u1..2 => ok
             limit joined_groups 1
             limit av_chat_rooms 1
             create g1 AVChatRoom u1 => ok
             create g2 AVChatRoom u1 => JOINED_GROUP_LIMIT
             create g2 AVChatRoom u2 => AV_CHAT_ROOM_LIMIT",
        ),
        (
            "B32: the type's own limit before the day's net, that before Trial's total",
            "register u1 => ok
             limit daily_broadcast_rooms 1
             create g1 BChatRoom u1 => ok
             limit daily_groups 1
             limit groups 1
             create g2 BChatRoom u1 => DAILY_BROADCAST_LIMIT 1/1 10105
             create g2 Public u1 => DAILY_GROUP_LIMIT 1/1 10110
             limit daily_groups 2
             create g2 Public u1 => TRIAL_GROUP_LIMIT 1/1 10111",
        ),
        (
            "login: the user limit before the day's",
            "limit max_users 1
             limit daily_users 1
             login u1 => ok
             login u2 => USER_LIMIT",
        ),
    ]);
}

#[test]
fn a_denied_creation_takes_no_place() {
    play(&[
        (
            "trap 3: a refused creation takes neither the day nor a room nor anybody's place",
            "register u1..3 => ok
             limit av_chat_rooms 1
             create g1 AVChatRoom u1 => ok
             create g2 AVChatRoom u1 => AV_CHAT_ROOM_LIMIT
             usage groups=1 net=1 memberships=1 u1=1+0 g2=- peak-groups=1",
        ),
        (
            "trap 3, B38: members at their limit are refused in their own result",
            "register u1..6 => ok
             limit joined_groups 1
             create g1..3 Public u1..3 => ok
             create g4 Public u4 with u1 u5 u2 u6 u3 nobody => ok [ JOINED_GROUP_LIMIT 1/1 ok JOINED_GROUP_LIMIT 1/1 ok JOINED_GROUP_LIMIT 1/1 USER_NOT_FOUND ]
             usage g4=3 users=6",
        ),
        (
            "B38: a group with room for some",
            "register u1..6 => ok
             limit group_members 3
             create g1 Public u1 with u2 u3 u4 => ok [ ok ok GROUP_MEMBER_LIMIT 3/3 ]",
        ),
    ]);
}

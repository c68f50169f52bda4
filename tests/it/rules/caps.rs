//! RULES 4.2: what each type of group, edition and add-on makes of the caps.

use std::sync::Arc;

use super::filled;
use crate::script::{Stage, play};
use crate::support::{catalog, catalog_with};
use quotagate::catalog::Bound;

#[test]
fn members_are_capped_by_type_and_plan() {
    let plan = |cap| format!("GROUP_MEMBER_LIMIT {cap}/{cap}");
    let full = |cap| format!("GROUP_FULL {cap}/{cap}");
    let rows = [
        ("trial", "Private", 20, plan(20)),
        ("trial", "Public", 20, plan(20)),
        ("trial", "ChatRoom", 20, plan(20)),
        ("trial members=2000", "Public", 20, plan(20)),
        ("pro", "Private", 200, full(200)),
        ("pro", "Public", 200, plan(200)),
        ("pro", "ChatRoom", 200, plan(200)),
        ("pro members=200", "Public", 200, plan(200)),
        ("pro members=201", "Public", 201, plan(201)),
        ("pro members=2000", "Private", 200, full(200)),
        ("pro members=2000", "Public", 2_000, full(2_000)),
        ("pro members=2000", "ChatRoom", 2_000, plan(2_000)),
        ("pro members=2001", "Public", 200, plan(200)),
        ("flagship", "Private", 200, full(200)),
        ("flagship", "Public", 2_000, full(2_000)),
        ("flagship", "ChatRoom", 2_000, plan(2_000)),
        ("flagship members=6000", "Private", 200, full(200)),
        ("flagship members=6000", "Public", 2_000, full(2_000)),
        ("flagship members=6000", "ChatRoom", 6_000, full(6_000)),
    ];
    for (plan, kind, cap, refusal) in rows {
        let name = format!("4.2, B12, B34, trap 9: {plan} {kind}");
        play(&[
            (&name, &filled(plan, kind, cap - 1, "ok")),
            (&name, &filled(plan, kind, cap, &refusal)),
        ]);
    }
}

#[test]
fn trap_9_flagship_with_the_add_on() {
    play(&[(
        "trap 9: ChatRoom's 2,001st accepted",
        &filled("flagship members=6000", "ChatRoom", 2_000, "ok"),
    )]);
}

#[test]
fn live_chat_rooms_have_no_member_cap() {
    for kind in ["AVChatRoom", "BChatRoom"] {
        play(&[
            ("trap 8, B35", &filled("trial", kind, 20, "ok")),
            ("trap 8, B35", &filled("trial", kind, 7_000, "ok")),
        ]);
    }
}

#[test]
fn every_edition_has_its_numbers() {
    play(&[
        (
            "6.2, rule 9 and 33: groups of a user on Pro",
            "plan pro
             record join g1..500 u1 => any
             create h Public u1 => JOINED_GROUP_LIMIT 500/500 10037 from edition
             plan pro joined=750
             create h1..250 Public u1 => ok
             create i Public u1 => JOINED_GROUP_LIMIT 750/750 10037 from add-on joined_groups
             plan pro joined=1001
             create i Public u1 => JOINED_GROUP_LIMIT 750/500",
        ),
        (
            "6.2, rule 9 and 33: groups of a user on Flagship",
            "plan flagship
             record join g1..1000 u1 => any
             create h Public u1 => JOINED_GROUP_LIMIT 1000/1000
             plan flagship joined=3000
             create h Public u1 => ok",
        ),
        (
            "6.2, rule 12 and 31: audio-video chat rooms, B33: those that exist",
            "plan pro
             register u1 => ok
             create g1..50 AVChatRoom u1 => ok
             create g51 AVChatRoom u1 => AV_CHAT_ROOM_LIMIT 50/50 10036 from edition
             leave g1 u1 => ok
             create g51 AVChatRoom u1 => AV_CHAT_ROOM_LIMIT
             disband g1..3 => ok
             create g51..53 AVChatRoom u1 => ok
             create g54 AVChatRoom u1 => AV_CHAT_ROOM_LIMIT
             plan pro av
             create g54..60 AVChatRoom u1 => ok
             plan flagship
             create g61 AVChatRoom u1 => ok
             plan trial av
             register u2 => ok
             create g62 AVChatRoom u2 => AV_CHAT_ROOM_LIMIT 58/10 10036 from edition",
        ),
        (
            "6.2, rule 7 and 8: users and friends on Pro",
            "plan pro
             register u1..3002 => ok
             befriend u1 u2..3001 => ok
             befriend u1 u3002 => FRIEND_LIMIT 3000/3000 30010 from edition",
        ),
    ]);
}

#[test]
fn limits_lowered_below_usage_refuse_the_next_and_remove_nothing() {
    play(&[
        (
            "trap 6, rule 51: downgrade to Trial with everything over",
            "plan pro
             register u1..120 => ok
             login u1..110 => ok
             befriend u1 u2..31 => ok
             create g Public u1 => ok
             join g u2..40 => ok
             create h1..60 Public u1 => ok
             create v1..12 AVChatRoom u2 => ok
             plan trial
             usage users=120 groups=73 u1=61+30 g=40 dau=110
             register x => USER_LIMIT 120/100
             login u111 => TRIAL_DAU_LIMIT 110/100
             login u1 => same
             befriend u1 u50 => FRIEND_LIMIT 30/20
             befriend u50 u1 => PEER_FRIEND_LIMIT 30/20
             join h1 u1 => same
             join g u50 => GROUP_MEMBER_LIMIT 40/20
             create x Public u1 => JOINED_GROUP_LIMIT 61/50
             create x AVChatRoom u3 => AV_CHAT_ROOM_LIMIT 12/10
             delete u100..119 => ok
             register x => USER_LIMIT 100/100
             delete u99 => ok
             register x => ok
             unfriend u1 u2..11 => ok
             befriend u1 u50 => FRIEND_LIMIT 20/20
             unfriend u1 u12 => ok
             befriend u1 u50 => ok
             leave g u2..21 => ok
             join g u50 => GROUP_MEMBER_LIMIT 20/20
             leave g u22 => ok
             join g u50 => ok
             disband h1..12 => ok
             create x Public u1 => ok
             create y Public u1 => JOINED_GROUP_LIMIT 50/50
             disband v1..3 => ok
             create y AVChatRoom u3 => ok
             create z AVChatRoom u3 => AV_CHAT_ROOM_LIMIT",
        ),
        (
            "B45: joins after the change follow the new plan's cap, whatever the group's age",
            "register u1..30 => ok
             create g Public u1 => ok
             join g u2..20 => ok
             join g u21 => GROUP_MEMBER_LIMIT
             plan pro
             join g u21..30 => ok",
        ),
        (
            "B33: Flagship to Pro with 80 rooms",
            "plan flagship
             register u1 => ok
             create g1..80 AVChatRoom u1 => ok
             plan pro
             create x AVChatRoom u1 => AV_CHAT_ROOM_LIMIT 80/50
             disband g1..31 => ok
             create x AVChatRoom u1 => ok
             create y AVChatRoom u1 => AV_CHAT_ROOM_LIMIT 50/50",
        ),
    ]);
}

#[test]
fn all_types_count_to_a_users_groups_unless_the_catalog_says_otherwise() {
    let rows = "register u1..2 => ok
         limit joined_groups 2
         create g1 AVChatRoom u1 => ok
         create g2 BChatRoom u1 => ok
         create g3 Private u1 => JOINED_GROUP_LIMIT 2/2
         disband g1 => ok
         create g3 Private u1 => ok
         delete u1 => ok
         register u1 => ok
         usage u1=0+0";
    play(&[("B36", rows)]);
    let excluding = catalog_with(|kind| {
        kind.counts_to_joined_groups = &*kind.name != "AVChatRoom";
    });
    let mut stage = Stage::with(excluding);
    stage
        .play(
            "register u1 => ok
             limit joined_groups 1
             create v1..3 AVChatRoom u1 => ok
             create g1 Public u1 => ok
             create g2 Public u1 => JOINED_GROUP_LIMIT 1/1
             create v4 AVChatRoom u1 => ok
             usage u1=1+0 memberships=5",
        )
        .expect("B36: a type that the catalog excludes");
}

#[test]
fn types_that_keep_no_members_allow_every_join() {
    let forgetful = catalog_with(|kind| {
        if &*kind.name == "AVChatRoom" {
            kind.counts_to_joined_groups = false;
            kind.keeps_members = false;
        }
    });
    let mut stage = Stage::with(forgetful);
    stage
        .play(
            "register u1..2 => ok
             create v AVChatRoom u1 => ok
             join v u2 => same
             join v nobody => USER_NOT_FOUND
             leave v u2 => same
             usage groups=1 memberships=0 v=0 u1=0+0
             disband v => ok
             usage groups=0",
        )
        .expect("section 2: no membership kept");
}

/// Type caps are data (B34): another catalog, another cap.
#[test]
fn caps_are_read_from_the_catalog() {
    let small = catalog_with(|kind| {
        if &*kind.name == "Private" {
            kind.member_cap = Bound::at_most(2).expect("finite");
        }
    });
    assert!(!Arc::ptr_eq(&small, &catalog()));
    let mut stage = Stage::with(small);
    stage
        .play(
            "register u1..3 => ok
             create g Work u1 with u2 u3 => ok [ ok GROUP_FULL 2/2 ]",
        )
        .expect("B34, and 4.1: aliases are accepted");
}

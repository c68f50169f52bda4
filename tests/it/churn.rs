//! A long life of one app with some thousand ids, the same in every run: enough dies for the sweep to come round, and for
//! places in memory to be used again. Every answer and, now and then, every count is compared with the model's.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use quotagate::admission::{Mode, Sides};
use quotagate::catalog::LimitName;
use quotagate::entitlement::Enforcement;
use quotagate::gateway::Commit;
use quotagate::time::DAY_MS;

use crate::model::{Beside, ENDLESS, Id, LIVE, Op, Rules, kinds};

const OPERATIONS: u32 = 200_000;
const USERS: usize = 3_000;
const GROUPS: usize = 2_000;

static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..USERS.max(GROUPS)).map(|n| format!("id{n}")).collect());

/// A xorshift generator, so that the run needs no seed from outside.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    /// Small numbers come up more often: some users and groups are busy, most are not.
    fn id(&mut self, end: usize) -> Id {
        let end = 1 + self.below(end);
        &NAMES[self.below(end)]
    }

    fn op(&mut self) -> Op {
        let (user, group) = (self.id(USERS), self.id(GROUPS));
        let sides = if self.below(4) == 0 {
            Sides::Own
        } else {
            Sides::Both
        };
        match self.below(100) {
            0..12 => Op::Register(user),
            12..16 => Op::DeleteUser(user),
            16..28 => Op::Login(user, None),
            28..52 => match self.id(USERS) {
                friend if friend == user => Op::Login(user, Some(-DAY_MS)),
                friend => Op::Befriend(user, friend, sides),
            },
            52..56 => Op::Unfriend(user, self.id(USERS), sides),
            56..66 => {
                let kind =
                    ["Private", "Public", "ChatRoom", "AVChatRoom", "BChatRoom"][self.below(5)];
                let members = if LIVE.contains(&kind) {
                    0
                } else {
                    self.below(3)
                };
                Op::Create {
                    group,
                    kind,
                    owner: user,
                    members: (0..members).map(|_| self.id(USERS)).collect(),
                }
            }
            66..73 => Op::Disband(group),
            73..95 => Op::Join {
                group,
                user,
                kind: None,
            },
            _ => Op::Leave(group, user),
        }
    }
}

fn rules() -> Rules {
    let bounds = [
        (LimitName::MaxUsers, 2_000),
        (LimitName::DailyUsers, 40),
        (LimitName::Friends, 6),
        (LimitName::JoinedGroups, 3),
        (LimitName::GroupMembers, 4),
        (LimitName::AvChatRooms, 50),
        (LimitName::DailyGroups, 15),
        (LimitName::DailyBroadcastRooms, 3),
        (LimitName::Groups, 500),
    ];
    let limits = bounds.map(|(name, bound)| (name, (bound, Enforcement::Enforce)));
    Rules {
        kinds: kinds([3, 4, 9]),
        editions: BTreeMap::from([("pro", limits.into_iter().collect())]),
        adopt_unknown: false,
        budget: ENDLESS,
        edges_per_list: 10_000,
    }
}

#[test]
fn a_long_life_is_the_models() {
    let ids: Vec<Id> = NAMES.iter().map(String::as_str).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut beside = Beside::new(rules(), "pro");
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut done = 0;
    while done < OPERATIONS {
        let ops: Vec<Op> = (0..=dice.below(60)).map(|_| dice.op()).collect();
        done += u32::try_from(ops.len()).expect("few");
        let verdicts = match dice.below(200) {
            0 => beside.admit_batch(&ops, Mode::Enforce, Commit::AllOrNothing),
            1 => beside.admit_batch(&ops, Mode::DryRun, Commit::Each),
            2..10 => beside.admit_batch(&ops, Mode::Record, Commit::Each),
            10..40 => ops
                .iter()
                .map(|op| beside.admit(op, Mode::Enforce))
                .collect(),
            _ => beside.admit_batch(&ops, Mode::Enforce, Commit::Each),
        };
        for verdict in verdicts {
            *seen.entry(verdict.name).or_default() += 1;
        }
        let minute = i64::try_from(dice.below(60_000)).expect("small");
        beside.pass(20 * minute);
        if dice.below(500) == 0 {
            beside.compare(&ids[..USERS], &ids[..GROUPS]);
        }
    }
    beside.compare(&ids[..USERS], &ids[..GROUPS]);
    for reason in [
        "ALLOWED",
        "USER_LIMIT",
        "FRIEND_LIMIT",
        "PEER_FRIEND_LIMIT",
        "JOINED_GROUP_LIMIT",
        "GROUP_MEMBER_LIMIT",
        "GROUP_FULL",
        "AV_CHAT_ROOM_LIMIT",
        "DAILY_BROADCAST_LIMIT",
        "DAILY_GROUP_LIMIT",
        "TRIAL_DAU_LIMIT",
        "TRIAL_GROUP_LIMIT",
    ] {
        let times = seen.get(reason).copied().unwrap_or(0);
        assert!(times > 100, "{reason} came up {times} times: {seen:?}");
    }
}

//! Operations as a seed draws them: of few users and groups, so that limits are met and ids come back.

use quotagate::admission::{EARLY_LOGIN_MS_MAX, LATE_LOGIN_MS_MAX, Mode, Sides};
use quotagate::time::DAY_MS;

use crate::journal::dice::Dice;
use crate::model::{Id, LIVE, Op};

pub const USERS: [Id; 6] = ["u0", "u1", "u2", "u3", "u4", "u5"];
pub const GROUPS: [Id; 5] = ["g0", "g1", "g2", "g3", "g4"];
const KINDS: [Id; 5] = ["Private", "Public", "ChatRoom", "AVChatRoom", "BChatRoom"];

pub fn one_of<T: Copy>(dice: &mut Dice, of: &[T]) -> T {
    of[dice.below(of.len())]
}

/// Any of the nine operations.
pub fn op(dice: &mut Dice) -> Op {
    let (user, group) = (one_of(dice, &USERS), one_of(dice, &GROUPS));
    let kind = one_of(dice, &KINDS);
    let apart = 1 + dice.below(USERS.len() - 1);
    let place = USERS.iter().position(|id| *id == user).expect("a user");
    let friend = USERS[(place + apart) % USERS.len()];
    let sides = if dice.one_in(4) {
        Sides::Own
    } else {
        Sides::Both
    };
    match dice.below(36) {
        0..=3 => Op::Register(user),
        4..=5 => Op::DeleteUser(user),
        6..=10 => Op::Login(user, login_time(dice)),
        11..=15 => Op::Befriend(user, friend, sides),
        16..=17 => Op::Unfriend(user, friend, sides),
        18..=22 => Op::Create {
            group,
            kind,
            owner: user,
            members: if LIVE.contains(&kind) {
                vec![]
            } else {
                (0..dice.below(4)).map(|_| one_of(dice, &USERS)).collect()
            },
        },
        23..=25 => Op::Disband(group),
        26..=32 => Op::Join {
            group,
            user,
            kind: dice.one_in(3).then_some(kind),
        },
        _ => Op::Leave(group, user),
    }
}

fn login_time(dice: &mut Dice) -> Option<i64> {
    let late = [
        -LATE_LOGIN_MS_MAX,
        -30 * DAY_MS,
        -DAY_MS,
        EARLY_LOGIN_MS_MAX,
    ];
    dice.one_in(4).then(|| one_of(dice, &late))
}

pub fn mode(dice: &mut Dice) -> Mode {
    match dice.below(9) {
        0 => Mode::DryRun,
        1 => Mode::Record,
        _ => Mode::Enforce,
    }
}

/// How far the clock goes, or jumps back: to at most a day behind.
pub fn pass_ms(dice: &mut Dice) -> i64 {
    let below = |dice: &mut Dice, ms: i64| {
        let bound = usize::try_from(ms).expect("positive");
        i64::try_from(dice.below(bound)).expect("small")
    };
    match dice.below(20) {
        0..=9 => below(dice, 10_000),
        10..=14 => below(dice, DAY_MS / 2),
        15..=16 => DAY_MS + below(dice, 2 * DAY_MS),
        17 => 20 * DAY_MS + below(dice, 50 * DAY_MS),
        _ => -below(dice, DAY_MS),
    }
}

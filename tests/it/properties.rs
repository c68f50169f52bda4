//! Random operations: the gateway answers what the model answers, and keeps the promises that need no model.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use quotagate::admission::{EARLY_LOGIN_MS_MAX, LATE_LOGIN_MS_MAX, Mode, Sides};
use quotagate::catalog::LimitName;
use quotagate::entitlement::{Enforcement, Entries};
use quotagate::gateway::Commit;
use quotagate::subscription::AppState;
use quotagate::time::DAY_MS;

use crate::model::{Beside, ENDLESS, Id, LIVE, Limits, Op, Rules, kinds};
use crate::support::{app, group, user};

const USERS: [Id; 6] = ["u0", "u1", "u2", "u3", "u4", "u5"];
const GROUPS: [Id; 5] = ["g0", "g1", "g2", "g3", "g4"];
const KINDS: [Id; 5] = ["Private", "Public", "ChatRoom", "AVChatRoom", "BChatRoom"];
const EDITIONS: [Id; 2] = ["trial", "pro"];
const HOUR_MS: i64 = 3_600_000;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    One(Op, Mode),
    Batch(Vec<Op>, Mode, Commit),
    /// Time passes; now and then the clock jumps back, to at most a day behind.
    Pass(i64),
    Edition(Id),
    Stand(AppState),
    /// The other rules are put in force.
    Rules,
    Compare,
}

fn sides() -> impl Strategy<Value = Sides> {
    prop_oneof![3 => Just(Sides::Both), 1 => Just(Sides::Own)]
}

fn two_users() -> impl Strategy<Value = (Id, Id)> {
    (0..USERS.len(), 1..USERS.len())
        .prop_map(|(first, apart)| (USERS[first], USERS[(first + apart) % USERS.len()]))
}

fn login_time() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        4 => Just(None),
        1 => select(&[-LATE_LOGIN_MS_MAX, -30 * DAY_MS, -DAY_MS, -HOUR_MS, EARLY_LOGIN_MS_MAX][..]).prop_map(Some),
        1 => (-LATE_LOGIN_MS_MAX..=EARLY_LOGIN_MS_MAX).prop_map(Some),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let user = || select(&USERS[..]);
    let group = || select(&GROUPS[..]);
    let kind = || select(&KINDS[..]);
    prop_oneof![
        4 => user().prop_map(Op::Register),
        2 => user().prop_map(Op::DeleteUser),
        4 => (user(), login_time()).prop_map(|(id, at)| Op::Login(id, at)),
        5 => (two_users(), sides()).prop_map(|((a, b), sides)| Op::Befriend(a, b, sides)),
        2 => (two_users(), sides()).prop_map(|((a, b), sides)| Op::Unfriend(a, b, sides)),
        5 => (group(), kind(), user(), vec(user(), 0..4)).prop_map(
            |(group, kind, owner, members)| Op::Create {
                group,
                kind,
                owner,
                members: if LIVE.contains(&kind) { vec![] } else { members },
            }
        ),
        3 => group().prop_map(Op::Disband),
        7 => (group(), user(), option::weighted(0.3, kind()))
            .prop_map(|(group, user, kind)| Op::Join { group, user, kind }),
        3 => (group(), user()).prop_map(|(group, user)| Op::Leave(group, user)),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![7 => Just(Mode::Enforce), 1 => Just(Mode::DryRun), 1 => Just(Mode::Record)]
}

/// Ends can be taken back here, so that they are no end of the test.
fn state() -> impl Strategy<Value = AppState> {
    prop_oneof![
        4 => Just(AppState::Active),
        2 => Just(AppState::Suspended),
        1 => Just(AppState::Disabled),
        1 => Just(AppState::Repossessed),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let commit = || select(&[Commit::Each, Commit::AllOrNothing][..]);
    let pass = prop_oneof![
        10 => 0..10_000_i64,
        5 => 0..12 * HOUR_MS,
        2 => DAY_MS..3 * DAY_MS,
        1 => 20 * DAY_MS..70 * DAY_MS,
        2 => -DAY_MS..0,
    ];
    prop_oneof![
        60 => (op(), mode()).prop_map(|(op, mode)| Step::One(op, mode)),
        8 => (vec(op(), 0..8), mode(), commit())
            .prop_map(|(ops, mode, commit)| Step::Batch(ops, mode, commit)),
        10 => pass.prop_map(Step::Pass),
        1 => select(&EDITIONS[..]).prop_map(Step::Edition),
        1 => Just(Step::Rules),
        4 => state().prop_map(Step::Stand),
        5 => Just(Step::Compare),
    ]
}

fn limits(
    enforcement: impl Strategy<Value = Enforcement> + Clone,
) -> impl Strategy<Value = Limits> {
    let limit = option::weighted(0.7, (0..6_u64, enforcement));
    vec(limit, LimitName::ALL.len()).prop_map(|limits| {
        let named = LimitName::ALL.into_iter().zip(limits);
        named
            .filter_map(|(name, limit)| Some((name, limit?)))
            .collect()
    })
}

fn enforcement() -> impl Strategy<Value = Enforcement> + Clone {
    prop_oneof![6 => Just(Enforcement::Enforce), 1 => Just(Enforcement::Shadow), 1 => Just(Enforcement::Off)]
}

fn budget() -> impl Strategy<Value = Entries> {
    let small = (2..7_u64, 1..5_u64, 2..16_u64).prop_map(|(users, groups, edges)| Entries {
        users,
        groups,
        edges,
    });
    prop_oneof![4 => Just(ENDLESS), 1 => small]
}

fn rules(enforcement: impl Strategy<Value = Enforcement> + Clone) -> impl Strategy<Value = Rules> {
    let editions = (limits(enforcement.clone()), limits(enforcement));
    let lists = prop_oneof![3 => Just(10_000), 1 => 1..5_u64];
    let caps = [1..4_u64, 2..5, 3..6];
    (
        editions,
        any::<bool>(),
        any::<bool>(),
        budget(),
        lists,
        caps,
    )
        .prop_map(
            |((trial, pro), adopt_unknown, video_counts, budget, edges_per_list, caps)| {
                let mut kinds = kinds(caps);
                kinds
                    .get_mut("AVChatRoom")
                    .expect("a type")
                    .counts_to_joined = video_counts;
                Rules {
                    kinds,
                    editions: BTreeMap::from([("trial", trial), ("pro", pro)]),
                    adopt_unknown,
                    budget,
                    edges_per_list,
                }
            },
        )
}

/// A share of the usual number of cases, which `PROPTEST_CASES` sets.
fn cases(share: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: (usual.cases / share).max(1),
        max_shrink_iters: 4_000,
        ..usual
    }
}

/// How long a deleted user's entry outlives its 39 days is the sweep's affair: with a budget of users, no month passes.
fn without_long_times(step: Step) -> Step {
    match step {
        Step::Pass(ms) => Step::Pass(ms.min(HOUR_MS)),
        Step::One(Op::Login(id, Some(_)), mode) => Step::One(Op::Login(id, None), mode),
        Step::Batch(ops, mode, commit) => {
            let timeless = |op| match op {
                Op::Login(id, _) => Op::Login(id, None),
                other => other,
            };
            Step::Batch(ops.into_iter().map(timeless).collect(), mode, commit)
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn answers_are_the_models(
        first in rules(enforcement()),
        second in rules(enforcement()),
        steps in vec(step(), 1..400),
    ) {
        let budgeted = [&first, &second].iter().any(|rules| rules.budget != ENDLESS);
        let mut other = second;
        let mut beside = Beside::new(first, "trial");
        for step in steps {
            match if budgeted { without_long_times(step) } else { step } {
                Step::One(op, mode) => {
                    beside.admit(&op, mode);
                }
                Step::Batch(ops, mode, commit) => {
                    beside.admit_batch(&ops, mode, commit);
                }
                Step::Pass(ms) => beside.pass(ms),
                Step::Edition(edition) => beside.change_edition(edition),
                Step::Stand(state) => beside.change_state(state),
                Step::Rules => {
                    let next = other;
                    other = (*beside.model.rules).clone();
                    beside.change_rules(next);
                }
                Step::Compare => beside.compare(&USERS, &GROUPS),
            }
        }
        beside.compare(&USERS, &GROUPS);
    }

    #[test]
    fn a_dry_run_foretells_and_a_retry_repeats(
        rules in rules(enforcement()),
        ops in vec((op(), mode()), 1..100),
    ) {
        let beside = Beside::new(rules, "trial");
        let usage = || {
            let users = USERS.map(|id| beside.gateway.user_usage(app(1), user(id), beside.now));
            let groups = GROUPS.map(|id| beside.gateway.group_usage(app(1), group(id)));
            (beside.gateway.app_usage(app(1), beside.now), users, groups)
        };
        for (op, mode) in ops {
            let before = usage();
            let foretold = beside.ask(&op, Mode::DryRun);
            prop_assert_eq!(&usage(), &before, "a dry run changes nothing");
            let verdict = beside.ask(&op, mode);
            if mode == Mode::Enforce {
                prop_assert_eq!(&verdict, &foretold, "{:?}", op);
            }
            let after = usage();
            if mode == Mode::DryRun || !verdict.is_allowed() || !verdict.changed {
                prop_assert_eq!(&after, &before, "nothing has changed by {:?} {:?}", mode, op);
                continue;
            }
            let again = beside.ask(&op, mode);
            prop_assert_eq!((again.name, again.changed), ("ALLOWED", false), "again: {:?}", op);
            prop_assert_eq!(&usage(), &after, "a retry changes nothing: {:?}", op);
        }
    }

    #[test]
    fn nothing_goes_over_an_enforced_limit(
        rules in rules(Just(Enforcement::Enforce)),
        ops in vec(op(), 1..150),
    ) {
        let limits = rules.editions["trial"].clone();
        let most = |name: LimitName| limits.get(&name).map_or(u64::MAX, |(bound, _)| *bound);
        let beside = Beside::new(rules, "trial");
        for op in ops {
            beside.ask(&op, Mode::Enforce);
            let usage = beside.gateway.app_usage(app(1), beside.now).expect("an app");
            prop_assert!(usage.users <= most(LimitName::MaxUsers));
            prop_assert!(usage.daily_users <= most(LimitName::DailyUsers));
            prop_assert!(usage.groups <= most(LimitName::Groups) || beside.model.rules.adopt_unknown);
            let net = usage.daily_groups.max(0).unsigned_abs();
            prop_assert!(net <= most(LimitName::DailyGroups));
            for id in USERS {
                if let Some(user) = beside.gateway.user_usage(app(1), user(id), beside.now) {
                    prop_assert!(user.friends <= most(LimitName::Friends));
                    prop_assert!(user.joined_groups <= most(LimitName::JoinedGroups));
                }
            }
            for id in GROUPS {
                let Some(group) = beside.gateway.group_usage(app(1), group(id)) else { continue };
                let kind = KINDS.into_iter().find(|name| {
                    crate::support::catalog().group_type_named(name).map(|kind| kind.id) == Some(group.kind)
                });
                let kind = &beside.model.rules.kinds[kind.expect("a type")];
                let by_plan = if kind.plan_cap { most(LimitName::GroupMembers) } else { u64::MAX };
                // The owner comes with the group, whatever the cap.
                prop_assert!(group.members <= kind.cap.min(by_plan).max(1));
            }
        }
    }

    #[test]
    fn a_batch_is_its_operations_one_by_one(
        rules in rules(enforcement()),
        ops in vec(op(), 1..200),
        size in 1..40_usize,
        mode in select(&[Mode::Enforce, Mode::Record][..]),
    ) {
        let mut together = Beside::new(rules.clone(), "trial");
        let mut apart = Beside::new(rules, "trial");
        for batch in ops.chunks(size) {
            let verdicts = together.admit_batch(batch, mode, Commit::Each);
            let singles: Vec<_> = batch.iter().map(|op| apart.admit(op, mode)).collect();
            prop_assert_eq!(verdicts, singles);
        }
        apart.compare(&USERS, &GROUPS);
        together.compare(&USERS, &GROUPS);
    }
}

//! Decisions of one app are linearizable: concurrent histories of real calls have an order that the model explains.
//!
//! The search is Wing and Gong's: try every operation that may come first, as none of the others had ended before it began,
//! and remember the states from which there was no way on.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use quotagate::admission::{Mode, Sides};
use quotagate::catalog::LimitName;
use quotagate::entitlement::Enforcement;
use quotagate::gateway::Gateway;
use quotagate::id::IdKey;
use quotagate::subscription::{Plan, Standing};
use quotagate::time::Timestamp;

use crate::model::{ENDLESS, Facts, Id, Model, Op, Rules, Verdict, kinds};
use crate::support::{MORNING, app, at};

const THREADS: usize = 3;
const OPS_EACH: usize = 4;
const SPINS: u32 = 2_000;
const ROUNDS: usize = 8_000;

/// A call, from its begin to its end by a common ticket.
#[derive(Clone, Debug)]
struct Call {
    begin: u64,
    end: u64,
    op: Op,
    verdict: Verdict,
}

/// Whether some order of the calls, one that contradicts no begin and end, gives the model's verdicts.
fn has_an_order(calls: &[Call], model: &Model, now: Timestamp) -> bool {
    explained(calls, 0, model, now, &mut HashSet::new())
}

fn explained(
    calls: &[Call],
    done: u32,
    model: &Model,
    now: Timestamp,
    hopeless: &mut HashSet<(u32, Facts)>,
) -> bool {
    let open = || (0..calls.len()).filter(|place| done >> place & 1 == 0);
    let Some(first_end) = open().map(|place| calls[place].end).min() else {
        return true;
    };
    if hopeless.contains(&(done, model.facts.clone())) {
        return false;
    }
    for place in open().filter(|place| calls[*place].begin < first_end) {
        let mut next = model.clone();
        if next.admit(&calls[place].op, Mode::Enforce, now) == calls[place].verdict
            && explained(calls, done | 1 << place, &next, now, hopeless)
        {
            return true;
        }
    }
    hopeless.insert((done, model.facts.clone()));
    false
}

/// Places for one or two of everything.
fn rules() -> Rules {
    let bounds = [
        (LimitName::MaxUsers, 3),
        (LimitName::DailyUsers, 2),
        (LimitName::Friends, 1),
        (LimitName::JoinedGroups, 1),
        (LimitName::GroupMembers, 2),
        (LimitName::AvChatRooms, 1),
        (LimitName::DailyGroups, 2),
    ];
    let limits = bounds.map(|(name, bound)| (name, (bound, Enforcement::Enforce)));
    Rules {
        kinds: kinds([2, 3, 3]),
        editions: BTreeMap::from([("trial", limits.into_iter().collect())]),
        adopt_unknown: false,
        budget: ENDLESS,
        edges_per_list: 10_000,
    }
}

const USERS: [Id; 4] = ["a", "b", "c", "d"];

/// A small generator of its own, so that a history can be named by its round.
fn op(dice: &mut u64) -> Op {
    let mut below = |end: usize| {
        *dice ^= *dice << 13;
        *dice ^= *dice >> 7;
        *dice ^= *dice << 17;
        usize::try_from(*dice >> 33).expect("31 bits") % end
    };
    let (user, apart) = (below(4), 1 + below(3));
    let (user, friend) = (USERS[user], USERS[(user + apart) % 4]);
    let group = ["g", "h"][below(2)];
    match below(12) {
        0 | 1 => Op::Register(user),
        2 => Op::DeleteUser(user),
        3 | 4 => Op::Login(user, None),
        5 | 6 => Op::Befriend(user, friend, Sides::Both),
        7 => Op::Unfriend(user, friend, Sides::Own),
        8 | 9 => Op::Create {
            group,
            kind: ["Private", "AVChatRoom"][below(2)],
            owner: user,
            members: vec![],
        },
        10 => Op::Disband(group),
        _ => Op::Join {
            group,
            user,
            kind: None,
        },
    }
}

/// What the threads go through together, round after round.
struct Round {
    gateway: Gateway,
    scripts: Vec<Vec<Op>>,
}

fn rounds(rules: &Rules, now: Timestamp, count: usize) -> Vec<Round> {
    let terms = rules.terms();
    let round = |number: usize| {
        let mut dice = 0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1) << 20;
        let gateway = Gateway::new(terms.clone(), IdKey::new(*b"a key for tests."));
        let created = gateway.create_app(app(1), Plan::of("trial"), Standing::GOOD, now);
        created.expect("a new app");
        let mut script = |_| (0..OPS_EACH).map(|_| op(&mut dice)).collect();
        Round {
            gateway,
            scripts: (0..THREADS).map(&mut script).collect(),
        }
    };
    (0..count).map(round).collect()
}

/// Each thread's calls of each round. All wait for one another before a round, without sleeping.
fn recorded(rounds: &[Round], now: Timestamp) -> Vec<Vec<Call>> {
    let catalog = rules().terms().catalog;
    let (ticket, arrived) = (AtomicU64::new(0), AtomicUsize::new(0));
    let run = |thread: usize| {
        let play = |(number, round): (usize, &Round)| {
            let script = &round.scripts[thread];
            let requests: Vec<_> = script.iter().map(|op| op.request(&catalog, now)).collect();
            arrived.fetch_add(1, Ordering::SeqCst);
            // Those that wait on a processor of their own go on at once, together; the others are let in now and then.
            for spins in 1.. {
                if arrived.load(Ordering::SeqCst) >= (number + 1) * THREADS {
                    break;
                }
                if spins % SPINS == 0 {
                    thread::yield_now();
                }
            }
            let call = |(op, request): (&Op, _)| {
                let begin = ticket.fetch_add(1, Ordering::SeqCst);
                let answer = round.gateway.admit(app(1), request, Mode::Enforce, now);
                let end = ticket.fetch_add(1, Ordering::SeqCst);
                Call {
                    begin,
                    end,
                    op: op.clone(),
                    verdict: Verdict::from(&answer.decision),
                }
            };
            script.iter().zip(&requests).map(call).collect::<Vec<_>>()
        };
        rounds.iter().enumerate().map(play).collect::<Vec<_>>()
    };
    let run = &run;
    let by_thread: Vec<Vec<Vec<Call>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || run(n))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    let of_round = |number: usize| {
        by_thread
            .iter()
            .flat_map(|calls| calls[number].clone())
            .collect()
    };
    (0..rounds.len()).map(of_round).collect()
}

#[test]
fn concurrent_histories_have_an_order() {
    let now = at(MORNING);
    let (rules, rounds) = (rules(), rounds(&rules(), now, ROUNDS));
    let mut overlapping = 0;
    for (number, calls) in recorded(&rounds, now).iter().enumerate() {
        let overlaps = |one: &Call| {
            let other = |two: &&Call| one.begin < two.begin && two.begin < one.end;
            calls.iter().any(|two| other(&two))
        };
        overlapping += u32::from(calls.iter().any(overlaps));
        let model = Model::new(rules.clone(), "trial", now);
        assert!(
            has_an_order(calls, &model, now),
            "round {number}: {calls:#?}"
        );
    }
    assert!(overlapping > 0, "{overlapping} in {ROUNDS} rounds");
}

fn call(begin: u64, end: u64, op: Op, verdict: &Verdict) -> Call {
    Call {
        begin,
        end,
        op,
        verdict: verdict.clone(),
    }
}

/// A checker that cannot fail is worth nothing: impossible histories are refused, near misses are not.
#[test]
fn the_checker_refuses_what_has_no_order() {
    let now = at(MORNING);
    let model = Model::new(rules(), "trial", now);
    let answers = |ops: &[Op]| -> Vec<Verdict> {
        let mut model = model.clone();
        ops.iter()
            .map(|op| model.admit(op, Mode::Enforce, now))
            .collect()
    };
    let register = |id| Op::Register(id);
    let ids = USERS.map(register);
    let [ok, .., full] = &answers(&ids)[..] else {
        unreachable!()
    };
    let unchanged = &answers(&[register("a"), register("a")])[1];
    let all_at_once = |verdicts: [&Verdict; 4]| -> Vec<Call> {
        let calls = ids.iter().zip(verdicts).zip(0..);
        calls
            .map(|((op, verdict), n)| call(n, 10 + n, op.clone(), verdict))
            .collect()
    };
    let linearizable = |calls: &[Call]| has_an_order(calls, &model, now);

    assert!(
        linearizable(&all_at_once([full, ok, ok, ok])),
        "d, c, b, then a is denied"
    );
    assert!(
        !linearizable(&all_at_once([ok, ok, ok, ok])),
        "four in three places"
    );
    assert!(
        !linearizable(&all_at_once([full, full, ok, ok])),
        "denied with a place free"
    );

    // The first had ended before the others began, so it cannot have been the one too many.
    let mut early = all_at_once([full, ok, ok, ok]);
    (early[0].begin, early[0].end) = (0, 1);
    early.iter_mut().skip(1).for_each(|call| call.begin += 2);
    assert!(!linearizable(&early), "denied before anybody came");

    let twice = |end_of_first| {
        [
            call(0, end_of_first, register("a"), unchanged),
            call(5, 6, register("a"), ok),
        ]
    };
    assert!(linearizable(&twice(9)), "the second came first");
    assert!(!linearizable(&twice(4)), "already so before it was");

    // Two read each other's write: no order of the two explains both.
    let login = |id| Op::Login(id, None);
    let daily = &answers(&[login("a"), login("b"), login("c")])[2];
    let crossed = [
        call(0, 10, login("a"), ok),
        call(1, 11, login("b"), daily),
        call(2, 12, login("c"), daily),
    ];
    assert!(
        !linearizable(&crossed),
        "two denied, one place taken of two"
    );
}

//! Snapshots of an app whose users take several parts, with admissions between the parts, and a crash at every call.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use quotagate::admission::Mode;
use quotagate::gateway::{Commit, Gateway};
use quotagate::journal::{Level, Position};

use super::world::{World, log, recovered};
use crate::journal::dice::Dice;
use crate::journal::faulty::{Call, End, Faulty, Trouble};
use crate::support::{MORNING, app, at, delete_user, register, user};

/// Users of app 2, more than two parts of 512 slots.
const USERS: usize = 1_100;

/// Which users there were, where an entry ends.
type Past = Vec<(Position, BTreeSet<usize>)>;

fn name(n: usize) -> String {
    format!("wide-{n}")
}

fn present(gateway: &Gateway) -> BTreeSet<usize> {
    let is_there = |n: &usize| {
        let usage = gateway.user_usage(app(2), user(&name(*n)), at(MORNING));
        usage.is_some()
    };
    (0..USERS).filter(is_there).collect()
}

/// Registers every user at once.
fn fill(gateway: &Gateway) -> Past {
    let names: Vec<_> = (0..USERS).map(name).collect();
    let requests: Vec<_> = names.iter().map(|name| register(name)).collect();
    gateway.admit_batch(app(2), &requests, Mode::Enforce, Commit::Each, at(MORNING));
    gateway.commit();
    vec![(log(gateway).position(), (0..USERS).collect())]
}

/// Registers a user, or deletes one that is there.
fn change(gateway: &Gateway, past: &mut Past, dice: &mut Dice) {
    let mut users = past.last().expect("the first").1.clone();
    let n = dice.below(USERS);
    let name = name(n);
    let request = if users.remove(&n) {
        delete_user(&name)
    } else {
        users.insert(n);
        register(&name)
    };
    gateway.admit(app(2), &request, Mode::Enforce, at(MORNING));
    past.push((log(gateway).position(), users));
}

/// Two snapshots while users come and go, with a crash at a call.
fn live(level: Level, crash: Option<usize>) -> (Faulty, Past, Vec<Call>) {
    let faulty = Faulty::new(3);
    let opened = recovered(faulty.storage(), level).expect("no trouble yet");
    let gateway = Arc::new(World::new(0).gateway(opened));
    let past = Arc::new(Mutex::new(fill(&gateway)));
    log(&gateway).step();
    if let Some(call) = crash {
        faulty.trouble(call, Trouble::Crash);
    }
    let (others, theirs, mut dice) = (Arc::clone(&gateway), Arc::clone(&past), Dice(3));
    faulty.throughout(Box::new(move || {
        change(&others, &mut theirs.lock(), &mut dice);
        others.commit();
    }));
    for _ in 0..2 {
        if gateway.take_snapshot().is_ok() {
            log(&gateway).step();
        }
    }
    // The files hold the gateway that holds the files.
    faulty.meanwhile(None);
    let calls = faulty.calls();
    (faulty, Arc::clone(&past).lock().clone(), calls)
}

#[test]
fn a_snapshot_in_parts_is_one_state_with_the_journal_behind_it() {
    for level in [Level::Power, Level::Process] {
        let (_, past, calls) = live(level, None);
        assert!(past.len() > 30, "{} changes between calls", past.len());
        let first = calls.len() - 2 * 30;
        for call in first..calls.len() {
            let (faulty, past, _) = live(level, Some(call));
            let mut dice = Dice(call as u64);
            for end in [End::Kill, End::PowerLoss] {
                let left = faulty.after(end, &mut dice);
                let told = format!("{level:?}, crash at {call}, {end:?}");
                let opened = recovered(left.storage(), level);
                let opened = opened.unwrap_or_else(|error| panic!("{told}: {error}"));
                let gateway = World::new(0).gateway(opened);
                let reached = log(&gateway).position();
                let expected = past.iter().find(|(end, _)| *end == reached);
                let (_, expected) = expected.unwrap_or_else(|| panic!("{told}: {reached}"));
                assert_eq!(&present(&gateway), expected, "{told}");
            }
        }
    }
}

//! A call of the disk that fails under a gateway at work: nothing acknowledged is lost, nothing is acknowledged that is not
//! there, and admissions resume once the files are founded anew.

use std::io::ErrorKind;
use std::sync::Arc;

use quotagate::admission::Mode;
use quotagate::gateway::Gateway;
use quotagate::journal::{Level, State};

use super::crash::{Life, work};
use super::seeds;
use super::world::{World, log, recovered};
use crate::journal::dice::Dice;
use crate::journal::faulty::{Call, End, Faulty, Trouble};
use crate::support::{delete_user, register};

const LIFE: Life = Life {
    turns: 40,
    snapshots: 2,
    closes: false,
};

/// A life without trouble.
fn whole(seed: u64, level: Level) -> Vec<Call> {
    let faulty = Faulty::new(seed);
    let mut world = World::new(seed);
    let gateway = world.start(&faulty, level, End::Kill, "whole");
    let gateway = gateway.expect("no trouble");
    work(&gateway, &faulty, world, (level, LIFE), &mut |_| {});
    faulty.calls()
}

#[test]
fn a_call_that_fails_loses_nothing_acknowledged_and_admissions_resume() {
    let (mut failed, mut failures) = (0, 0);
    for seed in 0..seeds(2) {
        for level in Level::ALL {
            for (call, kind) in whole(seed, level).into_iter().enumerate() {
                for error in [ErrorKind::Other, ErrorKind::StorageFull] {
                    failed += usize::from(fail_at(seed, level, (call, kind), error));
                    failures += 1;
                }
            }
        }
    }
    assert!(failed > 100 && failures > 800, "{failed} of {failures}");
}

/// Fails a call of a life, and says whether the journal had to be founded anew.
fn fail_at(seed: u64, level: Level, (call, kind): (usize, Call), error: ErrorKind) -> bool {
    let told = format!("seed {seed}, {level:?}, {kind:?} {call} fails: {error:?}");
    let faulty = Faulty::new(seed);
    faulty.trouble(call, Trouble::Fails(error));
    let mut world = World::new(seed);
    // A start that fails has changed nothing that another could not do with.
    let gateway = match recovered(faulty.storage(), level) {
        Ok(recovered) => Arc::new(world.gateway(recovered)),
        Err(_) => {
            let again = world.start(&faulty, level, End::Kill, &told);
            again.expect("one call fails")
        }
    };
    let mut dice = Dice(call as u64);
    let mut has_failed = false;
    let mut judged = |world: &mut World| {
        let state = log(&gateway).state();
        if state == State::Failed {
            if !has_failed && matches!(kind, Call::Sync | Call::SyncDir) {
                // What the kernel has not put on the disk then may go with the process, too.
                world.lose_power();
            }
            has_failed = true;
            images(&faulty, world, level, &mut dice, &told);
            let founded = gateway.keep(u64::MAX);
            founded.unwrap_or_else(|error| panic!("{told}: not founded anew: {error}"));
            world.observe(&gateway, level);
            assert_resumed(&gateway, &told);
            images(&faulty, world, level, &mut dice, &told);
        } else if dice.one_in(12) {
            images(&faulty, world, level, &mut dice, &told);
        }
    };
    let mut world = work(&gateway, &faulty, world, (level, LIFE), &mut judged);
    // One to find room again, if it was the last that had none.
    (0..2).for_each(|_| log(&gateway).step());
    world.observe(&gateway, level);
    assert_resumed(&gateway, &told);
    world.compare_all(&gateway, &told);
    images(&faulty, &world, level, &mut dice, &told);
    has_failed
}

/// Whatever may be left of the files now: it is recovered to what was, with all that was acknowledged.
fn images(faulty: &Faulty, world: &World, level: Level, dice: &mut Dice, told: &str) {
    for end in [End::Kill, End::PowerLoss] {
        let mut world = world.clone();
        if end == End::PowerLoss {
            world.lose_power();
        }
        let left = faulty.after(end, dice);
        let told = format!("{told}, {end:?} at {}", faulty.calls().len());
        let gateway = world.start(&left, level, end, &told);
        gateway.expect("no more trouble");
    }
}

fn assert_resumed(gateway: &Gateway, told: &str) {
    for request in [register("u1"), delete_user("u1")] {
        let accepted = gateway.accepts(&request, Mode::Enforce);
        assert_eq!(accepted, Ok(()), "{told}");
    }
}

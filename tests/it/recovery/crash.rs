//! A crash at every call of the disk under a gateway at work: what is recovered is what was at a boundary of entries, with
//! all that was acknowledged; and it goes on from there, and crashes again.

use std::sync::Arc;

use parking_lot::Mutex;
use quotagate::gateway::Gateway;
use quotagate::journal::Level;

use super::seeds;
use super::world::{World, log};
use crate::journal::dice::Dice;
use crate::journal::faulty::{End, Faulty, Trouble};

/// How much is done in a life, and what may happen in it.
#[derive(Clone, Copy)]
pub struct Life {
    pub turns: usize,
    /// Snapshots are taken in one turn of so many.
    pub snapshots: usize,
    /// Whether the journal may be closed in the end.
    pub closes: bool,
}

/// Works with the gateway until it is done, or the disk has crashed. `after` is told of the world after each turn.
pub fn work(
    gateway: &Arc<Gateway>,
    faulty: &Faulty,
    world: World,
    (level, life): (Level, Life),
    after: &mut dyn FnMut(&mut World),
) -> World {
    let shared = Arc::new(Mutex::new(world));
    for turn in 0..life.turns {
        if faulty.has_crashed() {
            break;
        }
        if shared.lock().dice.one_in(2) {
            let (gateway, world) = (Arc::clone(gateway), Arc::clone(&shared));
            faulty.throughout(Box::new(move || {
                let mut world = world.lock();
                if world.dice.one_in(2) {
                    world.admit_something(&gateway);
                    drop(world);
                    gateway.commit();
                }
            }));
        }
        do_something(gateway, &shared, life, turn);
        faulty.meanwhile(None);
        let mut world = shared.lock();
        world.observe(gateway, level);
        after(&mut world);
    }
    shared.lock().clone()
}

fn do_something(gateway: &Arc<Gateway>, shared: &Mutex<World>, life: Life, turn: usize) {
    let (roll, is_last) = {
        let dice = &mut shared.lock().dice;
        (
            dice.below(24),
            life.closes && turn + 1 == life.turns && dice.one_in(3),
        )
    };
    match roll {
        _ if is_last => drop(log(gateway).close()),
        0..=15 => {
            shared.lock().admit_something(gateway);
            if roll < 14 {
                gateway.commit();
            }
        }
        16..=19 => log(gateway).step(),
        20 => log(gateway).watch(),
        _ if !turn.is_multiple_of(life.snapshots) => log(gateway).step(),
        21 => drop(gateway.keep(300)),
        _ => drop(gateway.take_snapshot()),
    }
}

/// A life from files on, with a crash at a call.
fn live(
    faulty: &Faulty,
    mut world: World,
    (level, life): (Level, Life),
    crash: Option<usize>,
    (end, told): (End, &str),
) -> World {
    if let Some(call) = crash {
        faulty.trouble(call, Trouble::Crash);
    }
    match world.start(faulty, level, end, told) {
        Some(gateway) => work(&gateway, faulty, world, (level, life), &mut |_| {}),
        None => world,
    }
}

const LONG: Life = Life {
    turns: 40,
    snapshots: 3,
    closes: true,
};
const SHORT: Life = Life {
    turns: 12,
    snapshots: 1,
    closes: true,
};

#[test]
fn after_a_crash_at_any_call_the_state_is_one_that_was_with_all_that_was_acknowledged() {
    let mut crashes = 0;
    for seed in 0..seeds(2) {
        for level in Level::ALL {
            let whole = Faulty::new(seed);
            let told = format!("seed {seed}, {level:?}");
            let first = World::new(seed);
            live(&whole, first, (level, LONG), None, (End::Kill, &told));
            for call in 0..whole.calls().len() {
                crashes += crash_and_go_on(seed, level, call);
            }
        }
    }
    assert!(crashes > 1_000, "{crashes}");
}

fn crash_and_go_on(seed: u64, level: Level, call: usize) -> usize {
    let first = Faulty::new(seed);
    let told = format!("seed {seed}, {level:?}, crash at {call}");
    let start = (End::Kill, told.as_str());
    let world = live(&first, World::new(seed), (level, LONG), Some(call), start);
    let mut dice = Dice(seed ^ (call as u64) << 20);
    let ends = [End::Kill, End::PowerLoss, End::PowerLoss];
    for (n, end) in ends.into_iter().enumerate() {
        // Another life, ended by a crash, too; and it is read once more.
        let (mut files, mut world, mut end) = (first.after(end, &mut dice), world.clone(), end);
        if end == End::PowerLoss {
            world.lose_power();
        }
        world.dice = Dice(dice.roll());
        let told = format!("{told}, {end:?} {n}");
        let again = Some(dice.below(120));
        world = live(&files, world, (level, SHORT), again, (end, &told));
        if dice.one_in(2) {
            end = End::Kill;
        } else {
            end = End::PowerLoss;
            world.lose_power();
        }
        files = files.after(end, &mut dice);
        let told = format!("{told}, then {again:?} and {end:?}");
        let gateway = world.start(&files, level, end, &told);
        let gateway = gateway.expect("no more trouble");
        world.compare_all(&gateway, &told);
    }
    ends.len()
}

//! A clock that jumps, at the edges of days and months too: no closed day is opened again, no entry is earlier than the one
//! before, and a restart forgets neither.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use quotagate::journal::{Level, Position};
use quotagate::time::DAY_MS;

use super::world::{World, log};
use crate::journal::dice::Dice;
use crate::journal::entries;
use crate::journal::faulty::{End, Faulty};

/// To the last millisecond of a day in UTC+8, its first, and back; far on, and about.
fn jump() -> impl Strategy<Value = i64> {
    let morning_ms = DAY_MS / 24 * 9;
    let edges = [
        DAY_MS - morning_ms - 1,
        DAY_MS - morning_ms,
        1,
        -1,
        DAY_MS,
        -DAY_MS,
        30 * DAY_MS,
        365 * DAY_MS,
    ];
    prop_oneof![
        3 => select(edges.to_vec()).boxed(),
        1 => (-DAY_MS..=DAY_MS).boxed(),
    ]
}

proptest! {
    #[test]
    fn a_clock_that_jumps_reopens_no_day_and_reorders_no_entry(
        seed in any::<u64>(),
        steps in vec((jump(), 0..5_usize), 1..40),
    ) {
        let mut faulty = Faulty::new(seed);
        let mut world = World::new(seed);
        let mut dice = Dice(seed);
        let gateway = world.start(&faulty, Level::Process, End::Kill, "new");
        let mut gateway = gateway.expect("no trouble");
        let mut days = world.days(&gateway);
        for (ms, how) in steps {
            world.pass(ms);
            if how == 0 {
                faulty = faulty.after(End::Kill, &mut dice);
                gateway = world.start(&faulty, Level::Process, End::Kill, "again").expect("no trouble");
            } else {
                world.admit_something(&gateway);
                gateway.commit();
                log(&gateway).step();
                world.observe(&gateway, Level::Process);
            }
            world.compare_all(&gateway, "after a jump");
            let now = world.days(&gateway);
            for (now, before) in now.iter().zip(&days) {
                prop_assert!(now >= before, "{now:?} after {before:?}");
            }
            days = now;
        }
        log(&gateway).step();
        let (kept, _) = entries(&*faulty.storage(), Position::START).expect("a journal");
        prop_assert!(kept.is_sorted_by_key(|entry| entry.at));
    }
}

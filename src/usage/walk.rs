//! Sketches of days whose own is not kept: made of the logins at the users, all wanted days in one walk over them.
//!
//! A walk goes on in steps, each under the app's lock by itself, and between two of them the app goes on. Invariant: whoever
//! logged in on a wanted day before the walk began is in its sketch; those who do so meanwhile may be.
//! Absent on purpose: days that some deleted users' logins may be gone of.

use super::arena::Slot;
use super::facts::Facts;
use super::live::number;
use super::record::{Life, TOMBSTONE_DAYS, User};
use crate::sketch::Sketch;
use crate::time::Day;

/// Users that are looked at under one lock: some microseconds. Few in tests, so that a walk has more than one step.
const STEP: u32 = if cfg!(test) { 48 } else { 2_048 };

/// A walk under way.
pub(crate) struct Walk {
    sketches: Vec<(Day, Sketch)>,
    next: u32,
    end: u32,
    /// Which of those who returned have done so since it began.
    since: usize,
}

/// The walks of an app under way.
#[derive(Default)]
pub(super) struct Walks {
    under_way: u32,
    /// Those who were deleted and have got another slot, with their logins: it may be one that was walked over before.
    returned: Vec<Slot<User>>,
}

impl Walks {
    pub(super) fn returned(&mut self, user: Slot<User>) {
        self.returned.push(user);
    }
}

impl Facts {
    /// Whether all that logged in on a day are remembered with it.
    pub(crate) fn remembers_logins(&self, day: Day) -> bool {
        self.counts.day().number().saturating_sub(day.number()) <= TOMBSTONE_DAYS
    }

    /// The sketches of those days that are kept; a walk makes the others.
    pub(crate) fn begin_walk(&mut self, days: Vec<Day>) -> (Vec<(Day, Sketch)>, Option<Walk>) {
        let (mut kept, mut wanted) = (Vec::new(), Vec::new());
        for day in days {
            match self.live_sketch(day) {
                Some(sketch) => kept.push((day, sketch)),
                None if self.remembers_logins(day) => wanted.push((day, Sketch::new())),
                None => {}
            }
        }
        if wanted.is_empty() {
            return (kept, None);
        }
        let walks = self.live.walks.get_or_insert_default();
        walks.under_way += 1;
        let walk = Walk {
            sketches: wanted,
            next: 0,
            end: self.users.len(),
            since: walks.returned.len(),
        };
        (kept, Some(walk))
    }

    /// A step of a walk; what it came to, at its end.
    pub(crate) fn walk_on(&mut self, mut walk: Walk) -> Result<Vec<(Day, Sketch)>, Walk> {
        let stop = walk.next.saturating_add(STEP).min(walk.end);
        for number in walk.next..stop {
            self.look_at(Slot::from_number(number), &mut walk.sketches);
        }
        walk.next = stop;
        if stop < walk.end {
            return Err(walk);
        }
        let mut walks = self.live.walks.take().unwrap_or_default();
        for user in walks.returned.iter().skip(walk.since) {
            self.look_at(*user, &mut walk.sketches);
        }
        walks.under_way = walks.under_way.saturating_sub(1);
        self.live.walks = (walks.under_way > 0).then_some(walks);
        // A day may have turned meanwhile.
        let mut sketches = walk.sketches;
        sketches.retain(|(day, _)| self.remembers_logins(*day));
        Ok(sketches)
    }

    fn look_at(&self, slot: Slot<User>, sketches: &mut [(Day, Sketch)]) {
        let user = self.users.get(slot);
        if user.life == Life::Gone {
            return;
        }
        for (day, sketch) in sketches {
            if user.logins.on(*day) {
                sketch.add(number(user.key));
            }
        }
    }
}

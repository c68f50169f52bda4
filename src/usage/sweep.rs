//! The sweep: lists are rid of edges to what is dead, so that its slots can be used again.
//!
//! It runs in small steps, a few users at each operation, when enough has died to be worth a pass, and once a day while there
//! are tombstones.
//! Invariant: a slot is released only after a pass that began when it was dead already: then no list leads to it.
//! Absent on purpose: a thread and a clock. The steps ride on the operations that make them necessary.

use super::arena::{Pile, Slot};
use super::facts::Facts;
use super::record::{Group, Life, User};
use crate::time::Day;

/// Users visited at an operation, while a pass is under way.
const VISITS: u32 = 2;
/// Fewer dead than this, or than an eighth of the users, are not worth a pass.
const DEAD_MIN: usize = 1_024;
/// Slots of each kind released at an operation, when a pass is done.
const RELEASES: usize = 64;

/// What is dead and not yet released, and how far the pass under way has come. Made when something dies: most small apps do
/// without.
#[derive(Default)]
pub(super) struct Sweep(Option<Box<Work>>);

#[derive(Default)]
struct Work {
    /// Dead before the pass under way began: released when it ends.
    users: Pile<User>,
    groups: Pile<Group>,
    /// Dead since: for the next pass.
    new_users: Pile<User>,
    new_groups: Pile<Group>,
    /// The next user to visit, and the first not to.
    pass: Option<(u32, u32)>,
    last_day: Option<Day>,
}

impl Sweep {
    fn work(&mut self) -> &mut Work {
        self.0.get_or_insert_default()
    }

    pub(super) fn bury_user(&mut self, slot: Slot<User>) {
        self.work().new_users.push(slot);
    }

    pub(super) fn bury_group(&mut self, slot: Slot<Group>) {
        self.work().new_groups.push(slot);
    }

    /// Takes the last burial of a user back.
    pub(super) fn exhume_user(&mut self) {
        self.work().new_users.pop();
    }

    /// Takes the last burial of a group back.
    pub(super) fn exhume_group(&mut self) {
        self.work().new_groups.pop();
    }
}

impl Work {
    /// Begins a pass over all users if one is due: enough has died, or it is the day's first and there are tombstones.
    fn begin_pass(&mut self, day: Day, users: u32, tombstones: bool) -> Option<(u32, u32)> {
        let buried = self.new_users.len() + self.new_groups.len();
        let worth_it = buried >= DEAD_MIN && buried >= users as usize / 8;
        if !worth_it && (!tombstones || self.last_day == Some(day)) {
            return None;
        }
        self.users = std::mem::take(&mut self.new_users);
        self.groups = std::mem::take(&mut self.new_groups);
        self.last_day = Some(day);
        Some((0, users))
    }
}

impl Facts {
    /// A step of the sweep, before an operation.
    #[inline]
    pub(super) fn sweep_step(&mut self) {
        if self.sweep.0.is_some() || self.tombstones > 0 {
            self.sweep_users();
        }
    }

    fn sweep_users(&mut self) {
        let (day, users) = (self.counts.day(), self.users.len());
        let tombstones = self.tombstones > 0;
        let work = self.sweep.work();
        let Some((next, end)) = work
            .pass
            .or_else(|| work.begin_pass(day, users, tombstones))
        else {
            return;
        };
        let stop = next.saturating_add(VISITS).min(end);
        work.pass = Some((stop, end));
        for number in next..stop {
            self.visit(Slot::from_number(number));
        }
        if stop == end {
            self.release_some();
        }
    }

    fn visit(&mut self, slot: Slot<User>) {
        let day = self.counts.day();
        let user = self.users.get(slot);
        match user.life {
            Life::Live => {
                self.drop_dead_groups(slot);
                self.drop_dead_friends(slot);
            }
            Life::Tombstone if !user.logins.any_recent(day) => {
                self.user_index.remove(user.key, slot);
                self.users.get_mut(slot).life = Life::Gone;
                self.tombstones -= 1;
                self.sweep.bury_user(slot);
            }
            Life::Tombstone | Life::Gone => {}
        }
    }

    /// Every list has been visited: releases slots, a bounded number at a time, and ends the pass when none is left.
    fn release_some(&mut self) {
        let work = self.sweep.work();
        for _ in 0..RELEASES {
            if let Some(slot) = work.users.pop() {
                self.users.release(slot);
            }
            if let Some(slot) = work.groups.pop() {
                self.groups.release(slot);
            }
        }
        if work.users.is_empty() && work.groups.is_empty() {
            work.pass = None;
        }
    }
}

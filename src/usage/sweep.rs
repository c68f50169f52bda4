//! The sweep: lists are rid of edges to what is dead, so that its slots can be used again.
//!
//! It runs in small steps, a few users after each change, and only when enough has died to be worth a pass.
//! Invariant: a slot is released only after a pass that began when it was dead already: then no list leads to it.
//! Absent on purpose: a thread and a clock. The steps ride on the operations that make them necessary.

use super::arena::{Pile, Slot};
use super::facts::Facts;
use super::record::{Group, Life, User};
use crate::time::Day;

/// Users visited after a change, while a pass is under way.
const VISITS: u32 = 2;
/// Fewer dead than this are not worth a pass.
const DEAD_MIN: usize = 1_024;

/// What is dead and not yet released, and how far the pass under way has come.
#[derive(Default)]
pub(super) struct Sweep {
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
    pub(super) fn bury_user(&mut self, slot: Slot<User>) {
        self.new_users.push(slot);
    }

    pub(super) fn bury_group(&mut self, slot: Slot<Group>) {
        self.new_groups.push(slot);
    }

    /// Takes the last burial of a user back.
    pub(super) fn exhume_user(&mut self) {
        self.new_users.pop();
    }

    /// Takes the last burial of a group back.
    pub(super) fn exhume_group(&mut self) {
        self.new_groups.pop();
    }
}

impl Facts {
    /// A step of the sweep, after a change.
    #[inline]
    pub(super) fn sweep_step(&mut self) {
        if self.sweep.pass.is_some() || self.is_pass_due() {
            self.sweep_users();
        }
    }

    #[inline]
    fn is_pass_due(&self) -> bool {
        let sweep = &self.sweep;
        let buried = sweep.new_users.len() + sweep.new_groups.len();
        if buried < DEAD_MIN && self.tombstones < DEAD_MIN as u64 {
            return false;
        }
        let worth = (self.users.len() as usize / 8).max(DEAD_MIN);
        // Tombstones fall with the day: one pass a day is enough for them.
        let tombstones_due =
            self.tombstones >= worth as u64 && sweep.last_day != Some(self.counts.day());
        buried >= worth || tombstones_due
    }

    #[cold]
    fn sweep_users(&mut self) {
        let (next, end) = self.sweep.pass.unwrap_or_else(|| self.begin_pass());
        let stop = next.saturating_add(VISITS).min(end);
        for number in next..stop {
            self.visit(Slot::from_number(number));
        }
        self.sweep.pass = Some((stop, end));
        if stop == end {
            self.release_some();
        }
    }

    fn begin_pass(&mut self) -> (u32, u32) {
        let sweep = &mut self.sweep;
        sweep.users = std::mem::take(&mut sweep.new_users);
        sweep.groups = std::mem::take(&mut sweep.new_groups);
        sweep.last_day = Some(self.counts.day());
        (0, self.users.len())
    }

    fn visit(&mut self, slot: Slot<User>) {
        let day = self.counts.day();
        let user = self.users.get(slot);
        match user.life {
            Life::Live => {
                let (has_dead_users, has_dead_groups) =
                    (self.users.has_dead(), self.groups.has_dead());
                let user = self.users.get_mut(slot);
                let mut friends = std::mem::take(&mut user.friends);
                if has_dead_groups {
                    user.groups.drop_dead(&mut self.pool, &self.groups);
                }
                if has_dead_users {
                    friends.drop_dead(&mut self.pool, &self.users);
                }
                self.users.get_mut(slot).friends = friends;
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
        for _ in 0..64 {
            let Some(slot) = self.sweep.users.pop() else {
                break;
            };
            self.users.release(slot);
        }
        for _ in 0..64 {
            let Some(slot) = self.sweep.groups.pop() else {
                break;
            };
            self.groups.release(slot);
        }
        if self.sweep.users.is_empty() && self.sweep.groups.is_empty() {
            self.sweep.pass = None;
        }
    }
}

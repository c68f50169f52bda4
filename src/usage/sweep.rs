//! The sweep: lists are rid of edges to what is dead, so that its slots can be used again.
//!
//! It runs in small steps, a few users at each operation, when enough has died to be worth a pass, and once a day while there
//! are tombstones.
//! Invariant: a slot is released only after a pass that began when it was dead already: then no list leads to it.
//! Absent on purpose: a thread and a clock. The steps ride on the operations that make them necessary.

use super::arena::{Arena, Pile, Slot};
use super::facts::{Facts, Reuse};
use super::record::{Group, Life, User};
use crate::admission::AppCounts;
use crate::time::Day;

/// Users visited at an operation, while a pass is under way.
const VISITS: u32 = 2;
/// Fewer dead than this, or than an eighth of the users, are not worth a pass.
const DEAD_MIN: usize = 1_024;
/// Fewer edges to what is dead than this, or than a quarter of the living ones, are not worth a pass.
const DEAD_EDGES_MIN: u64 = 65_536;
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
    /// Edges that led to what has died since the pass under way began.
    dead_edges: u64,
}

impl Sweep {
    /// So many edges lead to something that just died.
    pub(super) fn edges_died(&mut self, edges: u32) {
        self.work().dead_edges += u64::from(edges);
    }

    /// It lives again: its death is undone.
    pub(super) fn edges_revived(&mut self, edges: u32) {
        let dead = &mut self.work().dead_edges;
        *dead = dead.saturating_sub(u64::from(edges));
    }

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
    /// Begins a pass over all users if one is due: enough has died, or enough edges lead to it, or it is the day's first and
    /// there are tombstones.
    fn begin_pass(
        &mut self,
        counts: &AppCounts,
        users: u32,
        tombstones: u64,
    ) -> Option<(u32, u32)> {
        let buried = self.new_users.len() + self.new_groups.len();
        let many_dead = buried >= DEAD_MIN && buried >= users as usize / 8;
        let many_edges = self.dead_edges >= DEAD_EDGES_MIN && self.dead_edges >= counts.edges() / 4;
        let daily = tombstones > 0 && self.last_day != Some(counts.day());
        if !(many_dead || many_edges || daily) {
            return None;
        }
        self.users = std::mem::take(&mut self.new_users);
        self.groups = std::mem::take(&mut self.new_groups);
        self.dead_edges = 0;
        self.last_day = Some(counts.day());
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
        let (users, tombstones) = (self.users.len(), self.tombstones);
        let work = self.sweep.work();
        let Some((next, end)) = work
            .pass
            .or_else(|| work.begin_pass(&self.counts, users, tombstones))
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
                give_back(&mut self.users, slot, self.reuse);
            }
            if let Some(slot) = work.groups.pop() {
                give_back(&mut self.groups, slot, self.reuse);
            }
        }
        if work.users.is_empty() && work.groups.is_empty() {
            work.pass = None;
        }
    }
}

fn give_back<T>(arena: &mut Arena<T>, slot: Slot<T>, reuse: Reuse) {
    match reuse {
        Reuse::AtOnce => arena.release(slot),
        Reuse::AfterSnapshot => arena.retire(slot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::GroupTypeId;
    use crate::id::{Key, Named};
    use crate::usage::edges::NOT_LOOKED_FOR;
    use crate::usage::locate::Found;

    /// An app of users who all join a group that is deleted again, round after round.
    fn rounds(users: u64, rounds: u64) -> (Facts, Vec<Slot<User>>) {
        let mut facts = Facts::new(Day::from_number(20_000), Reuse::AtOnce);
        let key = |n: u64| Key {
            high: n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            low: n,
        };
        let kind = GroupTypeId::new(1).expect("valid");
        let named = |n: u64| Named {
            key: key(n),
            text: "x",
        };
        let slots: Vec<_> = (0..users)
            .map(|n| facts.register(named(n), Found::Nobody))
            .collect();
        for round in 0..rounds {
            let group = facts.add_group(named(round), kind, Some(key(0)));
            for user in &slots {
                facts.sweep_step();
                facts.add_membership(*user, group, NOT_LOOKED_FOR);
            }
            facts.sweep_step();
            facts.remove_group(group);
        }
        (facts, slots)
    }

    fn edges(facts: &Facts, slots: &[Slot<User>]) -> usize {
        slots
            .iter()
            .map(|user| facts.users.get(*user).groups.len())
            .sum()
    }

    /// They are in no budget, and no list of theirs is ever full.
    #[test]
    fn many_edges_to_few_dead_groups_go() {
        let (facts, slots) = rounds(1_000, 500);
        let kept = edges(&facts, &slots);
        assert!(kept < 100_000, "{kept} of 500,000 edges are still there");
        assert!(facts.groups.len() < 200, "the groups' slots are used again");
        assert_eq!(facts.counts.memberships, 0);
    }

    #[test]
    fn what_all_users_had_is_given_back_when_they_are_gone() {
        let (mut facts, slots) = rounds(200, 30);
        assert!(!facts.pool.is_unused());
        for user in &slots {
            facts.remove_user(*user);
        }
        assert!(facts.pool.is_unused());
        assert_eq!((facts.counts.users, facts.counts.edges()), (0, 0));
    }
}

//! The end of restoring: what was put into slots becomes facts that can be asked.
//!
//! Invariant: every list leads to what is not dead, and every count is that of the records. Absent on purpose: images and changes; by now they are all taken in.

use super::super::arena::{Arena, Slot};
use super::super::budget::Totals;
use super::super::facts::Facts;
use super::super::index::Index;
use super::super::record::Life;
use super::{Malformed, NEVER_WAS, Restoring, gone, no_group};
use crate::catalog::GroupTypeId;

/// Keys from a look at the place of one in an index until its turn.
const KEYS_AHEAD: u32 = 16;

impl Restoring {
    /// The facts: rid of edges to the dead, counted, indexed, and taken from the gateway's budgets.
    pub(crate) fn finish(self, totals: &Totals) -> Result<Facts, Malformed> {
        if self.users.len < self.users.expected || self.groups.len < self.groups.expected {
            return Err(Malformed("an app's users or groups are not all there"));
        }
        let mut facts = self.facts;
        facts.users.extend(self.users.len, gone);
        facts
            .groups
            .extend(self.groups.len, || no_group(GroupTypeId::default()));
        facts.bury_tombstones();
        facts.count_edges()?;
        facts.index_users();
        facts.index_groups()?;
        facts.restore_live();
        facts.charged = facts.held();
        totals.restore(&facts.charged);
        Ok(facts)
    }
}

impl Facts {
    /// Tombstones that have had their time. It may have passed before the end, with no record of it.
    fn bury_tombstones(&mut self) {
        let day = self.counts.day();
        for slot in slots(&self.users) {
            let user = self.users.get_mut(slot);
            if user.life == Life::Tombstone && !user.logins.any_recent(day) {
                user.life = Life::Gone;
            }
        }
    }

    /// Rids every list of edges to the dead, and counts the others where they lead.
    fn count_edges(&mut self) -> Result<(), Malformed> {
        // Counted apart from the records, which are ten times as large: lists lead anywhere in them.
        let mut members = vec![0; self.groups.len() as usize];
        let mut listed_by = vec![0; self.users.len() as usize];
        for slot in slots(&self.users) {
            let user = self.users.get_mut(slot);
            let mut groups = std::mem::take(&mut user.groups);
            let mut friends = std::mem::take(&mut user.friends);
            groups.drop_dead(&mut self.pool, &self.groups);
            friends.drop_dead(&mut self.pool, &self.users);
            self.counts.memberships += groups.len() as u64;
            self.counts.friend_entries += friends.len() as u64;
            count(&mut members, groups.all(&self.pool))?;
            count(&mut listed_by, friends.all(&self.pool))?;
            let user = self.users.get_mut(slot);
            (user.groups, user.friends) = (groups, friends);
        }
        for (slot, members) in slots(&self.groups).zip(members) {
            self.groups.get_mut(slot).members = members;
        }
        for (slot, listed_by) in slots(&self.users).zip(listed_by) {
            self.users.get_mut(slot).listed_by = listed_by;
        }
        Ok(())
    }

    fn index_users(&mut self) {
        let len = self.users.len();
        let there = slots(&self.users).filter(|slot| self.users.get(*slot).life != Life::Gone);
        self.user_index = Index::with_room(there.count());
        for slot in slots(&self.users) {
            let ahead = slot.number().saturating_add(KEYS_AHEAD);
            if ahead < len {
                let key = self.users.get(Slot::from_number(ahead)).key;
                self.user_index.prefetch(key);
            }
            let (key, life) = {
                let user = self.users.get(slot);
                (user.key, user.life)
            };
            match life {
                Life::Live => self.counts.users += 1,
                Life::Tombstone => self.tombstones += 1,
                Life::Gone => {
                    self.users.retire(slot);
                    continue;
                }
            }
            let users = &self.users;
            self.user_index
                .insert(key, slot, |slot| users.get(slot).key);
        }
    }

    fn index_groups(&mut self) -> Result<(), Malformed> {
        let mut found = 0;
        let there = slots(&self.groups).filter(|slot| !self.groups.is_dead(*slot));
        self.group_index = Index::with_room(there.count());
        for slot in slots(&self.groups) {
            if self.groups.is_dead(slot) {
                self.groups.retire(slot);
                continue;
            }
            found += 1;
            let (key, groups) = (self.groups.get(slot).key, &self.groups);
            self.group_index
                .insert(key, slot, |slot| groups.get(slot).key);
        }
        if found == self.counts.groups {
            Ok(())
        } else {
            Err(Malformed("an app's groups are not as many as were counted"))
        }
    }
}

/// Counts edges where they lead.
fn count<T>(counts: &mut [u32], edges: impl Iterator<Item = Slot<T>>) -> Result<(), Malformed> {
    for slot in edges {
        let count = counts.get_mut(slot.number() as usize);
        *count.ok_or(NEVER_WAS)? += 1;
    }
    Ok(())
}

/// Every slot of an arena; tests walk it too.
pub(super) fn slots<T>(arena: &Arena<T>) -> impl Iterator<Item = Slot<T>> + use<T> {
    (0..arena.len()).map(Slot::from_number)
}

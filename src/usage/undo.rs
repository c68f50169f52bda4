//! Taking a batch back: a dry run, or all-or-nothing with a denial. Under the same lock, so nobody has seen it.
//!
//! Invariant: undone in reverse order, the facts are what they were. While a batch is open nothing is swept and no list is
//! rid of its dead: what died in the batch may live again.

use super::arena::Slot;
use super::edges::NOT_LOOKED_FOR;
use super::facts::{Direction, Facts};
use super::record::{Group, Life, Logins, User};
use crate::admission::AppCounts;
use crate::catalog::GroupTypeSet;
use crate::metering::Metering;
use crate::time::Day;

/// An elementary change, with what is needed to take it back.
pub(super) enum Undo {
    UserAdded {
        user: Slot<User>,
        tombstone: Option<Slot<User>>,
    },
    UserRemoved {
        user: Slot<User>,
    },
    LoggedIn {
        user: Slot<User>,
        day: Day,
        before: Logins,
    },
    EntryAdded {
        user: Slot<User>,
        friend: Slot<User>,
    },
    EntryRemoved {
        user: Slot<User>,
        friend: Slot<User>,
    },
    GroupAdded {
        group: Slot<Group>,
    },
    GroupRemoved {
        group: Slot<Group>,
    },
    Joined {
        user: Slot<User>,
        group: Slot<Group>,
    },
    Left {
        user: Slot<User>,
        group: Slot<Group>,
    },
}

/// The counts before a batch; they come back whole.
pub(super) struct Before {
    counts: AppCounts,
    metering: Metering,
    room_types: GroupTypeSet,
    tombstones: u64,
    /// Bytes of records.
    changes: usize,
}

impl Facts {
    /// Opens a batch that may be taken back.
    pub(super) fn open_batch(&mut self) -> Before {
        self.undo = Some(Vec::new());
        Before {
            counts: self.counts.clone(),
            metering: self.metering.clone(),
            room_types: self.room_types,
            tombstones: self.tombstones,
            changes: self.changes.as_ref().map_or(0, Vec::len),
        }
    }

    /// Keeps what the batch changed.
    pub(super) fn keep_batch(&mut self) {
        for change in self.undo.take().unwrap_or_default() {
            match change {
                Undo::UserRemoved { user } => self.clear_lists(user),
                Undo::LoggedIn { user, day, .. } => self.take_in_login(user, day),
                Undo::UserAdded {
                    user,
                    tombstone: Some(old),
                } => self.take_in_return(old, user),
                _ => {}
            }
        }
    }

    /// Takes back what the batch changed.
    pub(super) fn undo_batch(&mut self, before: Before) {
        for change in self.undo.take().unwrap_or_default().into_iter().rev() {
            self.revert(&change);
        }
        let Before {
            counts,
            metering,
            room_types,
            tombstones,
            changes,
        } = before;
        if let Some(records) = &mut self.changes {
            records.truncate(changes);
        }
        (self.counts, self.metering, self.tombstones) = (counts, metering, tombstones);
        self.room_types = room_types;
    }

    fn revert(&mut self, change: &Undo) {
        match *change {
            Undo::UserAdded { user, tombstone } => self.revert_user_added(user, tombstone),
            Undo::UserRemoved { user } => self.revert_user_removed(user),
            Undo::LoggedIn { user, before, .. } => self.users.get_mut(user).logins = before,
            Undo::EntryAdded { user, friend } => {
                self.remove_friend_entry(user, friend);
            }
            Undo::EntryRemoved { user, friend } => self.add_friend_entry(user, friend),
            Undo::GroupAdded { group } => {
                self.group_index.remove(self.groups.get(group).key, group);
                self.groups.release(group);
            }
            Undo::GroupRemoved { group } => {
                self.groups.revive(group);
                let (key, groups) = (self.groups.get(group).key, &self.groups);
                self.counts.memberships += u64::from(groups.get(group).members);
                self.group_index
                    .insert(key, group, |slot| groups.get(slot).key);
                self.sweep.exhume_group();
                self.sweep.edges_revived(self.groups.get(group).members);
            }
            Undo::Joined { user, group } => {
                self.remove_membership(user, group);
            }
            Undo::Left { user, group } => self.add_membership(user, group, NOT_LOOKED_FOR),
        }
    }

    fn revert_user_added(&mut self, user: Slot<User>, tombstone: Option<Slot<User>>) {
        let key = self.users.get(user).key;
        if let Some(old) = tombstone {
            self.user_index.replace(key, user, old);
            self.users.get_mut(old).life = Life::Tombstone;
            self.sweep.exhume_user();
        } else {
            self.user_index.remove(key, user);
        }
        self.users.get_mut(user).life = Life::Gone;
        self.users.release(user);
    }

    fn revert_user_removed(&mut self, user: Slot<User>) {
        self.users.revive(user);
        self.sweep.edges_revived(self.users.get(user).listed_by);
        self.count_edges_of(user, Direction::In);
        let record = self.users.get_mut(user);
        let buried = record.life == Life::Gone;
        record.life = Life::Live;
        if buried {
            let (key, users) = (record.key, &self.users);
            self.user_index
                .insert(key, user, |slot| users.get(slot).key);
            self.sweep.exhume_user();
        }
    }
}

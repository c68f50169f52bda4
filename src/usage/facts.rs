//! The facts of one app: who is registered, whose friend, member of what, and who logged in when.
//!
//! Here are the lookups and the elementary changes; which changes an operation makes is for `decide`.
//! Invariant: the counts are those of the facts, after every change. Each change can be undone until the batch ends.

use super::arena::{Arena, Slot};
use super::budget::NO_ENTRIES;
use super::change::Change;
use super::edges::{NOT_LOOKED_FOR, Place};
use super::index::Index;
use super::live::Live;
use super::locate::Found;
use super::pool::Pool;
use super::record::{Group, Life, Logins, User};
use super::sweep::Sweep;
use super::undo::Undo;
use crate::admission::AppCounts;
use crate::catalog::{GroupTypeId, GroupTypeSet};
use crate::entitlement::Entries;
use crate::id::{Key, Named};
use crate::metering::{GroupCounts, Metering};
use crate::time::Day;

/// The facts of one app, all behind its one lock.
pub(crate) struct Facts {
    pub(super) users: Arena<User>,
    pub(super) user_index: Index,
    pub(super) groups: Arena<Group>,
    pub(super) group_index: Index,
    /// The lists of all users.
    pub(super) pool: Pool,
    pub(super) counts: AppCounts,
    pub(super) metering: Metering,
    /// Who logged in on the app's day and on the next one.
    pub(super) live: Live,
    /// The types whose groups are metered as AVChatRooms, as the journal knows; and as it will from the next change on.
    pub(super) room_types: GroupTypeSet,
    pub(super) room_types_to_come: GroupTypeSet,
    pub(super) tombstones: u64,
    /// What was taken from the gateway's budgets for this app: as much as is held, except while an operation is under way.
    pub(super) charged: Entries,
    pub(super) sweep: Sweep,
    /// What to do to take the open batch back; nothing while operations stand each for itself.
    pub(super) undo: Option<Vec<Undo>>,
    /// The records of what has changed since the lock was taken; nothing where no journal keeps them.
    pub(super) changes: Option<Vec<u8>>,
    pub(super) reuse: Reuse,
}

/// When the slots of the dead are given out again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reuse {
    /// As soon as no list leads to them.
    AtOnce,
    /// After a snapshot, too: a journal tells what happens to slots.
    AfterSnapshot,
}

impl Facts {
    /// An app with no facts, created on a day.
    pub(crate) fn new(day: Day, reuse: Reuse) -> Self {
        let mut metering = Metering::default();
        metering.begin_day(day, GroupCounts::default());
        Self {
            users: Arena::default(),
            user_index: Index::default(),
            groups: Arena::default(),
            group_index: Index::default(),
            pool: Pool::default(),
            counts: AppCounts::new(day),
            metering,
            live: Live::default(),
            room_types: GroupTypeSet::default(),
            room_types_to_come: GroupTypeSet::default(),
            tombstones: 0,
            charged: NO_ENTRIES,
            sweep: Sweep::default(),
            undo: None,
            changes: None,
            reuse,
        }
    }

    /// Moves on to a later day; the day never goes back.
    #[inline]
    pub(crate) fn advance_to(&mut self, day: Day) {
        if day > self.counts.day() {
            self.set_room_types();
            self.live.turn(self.counts.day(), day);
            self.counts.advance_to(day);
            self.metering.begin_day(day, self.group_counts());
            self.record(&Change::DayBegan { day });
        }
    }

    /// Meters the groups of these types as AVChatRooms, from the next change of groups or day on.
    pub(crate) fn meter_rooms(&mut self, types: GroupTypeSet) {
        self.room_types_to_come = types;
    }

    fn set_room_types(&mut self) {
        if self.room_types != self.room_types_to_come {
            self.room_types = self.room_types_to_come;
            self.record(&Change::RoomTypesSet {
                rooms: self.room_types,
            });
            self.meter_groups();
        }
    }

    fn group_counts(&self) -> GroupCounts {
        GroupCounts {
            groups: self.counts.groups,
            av_chat_rooms: self.counts.groups_of_all(self.room_types),
        }
    }

    /// Meters the groups that there are now.
    pub(super) fn meter_groups(&mut self) {
        self.metering
            .groups_reached(self.counts.day(), self.group_counts());
    }

    /// On-screen comments took that many bits per second on a day.
    pub(crate) fn bandwidth_reached(&mut self, day: Day, bits_per_second: u64) {
        if bits_per_second > self.metering.bandwidth(day) {
            self.metering.bandwidth_reached(day, bits_per_second);
            self.record(&Change::BandwidthReached {
                day,
                bits_per_second,
            });
        }
    }

    /// Moves on to a later day if there are groups to be carried into it.
    pub(crate) fn carry_to(&mut self, day: Day) {
        if self.counts.groups > 0 {
            self.advance_to(day);
        }
    }

    /// The records of what has changed are in the journal, which is at that position now. Whether a day was among it.
    #[inline]
    pub(crate) fn stamp(&mut self, position: u64) -> bool {
        self.metering.stamp(position)
    }

    /// Whether what has changed and is not stamped yet is counted on a day.
    #[inline]
    pub(crate) const fn is_unstamped(&self) -> bool {
        self.metering.is_unstamped()
    }

    /// The last stamp of any day.
    pub(crate) fn changed_at(&self) -> u64 {
        self.metering.changed_at()
    }

    /// Keeps a record of every change from now on, in an empty buffer, until [`Self::take_changes`].
    #[inline]
    pub(crate) fn keep_changes(&mut self, empty: Vec<u8>) {
        self.changes = Some(empty);
    }

    /// The records of what has changed, in order.
    #[inline]
    pub(crate) fn take_changes(&mut self) -> Option<Vec<u8>> {
        self.changes.take()
    }

    #[inline]
    fn record(&mut self, change: &Change<'_>) {
        if let Some(changes) = &mut self.changes {
            change.put(changes);
        }
    }

    /// What the app holds of the gateway's budgets.
    #[inline]
    pub(super) fn held(&self) -> Entries {
        Entries {
            users: self.counts.users + self.tombstones,
            groups: self.counts.groups,
            edges: self.counts.edges(),
        }
    }

    /// The record of a key, registered or a tombstone.
    #[inline]
    pub(super) fn record_of(&self, key: Key) -> Option<Slot<User>> {
        self.user_index
            .find(key, |slot| self.users.get(slot).key == key)
    }

    /// The registered user of a key.
    #[inline]
    pub(super) fn user(&self, key: Key) -> Option<Slot<User>> {
        self.record_of(key)
            .filter(|slot| self.users.get(*slot).life == Life::Live)
    }

    /// The group of a key.
    #[inline]
    pub(super) fn group(&self, key: Key) -> Option<Slot<Group>> {
        self.group_index
            .find(key, |slot| self.groups.get(slot).key == key)
    }

    /// The registered user that was found, or else registers them. The logins of one deleted before come along, to a new
    /// record: edges that led to the old one stay gone.
    #[inline]
    pub(super) fn register(&mut self, id: Named<'_>, found: Found) -> Slot<User> {
        match found {
            Found::User(slot) => slot,
            Found::Tombstone(old) => self.replace_tombstone(id, old),
            Found::Nobody => self.add_user(id),
        }
    }

    fn add_user(&mut self, id: Named<'_>) -> Slot<User> {
        let key = id.key;
        let slot = self.users.insert(User::new(key, Logins::default()));
        let users = &self.users;
        self.user_index
            .insert(key, slot, |slot| users.get(slot).key);
        self.counts.users += 1;
        self.note(Undo::UserAdded {
            user: slot,
            tombstone: None,
        });
        self.record(&Change::UserAdded { user: slot, id });
        slot
    }

    fn replace_tombstone(&mut self, id: Named<'_>, old: Slot<User>) -> Slot<User> {
        let (key, logins) = (id.key, self.users.get(old).logins);
        let slot = self.users.insert(User::new(key, logins));
        self.user_index.replace(key, old, slot);
        self.users.get_mut(old).life = Life::Gone;
        self.tombstones -= 1;
        self.sweep.bury_user(old);
        self.counts.users += 1;
        if self.undo.is_none() {
            self.take_in_return(old, slot);
        }
        self.note(Undo::UserAdded {
            user: slot,
            tombstone: Some(old),
        });
        self.record(&Change::UserReturned {
            user: slot,
            former: old,
            logins,
            id,
        });
        slot
    }

    /// Deletes a user: off all groups and friend lists. What remains are the logins of the last days.
    pub(super) fn remove_user(&mut self, slot: Slot<User>) {
        let day = self.counts.day();
        let user = self.users.get_mut(slot);
        let key = user.key;
        let keep = user.logins.any_recent(day);
        user.life = if keep { Life::Tombstone } else { Life::Gone };
        self.users.mark_dead(slot);
        if keep {
            self.tombstones += 1;
        } else {
            self.user_index.remove(key, slot);
            self.sweep.bury_user(slot);
        }
        self.counts.users -= 1;
        self.sweep.edges_died(self.users.get(slot).listed_by);
        self.count_edges_of(slot, Direction::Out);
        self.record(&Change::UserRemoved {
            user: slot,
            logins_kept: keep,
        });
        if self.undo.is_some() {
            self.note(Undo::UserRemoved { user: slot });
        } else {
            self.clear_lists(slot);
        }
    }

    /// Empties the lists of a deleted user. In a batch that may be taken back they stay until it is kept.
    pub(super) fn clear_lists(&mut self, slot: Slot<User>) {
        let user = self.users.get_mut(slot);
        user.groups.clear(&mut self.pool);
        user.friends.clear(&mut self.pool);
    }

    /// Counts the edges of a deleted user out, or of one whose deletion is undone in again.
    pub(super) fn count_edges_of(&mut self, slot: Slot<User>, direction: Direction) {
        let user = self.users.get_mut(slot);
        let (mut memberships, mut entries) = (0, u64::from(user.listed_by));
        for group in user.groups.all(&self.pool) {
            if !self.groups.is_dead(group) {
                let members = &mut self.groups.get_mut(group).members;
                *members = direction.count(*members);
                memberships += 1;
            }
        }
        let friends = std::mem::take(&mut user.friends);
        for friend in friends.all(&self.pool) {
            if !self.users.is_dead(friend) {
                let listed_by = &mut self.users.get_mut(friend).listed_by;
                *listed_by = direction.count(*listed_by);
                entries += 1;
            }
        }
        self.users.get_mut(slot).friends = friends;
        let counts = &mut self.counts;
        match direction {
            Direction::Out => {
                counts.memberships -= memberships;
                counts.friend_entries -= entries;
            }
            Direction::In => {
                counts.memberships += memberships;
                counts.friend_entries += entries;
            }
        }
    }

    /// Counts a login of a registered user on a day that has none yet.
    pub(super) fn count_login(&mut self, slot: Slot<User>, day: Day) {
        let user = self.users.get_mut(slot);
        let before = user.logins;
        user.logins = before.with(day);
        self.metering.user_counted(day);
        if self.undo.is_none() {
            self.take_in_login(slot, day);
        }
        self.note(Undo::LoggedIn {
            user: slot,
            day,
            before,
        });
        self.record(&Change::LoggedIn { user: slot, day });
    }

    /// Puts a friend on a list where it is not.
    pub(super) fn add_friend_entry(&mut self, user: Slot<User>, friend: Slot<User>) {
        self.users
            .get_mut(user)
            .friends
            .insert(&mut self.pool, friend, NOT_LOOKED_FOR);
        self.users.get_mut(friend).listed_by += 1;
        self.counts.friend_entries += 1;
        self.note(Undo::EntryAdded { user, friend });
        self.record(&Change::EntryAdded { user, friend });
    }

    /// Takes a friend off a list; whether it was there.
    pub(super) fn remove_friend_entry(&mut self, user: Slot<User>, friend: Slot<User>) -> bool {
        let there = self
            .users
            .get_mut(user)
            .friends
            .remove(&mut self.pool, friend);
        if there {
            self.users.get_mut(friend).listed_by -= 1;
            self.counts.friend_entries -= 1;
            self.note(Undo::EntryRemoved { user, friend });
            self.record(&Change::EntryRemoved { user, friend });
        }
        there
    }

    /// A group begins to exist, with an owner if it is created now, without if it is taken in.
    pub(super) fn add_group(
        &mut self,
        id: Named<'_>,
        kind: GroupTypeId,
        owner: Option<Key>,
    ) -> Slot<Group> {
        self.set_room_types();
        let key = id.key;
        let slot = self.groups.insert(Group {
            key,
            owner,
            members: 0,
            kind,
        });
        let groups = &self.groups;
        self.group_index
            .insert(key, slot, |slot| groups.get(slot).key);
        if owner.is_some() {
            self.counts.group_created(kind);
        } else {
            self.counts.group_adopted(kind);
        }
        self.meter_groups();
        self.note(Undo::GroupAdded { group: slot });
        self.record(&Change::GroupAdded {
            group: slot,
            kind,
            owner,
            id,
        });
        slot
    }

    /// Deletes a group. Its memberships end by its death: nobody's list is walked.
    pub(super) fn remove_group(&mut self, slot: Slot<Group>) {
        let group = self.groups.get(slot);
        let (key, kind, members) = (group.key, group.kind, group.members);
        self.groups.mark_dead(slot);
        self.group_index.remove(key, slot);
        self.sweep.bury_group(slot);
        self.sweep.edges_died(members);
        self.counts.memberships -= u64::from(members);
        self.counts.group_deleted(kind);
        self.note(Undo::GroupRemoved { group: slot });
        self.record(&Change::GroupRemoved { group: slot, kind });
    }

    /// Makes a user a member of a group where they are none.
    #[inline]
    pub(super) fn add_membership(&mut self, user: Slot<User>, group: Slot<Group>, near: Place) {
        self.users
            .get_mut(user)
            .groups
            .insert(&mut self.pool, group, near);
        self.groups.get_mut(group).members += 1;
        self.counts.memberships += 1;
        self.note(Undo::Joined { user, group });
        self.record(&Change::Joined { user, group });
    }

    /// Ends a membership; whether there was one.
    pub(super) fn remove_membership(&mut self, user: Slot<User>, group: Slot<Group>) -> bool {
        let there = self
            .users
            .get_mut(user)
            .groups
            .remove(&mut self.pool, group);
        if there {
            self.groups.get_mut(group).members -= 1;
            self.counts.memberships -= 1;
            self.note(Undo::Left { user, group });
            self.record(&Change::Left { user, group });
        }
        there
    }

    #[inline]
    fn note(&mut self, change: Undo) {
        if let Some(undo) = &mut self.undo {
            undo.push(change);
        }
    }
}

/// Whether edges are counted out or in again.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    /// Their user is deleted.
    Out,
    /// Their user's deletion is undone.
    In,
}

impl Direction {
    const fn count(self, number: u32) -> u32 {
        match self {
            Self::Out => number - 1,
            Self::In => number + 1,
        }
    }
}

//! Finding the records of operations, those of many at a time.
//!
//! A lookup is three dependent cache misses: table, record, list. Done stage by stage over a batch, the misses of its
//! operations overlap. Invariant: what is found here is a hint; `decide` checks it before it is used.

use std::hint::black_box;

use super::arena::Slot;
use super::facts::Facts;
use super::record::{Group, Life, User};
use crate::admission::Operation;
use crate::id::Key;

/// An operation on keys.
pub(crate) type Claim = Operation<Key, Key>;

/// An operation on keys, and where its records probably are.
pub(crate) struct Prepared {
    pub(super) claim: Claim,
    pub(super) hint: Hint,
}

/// Where the records of an operation probably are.
#[derive(Clone, Copy, Default)]
pub(super) struct Hint {
    pub(super) user: Option<Slot<User>>,
    pub(super) friend: Option<Slot<User>>,
    pub(super) group: Option<Slot<Group>>,
}

/// Who has a key.
#[derive(Clone, Copy)]
pub(super) enum Found {
    /// A registered user.
    User(Slot<User>),
    /// A deleted user whose logins still count.
    Tombstone(Slot<User>),
    /// Nobody.
    Nobody,
}

impl Found {
    /// The registered user.
    #[inline]
    pub(super) fn user(self) -> Option<Slot<User>> {
        match self {
            Self::User(slot) => Some(slot),
            Self::Tombstone(_) | Self::Nobody => None,
        }
    }

    /// Users that registering takes from the budgets: a tombstone has its place.
    #[inline]
    pub(super) fn new_entries(self) -> u64 {
        match self {
            Self::User(_) | Self::Tombstone(_) => 0,
            Self::Nobody => 1,
        }
    }
}

impl Prepared {
    /// An operation, not looked for yet.
    #[inline]
    pub(crate) fn new(claim: Claim) -> Self {
        Self {
            claim,
            hint: Hint::default(),
        }
    }
}

/// The keys of the acting user, the friend and the group.
#[inline]
fn keys(claim: &Claim) -> (Option<Key>, Option<Key>, Option<Key>) {
    match claim {
        Operation::RegisterUser { user }
        | Operation::DeleteUser { user }
        | Operation::Login { user, .. } => (Some(*user), None, None),
        Operation::AddFriend(new) => (Some(new.user()), Some(new.friend()), None),
        Operation::RemoveFriend { user, friend, .. } => (Some(*user), Some(*friend), None),
        Operation::CreateGroup(new) => (Some(new.owner()), None, Some(new.group())),
        Operation::DeleteGroup { group } => (None, None, Some(*group)),
        Operation::JoinGroup { group, user, .. } | Operation::LeaveGroup { group, user } => {
            (Some(*user), None, Some(*group))
        }
    }
}

impl Facts {
    /// Looks for the records of operations, stage by stage. A stage does little but load, so that many loads are under way.
    pub(super) fn locate(&self, batch: &mut [Prepared]) {
        let mut touched = 0_u32;
        for Prepared { claim, .. } in &*batch {
            touched ^= self.touch_tables(claim);
        }
        for Prepared { claim, hint } in &mut *batch {
            *hint = self.candidates(claim);
        }
        for Prepared { hint, .. } in &*batch {
            touched ^= self.touch_records(*hint);
        }
        for Prepared { claim, hint } in &*batch {
            touched ^= self.touch_lists(claim, *hint);
        }
        black_box(touched);
    }

    #[inline]
    fn touch_tables(&self, claim: &Claim) -> u32 {
        let (user, friend, group) = keys(claim);
        let user = user.map_or(0, |key| self.user_index.touch(key));
        let friend = friend.map_or(0, |key| self.user_index.touch(key));
        user ^ friend ^ group.map_or(0, |key| self.group_index.touch(key))
    }

    #[inline]
    fn touch_records(&self, hint: Hint) -> u32 {
        let user = hint.user.map_or(0, |slot| self.users.get(slot).listed_by);
        let friend = hint.friend.map_or(0, |slot| self.users.get(slot).listed_by);
        user ^ friend ^ hint.group.map_or(0, |slot| self.groups.get(slot).members)
    }

    /// The list that will be searched.
    #[inline]
    fn touch_lists(&self, claim: &Claim, hint: Hint) -> u32 {
        match claim {
            Operation::JoinGroup { .. }
            | Operation::LeaveGroup { .. }
            | Operation::CreateGroup(_) => {
                let groups = |slot| self.users.get(slot).groups.touch(&self.pool);
                hint.user.map_or(0, groups)
            }
            Operation::AddFriend(_) | Operation::RemoveFriend { .. } => {
                let friends = |slot| self.users.get(slot).friends.touch(&self.pool);
                hint.user.map_or(0, friends) ^ hint.friend.map_or(0, friends)
            }
            Operation::RegisterUser { .. }
            | Operation::DeleteUser { .. }
            | Operation::Login { .. }
            | Operation::DeleteGroup { .. } => 0,
        }
    }

    /// Touches the tables alone. For one operation that is enough: `decide` touches the records.
    #[inline]
    pub(super) fn candidates(&self, claim: &Claim) -> Hint {
        let (user, friend, group) = keys(claim);
        Hint {
            user: user.and_then(|key| self.user_index.candidate(key)),
            friend: friend.and_then(|key| self.user_index.candidate(key)),
            group: group.and_then(|key| self.group_index.candidate(key)),
        }
    }

    /// The record of a key, registered or a tombstone: the hinted one if it is that.
    #[inline]
    pub(super) fn located_record(&self, hint: Option<Slot<User>>, key: Key) -> Option<Slot<User>> {
        if let Some(slot) = hint {
            let user = self.users.get(slot);
            if user.key == key && user.life != Life::Gone {
                return Some(slot);
            }
        }
        self.record_of(key)
    }

    /// The user of a key: the hinted one if it is that.
    #[inline]
    pub(super) fn located_user(&self, hint: Option<Slot<User>>, key: Key) -> Found {
        match self.located_record(hint, key) {
            Some(slot) if self.users.get(slot).life == Life::Live => Found::User(slot),
            Some(slot) => Found::Tombstone(slot),
            None => Found::Nobody,
        }
    }

    /// The group of a key: the hinted one if it is that.
    #[inline]
    pub(super) fn located_group(&self, hint: Option<Slot<Group>>, key: Key) -> Option<Slot<Group>> {
        if let Some(slot) = hint
            && self.groups.get(slot).key == key
            && !self.groups.is_dead(slot)
        {
            return Some(slot);
        }
        self.group(key)
    }
}

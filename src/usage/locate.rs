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
    /// Looks for the records of operations, stage by stage.
    pub(super) fn locate(&self, batch: &mut [Prepared]) {
        for prepared in &mut *batch {
            prepared.hint = self.candidates(&prepared.claim);
        }
        for prepared in &mut *batch {
            prepared.hint = self.confirmed(&prepared.claim, prepared.hint);
        }
        for prepared in batch {
            self.touch_lists(&prepared.claim, prepared.hint);
        }
    }

    /// Looks for the records of one operation.
    #[inline]
    pub(super) fn locate_one(&self, claim: &Claim) -> Hint {
        self.confirmed(claim, self.candidates(claim))
    }

    /// Touches the tables alone.
    #[inline]
    fn candidates(&self, claim: &Claim) -> Hint {
        let (user, friend, group) = keys(claim);
        Hint {
            user: user.and_then(|key| self.user_index.candidate(key)),
            friend: friend.and_then(|key| self.user_index.candidate(key)),
            group: group.and_then(|key| self.group_index.candidate(key)),
        }
    }

    /// Touches the records.
    #[inline]
    fn confirmed(&self, claim: &Claim, hint: Hint) -> Hint {
        let (user, friend, group) = keys(claim);
        Hint {
            user: user.and_then(|key| self.located_record(hint.user, key)),
            friend: friend.and_then(|key| self.located_record(hint.friend, key)),
            group: group.and_then(|key| self.located_group(hint.group, key)),
        }
    }

    /// Touches the list that will be searched.
    #[inline]
    fn touch_lists(&self, claim: &Claim, hint: Hint) {
        match claim {
            Operation::JoinGroup { .. }
            | Operation::LeaveGroup { .. }
            | Operation::CreateGroup(_) => {
                black_box(hint.user.map(|slot| self.users.get(slot).groups.len()));
            }
            Operation::AddFriend(_) | Operation::RemoveFriend { .. } => {
                black_box(hint.user.map(|slot| self.users.get(slot).friends.len()));
                black_box(hint.friend.map(|slot| self.users.get(slot).friends.len()));
            }
            Operation::RegisterUser { .. }
            | Operation::DeleteUser { .. }
            | Operation::Login { .. }
            | Operation::DeleteGroup { .. } => {}
        }
    }

    /// The record of a key, registered or a tombstone: the hinted one if it is that.
    #[inline]
    pub(super) fn located_record(&self, hint: Option<Slot<User>>, key: Key) -> Option<Slot<User>> {
        let is = |slot: &Slot<User>| {
            let user = self.users.get(*slot);
            user.key == key && user.life != Life::Gone
        };
        hint.filter(is).or_else(|| self.record_of(key))
    }

    /// The registered user of a key: the hinted one if it is that.
    #[inline]
    pub(super) fn located_user(&self, hint: Option<Slot<User>>, key: Key) -> Option<Slot<User>> {
        self.located_record(hint, key)
            .filter(|slot| self.users.get(*slot).life == Life::Live)
    }

    /// The group of a key: the hinted one if it is that.
    #[inline]
    pub(super) fn located_group(&self, hint: Option<Slot<Group>>, key: Key) -> Option<Slot<Group>> {
        let is =
            |slot: &Slot<Group>| self.groups.get(*slot).key == key && !self.groups.is_dead(*slot);
        hint.filter(is).or_else(|| self.group(key))
    }
}

//! Finding the records of operations, those of many at a time.
//!
//! A lookup is three dependent cache misses: table, record, list. In a batch each is asked for while operations before it are
//! decided. Invariant: what is found ahead is a hint, which the `located_…` functions check before it is used.

use super::arena::Slot;
use super::facts::Facts;
use super::record::{Group, Life, User};
use crate::admission::Operation;
use crate::id::{Key, Named};

/// Operations between two looks at one: as many as are decided while a cache line comes.
const APART: usize = 8;
/// Operations from the first look at one to its turn.
pub(super) const LOOKS_AHEAD: usize = 3 * APART;

/// An operation on ids with their keys.
pub(crate) type Claim<'a> = Operation<Named<'a>, Named<'a>>;

/// Such an operation, and where its records probably are.
pub(crate) struct Prepared<'a> {
    pub(super) claim: Claim<'a>,
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

impl<'a> Prepared<'a> {
    /// An operation, not looked for yet.
    #[inline]
    pub(crate) fn new(claim: Claim<'a>) -> Self {
        Self {
            claim,
            hint: Hint::default(),
        }
    }
}

impl Facts {
    /// Looks for the records of operations that come later than `at`: each is looked at three times before its turn, and each
    /// look asks for the cache lines that the next one reads. Begin with `at` from 0 to [`LOOKS_AHEAD`], then one more each.
    #[inline]
    pub(super) fn look_ahead(&self, batch: &mut [Prepared<'_>], at: usize) {
        if let Some(Prepared { claim, .. }) = batch.get(at) {
            self.prefetch_tables(claim);
        }
        let second = at.checked_sub(APART).and_then(|at| batch.get_mut(at));
        if let Some(Prepared { claim, hint }) = second {
            *hint = self.candidates(claim);
            self.prefetch_records(*hint);
        }
        let third = at.checked_sub(2 * APART).and_then(|at| batch.get(at));
        if let Some(Prepared { claim, hint }) = third {
            self.prefetch_lists(claim, *hint);
        }
    }

    #[inline]
    fn prefetch_tables(&self, claim: &Claim<'_>) {
        let (user, friend, group) = claim.ids();
        for user in user.into_iter().chain(friend) {
            self.user_index.prefetch(user.key);
        }
        if let Some(group) = group {
            self.group_index.prefetch(group.key);
        }
    }

    #[inline]
    fn prefetch_records(&self, hint: Hint) {
        for slot in hint.user.into_iter().chain(hint.friend) {
            self.users.prefetch(slot);
        }
        if let Some(slot) = hint.group {
            self.groups.prefetch(slot);
        }
    }

    /// Asks for the lists that will be searched.
    #[inline]
    fn prefetch_lists(&self, claim: &Claim<'_>, hint: Hint) {
        match claim {
            Operation::JoinGroup { .. }
            | Operation::LeaveGroup { .. }
            | Operation::CreateGroup(_) => {
                if let Some(slot) = hint.user {
                    self.users.get(slot).groups.prefetch(&self.pool);
                }
            }
            Operation::AddFriend(_) | Operation::RemoveFriend { .. } => {
                for slot in hint.user.into_iter().chain(hint.friend) {
                    self.users.get(slot).friends.prefetch(&self.pool);
                }
            }
            Operation::RegisterUser { .. }
            | Operation::DeleteUser { .. }
            | Operation::Login { .. }
            | Operation::DeleteGroup { .. } => {}
        }
    }

    /// Where the records of an operation probably are, by a look at the tables alone. For one operation that is enough:
    /// `decide` touches the records.
    #[inline]
    pub(super) fn candidates(&self, claim: &Claim<'_>) -> Hint {
        let (user, friend, group) = claim.ids();
        Hint {
            user: user.and_then(|user| self.user_index.candidate(user.key)),
            friend: friend.and_then(|friend| self.user_index.candidate(friend.key)),
            group: group.and_then(|group| self.group_index.candidate(group.key)),
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

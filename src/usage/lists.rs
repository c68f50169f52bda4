//! How long a user's lists are: what counts to a limit, and whether the budget of lists has room. Rids them of the dead.
//!
//! A list may hold edges to what is dead, which only make it longer: its length will do while there is room by it, and it is
//! counted through only when there is not. Invariant: a number that a denial reports is exact.

use super::arena::Slot;
use super::budget::list_fits;
use super::decide::Context;
use super::edges::EDGES_MAX;
use super::facts::Facts;
use super::record::{Group, User};
use crate::admission::{Denial, FriendFacts, Subject};
use crate::catalog::LimitName;
use crate::entitlement::{Enforcement, Entitlements, Limit};

impl Facts {
    pub(super) fn has_friend(&self, user: Option<Slot<User>>, friend: Option<Slot<User>>) -> bool {
        let (Some(user), Some(friend)) = (user, friend) else {
            return false;
        };
        self.users.get(user).friends.contains(&self.pool, friend)
    }

    pub(super) fn friend_facts(
        &mut self,
        context: &Context<'_>,
        side: Option<Slot<User>>,
        settled: bool,
    ) -> FriendFacts {
        let friends = side.map(|user| {
            if settled {
                0
            } else {
                self.friends(context, user)
            }
        });
        FriendFacts { friends, settled }
    }

    /// Friends of a user, or more while that makes no difference.
    fn friends(&mut self, context: &Context<'_>, user: Slot<User>) -> u64 {
        let length = self.users.get(user).friends.len() as u64;
        if suffices(context.entitlements.limit(LimitName::Friends), length) {
            return length;
        }
        self.live_friends(user)
    }

    /// Groups joined by a user that count, or more while that makes no difference.
    #[inline]
    pub(super) fn joined(&mut self, context: &Context<'_>, user: Slot<User>) -> u64 {
        let length = self.users.get(user).groups.len() as u64;
        if suffices(context.entitlements.limit(LimitName::JoinedGroups), length) {
            return length;
        }
        self.live_groups(user);
        self.counting_groups(context.entitlements, user)
    }

    /// The groups on a user's list that exist and count to the limit.
    pub(super) fn counting_groups(&self, entitlements: &Entitlements, user: Slot<User>) -> u64 {
        let (list, catalog) = (&self.users.get(user).groups, &entitlements.catalog);
        if catalog
            .group_types()
            .all(|kind| kind.counts_to_joined_groups)
        {
            return list.count_live(&self.pool, &self.groups);
        }
        let counts = |group: &Slot<Group>| {
            let kind = catalog.group_type(self.groups.get(*group).kind);
            kind.is_none_or(|kind| kind.counts_to_joined_groups)
        };
        list.live(&self.pool, &self.groups).filter(counts).count() as u64
    }

    pub(super) fn group_list_fits(
        &mut self,
        context: &Context<'_>,
        user: Option<Slot<User>>,
    ) -> Result<(), Denial> {
        let budget = list_budget(context.entitlements, LimitName::JoinedGroups);
        match user {
            Some(user) if self.users.get(user).groups.len() as u64 >= budget => {
                list_fits(self.live_groups(user), budget, Subject::User)
            }
            Some(_) => Ok(()),
            None => list_fits(0, budget, Subject::User),
        }
    }

    pub(super) fn friend_list_fits(
        &mut self,
        context: &Context<'_>,
        user: Option<Slot<User>>,
        subject: Subject,
    ) -> Result<(), Denial> {
        let budget = list_budget(context.entitlements, LimitName::Friends);
        match user {
            Some(user) if self.users.get(user).friends.len() as u64 >= budget => {
                list_fits(self.live_friends(user), budget, subject)
            }
            Some(_) => Ok(()),
            None => list_fits(0, budget, subject),
        }
    }

    /// Entries of a user's list of groups that exist; the others go, if no batch is open that might bring them back.
    #[cold]
    fn live_groups(&mut self, user: Slot<User>) -> u64 {
        if self.undo.is_none() {
            self.drop_dead_groups(user);
        }
        self.users
            .get(user)
            .groups
            .count_live(&self.pool, &self.groups)
    }

    /// Entries of a user's list of friends that are registered; the others go likewise.
    #[cold]
    fn live_friends(&mut self, user: Slot<User>) -> u64 {
        if self.undo.is_none() {
            self.drop_dead_friends(user);
        }
        self.users
            .get(user)
            .friends
            .count_live(&self.pool, &self.users)
    }

    /// Rids a user's list of groups of those that are dead. Not while a batch is open that might bring them back.
    pub(super) fn drop_dead_groups(&mut self, user: Slot<User>) {
        if self.groups.has_dead() {
            self.users
                .get_mut(user)
                .groups
                .drop_dead(&mut self.pool, &self.groups);
        }
    }

    /// The same for a user's list of friends.
    pub(super) fn drop_dead_friends(&mut self, user: Slot<User>) {
        if self.users.has_dead() {
            // Out of the arena, which tells who is dead.
            let mut friends = std::mem::take(&mut self.users.get_mut(user).friends);
            friends.drop_dead(&mut self.pool, &self.users);
            self.users.get_mut(user).friends = friends;
        }
    }
}

/// Whether a list's length will do instead of a count of what is not dead: there is room by it, or nobody asks.
#[inline]
fn suffices(limit: &Limit, length: u64) -> bool {
    limit.bound.has_room(length, 1) || limit.enforcement == Enforcement::Off
}

/// Most edges on a list: the limit where it is finite, enforced and larger, else the budget.
fn list_budget(entitlements: &Entitlements, limit: LimitName) -> u64 {
    let budget = entitlements.budgets.edges_per_list;
    let limit = entitlements.limit(limit);
    let bound = match (limit.enforcement, limit.bound.finite()) {
        (Enforcement::Enforce, Some(bound)) => bound.max(budget),
        (Enforcement::Shadow | Enforcement::Off, _) | (Enforcement::Enforce, None) => budget,
    };
    bound.min(EDGES_MAX)
}

//! One operation on the facts: show `admission` what is known, and do what it rules.
//!
//! Each function reads: look up, ask the judge, ask the budgets, change. Invariant: nothing changes before the last question
//! is answered, so a denied operation changes nothing. Here is no rule of the domain.

use super::budget::Totals;
use super::edges::NOT_LOOKED_FOR;
use super::facts::Facts;
use super::locate::{Claim, Found, Hint};
use crate::admission::{
    CreateFacts, Decision, Denial, JoinFacts, Judge, LoginFacts, LoginTime, Mode, NewFriendship,
    NewGroup, Operation, Ruling, SameOwner, Sides, Step, Subject,
};
use crate::catalog::{GroupType, GroupTypeId};
use crate::entitlement::{Entitlements, Entries};
use crate::id::Named;
use crate::metering::DAYS_REACHED;
use crate::time::{Day, Timestamp};

/// What an operation is decided by, apart from the facts.
pub(crate) struct Context<'a> {
    /// What is in force for the app.
    pub(crate) entitlements: &'a Entitlements,
    /// Entries held by all apps.
    pub(crate) totals: &'a Totals,
    /// How operations are taken.
    pub(crate) mode: Mode,
    /// The present instant.
    pub(crate) now: Timestamp,
}

impl Facts {
    /// Decides one operation and changes the facts by it.
    #[inline]
    pub(super) fn decide(
        &mut self,
        context: &Context<'_>,
        claim: &Claim<'_>,
        hint: Hint,
    ) -> Decision {
        let mut judge = Judge::new(context.entitlements, context.mode);
        let ruling = match judge.app_state(context.now, claim.adds()) {
            Ok(()) => self.rule(context, &mut judge, claim, hint),
            Err(denial) => Err(denial),
        };
        let mut decision = judge.decide(ruling);
        if let Operation::CreateGroup(new) = claim
            && decision.changed
        {
            decision.members = self.join_members(context, new);
        }
        decision
    }

    #[inline]
    fn rule(
        &mut self,
        context: &Context<'_>,
        judge: &mut Judge<'_>,
        claim: &Claim<'_>,
        hint: Hint,
    ) -> Ruling {
        match claim {
            Operation::RegisterUser { user } => self.register_user(context, judge, *user, hint),
            Operation::DeleteUser { user } => Ok(self.delete_user(*user, hint)),
            Operation::Login { user, at } => self.login(context, judge, *user, *at, hint),
            Operation::AddFriend(new) => self.add_friend(context, judge, new, hint),
            Operation::RemoveFriend {
                user,
                friend,
                sides,
            } => Ok(self.remove_friend(*user, *friend, *sides, hint)),
            Operation::CreateGroup(new) => self.create_group(context, judge, new, hint),
            Operation::DeleteGroup { group } => Ok(self.delete_group(*group, hint)),
            Operation::JoinGroup { group, user, kind } => {
                self.join_group(context, judge, (*group, *user, *kind), hint)
            }
            Operation::LeaveGroup { group, user } => Ok(self.leave_group(*group, *user, hint)),
        }
    }

    fn register_user(
        &mut self,
        context: &Context<'_>,
        judge: &mut Judge<'_>,
        id: Named<'_>,
        hint: Hint,
    ) -> Ruling {
        let found = self.located_user(hint.user, id.key);
        if judge.register_user(&self.counts, found.user().is_some())? == Step::Unchanged {
            return Ok(Step::Unchanged);
        }
        self.reserve(context, found.new_entries(), 0, 0)?;
        self.register(id, found);
        Ok(Step::Change)
    }

    fn delete_user(&mut self, id: Named<'_>, hint: Hint) -> Step {
        match self.located_user(hint.user, id.key).user() {
            Some(user) => {
                self.remove_user(user);
                Step::Change
            }
            None => Step::Unchanged,
        }
    }

    fn login(
        &mut self,
        context: &Context<'_>,
        judge: &mut Judge<'_>,
        id: Named<'_>,
        at: Option<LoginTime>,
        hint: Hint,
    ) -> Ruling {
        let day = self.login_day(context, at);
        let found = self.located_user(hint.user, id.key);
        let counted = match found {
            Found::User(slot) | Found::Tombstone(slot) => self.users.get(slot).logins.on(day),
            Found::Nobody => false,
        };
        let known = found.user().is_some();
        let day_users = self.metering.day_users(day);
        let facts = LoginFacts {
            known,
            counted,
            day,
            day_users,
        };
        if judge.login(&self.counts, &facts)? == Step::Unchanged {
            return Ok(Step::Unchanged);
        }
        self.reserve(context, found.new_entries(), 0, 0)?;
        let user = self.register(id, found);
        if !counted {
            self.count_login(user, day);
        }
        Ok(Step::Change)
    }

    /// The day that a login counts on: its own if it is late, else the app's, within the days that logins reach.
    fn login_day(&self, context: &Context<'_>, at: Option<LoginTime>) -> Day {
        let today = self.counts.day();
        at.map_or(today, |at| {
            let oldest = Day::from_number(today.number().saturating_sub(DAYS_REACHED - 1));
            context.entitlements.zone.day(at.instant()).max(oldest)
        })
    }

    fn add_friend(
        &mut self,
        context: &Context<'_>,
        judge: &mut Judge<'_>,
        new: &NewFriendship<Named<'_>>,
        hint: Hint,
    ) -> Ruling {
        let found_user = self.located_user(hint.user, new.user().key);
        let found_friend = self.located_user(hint.friend, new.friend().key);
        let (user, friend) = (found_user.user(), found_friend.user());
        let own_settled = self.has_friend(user, friend);
        let peer_settled = new.sides() == Sides::Own || self.has_friend(friend, user);
        let own = self.friend_facts(context, user, own_settled);
        let peer = self.friend_facts(context, friend, peer_settled);
        if judge.add_friend(&self.counts, &own, &peer)? == Step::Unchanged {
            return Ok(Step::Unchanged);
        }
        let sides = [
            (user, own_settled, Subject::User),
            (friend, peer_settled, Subject::Friend),
        ];
        for (side, _, subject) in sides.into_iter().filter(|(_, settled, _)| !settled) {
            self.friend_list_fits(context, side, subject)?;
        }
        let users = found_user.new_entries() + found_friend.new_entries();
        self.reserve(
            context,
            users,
            0,
            u64::from(!own_settled) + u64::from(!peer_settled),
        )?;
        let user = self.register(new.user(), found_user);
        let friend = self.register(new.friend(), found_friend);
        if !own_settled {
            self.add_friend_entry(user, friend);
        }
        if !peer_settled {
            self.add_friend_entry(friend, user);
        }
        Ok(Step::Change)
    }

    fn remove_friend(
        &mut self,
        user: Named<'_>,
        friend: Named<'_>,
        sides: Sides,
        hint: Hint,
    ) -> Step {
        let user = self.located_user(hint.user, user.key).user();
        let friend = self.located_user(hint.friend, friend.key).user();
        let (Some(user), Some(friend)) = (user, friend) else {
            return Step::Unchanged;
        };
        let own = self.remove_friend_entry(user, friend);
        let peer = sides == Sides::Both && self.remove_friend_entry(friend, user);
        if own || peer {
            Step::Change
        } else {
            Step::Unchanged
        }
    }

    fn create_group(
        &mut self,
        context: &Context<'_>,
        judge: &mut Judge<'_>,
        new: &NewGroup<Named<'_>, Named<'_>>,
        hint: Hint,
    ) -> Ruling {
        let (kind, owner_id) = (new.kind(), new.owner());
        let found = self.located_user(hint.user, owner_id.key);
        let owner = found.user();
        let existing = self
            .located_group(hint.group, new.group().key)
            .map(|group| {
                let same = self.groups.get(group).owner == Some(owner_id.key);
                if same { SameOwner::Yes } else { SameOwner::No }
            });
        let owner_joined = owner.map(|owner| self.joined(context, owner));
        let facts = CreateFacts {
            owner_joined,
            existing,
            kind,
        };
        if judge.create_group(&self.counts, &facts)? == Step::Unchanged {
            return Ok(Step::Unchanged);
        }
        let keeps = keeps_members(context.entitlements, kind);
        if keeps {
            self.group_list_fits(context, owner)?;
        }
        self.reserve(context, found.new_entries(), 1, u64::from(keeps))?;
        let owner = self.register(owner_id, found);
        let group = self.add_group(new.group(), kind, Some(owner_id.key));
        if keeps {
            self.add_membership(owner, group, NOT_LOOKED_FOR);
        }
        Ok(Step::Change)
    }

    /// The initial members join one by one, with a result each; the creation stands (RULES, section 2; B38).
    fn join_members(
        &mut self,
        context: &Context<'_>,
        new: &NewGroup<Named<'_>, Named<'_>>,
    ) -> Vec<Decision> {
        let join = |facts: &mut Self, member: &Named<'_>| {
            let mut judge = Judge::new(context.entitlements, context.mode);
            let target = (new.group(), *member, Some(new.kind()));
            let ruling = facts.join_group(context, &mut judge, target, Hint::default());
            judge.decide(ruling)
        };
        new.members()
            .iter()
            .map(|member| join(self, member))
            .collect()
    }

    fn delete_group(&mut self, id: Named<'_>, hint: Hint) -> Step {
        match self.located_group(hint.group, id.key) {
            Some(group) => {
                self.remove_group(group);
                Step::Change
            }
            None => Step::Unchanged,
        }
    }

    #[inline]
    fn join_group(
        &mut self,
        context: &Context<'_>,
        judge: &mut Judge<'_>,
        (group_id, user_id, named): (Named<'_>, Named<'_>, Option<GroupTypeId>),
        hint: Hint,
    ) -> Ruling {
        let found = self.located_user(hint.user, user_id.key);
        let user = found.user();
        let group = self.located_group(hint.group, group_id.key);
        let known = group.map(|group| self.groups.get(group));
        let members = known.map(|group| u64::from(group.members));
        let kind = known
            .map(|group| group.kind)
            .or_else(|| judge.adopted_type(named));
        let keeps = kind.is_some_and(|kind| keeps_members(context.entitlements, kind));
        let (member, place) = match (user, group) {
            (Some(user), Some(group)) if keeps => {
                let place = self.users.get(user).groups.find(&self.pool, group);
                (place.is_ok(), place)
            }
            (Some(_), Some(_)) => (true, NOT_LOOKED_FOR),
            _ => (false, NOT_LOOKED_FOR),
        };
        let joined = user.map(|user| {
            if member {
                0
            } else {
                self.joined(context, user)
            }
        });
        let facts = JoinFacts {
            joined,
            members,
            kind,
            member,
        };
        let (Step::Change, Some(kind)) = (judge.join_group(&self.counts, &facts)?, kind) else {
            return Ok(Step::Unchanged);
        };
        if keeps {
            self.group_list_fits(context, user)?;
        }
        let groups = u64::from(group.is_none());
        self.reserve(context, found.new_entries(), groups, u64::from(keeps))?;
        let user = self.register(user_id, found);
        let group = group.unwrap_or_else(|| self.add_group(group_id, kind, None));
        if keeps {
            self.add_membership(user, group, place);
        }
        Ok(Step::Change)
    }

    fn leave_group(&mut self, group: Named<'_>, user: Named<'_>, hint: Hint) -> Step {
        let user = self.located_user(hint.user, user.key).user();
        let group = self.located_group(hint.group, group.key);
        match (user, group) {
            (Some(user), Some(group)) if self.remove_membership(user, group) => Step::Change,
            _ => Step::Unchanged,
        }
    }

    #[inline]
    fn reserve(
        &mut self,
        context: &Context<'_>,
        users: u64,
        groups: u64,
        edges: u64,
    ) -> Result<(), Denial> {
        let (held, need) = (
            self.held(),
            Entries {
                users,
                groups,
                edges,
            },
        );
        // What an earlier operation of the batch gave up is still charged to the app: that first.
        let more = Entries {
            users: users.saturating_sub(self.charged.users - held.users),
            groups: groups.saturating_sub(self.charged.groups - held.groups),
            edges: edges.saturating_sub(self.charged.edges - held.edges),
        };
        let budgets = &context.entitlements.budgets;
        context.totals.reserve(budgets, &held, &need, &more)?;
        self.charged.users += more.users;
        self.charged.groups += more.groups;
        self.charged.edges += more.edges;
        Ok(())
    }
}

/// Whether memberships in groups of that type are remembered.
#[inline]
fn keeps_members(entitlements: &Entitlements, kind: GroupTypeId) -> bool {
    entitlements
        .catalog
        .group_type(kind)
        .is_none_or(|kind: &GroupType| kind.keeps_members)
}

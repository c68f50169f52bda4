//! The gateway's own room in memory, asked for after all limits and in every mode.

use std::collections::BTreeSet;

use quotagate::admission::{Sides, Subject};
use quotagate::catalog::{LimitName, Reason};
use quotagate::entitlement::Enforcement;

use super::decide::plain;
use super::{Id, Model, Op, Refusal};

impl Model {
    /// Whether there is room for what a change that is needed would add.
    pub(super) fn budgets(&self, op: &Op) -> Result<(), Refusal> {
        let friends = |id: Id| (LimitName::Friends, self.facts.friends.of_left(id).len());
        let groups = |id: Id| {
            (
                LimitName::JoinedGroups,
                self.facts.memberships.of_left(id).len(),
            )
        };
        let (users, new_groups, lists) = match op {
            Op::Register(id) | Op::Login(id, _) => (vec![*id], 0, vec![]),
            Op::Befriend(id, friend, sides) => {
                let mut lists = vec![];
                if !self.facts.friends.contains(id, friend) {
                    lists.push(friends(id));
                }
                if *sides == Sides::Both && !self.facts.friends.contains(friend, id) {
                    lists.push(friends(friend));
                }
                (vec![*id, *friend], 0, lists)
            }
            Op::Create { owner, .. } => (vec![*owner], 1, vec![groups(owner)]),
            Op::Join { group, user, .. } => {
                let unknown = !self.facts.groups.contains_key(group);
                (vec![*user], u64::from(unknown), vec![groups(user)])
            }
            _ => return Ok(()),
        };
        let budget = self.rules.budget;
        let edges = self.facts.memberships.len() + self.facts.friends.len();
        let fits = |used: u64, more: u64, most: u64| more == 0 || used + more <= most;
        let enough = (budget.users == u64::MAX || self.users_fit(&users))
            && fits(self.facts.groups.len() as u64, new_groups, budget.groups)
            && fits(edges, lists.len() as u64, budget.edges)
            && lists
                .iter()
                .all(|(limit, used)| fits(*used as u64, 1, self.list_room(*limit)));
        if enough {
            Ok(())
        } else {
            Err(plain(Reason::BudgetExceeded, Subject::App))
        }
    }

    fn users_fit(&self, wanted: &[Id]) -> bool {
        let present = self.user_entries();
        let new = wanted.iter().filter(|id| !present.contains(**id)).count();
        new == 0 || (present.len() + new) as u64 <= self.rules.budget.users
    }

    fn list_room(&self, limit: LimitName) -> u64 {
        let least = self.rules.edges_per_list;
        match self.rules.editions[self.edition].get(&limit) {
            Some((bound, Enforcement::Enforce)) if *bound != u64::MAX => least.max(*bound),
            _ => least,
        }
    }

    /// Users that take room in memory: those that exist, and those deleted whose last login is at most 39 days back.
    fn user_entries(&self) -> BTreeSet<Id> {
        let gone = self
            .facts
            .logged_in_lately()
            .filter(|id| !self.facts.users.contains(id));
        self.facts.users.iter().copied().chain(gone).collect()
    }
}

//! The gateway's budgets of entries: what one app may hold, and all together.
//!
//! Invariant: what is held in all is the sum over the apps, and nothing is taken beyond a budget. One that is lowered later
//! takes nothing back. Absent on purpose: limits that are sold; those are for `admission`.

use std::sync::atomic::{AtomicU64, Ordering};

use super::arena::SLOTS_MAX;
use crate::admission::{Denial, Subject, over_budget};
use crate::catalog::Bound;
use crate::entitlement::{Budgets, Entries};

/// Entries held by all apps together.
#[derive(Debug, Default)]
pub struct Totals {
    users: AtomicU64,
    groups: AtomicU64,
    edges: AtomicU64,
}

/// What an app without facts holds.
pub(super) const NO_ENTRIES: Entries = Entries {
    users: 0,
    groups: 0,
    edges: 0,
};

impl Totals {
    /// Entries held now, of each kind.
    pub fn held(&self) -> Entries {
        // Relaxed everywhere here: each count stands alone, no memory is published by it.
        Entries {
            users: self.users.load(Ordering::Relaxed),
            groups: self.groups.load(Ordering::Relaxed),
            edges: self.edges.load(Ordering::Relaxed),
        }
    }

    /// Lets an app that holds `held` have `need` more, of which `more` are to be taken from all apps' budget; or says which
    /// kind has no room.
    #[inline]
    pub(super) fn reserve(
        &self,
        budgets: &Budgets,
        held: &Entries,
        need: &Entries,
        more: &Entries,
    ) -> Result<(), Denial> {
        let Budgets {
            per_app, in_all, ..
        } = budgets;
        fits(held.users, need.users, per_app.users)?;
        fits(held.groups, need.groups, per_app.groups)?;
        fits(held.edges, need.edges, per_app.edges)?;
        take(&self.users, more.users, in_all.users)?;
        let groups = take(&self.groups, more.groups, in_all.groups);
        if let Err(denial) = groups {
            give(&self.users, more.users);
            return Err(denial);
        }
        let edges = take(&self.edges, more.edges, in_all.edges);
        if let Err(denial) = edges {
            give(&self.users, more.users);
            give(&self.groups, more.groups);
            return Err(denial);
        }
        Ok(())
    }

    /// Takes what an app has that is restored, beyond a budget too: it is there.
    pub(super) fn restore(&self, entries: &Entries) {
        self.users.fetch_add(entries.users, Ordering::Relaxed);
        self.groups.fetch_add(entries.groups, Ordering::Relaxed);
        self.edges.fetch_add(entries.edges, Ordering::Relaxed);
    }

    /// Gives entries back.
    #[inline]
    pub(super) fn release(&self, entries: &Entries) {
        give(&self.users, entries.users);
        give(&self.groups, entries.groups);
        give(&self.edges, entries.edges);
    }
}

/// Whether a list of `len` edges has room for one more in the budget of lists.
pub(super) fn list_fits(len: u64, budget: u64, subject: Subject) -> Result<(), Denial> {
    if len < budget {
        Ok(())
    } else {
        Err(denied(subject, len, budget))
    }
}

fn fits(held: u64, adds: u64, budget: u64) -> Result<(), Denial> {
    let budget = budget.min(SLOTS_MAX);
    if adds == 0 || held.saturating_add(adds) <= budget {
        Ok(())
    } else {
        Err(denied(Subject::App, held, budget))
    }
}

#[inline]
fn take(count: &AtomicU64, adds: u64, budget: u64) -> Result<(), Denial> {
    if adds == 0 {
        return Ok(());
    }
    let more = |held: u64| held.checked_add(adds).filter(|more| *more <= budget);
    let taken = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    taken
        .map(|_| ())
        .map_err(|held| denied(Subject::App, held, budget))
}

#[inline]
fn give(count: &AtomicU64, entries: u64) {
    if entries > 0 {
        count.fetch_sub(entries, Ordering::Relaxed);
    }
}

#[cold]
fn denied(subject: Subject, used: u64, budget: u64) -> Denial {
    over_budget(
        subject,
        used,
        Bound::at_most(budget).unwrap_or(Bound::UNLIMITED),
    )
}

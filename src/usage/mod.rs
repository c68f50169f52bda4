//! Usage in memory: the exact facts of every app, and the set of apps.
//!
//! `apps` finds an app without a lock and holds its limits and facts; `facts` are the facts and their elementary changes.
//! `locate` finds the records of an operation, `decide` makes changes of it, with `lists` and `budget` for what has room;
//! `undo` takes a batch back, `sweep` makes slots of the dead free again, `report` tells those who ask. Who logged in on the
//! app's day is in `live`, on a day before in the sketches that a `walk` over all users makes.
//! `change` is what a journal keeps of it all, `image` what a snapshot holds; `restore` makes facts of both again, `told` is for
//! those who only want to know.
//! Users and groups are a `record` each in an `arena`, found by an `index`; a user's `edges` stand in the app's `pool`.
//! Invariant: every count is the size of a set of facts. Live facts are never evicted.
//! Absent on purpose: ids as text, rules of the domain, the clock.

mod apps;
mod arena;
mod budget;
mod change;
mod decide;
mod edges;
mod facts;
mod image;
mod index;
mod lists;
mod live;
mod locate;
mod pool;
mod record;
mod report;
mod restore;
mod sweep;
mod told;
mod undo;
mod walk;

pub use apps::Control;
pub(crate) use apps::{App, Apps};
pub use budget::Totals;
pub(crate) use decide::Context;
pub(crate) use facts::{Facts, Reuse};
pub(crate) use image::Image;
use locate::LOOKS_AHEAD;
pub(crate) use locate::{Claim, Prepared};
pub(crate) use report::Tally;
pub use report::{AppUsage, GroupUsage, UserUsage};
pub(crate) use restore::{Malformed, Restoring};
pub(crate) use told::{Bearer, told};

use crate::admission::{Decision, Mode};
use crate::entitlement::Entries;

/// Whether the operations of a batch stand each for itself, or together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Commit {
    /// Each that is allowed is remembered.
    Each,
    /// All are remembered, or none if one is denied.
    AllOrNothing,
}

impl Facts {
    /// Decides one operation, and remembers it if it is allowed and the mode says so.
    #[inline]
    pub(crate) fn admit(&mut self, context: &Context<'_>, claim: &Claim<'_>) -> Decision {
        self.advance_to(context.entitlements.zone.day(context.now));
        self.sweep_step();
        let hint = self.candidates(claim);
        let decision = match context.mode {
            Mode::Enforce | Mode::Record => self.decide(context, claim, hint),
            Mode::DryRun => {
                let before = self.open_batch();
                let decision = self.decide(context, claim, hint);
                self.undo_batch(before);
                decision
            }
        };
        self.settle(context.totals);
        decision
    }

    /// Decides operations in order, into `decisions`. Answers whether nothing stood in the way of remembering them.
    pub(crate) fn admit_batch(
        &mut self,
        context: &Context<'_>,
        batch: &mut [Prepared<'_>],
        commit: Commit,
        decisions: &mut Vec<Decision>,
    ) -> bool {
        self.advance_to(context.entitlements.zone.day(context.now));
        for _ in 0..batch.len() {
            self.sweep_step();
        }
        let may_be_undone = context.mode == Mode::DryRun || commit == Commit::AllOrNothing;
        let before = may_be_undone.then(|| self.open_batch());
        for at in 0..batch.len() + LOOKS_AHEAD {
            self.look_ahead(batch, at);
            let turn = at.checked_sub(LOOKS_AHEAD).and_then(|at| batch.get(at));
            if let Some(Prepared { claim, hint }) = turn {
                decisions.push(self.decide(context, claim, *hint));
            }
        }
        let stands = commit == Commit::Each
            || decisions
                .iter()
                .all(|decision| decision.outcome.is_allowed());
        if let Some(before) = before {
            if stands && context.mode != Mode::DryRun {
                self.keep_batch();
            } else {
                self.undo_batch(before);
            }
        }
        self.settle(context.totals);
        stands
    }

    /// Gives back to the budgets what the app does not hold any more.
    #[inline]
    fn settle(&mut self, totals: &Totals) {
        let held = self.held();
        if self.charged != held {
            totals.release(&Entries {
                users: self.charged.users - held.users,
                groups: self.charged.groups - held.groups,
                edges: self.charged.edges - held.edges,
            });
            self.charged = held;
        }
    }
}

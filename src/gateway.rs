//! The hot path, from a request to its answer; and beside it, in `apps`, which apps there are and what they may do, and in
//! `metered` what they used.
//!
//! Read `admit` from top to bottom: hash the ids, find the app, take its lock, load its limits, decide, let go.
//! Invariant: what is decided stands in the facts, and in the journal where there is one, in the same order.
//! Absent on purpose: sockets, files, the clock.

mod apps;
mod durable;
mod metered;
mod watched;

use std::mem;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::admission::{
    Decision, Denial, Explanation, Mode, Operation, Outcome, Request, Subject, explain,
};
use crate::catalog::Reason;
use crate::entitlement::{Entitlements, Terms};
use crate::id::{GroupId, IdHasher, IdKey, SdkAppId, UserId};
use crate::time::Timestamp;
use crate::usage::{
    AppUsage, Apps, Claim, Context, Facts, GroupUsage, Prepared, Totals, UserUsage,
};
pub use crate::usage::{Commit, Control};
pub use apps::{AppError, Stranded};
use durable::Durable;
pub use durable::Snapshots;
pub use metered::{DayRecord, Mark, MeteredDay, Reported, Sketches};
pub use watched::{Changes, Seen};

/// The gateway: every app with its limits and facts, in memory, and a journal of them if it is [durable](Self::durable).
pub struct Gateway {
    apps: Apps,
    hasher: IdHasher,
    totals: Totals,
    terms: ArcSwap<Terms>,
    /// The last revision given; held while a control call is under way.
    revision: Mutex<u64>,
    /// Nothing if all is held in memory alone.
    durable: Option<Durable>,
}

/// An operation that is asked for by itself.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Of which app.
    pub app: SdkAppId,
    /// How to take it.
    pub mode: Mode,
    /// What.
    pub request: Request<'a>,
}

/// The answer to one operation.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was decided.
    pub decision: Decision,
    /// The revision of the entitlements it was decided by; 0 when there is no such app.
    pub revision: u64,
    basis: Option<Arc<Entitlements>>,
}

/// The answer to a batch.
#[derive(Clone, Debug)]
pub struct BatchAnswer {
    /// What was decided of each operation, in the order given.
    pub decisions: Vec<Decision>,
    /// False when all or nothing was asked for and one was denied; then nothing has changed, and `changed` is false
    /// everywhere. In a dry run: what it would be.
    pub committed: bool,
    /// The revision of the entitlements it was decided by; 0 when there is no such app.
    pub revision: u64,
    basis: Option<Arc<Entitlements>>,
}

impl Gateway {
    /// A gateway with no apps, which holds all in memory.
    pub fn new(terms: Terms, id_key: IdKey) -> Self {
        Self {
            apps: Apps::default(),
            hasher: id_key.hasher(),
            totals: Totals::default(),
            terms: ArcSwap::from_pointee(terms),
            revision: Mutex::new(0),
            durable: None,
        }
    }

    /// Decides one operation, and remembers it if it is allowed (and the mode says so).
    #[inline]
    pub fn admit(&self, id: SdkAppId, request: &Request<'_>, mode: Mode, now: Timestamp) -> Answer {
        let claim = self.claim(request);
        match self.locked(id, mode, now, |facts, context| facts.admit(context, &claim)) {
            Some((decision, entitlements)) => Answer {
                revision: entitlements.revision,
                basis: basis(&decision, &entitlements),
                decision,
            },
            None => Answer::no_app(),
        }
    }

    /// Decides operations that were asked for at the same time, each by itself. Those of one app and
    /// mode are decided in their order under one lock, their records looked for together: that is what it is for.
    pub fn admit_each(&self, asks: &[Ask<'_>], now: Timestamp) -> Vec<Answer> {
        let mut answers = vec![Answer::no_app(); asks.len()];
        let mut waiting: Vec<_> = asks.iter().zip(&mut answers).collect();
        while let Some((first, _)) = waiting.first() {
            let (app, mode) = (first.app, first.mode);
            let is_long = brings_members(&first.request);
            let mut alone = is_long;
            let (together, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(ask, _)| {
                let goes = ask.app == app && ask.mode == mode;
                goes && brings_members(&ask.request) == is_long
                    && (!is_long || mem::take(&mut alone))
            });
            waiting = others;
            self.admit_together(app, mode, together, now);
        }
        answers
    }

    fn admit_together(
        &self,
        app: SdkAppId,
        mode: Mode,
        asks: Vec<(&Ask<'_>, &mut Answer)>,
        now: Timestamp,
    ) {
        if mode == Mode::DryRun {
            // Nothing that one of them would change is there for the next.
            for (ask, answer) in asks {
                *answer = self.admit(app, &ask.request, mode, now);
            }
            return;
        }
        let requests = asks.iter().map(|(ask, _)| &ask.request);
        let mut batch: Vec<_> = requests.map(|one| Prepared::new(self.claim(one))).collect();
        let mut decisions = Vec::with_capacity(batch.len());
        let decided = self.locked(app, mode, now, |facts, context| {
            facts.admit_batch(context, &mut batch, Commit::Each, &mut decisions)
        });
        let Some((_, entitlements)) = decided else {
            return;
        };
        for (decision, (_, answer)) in decisions.into_iter().zip(asks) {
            *answer = Answer {
                revision: entitlements.revision,
                basis: basis(&decision, &entitlements),
                decision,
            };
        }
    }

    /// Decides operations in order under one lock; later ones see earlier ones, in a dry run too.
    pub fn admit_batch(
        &self,
        id: SdkAppId,
        requests: &[Request<'_>],
        mode: Mode,
        commit: Commit,
        now: Timestamp,
    ) -> BatchAnswer {
        let mut batch: Vec<Prepared<'_>> = requests
            .iter()
            .map(|one| Prepared::new(self.claim(one)))
            .collect();
        let mut decisions = Vec::with_capacity(batch.len());
        let decided = self.locked(id, mode, now, |facts, context| {
            facts.admit_batch(context, &mut batch, commit, &mut decisions)
        });
        let Some((committed, entitlements)) = decided else {
            decisions.resize(requests.len(), app_not_found());
            let committed = commit == Commit::Each || requests.is_empty();
            return BatchAnswer {
                decisions,
                committed,
                revision: 0,
                basis: None,
            };
        };
        if !committed {
            decisions.iter_mut().for_each(Decision::take_back);
        }
        let basis = decisions
            .iter()
            .find_map(|decision| basis(decision, &entitlements));
        BatchAnswer {
            decisions,
            committed,
            revision: entitlements.revision,
            basis,
        }
    }

    /// Puts the denial of an answer, or the one that a limit in shadow would have given, into words.
    pub fn explain(&self, answer: &Answer, request: &Request<'_>) -> Option<Explanation> {
        self.explain_part(answer, &answer.decision, request)
    }

    /// The same for a part of an answer: an initial member's decision, `request` being that member's join.
    pub fn explain_part(
        &self,
        answer: &Answer,
        decision: &Decision,
        request: &Request<'_>,
    ) -> Option<Explanation> {
        self.explain_one(decision, answer.basis.as_deref(), request)
    }

    /// The same for one decision of a batch's answer.
    pub fn explain_in_batch(
        &self,
        answer: &BatchAnswer,
        decision: &Decision,
        request: &Request<'_>,
    ) -> Option<Explanation> {
        self.explain_one(decision, answer.basis.as_deref(), request)
    }

    /// What an app has; nothing if there is none. Days without an operation are brought up to `now`.
    pub fn app_usage(&self, id: SdkAppId, now: Timestamp) -> Option<AppUsage> {
        let usage = self.locked(id, Mode::Enforce, now, |facts, context| {
            facts.advance_to(context.entitlements.zone.day(now));
            facts.app_usage(context.entitlements)
        });
        usage.map(|(usage, _)| usage)
    }

    /// What a user has; nothing for an unknown app or user.
    pub fn user_usage(&self, id: SdkAppId, user: UserId<'_>, now: Timestamp) -> Option<UserUsage> {
        let key = self.hasher.user(user);
        let usage = self.locked(id, Mode::Enforce, now, |facts, context| {
            facts.advance_to(context.entitlements.zone.day(now));
            facts.user_usage(context.entitlements, key)
        });
        usage.and_then(|(usage, _)| usage)
    }

    /// What a group has; nothing for an unknown app or group.
    pub fn group_usage(&self, id: SdkAppId, group: GroupId<'_>) -> Option<GroupUsage> {
        let key = self.hasher.group(group);
        self.apps
            .with(id, |app| app.facts.lock().group_usage(key))
            .flatten()
    }

    /// What an app may do now; nothing if there is none. What has expired is resolved anew first.
    pub fn entitlements(&self, id: SdkAppId, now: Timestamp) -> Option<Arc<Entitlements>> {
        let in_force = self.locked(id, Mode::Enforce, now, |_, _| ());
        in_force.map(|((), entitlements)| Arc::clone(&entitlements))
    }

    /// The catalog, the operators' rules and the zone in force. Takes no lock, and no reference that threads would share.
    #[inline]
    pub fn terms(&self) -> impl Deref<Target = Arc<Terms>> {
        self.terms.load()
    }

    /// The newest revision given to any app's entitlements.
    pub fn revision(&self) -> u64 {
        *self.revision.lock()
    }

    /// Every app's id, ascending.
    pub fn app_ids(&self) -> Vec<SdkAppId> {
        let mut ids = self.apps.ids();
        ids.sort_unstable();
        ids
    }

    /// Entries that all apps together hold of the gateway's budgets.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    #[inline]
    fn claim<'a>(&self, request: &Request<'a>) -> Claim<'a> {
        request.map(
            |user| self.hasher.named_user(user),
            |group| self.hasher.named_group(group),
        )
    }

    /// Does something with an app's facts under its lock, by the entitlements in force then.
    #[inline]
    fn locked<T>(
        &self,
        id: SdkAppId,
        mode: Mode,
        now: Timestamp,
        work: impl FnOnce(&mut Facts, &Context<'_>) -> T,
    ) -> Option<(T, InForce)> {
        self.apps.with(id, |app| {
            loop {
                let mut facts = app.facts.lock();
                let entitlements = app.entitlements.load();
                if entitlements.holds_at(now) {
                    let context = Context {
                        entitlements: &entitlements,
                        totals: &self.totals,
                        mode,
                        now,
                    };
                    let done = match &self.durable {
                        Some(durable) => durable
                            .noting((id, app), now, &mut facts, |facts| work(facts, &context)),
                        None => work(&mut facts, &context),
                    };
                    drop(facts);
                    return (done, entitlements);
                }
                drop(facts);
                self.renew(id, app, now);
            }
        })
    }

    fn explain_one(
        &self,
        decision: &Decision,
        basis: Option<&Entitlements>,
        request: &Request<'_>,
    ) -> Option<Explanation> {
        match (&decision.outcome, basis) {
            (Outcome::Allowed, _) => None,
            (Outcome::Denied(denial) | Outcome::Shadowed(denial), Some(basis)) => {
                Some(explain(denial, request, basis))
            }
            (Outcome::Denied(_) | Outcome::Shadowed(_), None) => {
                Some(Explanation::no_such_app(&self.terms.load().catalog))
            }
        }
    }
}

/// Whether an operation takes as long as many: its group begins with members. Such are decided one by one.
fn brings_members(request: &Request<'_>) -> bool {
    matches!(request, Operation::CreateGroup(new) if !new.members().is_empty())
}

impl Answer {
    fn no_app() -> Self {
        Self {
            decision: app_not_found(),
            revision: 0,
            basis: None,
        }
    }
}

/// Entitlements as they were in force, borrowed from the app.
type InForce = arc_swap::Guard<Arc<Entitlements>>;

/// The entitlements, if there is something to explain by them: an allowed answer does without the count of references.
#[inline]
fn basis(decision: &Decision, entitlements: &InForce) -> Option<Arc<Entitlements>> {
    let plain = |decision: &Decision| matches!(decision.outcome, Outcome::Allowed);
    let silent = plain(decision) && decision.members.iter().all(plain);
    (!silent).then(|| Arc::clone(entitlements))
}

fn app_not_found() -> Decision {
    Decision::denied(Denial::plain(Reason::AppNotFound, Subject::App))
}

//! What has become another of what apps may do, for those who watch.
//!
//! Invariant: a change that is in force when the look begins is in what the look gives, or in what an earlier one gave; one that comes
//! meanwhile may be in both of two. Absent on purpose: waiting, and who watches.

use std::sync::Arc;

use super::Gateway;
use crate::entitlement::Entitlements;
use crate::id::SdkAppId;
use crate::time::Timestamp;

/// Up to where a watcher has been told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Everything of this revision and those before.
    pub revision: u64,
    /// Every state as it was at this instant.
    pub at: Timestamp,
    /// When something becomes another by itself: a state, or a limit whose override or rule expires.
    due: Timestamp,
}

/// What a look has found.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The apps that have become others, in no order, with what they may do now.
    pub apps: Vec<(SdkAppId, Arc<Entitlements>)>,
    /// Up to where this tells.
    pub mark: Seen,
}

impl Seen {
    /// A mark that was kept as its parts.
    pub fn kept(revision: u64, at: Timestamp) -> Self {
        let due = Timestamp::MIN;
        Self { revision, at, due }
    }
}

impl Gateway {
    /// The apps, of those named or of all, whose entitlements or state have become others since a mark; every one without. A look
    /// that finds nothing new since the mark takes no time, another as long as there are apps: not for a thread that serves.
    pub fn changes(
        &self,
        only: Option<&[SdkAppId]>,
        since: Option<&Seen>,
        now: Timestamp,
    ) -> Changes {
        // Before the look: what comes during it is for the next one.
        let revision = self.revision();
        let now = since.map_or(now, |mark| mark.at.max(now));
        if let Some(mark) = since.filter(|mark| mark.revision == revision && now < mark.due) {
            let mark = Seen { at: now, ..*mark };
            let apps = Vec::new();
            return Changes { apps, mark };
        }
        let mut due = Timestamp::MAX;
        let mut apps = Vec::new();
        let mut look = |id| {
            let Some(entitlements) = self.in_force(id, now) else {
                return;
            };
            due = due.min(next_turn(&entitlements, now));
            let is_new = since.is_none_or(|mark| {
                let standing = &entitlements.standing;
                entitlements.revision > mark.revision
                    || standing.state(mark.at) != standing.state(now)
            });
            if is_new {
                apps.push((id, entitlements));
            }
        };
        match only {
            Some(only) => only.iter().copied().for_each(&mut look),
            None => self.apps.ids().into_iter().for_each(&mut look),
        }
        let at = now;
        let mark = Seen { revision, at, due };
        Changes { apps, mark }
    }

    /// What an app may do now, without the lock of its facts.
    fn in_force(&self, id: SdkAppId, now: Timestamp) -> Option<Arc<Entitlements>> {
        self.apps.with(id, |app| {
            let entitlements = app.entitlements.load_full();
            if entitlements.holds_at(now) {
                return entitlements;
            }
            self.renew(id, app, now);
            app.entitlements.load_full()
        })
    }
}

/// The next instant at which something becomes another by itself.
fn next_turn(entitlements: &Entitlements, now: Timestamp) -> Timestamp {
    let standing = &entitlements.standing;
    let turns = [
        entitlements.valid_until,
        standing.suspended_from,
        standing.repossessed_from,
        standing.disabled_from,
    ];
    let coming = turns.into_iter().filter(|at| *at > now);
    coming.min().unwrap_or(Timestamp::MAX)
}

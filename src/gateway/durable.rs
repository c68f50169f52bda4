//! What makes a gateway's answers outlive it: the journal that admissions go to, and the snapshots that it goes on from.
//!
//! Invariant: a change of facts and its entry in the journal are made under one lock hold, so that the journal has an app's
//! changes in their order. Absent on purpose: waiting; who answers asks the journal whether it may.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::Gateway;
use crate::admission::{Mode, Request};
use crate::entitlement::Terms;
use crate::id::{IdKey, SdkAppId};
use crate::journal::{Change, Log, Position, State, Storage, Unavailable};
use crate::recovery::Recovered;
use crate::snapshot::{self, Journal, Since, Taken};
use crate::time::{Day, Timestamp};
use crate::usage::{App, Facts, Reuse};

/// Records' room that a thread keeps for the next lock hold.
const ROOM_MAX: usize = 1 << 20;

thread_local! {
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A gateway's files.
pub(super) struct Durable {
    pub(super) log: Arc<Log>,
    storage: Arc<dyn Storage>,
    /// Facts that were recovered, of apps that are not created yet.
    recovered: Mutex<HashMap<SdkAppId, Facts>>,
    /// The snapshot in force; held while another is taken.
    snapshot: Mutex<InForce>,
    snapshots: Mutex<Snapshots>,
}

/// What became of snapshots since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Snapshots {
    /// Those taken.
    pub taken: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// The last one.
    pub last: Option<Taken>,
}

/// The snapshot in force.
#[derive(Clone, Copy)]
struct InForce {
    base: Position,
    bytes: u64,
    /// Whether files that it replaces are still there.
    is_untidy: bool,
}

impl Durable {
    /// Removes what the snapshot in force replaces. It does no harm but for its room: what cannot be removed now can be later.
    fn tidy(&self, in_force: &mut InForce) {
        let base = in_force.base;
        let tidied = snapshot::forget_others(&*self.storage, Some(base));
        let tidied = tidied.and_then(|()| self.log.forget_before(base));
        if let Err(error) = &tidied
            && !in_force.is_untidy
        {
            tracing::warn!("what the last snapshot replaces cannot be removed yet: {error}");
        }
        in_force.is_untidy = tidied.is_err();
    }

    /// Does something with an app's facts, whose lock is held, and appends to the journal what it changes.
    #[inline]
    pub(super) fn noting<T>(
        &self,
        (id, app): (SdkAppId, &App),
        now: Timestamp,
        facts: &mut Facts,
        work: impl FnOnce(&mut Facts) -> T,
    ) -> T {
        facts.keep_changes(ROOM.take());
        let done = work(facts);
        let mut changes = facts.take_changes().unwrap_or_default();
        let is_metered = facts.is_unstamped();
        if !changes.is_empty() {
            if is_metered {
                // Relaxed: whoever reads the position that the append comes to sees this, too.
                app.metered_at.store(u64::MAX, Ordering::Relaxed);
            }
            let end = self.log.append(id, now, &changes).get();
            if is_metered {
                facts.stamp(end);
                app.metered_at.store(end, Ordering::Release);
            }
            changes.clear();
            changes.shrink_to(ROOM_MAX);
        } else if is_metered {
            // Groups were carried into a day, which a replay does by itself.
            facts.stamp(self.log.position().get());
        }
        ROOM.set(changes);
        done
    }
}

impl Gateway {
    /// A gateway that goes on from what was recovered, and keeps a journal of what it decides. Its apps are to be created
    /// again: each finds its facts.
    pub fn durable(terms: Terms, id_key: IdKey, recovered: Recovered) -> Self {
        let Recovered {
            storage,
            log,
            facts,
            totals,
            snapshot,
            ..
        } = recovered;
        let (base, bytes) = snapshot.unwrap_or((Position::START, 0));
        let mut gateway = Self::new(terms, id_key);
        gateway.totals = totals;
        gateway.durable = Some(Durable {
            log,
            storage,
            recovered: Mutex::new(facts),
            snapshot: Mutex::new(InForce {
                base,
                bytes,
                is_untidy: false,
            }),
            snapshots: Mutex::default(),
        });
        gateway
    }

    /// The journal; nothing if all is held in memory alone.
    #[inline]
    pub fn log(&self) -> Option<&Arc<Log>> {
        self.durable.as_ref().map(|durable| &durable.log)
    }

    /// Has the journal write what this thread has decided, if its level asks for that; the position to wait for before it is
    /// answered, unless that is reached.
    #[inline]
    pub fn commit(&self) -> Option<Position> {
        let log = self.log()?;
        let position = log.position();
        log.commit();
        (!log.reached(position)).then_some(position)
    }

    /// Whether the journal takes what an operation may change: to be asked before it is decided.
    #[inline]
    pub fn accepts(&self, request: &Request<'_>, mode: Mode) -> Result<(), Unavailable> {
        match self.log() {
            Some(log) if mode != Mode::DryRun => log.accepts(if request.adds() {
                Change::Adds
            } else {
                Change::Removes
            }),
            _ => Ok(()),
        }
    }

    /// Why additions are refused as unavailable; nothing while they are not.
    pub fn trouble(&self) -> Option<Unavailable> {
        self.log()?.accepts(Change::Adds).err()
    }

    /// The facts of an app that is created: those that were recovered, or none.
    pub(super) fn facts_of(&self, id: SdkAppId, created: Day) -> Facts {
        let Some(durable) = &self.durable else {
            return Facts::new(created, Reuse::AtOnce);
        };
        let recovered = durable.recovered.lock().remove(&id);
        recovered.unwrap_or_else(|| Facts::new(created, Reuse::AfterSnapshot))
    }

    /// What became of snapshots since the start.
    pub fn snapshots(&self) -> Snapshots {
        let durable = self.durable.as_ref();
        durable
            .map(|durable| *durable.snapshots.lock())
            .unwrap_or_default()
    }

    /// Takes a snapshot, whether it is time or not; nothing if all is held in memory alone.
    pub fn take_snapshot(&self) -> io::Result<Option<Taken>> {
        self.with_files(|durable, in_force| {
            let base = durable.log.rotate()?;
            self.snapshot_from(durable, in_force, base, Journal::Whole)
                .map(Some)
        })
    }

    /// What has to be done behind admissions, step by step: a snapshot when the journal has grown by half of the last one and
    /// by `bytes_min`, and one that founds the files anew after a failure.
    pub fn keep(&self, bytes_min: u64) -> io::Result<Option<Taken>> {
        self.with_files(|durable, in_force| {
            if durable.log.state() == State::Failed {
                let base = durable.log.refound()?;
                let taken = self.snapshot_from(durable, in_force, base, Journal::Failed)?;
                durable.log.refounded().map_err(io::Error::other)?;
                return Ok(Some(taken));
            }
            if in_force.is_untidy {
                durable.tidy(in_force);
            }
            let grown = durable.log.position().get() - in_force.base.get();
            if grown < bytes_min.max(in_force.bytes / 2) {
                return Ok(None);
            }
            let base = durable.log.rotate()?;
            self.snapshot_from(durable, in_force, base, Journal::Whole)
                .map(Some)
        })
    }

    /// Does something that may take a snapshot, one after the other, and counts what came of it.
    fn with_files(
        &self,
        work: impl FnOnce(&Durable, &mut InForce) -> io::Result<Option<Taken>>,
    ) -> io::Result<Option<Taken>> {
        let Some(durable) = &self.durable else {
            return Ok(None);
        };
        let done = work(durable, &mut durable.snapshot.lock());
        let mut snapshots = durable.snapshots.lock();
        match &done {
            Ok(None) => {}
            Ok(taken) => {
                snapshots.taken += 1;
                snapshots.last = *taken;
            }
            Err(_) => snapshots.failed += 1,
        }
        drop(snapshots);
        done
    }

    fn snapshot_from(
        &self,
        durable: &Durable,
        in_force: &mut InForce,
        base: Position,
        journal: Journal,
    ) -> io::Result<Taken> {
        let mut apps = self.apps.all();
        let since = Since {
            base: in_force.base,
            journal,
        };
        let taken = snapshot::take(&*durable.storage, &durable.log, &mut apps, since, base)?;
        *in_force = InForce {
            base,
            bytes: taken.bytes,
            is_untidy: in_force.is_untidy,
        };
        durable.tidy(in_force);
        Ok(taken)
    }
}

//! The set of apps: found without a lock, each with its limits as a snapshot and its facts behind one short lock.
//!
//! Invariant: an app's entitlements are replaced whole, by one swap, with ever higher revisions.
//! "Lock-free" is the lookup and the limits; a decision takes the app's lock, and the README says why.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use papaya::HashMap;
use parking_lot::Mutex;

use super::facts::Facts;
use crate::entitlement::{Entitlements, Overrides};
use crate::id::SdkAppId;
use crate::subscription::{Plan, Standing};

/// An app.
pub(crate) struct App {
    /// What it may do now.
    pub(crate) entitlements: ArcSwap<Entitlements>,
    /// What it has.
    pub(crate) facts: Mutex<Facts>,
    /// What its entitlements are resolved from.
    pub(crate) control: Mutex<Control>,
    /// Where the journal was after the last change of what is metered; `u64::MAX` while that is not known. Written under the
    /// lock of the facts, read without.
    pub(crate) metered_at: AtomicU64,
}

/// What an app's entitlements are resolved from, apart from the terms that all apps share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control {
    /// What it subscribes to.
    pub plan: Plan,
    /// Until when its service stands.
    pub standing: Standing,
    /// What operators have set for it by calls.
    pub overrides: Overrides,
}

impl App {
    /// An app.
    pub(crate) fn new(control: Control, entitlements: Entitlements, facts: Facts) -> Self {
        Self {
            entitlements: ArcSwap::from_pointee(entitlements),
            metered_at: AtomicU64::new(facts.changed_at()),
            facts: Mutex::new(facts),
            control: Mutex::new(control),
        }
    }
}

/// Every app by its id.
#[derive(Default)]
pub(crate) struct Apps(HashMap<SdkAppId, Arc<App>, RandomState>);

impl Apps {
    /// Does something with an app, if there is one. The app is not cloned: on two threads that costs as much as the lookup.
    #[inline]
    pub(crate) fn with<T>(&self, id: SdkAppId, work: impl FnOnce(&App) -> T) -> Option<T> {
        self.0.pin().get(&id).map(|app| work(app))
    }

    /// Adds an app; false if there is one of that id.
    pub(crate) fn insert(&self, id: SdkAppId, app: App) -> bool {
        self.0.pin().try_insert(id, Arc::new(app)).is_ok()
    }

    /// Every app's id, in no order.
    pub(crate) fn ids(&self) -> Vec<SdkAppId> {
        self.0.pin().keys().copied().collect()
    }

    /// Every app, in no order.
    pub(crate) fn all(&self) -> Vec<(SdkAppId, Arc<App>)> {
        self.0
            .pin()
            .iter()
            .map(|(id, app)| (*id, Arc::clone(app)))
            .collect()
    }
}

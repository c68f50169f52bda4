//! Which apps there are, and what each may do: created, changed, resolved anew when the terms change or something expires.
//!
//! Invariant: one change after the other, so revisions grow in the order in which they take effect. Absent on purpose: writing
//! anything down, which `control` does before it comes here.

use std::sync::Arc;

use super::Gateway;
use crate::catalog::Catalog;
use crate::entitlement::{Entitlements, Overrides, Terms};
use crate::id::SdkAppId;
use crate::subscription::{Plan, Standing};
use crate::time::Timestamp;
use crate::usage::{App, Control};

/// Why an app cannot be created or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    /// An app of that id exists.
    #[error("app {0} exists already")]
    Exists(SdkAppId),
    /// No app of that id exists.
    #[error("there is no app {0}")]
    NotFound(SdkAppId),
    /// The catalog has no edition of that name.
    #[error("there is no edition \"{0}\" in the catalog")]
    NoEdition(Arc<str>),
}

/// An app whose edition a new catalog lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranded {
    /// Which.
    pub app: SdkAppId,
    /// The edition that it is on.
    pub edition: Arc<str>,
}

impl Gateway {
    /// Adds an app with no usage.
    pub fn create_app(
        &self,
        id: SdkAppId,
        plan: Plan,
        standing: Standing,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let control = Control {
            plan,
            standing,
            overrides: Overrides::new(),
        };
        self.add_app(id, control, now, now)
    }

    /// Adds an app that was created at another time: with the facts that were recovered of it, or none since that day.
    pub fn add_app(
        &self,
        id: SdkAppId,
        control: Control,
        created_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let mut revision = self.revision.lock();
        let terms = self.terms.load();
        let entitlements = resolve(&terms, id, &control, now, *revision + 1)?;
        if self.apps.with(id, |_| ()).is_some() {
            return Err(AppError::Exists(id));
        }
        let mut facts = self.facts_of(id, terms.zone.day(created_at));
        facts.meter_rooms(terms.catalog.av_chat_rooms());
        self.apps.insert(id, App::new(control, entitlements, facts));
        *revision += 1;
        Ok(())
    }

    /// Puts an app on another edition, at once; what it has chosen besides is kept, and counts where the edition sells it.
    pub fn set_edition(&self, id: SdkAppId, edition: &str, now: Timestamp) -> Result<(), AppError> {
        self.change(id, now, |control| control.plan.edition = edition.into())
    }

    /// Puts an app on another plan, at once.
    pub fn set_plan(&self, id: SdkAppId, plan: Plan, now: Timestamp) -> Result<(), AppError> {
        self.change(id, now, |control| control.plan = plan)
    }

    /// Says until when an app's service stands.
    pub fn set_standing(
        &self,
        id: SdkAppId,
        standing: Standing,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.change(id, now, |control| control.standing = standing)
    }

    /// Puts an app on another plan and says until when its service stands, both at once.
    pub fn set_subscription(
        &self,
        id: SdkAppId,
        plan: Plan,
        standing: Standing,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.change(id, now, |control| {
            (control.plan, control.standing) = (plan, standing);
        })
    }

    /// Sets what operators have set for an app by calls, in place of what was.
    pub fn set_overrides(
        &self,
        id: SdkAppId,
        overrides: Overrides,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.change(id, now, |control| control.overrides = overrides)
    }

    /// What an app's limits are resolved from; nothing if there is none.
    pub fn control(&self, id: SdkAppId) -> Option<Control> {
        self.apps.with(id, |app| app.control.lock().clone())
    }

    /// The apps whose edition a catalog lacks, by id.
    pub fn stranded_by(&self, catalog: &Catalog) -> Vec<Stranded> {
        let apps = self.apps.all().into_iter();
        let mut stranded: Vec<_> = apps
            .map(|(app, held)| Stranded {
                app,
                edition: Arc::clone(&held.control.lock().plan.edition),
            })
            .filter(|one| catalog.edition_id(&one.edition).is_none())
            .collect();
        stranded.sort_unstable_by_key(|one| one.app);
        stranded
    }

    /// Puts another catalog and policy in force for every app, at once for each; answers their revision. Nothing changes
    /// if an app's edition is missing; then every such app comes back, by id.
    pub fn set_terms(&self, terms: Terms, now: Timestamp) -> Result<u64, Vec<Stranded>> {
        let mut revision = self.revision.lock();
        let mut resolved = Vec::new();
        for (id, app) in self.apps.all() {
            let control = app.control.lock().clone();
            match resolve(&terms, id, &control, now, *revision + 1) {
                Ok(entitlements) => resolved.push((app, entitlements)),
                Err(_) => return Err(self.stranded_by(&terms.catalog)),
            }
        }
        *revision += 1;
        let rooms = terms.catalog.av_chat_rooms();
        let is_metered_anew = rooms != self.terms.load().catalog.av_chat_rooms();
        self.terms.store(Arc::new(terms));
        for (app, entitlements) in resolved {
            if is_metered_anew {
                app.facts.lock().meter_rooms(rooms);
            }
            app.entitlements.store(Arc::new(entitlements));
        }
        Ok(*revision)
    }

    fn change(
        &self,
        id: SdkAppId,
        now: Timestamp,
        change: impl FnOnce(&mut Control),
    ) -> Result<(), AppError> {
        let mut revision = self.revision.lock();
        let changed = self.apps.with(id, |app| {
            let mut control = app.control.lock().clone();
            change(&mut control);
            let entitlements = resolve(&self.terms.load(), id, &control, now, *revision + 1)?;
            *app.control.lock() = control;
            app.entitlements.store(Arc::new(entitlements));
            *revision += 1;
            Ok(())
        });
        changed.unwrap_or(Err(AppError::NotFound(id)))
    }

    /// Resolves an app's entitlements anew: an override or a rule has expired.
    #[cold]
    pub(super) fn renew(&self, id: SdkAppId, app: &App, now: Timestamp) {
        let mut revision = self.revision.lock();
        if app.entitlements.load().holds_at(now) {
            return;
        }
        let resolved = resolve(
            &self.terms.load(),
            id,
            &app.control.lock(),
            now,
            *revision + 1,
        );
        let entitlements = resolved.expect("an app's edition is in the catalog in force");
        app.entitlements.store(Arc::new(entitlements));
        *revision += 1;
    }
}

fn resolve(
    terms: &Terms,
    id: SdkAppId,
    control: &Control,
    now: Timestamp,
    revision: u64,
) -> Result<Entitlements, AppError> {
    let Control {
        plan,
        standing,
        overrides,
    } = control;
    let resolved = terms.resolve_with(id, plan, *standing, overrides, now, revision);
    resolved.ok_or_else(|| AppError::NoEdition(Arc::clone(&control.plan.edition)))
}

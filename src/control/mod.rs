//! The cold path: a control call from its check to its effect, and a gateway's apps when it starts.
//!
//! Each call is one function, to be read from top to bottom: see what is there, see whether it may change, write the change down
//! with its entry in the audit trail, put it in force. Invariant: one call after the other; what is answered is on the disk and in
//! force, and what cannot be written down does not happen. Should the process die between the two, its start puts in force what is
//! written. Absent on purpose: sockets, files, the clock.

mod fault;
mod words;

pub use fault::{ControlError, StartError};

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use crate::catalog::{Catalog, EditionId, LimitName};
use crate::entitlement::{Override, Overrides, Terms};
use crate::gateway::{AppError, Control, Gateway};
use crate::id::{AccountId, SdkAppId};
use crate::ledger::{
    Audited, Caller, Change, Entry, Ledger, LedgerError, NewEvent, Page, StoredApp,
};
use crate::rating::Event;
use crate::subscription::{Changed, Choices, Plan, Standing};
use crate::time::{Day, Timestamp};

/// Refused calls that the audit trail takes on a day; the others are only logged, so that nobody fills the disk with them.
const REFUSED_A_DAY_MAX: u32 = 1_000;
/// Characters that are kept of why a call was refused.
const WHY_CHARS_MAX: usize = 500;
/// The outcome of a call that was done.
const DONE: &str = "OK";

/// The operators' side of a gateway.
pub struct ControlPlane {
    gateway: Arc<Gateway>,
    ledger: Ledger,
    /// Held while a call is under way.
    refused: Mutex<Refused>,
}

/// How many refused calls were written down, on which day.
#[derive(Default)]
struct Refused {
    day: Option<Day>,
    count: u32,
}

/// The apps that a gateway file names, with their editions; the catalog's first where none is named.
pub struct Wanted<'a> {
    /// The file, as messages name it.
    pub file: &'a str,
    /// Its apps.
    pub apps: &'a [(SdkAppId, Option<Box<str>>)],
}

/// A call that is under way: no other is.
struct Call<'a> {
    plane: &'a ControlPlane,
    refused: MutexGuard<'a, Refused>,
    caller: &'a Caller,
    name: &'static str,
    app: Option<SdkAppId>,
    now: Timestamp,
}

impl ControlPlane {
    /// Puts the apps of the ledger in force in a gateway that has none, and creates those of the gateway file that it lacks.
    pub async fn start(
        gateway: Arc<Gateway>,
        ledger: Ledger,
        wanted: &Wanted<'_>,
        now: Timestamp,
    ) -> Result<Self, StartError> {
        let catalog = Arc::clone(&gateway.terms().catalog);
        let mut controls: BTreeMap<_, _> = ledger.apps().await?.into_iter().map(stored).collect();
        for (_, event) in ledger.events(&catalog).await? {
            if let Event::Changed { app, changed } = event
                && let Some((_, control)) = controls.get_mut(&app)
            {
                control.plan = Plan::of(&catalog.edition(changed.edition).name);
            }
        }
        for (id, (created_at, control)) in controls {
            gateway
                .add_app(id, control, created_at, now)
                .map_err(|error| StartError::wanted("the ledger", id, error))?;
        }
        let plane = Self {
            gateway,
            ledger,
            refused: Mutex::default(),
        };
        plane.create_missing(wanted, now).await?;
        Ok(plane)
    }

    async fn create_missing(&self, wanted: &Wanted<'_>, now: Timestamp) -> Result<(), StartError> {
        let caller = Caller::new(wanted.file, "start");
        let call = self.begin("CreateApp", &caller, None, now).await;
        let catalog = Arc::clone(&self.gateway.terms().catalog);
        let mut missing = Vec::new();
        for (id, edition) in wanted.apps {
            if self.gateway.control(*id).is_none() {
                let edition = self.edition_on(edition.as_deref().unwrap_or_default());
                let edition =
                    edition.map_err(|error| StartError::wanted(wanted.file, *id, error))?;
                missing.push((
                    *id,
                    Plan::of(&catalog.edition(edition).name),
                    created(*id, edition),
                ));
            }
        }
        let entries = missing.iter().map(|(id, plan, _)| Entry {
            app: Some(*id),
            ..call.done(None, Some(words::plan(plan)))
        });
        let entries: Vec<_> = entries.collect();
        let changes = missing
            .iter()
            .map(|(_, _, event)| added(event, &catalog, now));
        let changes: Vec<_> = changes.collect();
        self.ledger.write(&changes, &entries).await?;
        for (id, plan, _) in missing {
            let added = self.gateway.add_app(id, in_force(plan), now, now);
            added.map_err(|error| StartError::wanted(wanted.file, id, error))?;
        }
        Ok(())
    }

    /// The gateway that it changes.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Creates an app on an edition; on the catalog's first if the name is empty.
    pub async fn create_app(
        &self,
        caller: &Caller,
        id: SdkAppId,
        edition: &str,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut call = self.begin("CreateApp", caller, Some(id), now).await;
        let edition = match self.gateway.control(id) {
            Some(_) => Err(AppError::Exists(id)),
            None => self.edition_on(edition),
        };
        let edition = call.unless_refused(edition).await?;
        let catalog = Arc::clone(&self.gateway.terms().catalog);
        let plan = Plan::of(&catalog.edition(edition).name);
        let entry = call.done(None, Some(words::plan(&plan)));
        let event = created(id, edition);
        let change = added(&event, &catalog, now);
        self.ledger.write(&[change], &[entry]).await?;
        tracing::info!(app = id.get(), edition = &*plan.edition, "app created");
        self.gateway.add_app(id, in_force(plan), now, now)?;
        Ok(())
    }

    /// Puts an app on another edition, at once; what it has chosen besides is kept.
    pub async fn set_edition(
        &self,
        caller: &Caller,
        id: SdkAppId,
        edition: &str,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut call = self.begin("SetEdition", caller, Some(id), now).await;
        let catalog = Arc::clone(&self.gateway.terms().catalog);
        let found = self.control(id).and_then(|before| {
            let named = catalog.edition_id(edition);
            let named = named.ok_or_else(|| AppError::NoEdition(edition.into()))?;
            Ok((before.plan, named))
        });
        let (before, edition) = call.unless_refused(found).await?;
        let after = Plan::of(&catalog.edition(edition).name);
        let entry = call.done(Some(words::plan(&before)), Some(words::plan(&after)));
        let first = catalog.first_edition();
        let was_free = catalog.edition_id(&before.edition) == Some(first);
        let changed = Changed {
            edition,
            carried: Choices::default(),
            set: Vec::new(),
            bought: Vec::new(),
            activates: was_free && edition != first,
            by_operator: true,
        };
        let event = Event::Changed { app: id, changed };
        let change = added(&event, &catalog, now);
        self.ledger.write(&[change], &[entry]).await?;
        tracing::info!(app = id.get(), edition = &*after.edition, "edition set");
        Ok(self.gateway.set_plan(id, after, now)?)
    }

    /// Sets something for a limit of an app, in place of what a call has set before.
    pub async fn set_override(
        &self,
        caller: &Caller,
        id: SdkAppId,
        limit: LimitName,
        one: Override,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut call = self.begin("SetOverride", caller, Some(id), now).await;
        let mut overrides = call.unless_refused(self.control(id)).await?.overrides;
        let before = overrides.get(&limit);
        let before = before.map(|one| words::override_of(limit, one));
        let entry = call.done(before, Some(words::override_of(limit, &one)));
        let change = Change::SetOverride(id, limit, &one);
        self.ledger.write(&[change], &[entry]).await?;
        tracing::info!(app = id.get(), limit = limit.name(), "override set");
        overrides.insert(limit, one);
        Ok(self.gateway.set_overrides(id, overrides, now)?)
    }

    /// Takes back what a call has set for a limit of an app.
    pub async fn remove_override(
        &self,
        caller: &Caller,
        id: SdkAppId,
        limit: LimitName,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut call = self.begin("RemoveOverride", caller, Some(id), now).await;
        let held = self.control(id).map_err(ControlError::from);
        let removed = held.and_then(|Control { mut overrides, .. }| {
            let removed = overrides.remove(&limit);
            let removed = removed.ok_or(ControlError::NoOverride { app: id, limit })?;
            Ok((overrides, removed))
        });
        let (overrides, removed) = call.unless_refused(removed).await?;
        let entry = call.done(Some(words::override_of(limit, &removed)), None);
        let change = Change::RemoveOverride(id, limit);
        self.ledger.write(&[change], &[entry]).await?;
        tracing::info!(app = id.get(), limit = limit.name(), "override removed");
        Ok(self.gateway.set_overrides(id, overrides, now)?)
    }

    /// Puts another catalog and policy in force for every app; answers their revision. `read` is what came of reading them.
    pub async fn reload<E: std::fmt::Display>(
        &self,
        caller: &Caller,
        read: Result<Terms, E>,
        now: Timestamp,
    ) -> Result<Result<u64, E>, ControlError> {
        let mut call = self.begin("Reload", caller, None, now).await;
        let terms = match read {
            Ok(terms) => terms,
            Err(error) => {
                call.refuse(&error.to_string()).await;
                return Ok(Err(error));
            }
        };
        let stranded = self.gateway.stranded_by(&terms.catalog);
        let checked = if stranded.is_empty() {
            Ok(terms)
        } else {
            Err(ControlError::Stranded(stranded))
        };
        let terms = call.unless_refused(checked).await?;
        let before = Arc::clone(&self.gateway.terms());
        let entry = call.done(Some(words::files(&before)), Some(words::files(&terms)));
        self.ledger.write(&[], &[entry]).await?;
        let revision = self.gateway.set_terms(terms, now);
        Ok(Ok(revision.map_err(ControlError::Stranded)?))
    }

    /// A page of the audit trail, newest first.
    pub async fn audit(&self, page: &Page) -> Result<Vec<Audited>, LedgerError> {
        self.ledger.audit(page).await
    }

    /// Closes the ledger, when the server has stopped.
    pub async fn close(self) -> Result<(), LedgerError> {
        self.ledger.close().await
    }

    async fn begin<'a>(
        &'a self,
        name: &'static str,
        caller: &'a Caller,
        app: Option<SdkAppId>,
        now: Timestamp,
    ) -> Call<'a> {
        Call {
            plane: self,
            refused: self.refused.lock().await,
            caller,
            name,
            app,
            now,
        }
    }

    fn control(&self, id: SdkAppId) -> Result<Control, AppError> {
        self.gateway.control(id).ok_or(AppError::NotFound(id))
    }

    /// The edition of that name; the catalog's first if the name is empty.
    fn edition_on(&self, name: &str) -> Result<EditionId, AppError> {
        let catalog = Arc::clone(&self.gateway.terms().catalog);
        if name.is_empty() {
            return Ok(catalog.first_edition());
        }
        let edition = catalog.edition_id(name);
        edition.ok_or_else(|| AppError::NoEdition(name.into()))
    }
}

impl<'a> Call<'a> {
    /// The entry of a call that is done.
    fn done(&self, before: Option<String>, after: Option<String>) -> Entry<'a> {
        Entry {
            at: self.now,
            caller: self.caller,
            call: self.name,
            app: self.app,
            before,
            after,
            outcome: DONE.to_owned(),
        }
    }

    /// What was checked, or its refusal, which is written down.
    async fn unless_refused<T, E: Into<ControlError>>(
        &mut self,
        checked: Result<T, E>,
    ) -> Result<T, ControlError> {
        match checked {
            Ok(checked) => Ok(checked),
            Err(error) => {
                let error = error.into();
                self.refuse(&error.to_string()).await;
                Err(error)
            }
        }
    }

    /// Writes a refusal down, where there are not too many. If that fails nothing is lost that was promised.
    async fn refuse(&mut self, why: &str) {
        // It may have the caller's own words in it, for a log and a terminal.
        let tame = |c: char| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        };
        let why: String = why.chars().take(WHY_CHARS_MAX).map(tame).collect();
        tracing::info!(
            call = self.name,
            actor = self.caller.actor,
            "refused: {why}"
        );
        let day = self.plane.gateway.terms().zone.day(self.now);
        if self.refused.day != Some(day) {
            self.refused.day = Some(day);
            self.refused.count = 0;
        }
        if self.refused.count == REFUSED_A_DAY_MAX {
            return;
        }
        self.refused.count += 1;
        let entry = Entry {
            outcome: why,
            ..self.done(None, None)
        };
        if let Err(error) = self.plane.ledger.write(&[], &[entry]).await {
            tracing::warn!("a refused call is not in the audit trail: {error}");
        }
    }
}

fn created(app: SdkAppId, edition: EditionId) -> Event {
    Event::AppCreated {
        app,
        account: own_account(app),
        edition,
    }
}

fn added<'a>(event: &'a Event, catalog: &'a Catalog, at: Timestamp) -> Change<'a> {
    Change::AddEvent(NewEvent {
        at,
        event,
        catalog,
        note: None,
        reference: None,
    })
}

/// An app has an account of its own, named after it.
fn own_account(id: SdkAppId) -> AccountId {
    AccountId::new(&id.to_string()).expect("a number is a valid id")
}

fn in_force(plan: Plan) -> Control {
    Control {
        plan,
        standing: Standing::GOOD,
        overrides: Overrides::new(),
    }
}

/// An app of the ledger as it was created, with its overrides of now.
fn stored(app: StoredApp) -> (SdkAppId, (Timestamp, Control)) {
    let control = Control {
        overrides: app.overrides,
        ..in_force(Plan::of(&app.edition))
    };
    (app.id, (app.created_at, control))
}

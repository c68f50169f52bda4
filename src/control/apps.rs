//! Calls about apps: created, upgraded, changed, disabled, paid ahead, put on an edition by an operator; and what would come of it.

use std::sync::Arc;

use super::call::Told;
use super::start::own_account;
use super::{ControlError, ControlPlane, words};
use crate::catalog::EditionId;
use crate::gateway::AppError;
use crate::id::{AccountId, SdkAppId};
use crate::ledger::Caller;
use crate::rating::{Books, Command, Preview, preview};
use crate::subscription::{AppState, Change, Choices, Cost, Refusal, Settings, Standing};
use crate::time::{Day, Timestamp};

/// A change that somebody wants of an app's subscription, in the words of a catalog.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WantedChange {
    /// Off the free edition to a paid one; else of a paid edition's configuration.
    pub upgrade: bool,
    /// The name of the edition: to be named for an upgrade, the present one if a change does not name it.
    pub edition: Option<String>,
    /// The add-ons; what is not named stays as it is.
    pub settings: Settings,
}

/// What an app subscribes to.
#[derive(Clone, Debug)]
pub struct SubscriptionView {
    /// Who pays for it.
    pub account: AccountId,
    /// When it was created.
    pub created_at: Timestamp,
    /// The name of its edition.
    pub edition: Box<str>,
    /// The add-ons that it has chosen.
    pub choices: Choices,
    /// The day on which its plan expires that was paid ahead.
    pub prepaid_until: Option<Day>,
    /// From when on its service does not stand, as far as is known.
    pub standing: Standing,
    /// What everything costs, and from when on.
    pub costs: Vec<Cost>,
}

impl ControlPlane {
    /// Creates an app on an edition, on the catalog's first if the name is empty; for an account, its own if none is named.
    pub async fn create_app(
        &self,
        caller: &Caller,
        id: SdkAppId,
        account: Option<AccountId>,
        edition: &str,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut call = self.begin("CreateApp", caller, Some(id), now).await?;
        let named = match edition {
            "" => Ok(None),
            // An app that exists is told before an edition that does not.
            _ if call.state.books.app(id).is_some() => Ok(None),
            name => edition_of(&call.state.books, name).map(Some),
        };
        let account = account.unwrap_or_else(|| own_account(id));
        let command = Command::CreateApp {
            app: id,
            account: account.clone(),
            edition: call.unless_refused(named).await?,
        };
        let event = call.checked(&command).await?;
        let name = match edition {
            "" => {
                let catalog = &call.state.books.tariff().catalog;
                catalog.edition(catalog.first_edition()).name.to_string()
            }
            name => name.to_owned(),
        };
        let told = Told {
            after: Some(words::created(&account, &name)),
            ..Told::default()
        };
        call.take(event, told).await?;
        tracing::info!(app = id.get(), edition = name, "app created");
        Ok(())
    }

    /// Upgrades an app, or changes its configuration (RULES 6.6, 6.7).
    pub async fn change(
        &self,
        caller: &Caller,
        app: SdkAppId,
        wanted: WantedChange,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let name = if wanted.upgrade {
            "Upgrade"
        } else {
            "ChangeConfiguration"
        };
        let mut call = self.begin(name, caller, Some(app), now).await?;
        let change = change_of(&call.state.books, &wanted);
        let change = call.unless_refused(change).await?;
        let event = call.checked(&Command::Change { app, change }).await?;
        let before = plan_words(&call.state.books, app);
        let after = plan_after(&call.state.books, &event);
        let told = Told {
            before,
            after,
            ..Told::default()
        };
        call.take(event, told).await?;
        tracing::info!(app = app.get(), call = name, "subscription changed");
        Ok(())
    }

    /// What a change would do, by the usage of now. Nothing is changed.
    pub async fn preview(
        &self,
        app: SdkAppId,
        wanted: WantedChange,
        now: Timestamp,
    ) -> Result<Preview, ControlError> {
        let state = self.state.lock().await;
        let found = state.books.app(app).ok_or(AppError::NotFound(app))?;
        let mut books = self.with_usage(&state.books, found.0, now);
        drop(state);
        let at = now.max(books.now());
        books.settle(at);
        let change = change_of(&books, &wanted)?;
        let usage = self.gateway.app_usage(app, now);
        let counted = usage.into_iter().flat_map(|usage| usage.counted);
        let used: Vec<_> = counted
            .filter_map(|(limit, count)| Some((limit, u64::try_from(count).ok()?)))
            .collect();
        let terms = Arc::clone(&self.gateway.terms());
        let preview = preview(&books, &terms, app, &change, &used, at);
        preview.map_err(|refusal| refused(refusal, app))
    }

    /// Disables an app for ever (RULES 6.8). To confirm, it is to be named twice.
    pub async fn disable(
        &self,
        caller: &Caller,
        app: SdkAppId,
        confirm: SdkAppId,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut call = self.begin("Disable", caller, Some(app), now).await?;
        let confirmed = if confirm == app {
            Ok(())
        } else {
            Err(ControlError::Confirm(app))
        };
        call.unless_refused(confirmed).await?;
        let event = call.checked(&Command::Disable { app }).await?;
        let found = call.state.books.app(app);
        let before = found.map(|(_, subscription)| words::state(subscription.state()));
        let told = Told {
            before,
            after: Some(words::state(AppState::Disabled)),
            ..Told::default()
        };
        call.take(event, told).await?;
        tracing::info!(app = app.get(), "app disabled");
        Ok(())
    }

    /// Puts an app on another edition, at once and whatever the calendar says; what it has chosen besides is kept where that
    /// edition sells it.
    pub async fn set_edition(
        &self,
        caller: &Caller,
        app: SdkAppId,
        edition: &str,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut call = self.begin("SetEdition", caller, Some(app), now).await?;
        let found = match call.state.books.app(app) {
            None => Err(AppError::NotFound(app).into()),
            Some(_) => edition_of(&call.state.books, edition),
        };
        let edition_id = call.unless_refused(found).await?;
        let command = Command::SetEdition {
            app,
            edition: edition_id,
        };
        let event = call.checked(&command).await?;
        let before = plan_words(&call.state.books, app);
        let after = plan_after(&call.state.books, &event);
        let told = Told {
            before,
            after,
            ..Told::default()
        };
        call.take(event, told).await?;
        tracing::info!(app = app.get(), edition, "edition set");
        Ok(())
    }

    /// Notes that an app's plan is paid ahead until a day (RULES B15).
    pub async fn prepay(
        &self,
        caller: &Caller,
        app: SdkAppId,
        expires: Day,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut call = self.begin("SetPrepaid", caller, Some(app), now).await?;
        let event = call.checked(&Command::Prepaid { app, expires }).await?;
        let found = call.state.books.app(app);
        let until = found.and_then(|(_, subscription)| subscription.now().prepaid_until);
        let told = Told {
            before: until.map(words::prepaid),
            after: Some(words::prepaid(expires)),
            ..Told::default()
        };
        call.take(event, told).await
    }

    /// What an app subscribes to; nothing if there is none.
    pub async fn subscription(&self, app: SdkAppId) -> Option<SubscriptionView> {
        let state = self.state.lock().await;
        let (account, subscription) = state.books.app(app)?;
        let tariff = state.books.tariff();
        let phase = subscription.now();
        Some(SubscriptionView {
            account: account.clone(),
            created_at: subscription.created_at(),
            edition: tariff.catalog.edition(phase.edition).name.clone(),
            choices: phase.choices,
            prepaid_until: phase.prepaid_until,
            standing: self.gateway.control(app)?.standing,
            costs: subscription.costs(&tariff.catalog, tariff.zone),
        })
    }
}

fn refused(refusal: Refusal, app: SdkAppId) -> ControlError {
    match refusal {
        Refusal::AppNotFound => AppError::NotFound(app).into(),
        refusal => ControlError::Refused(refusal),
    }
}

fn edition_of(books: &Books, name: &str) -> Result<EditionId, ControlError> {
    let found = books.tariff().catalog.edition_id(name);
    found.ok_or_else(|| AppError::NoEdition(name.into()).into())
}

/// What is wanted, in the ids of the catalog in force.
fn change_of(books: &Books, wanted: &WantedChange) -> Result<Change, ControlError> {
    let settings = wanted.settings;
    let named = wanted.edition.as_deref();
    let edition = named.map(|name| edition_of(books, name)).transpose()?;
    match (wanted.upgrade, edition) {
        (true, Some(edition)) => Ok(Change::Upgrade { edition, settings }),
        (true, None) => Err(AppError::NoEdition("".into()).into()),
        (false, edition) => Ok(Change::Configuration { edition, settings }),
    }
}

fn plan_words(books: &Books, app: SdkAppId) -> Option<String> {
    let (_, subscription) = books.app(app)?;
    Some(words::plan(&subscription.plan(&books.tariff().catalog)))
}

/// The plan that an app has after a change.
fn plan_after(books: &Books, event: &crate::rating::Event) -> Option<String> {
    let crate::rating::Event::Changed { app, changed } = event else {
        return None;
    };
    let (_, subscription) = books.app(*app)?;
    let mut after = subscription.clone();
    after.change(books.tariff().zone, books.now(), changed);
    Some(words::plan(&after.plan(&books.tariff().catalog)))
}

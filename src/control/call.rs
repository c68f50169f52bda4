//! What every call does: it waits for its turn, lets happen what has fallen due, is written down, and is put in force.

use std::sync::Arc;

use tokio::sync::MutexGuard;

use super::{ControlError, ControlPlane, State};
use crate::gateway::{AppError, Control};
use crate::id::SdkAppId;
use crate::ledger::{Caller, Change, Entry, NewEvent};
use crate::rating::{Books, Command, Event, Happening, Rejected};
use crate::subscription::{Refusal, Standing, Subscription};
use crate::time::{Day, Timestamp};

/// Refused calls that the audit trail takes on a day; the others are only logged, so that nobody fills the disk with them.
const REFUSED_A_DAY_MAX: u32 = 1_000;
/// Characters that are kept of why a call was refused.
const WHY_CHARS_MAX: usize = 500;
/// The outcome of a call that was done.
pub(super) const DONE: &str = "OK";

/// How many refused calls were written down, on which day.
#[derive(Default)]
pub(super) struct Refused {
    day: Option<Day>,
    count: u32,
}

/// A call that is under way: no other is.
pub(super) struct Call<'a> {
    plane: &'a ControlPlane,
    pub(super) state: MutexGuard<'a, State>,
    caller: &'a Caller,
    name: &'static str,
    app: Option<SdkAppId>,
    pub(super) now: Timestamp,
    /// What it is stamped with: later than everything before, whatever the clock has done.
    pub(super) at: Timestamp,
}

/// What people and ledger are told of an event besides itself.
#[derive(Default)]
pub(super) struct Told<'a> {
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) note: Option<&'a str>,
    pub(super) reference: Option<&'a str>,
}

impl ControlPlane {
    /// Begins a call, when those before it are over and what has fallen due has happened.
    pub(super) async fn begin<'a>(
        &'a self,
        name: &'static str,
        caller: &'a Caller,
        app: Option<SdkAppId>,
        now: Timestamp,
    ) -> Result<Call<'a>, ControlError> {
        let mut state = self.state.lock().await;
        let at = now.max(state.last.plus_ms(1)).max(state.books.now());
        self.advance_to(&mut state, at, now, &Caller::new(super::closing::ACTOR, ""))
            .await?;
        Ok(Call {
            plane: self,
            state,
            caller,
            name,
            app,
            now,
            at,
        })
    }

    /// Puts in force what has become another in the books.
    pub(super) fn publish(&self, books: &mut Books, now: Timestamp) {
        for id in books.touched() {
            let Some((account, subscription)) = books.app(id) else {
                continue;
            };
            let before = self.gateway.control(id);
            let control = control_of(books, account, subscription, before.as_ref(), now);
            let done = match before {
                Some(before) if before == control => Ok(()),
                Some(_) => {
                    let Control { plan, standing, .. } = control;
                    self.gateway.set_subscription(id, plan, standing, now)
                }
                None => {
                    let created_at = subscription.created_at();
                    self.gateway.add_app(id, control, created_at, now)
                }
            };
            done.expect("an app of the books is on an edition of the catalog in force");
        }
        for dated in books.take_happened() {
            let account = dated.account.as_str();
            match dated.what {
                Happening::Pushed { month, total } => {
                    tracing::info!(account, %month, %total, "bill pushed");
                }
                Happening::Paid { month, total } => {
                    tracing::info!(account, %month, %total, "bill paid");
                }
                Happening::State { app, state } => {
                    let (app, state, at) = (app.get(), state.name(), dated.at);
                    tracing::info!(account, app, state, %at, "state changed");
                }
            }
        }
    }
}

/// What an app's limits are resolved from, with the overrides that it has. A call may be stamped a little later than its clock
/// says; what it does is in force when it is answered.
pub(super) fn control_of(
    books: &Books,
    account: &crate::id::AccountId,
    subscription: &Subscription,
    before: Option<&Control>,
    now: Timestamp,
) -> Control {
    let tariff = books.tariff();
    let money = books.account(account).cloned().unwrap_or_default();
    let Standing {
        suspended_from,
        repossessed_from,
        disabled_from,
    } = subscription.standing(&money, tariff.zone);
    let in_force = |from: Timestamp| {
        if from <= books.now() {
            from.min(now)
        } else {
            from
        }
    };
    Control {
        plan: subscription.plan(&tariff.catalog),
        standing: Standing {
            suspended_from: in_force(suspended_from),
            repossessed_from: in_force(repossessed_from),
            disabled_from: in_force(disabled_from),
        },
        overrides: before.map(|it| it.overrides.clone()).unwrap_or_default(),
    }
}

impl<'a> Call<'a> {
    /// What a command comes to, or its refusal, which is written down.
    pub(super) async fn checked(&mut self, command: &Command) -> Result<Event, ControlError> {
        let checked = self.state.books.check(self.at, command);
        let checked = checked.map_err(|rejected| match (rejected, self.app) {
            (Rejected::AppExists, Some(app)) => AppError::Exists(app).into(),
            (Rejected::Refused(Refusal::AppNotFound), Some(app)) => AppError::NotFound(app).into(),
            (Rejected::Refused(refusal), _) => ControlError::Refused(refusal),
            // A call is stamped later than all before, and creates the app that it is about.
            (Rejected::AppExists | Rejected::BeforeTheLast, _) => {
                unreachable!("no call comes to that: {rejected}")
            }
        });
        self.unless_refused(checked).await
    }

    /// Writes an event down with the call's entry in the audit trail, takes it in and puts it in force.
    pub(super) async fn take(&mut self, event: Event, told: Told<'_>) -> Result<(), ControlError> {
        let catalog = Arc::clone(&self.state.books.tariff().catalog);
        let entry = self.done(told.before, told.after);
        let change = Change::AddEvent(NewEvent {
            at: self.at,
            event: &event,
            catalog: &catalog,
            note: told.note,
            reference: told.reference,
        });
        self.plane.ledger.write(&[change], &[entry]).await?;
        self.state.last = self.at;
        let taken = self.state.books.take(self.at, event);
        taken.expect("it was decided by these books, at this instant");
        self.plane.publish(&mut self.state.books, self.now);
        Ok(())
    }

    /// The entry of a call that is done.
    pub(super) fn done(&self, before: Option<String>, after: Option<String>) -> Entry<'a> {
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
    pub(super) async fn unless_refused<T, E: Into<ControlError>>(
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
    pub(super) async fn refuse(&mut self, why: &str) {
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
        let day = self.state.books.tariff().zone.day(self.now);
        let refused = &mut self.state.refused;
        if refused.day != Some(day) {
            refused.day = Some(day);
            refused.count = 0;
        }
        if refused.count == REFUSED_A_DAY_MAX {
            return;
        }
        refused.count += 1;
        let entry = Entry {
            outcome: why,
            ..self.done(None, None)
        };
        if let Err(error) = self.plane.ledger.write(&[], &[entry]).await {
            tracing::warn!("a refused call is not in the audit trail: {error}");
        }
    }
}

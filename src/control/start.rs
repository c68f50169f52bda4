//! The beginning: the books made again from the ledger's events, put in force in a gateway that has no apps, and the apps of the
//! gateway file that are missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::call::{Refused, control_of};
use super::closing::{Closings, report_of};
use super::{ControlPlane, StartError, State, words};
use crate::gateway::{AppError, Control, Gateway};
use crate::id::{AccountId, SdkAppId};
use crate::ledger::{Caller, Change, Entry, Ledger, NewEvent};
use crate::rating::{Books, Event, Keep, PushDay, Tariff};
use crate::time::Timestamp;

/// What a gateway file wants of it.
pub struct Wanted<'a> {
    /// The file, as messages name it.
    pub file: &'a str,
    /// The apps that it names, with their editions; the catalog's first where none is named.
    pub apps: &'a [(SdkAppId, Option<Box<str>>)],
    /// The day of the next month on which a month's bills are pushed.
    pub push_day: PushDay,
}

impl ControlPlane {
    /// Puts the apps of the ledger in force in a gateway that has none, lets happen what has fallen due since, and creates those of
    /// the gateway file that it lacks.
    pub async fn start(
        gateway: Arc<Gateway>,
        ledger: Ledger,
        wanted: &Wanted<'_>,
        now: Timestamp,
    ) -> Result<Self, StartError> {
        let terms = Arc::clone(&gateway.terms());
        let tariff = Tariff {
            catalog: Arc::clone(&terms.catalog),
            zone: terms.zone,
            push_day: wanted.push_day,
        };
        let mut books = Books::new(tariff, Keep::Recent);
        let mut last = Timestamp::MIN;
        for (at, event) in ledger.events(&terms.catalog).await? {
            if !matches!(event, Event::MonthClosed { .. }) {
                last = at;
            }
            let taken = books.take(at, event);
            taken.map_err(|misfit| StartError::Events { at, misfit })?;
        }
        restore_usage(&mut books, &ledger).await?;
        let mut overrides: BTreeMap<_, _> = ledger
            .apps()
            .await?
            .into_iter()
            .map(|app| (app.id, app.overrides))
            .collect();
        for id in books.touched() {
            let Some((account, subscription)) = books.app(id) else {
                continue;
            };
            let control = Control {
                overrides: overrides.remove(&id).unwrap_or_default(),
                ..control_of(&books, account, subscription, None, now)
            };
            let added = gateway.add_app(id, control, subscription.created_at(), now);
            added.map_err(|error| StartError::wanted("the ledger", id, error))?;
        }
        books.take_happened();
        let plane = Self {
            gateway,
            ledger,
            state: Mutex::new(State {
                last,
                books,
                frozen: None,
                refused: Refused::default(),
            }),
            closings: Closings::default(),
        };
        plane.advance(now).await.map_err(StartError::Due)?;
        plane.create_missing(wanted, now).await?;
        Ok(plane)
    }

    async fn create_missing(&self, wanted: &Wanted<'_>, now: Timestamp) -> Result<(), StartError> {
        let caller = Caller::new(wanted.file, "start");
        let call = self.begin("CreateApp", &caller, None, now).await;
        let mut call = call.map_err(StartError::Due)?;
        let catalog = Arc::clone(&call.state.books.tariff().catalog);
        let mut missing = Vec::new();
        for (app, edition) in wanted.apps {
            if call.state.books.app(*app).is_some() {
                continue;
            }
            let edition = match edition {
                None => catalog.first_edition(),
                Some(name) => catalog.edition_id(name).ok_or_else(|| {
                    let error = AppError::NoEdition((**name).into());
                    StartError::wanted(wanted.file, *app, error)
                })?,
            };
            let account = own_account(*app);
            missing.push((
                *app,
                edition,
                Event::AppCreated {
                    app: *app,
                    account,
                    edition,
                },
            ));
        }
        let changes = missing.iter().map(|(_, _, event)| {
            Change::AddEvent(NewEvent {
                at: call.at,
                event,
                catalog: &catalog,
                note: None,
                reference: None,
            })
        });
        let entries = missing.iter().map(|(app, edition, _)| {
            let created = words::created(&own_account(*app), &catalog.edition(*edition).name);
            Entry {
                app: Some(*app),
                ..call.done(None, Some(created))
            }
        });
        let (changes, entries): (Vec<_>, Vec<_>) = (changes.collect(), entries.collect());
        self.ledger.write(&changes, &entries).await?;
        let at = call.at;
        for (_, _, event) in missing {
            let taken = call.state.books.take(at, event);
            taken.expect("an app that is missing can be created");
            call.state.last = at;
        }
        self.publish(&mut call.state.books, now);
        Ok(())
    }
}

/// The usage by which the last two closed months were billed. That of a close which was broken off is taken in when it is
/// finished.
async fn restore_usage(books: &mut Books, ledger: &Ledger) -> Result<(), StartError> {
    let Some(open) = books.open_month() else {
        return Ok(());
    };
    let since = open.previous().previous();
    for (close, days) in ledger.billed_usage(since).await? {
        let reached = days.iter().filter(|day| day.day.month() >= since);
        for day in reached.filter(|_| close.month < open) {
            // Every app of the ledger is one of the books.
            let _ = books.restore_billed(day.app, day.day, &report_of(day));
        }
    }
    Ok(())
}

/// An app has an account of its own, named after it, unless another is named.
pub(super) fn own_account(id: SdkAppId) -> AccountId {
    AccountId::new(&id.to_string()).expect("a number is a valid id")
}

//! What a command comes to, by the catalog in force: an event, or why it is refused. Nothing is changed.

use super::Books;
use crate::id::SdkAppId;
use crate::rating::command::{Command, Rejected};
use crate::rating::event::Event;
use crate::subscription::{Refusal, Subscription};
use crate::time::Timestamp;

impl Books {
    /// What a command comes to at an instant to which the books are settled.
    pub fn check(&self, at: Timestamp, command: &Command) -> Result<Event, Rejected> {
        let (catalog, zone) = (&self.tariff.catalog, self.tariff.zone);
        match command {
            Command::CreateApp {
                app,
                account,
                edition,
            } => {
                if self.apps.contains_key(app) {
                    return Err(Rejected::AppExists);
                }
                Ok(Event::AppCreated {
                    app: *app,
                    account: account.clone(),
                    edition: edition.unwrap_or_else(|| catalog.first_edition()),
                })
            }
            Command::Change { app, change } => {
                let changed = self.found(*app)?.decide(catalog, zone, at, change)?;
                let app = *app;
                Ok(Event::Changed { app, changed })
            }
            Command::SetEdition { app, edition } => {
                let changed = self.found(*app)?.decide_edition(catalog, *edition)?;
                let app = *app;
                Ok(Event::Changed { app, changed })
            }
            Command::Disable { app } => {
                self.found(*app)?.decide_disable()?;
                Ok(Event::Disabled { app: *app })
            }
            Command::Prepaid { app, expires } => {
                self.found(*app)?.decide_prepaid(*expires)?;
                let (app, expires) = (*app, *expires);
                Ok(Event::Prepaid { app, expires })
            }
            Command::TopUp { account, amount } => Ok(Event::ToppedUp {
                account: account.clone(),
                amount: *amount,
            }),
            Command::Credit { account, amount } => Ok(Event::Credited {
                account: account.clone(),
                amount: *amount,
            }),
        }
    }

    fn found(&self, app: SdkAppId) -> Result<&Subscription, Refusal> {
        let found = self.apps.get(&app);
        found
            .map(|app| &app.subscription)
            .ok_or(Refusal::AppNotFound)
    }
}

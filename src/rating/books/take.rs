//! Taking events in, and what falls due between them: states change at their instants (RULES B14 to B20, B48).

use std::collections::BTreeMap;

use super::{App, Books};
use crate::id::{AccountId, SdkAppId};
use crate::money::Money;
use crate::rating::bill::Bill;
use crate::rating::command::{Dated, Happening};
use crate::rating::event::Event;
use crate::rating::usage::Usage;
use crate::subscription::{Start, Subscription, Unpaid};
use crate::time::{Month, Timestamp};

/// Why an event does not follow what the books have taken. They have decided no such event; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Misfit {
    /// It is stamped earlier than what came before.
    #[error("it is earlier than what came before")]
    Earlier,
    /// It creates an app that exists.
    #[error("app {0} exists already")]
    AppExists(SdkAppId),
    /// It is about an app that does not exist.
    #[error("there is no app {0}")]
    NoApp(SdkAppId),
    /// It closes another month than the open one.
    #[error("{0} is not the month that closes next")]
    NotTheOpenMonth(Month),
}

impl Books {
    /// Takes an event at its time. What falls due until then happens first, that instant included; but a month closes before
    /// what falls due at the same instant (RULES B48).
    pub fn take(&mut self, at: Timestamp, event: Event) -> Result<(), Misfit> {
        self.fits(at, &event)?;
        if let Event::MonthClosed { month, bills } = event {
            self.settle_before(at);
            self.close(month, bills, at);
            return Ok(());
        }
        self.settle(at);
        let zone = self.tariff.zone;
        match event {
            Event::AppCreated {
                app,
                account,
                edition,
            } => {
                let start = if edition == self.tariff.catalog.first_edition() {
                    Start::Free
                } else {
                    Start::Activated
                };
                self.create_app(app, account, at, |account| {
                    Subscription::create(edition, start, account, zone, at)
                });
            }
            Event::Changed { app, changed } => self.edit(app, |app| app.change(zone, at, &changed)),
            Event::Disabled { app } => {
                self.edit(app, |app| app.disable(at));
                if let Some(App {
                    account,
                    subscription,
                    ..
                }) = self.apps.get(&app)
                {
                    let (account, state) = (account.clone(), subscription.state());
                    let what = Happening::State { app, state };
                    self.happened.push(Dated { at, account, what });
                }
            }
            Event::Prepaid { app, expires } => {
                self.edit(app, |app| app.prepay(expires, at));
                let found = self.apps.get(&app);
                let dates =
                    found.map(|it| (it.account.clone(), it.subscription.prepaid_dates(zone)));
                if let Some((account, dates)) = dates {
                    self.expect(&account, dates, at);
                    self.settle_account(&account, at);
                }
            }
            Event::ToppedUp { account, amount } | Event::Credited { account, amount } => {
                self.receive(&account, amount, at);
            }
            Event::MonthClosed { .. } => {}
        }
        Ok(())
    }

    fn fits(&self, at: Timestamp, event: &Event) -> Result<(), Misfit> {
        if at < self.now {
            return Err(Misfit::Earlier);
        }
        match event {
            Event::AppCreated { app, .. } if self.apps.contains_key(app) => {
                Err(Misfit::AppExists(*app))
            }
            Event::Changed { app, .. } | Event::Disabled { app } | Event::Prepaid { app, .. }
                if !self.apps.contains_key(app) =>
            {
                Err(Misfit::NoApp(*app))
            }
            Event::MonthClosed { month, .. } if self.open != Some(*month) => {
                Err(Misfit::NotTheOpenMonth(*month))
            }
            Event::AppCreated { .. }
            | Event::Changed { .. }
            | Event::Disabled { .. }
            | Event::Prepaid { .. }
            | Event::ToppedUp { .. }
            | Event::Credited { .. }
            | Event::MonthClosed { .. } => Ok(()),
        }
    }

    fn create_app(
        &mut self,
        app: SdkAppId,
        account: AccountId,
        at: Timestamp,
        create: impl FnOnce(&crate::subscription::Account) -> Subscription,
    ) {
        let month = self.tariff.zone.day(at).month();
        self.open.get_or_insert(month);
        let holder = self.accounts.entry(account.clone()).or_default();
        holder.since.get_or_insert(month);
        holder.apps.insert(app);
        let subscription = create(&holder.money);
        let made = App {
            account,
            subscription,
            usage: Usage::default(),
            billed: BTreeMap::new(),
        };
        self.apps.insert(app, made);
        self.touched.insert(app);
    }

    fn edit(&mut self, app: SdkAppId, edit: impl FnOnce(&mut Subscription)) {
        if let Some(found) = self.apps.get_mut(&app) {
            edit(&mut found.subscription);
            self.touched.insert(app);
        }
    }

    fn receive(&mut self, account: &AccountId, amount: Money, at: Timestamp) {
        let holder = self.accounts.entry(account.clone()).or_default();
        let paid = holder.money.top_up(amount);
        let is_restored = !paid.is_empty() && holder.money.arrears_since().is_none();
        self.touched.extend(&holder.apps);
        self.paid(account, &paid, at);
        if is_restored {
            self.settle_account(account, at);
        }
    }

    /// A bill of more than nothing is pushed, and paid where the balance allows (RULES B13, B46).
    pub(super) fn push(&mut self, bill: &Bill, at: Timestamp) {
        let (account, month, total) = (&bill.account, bill.month, bill.total);
        let holder = self.accounts.entry(account.clone()).or_default();
        let paid = holder.money.push(Unpaid { month, total }, at);
        let money = &holder.money;
        let dates = [money.suspended_from(), money.repossessed_from()];
        self.touched.extend(&holder.apps);
        let what = Happening::Pushed { month, total };
        let account = account.clone();
        self.happened.push(Dated { at, account, what });
        self.paid(&bill.account, &paid, at);
        self.expect(&bill.account, dates, at);
    }

    fn paid(&mut self, account: &AccountId, paid: &[Unpaid], at: Timestamp) {
        self.happened.extend(paid.iter().map(|bill| Dated {
            at,
            account: account.clone(),
            what: Happening::Paid {
                month: bill.month,
                total: bill.total,
            },
        }));
    }

    /// Remembers instants still to come at which the account's apps are to be looked at.
    fn expect(&mut self, account: &AccountId, dates: [Timestamp; 2], now: Timestamp) {
        let coming = dates.into_iter();
        let coming = coming.filter(|at| *at > now && *at < Timestamp::MAX);
        self.due.extend(coming.map(|at| (at, account.clone())));
    }

    /// Turns the clock to an instant, and lets states change that do until then, that instant included. Months do not close by
    /// it: see [`Self::next_closing`].
    pub fn settle(&mut self, to: Timestamp) {
        self.settle_while(|due| due <= to);
        self.now = self.now.max(to);
    }

    /// The same without that instant.
    pub(super) fn settle_before(&mut self, to: Timestamp) {
        self.settle_while(|due| due < to);
        self.now = self.now.max(to);
    }

    fn settle_while(&mut self, is_due: impl Fn(Timestamp) -> bool) {
        while let Some((at, _)) = self.due.first().filter(|(at, _)| is_due(*at)) {
            let at = *at;
            if let Some((_, account)) = self.due.pop_first() {
                self.settle_account(&account, at);
            }
        }
    }

    /// Brings the states of an account's apps to where they stand at an instant.
    fn settle_account(&mut self, account: &AccountId, at: Timestamp) {
        let Some(holder) = self.accounts.get(account) else {
            return;
        };
        for id in &holder.apps {
            let app = self.apps.get_mut(id);
            let settled =
                app.and_then(|app| app.subscription.settle(&holder.money, self.tariff.zone, at));
            if let Some(state) = settled {
                self.touched.insert(*id);
                self.happened.push(Dated {
                    at,
                    account: account.clone(),
                    what: Happening::State { app: *id, state },
                });
            }
        }
    }
}

//! The books of a deployment: accounts and their apps over time, and what falls due at which instant (RULES 6.9, B13, B47 to B49).
//!
//! Pure: a virtual clock that only its caller turns. `check` decides what a command comes to, `take` takes events in, `closing`
//! makes a month's bills. Invariant: the same events at the same times, and the same usage, give the same books; a refused command
//! changes nothing; what falls due at an instant has happened before an event stamped with it; a pushed bill never changes.
//! Absent on purpose: storage. Whoever keeps the events with their times can make the books again.

mod check;
mod closing;
mod take;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bill::{Basis, Bill};
use super::command::{Command, Dated, PushDay, Rejected};
use super::event::Event;
use super::usage::Usage;
use crate::catalog::Catalog;
use crate::id::{AccountId, SdkAppId};
use crate::subscription::{Account, Subscription};
use crate::time::{Month, Timestamp, Zone};
pub use take::Misfit;

/// What every bill of a deployment is made by.
#[derive(Clone, Debug)]
pub struct Tariff {
    /// What is sold.
    pub catalog: Arc<Catalog>,
    /// The zone of days and months (RULES B25).
    pub zone: Zone,
    /// The day of the next month on which a month's bills are pushed (RULES B13).
    pub push_day: PushDay,
}

/// How much of what has passed books keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Everything.
    All,
    /// What is needed to go on: no bills, and usage of months that late usage can still reach.
    Recent,
}

/// Accounts, apps, bills and what happened.
#[derive(Clone, Debug)]
pub struct Books {
    tariff: Tariff,
    keep: Keep,
    now: Timestamp,
    accounts: BTreeMap<AccountId, Holder>,
    apps: BTreeMap<SdkAppId, App>,
    /// The month that closes next, from the first app on.
    open: Option<Month>,
    /// Instants at which an account's apps may change their state. One that has become void does no harm.
    due: BTreeSet<(Timestamp, AccountId)>,
    bills: Vec<Bill>,
    happened: Vec<Dated>,
    touched: BTreeSet<SdkAppId>,
}

/// An account with its apps.
#[derive(Clone, Debug, Default)]
struct Holder {
    money: Account,
    apps: BTreeSet<SdkAppId>,
    /// The month of its first app: the first with a bill.
    since: Option<Month>,
}

/// An app with its usage.
#[derive(Clone, Debug)]
struct App {
    account: AccountId,
    subscription: Subscription,
    usage: Usage,
    /// Closed months that late usage has raised since the last bill, with their usage as billed and adjusted until then.
    billed: BTreeMap<Month, Usage>,
}

impl Books {
    /// Empty books.
    pub fn new(tariff: Tariff, keep: Keep) -> Self {
        Self {
            tariff,
            keep,
            now: Timestamp::MIN,
            accounts: BTreeMap::new(),
            apps: BTreeMap::new(),
            open: None,
            due: BTreeSet::new(),
            bills: Vec::new(),
            happened: Vec::new(),
            touched: BTreeSet::new(),
        }
    }

    /// Takes a command at its time; first whatever falls due until then happens, at its own time. Gives what it came to.
    pub fn apply(&mut self, at: Timestamp, command: &Command) -> Result<Event, Rejected> {
        self.advance(at)?;
        let event = self.check(at, command)?;
        let taken = self.take(at, event.clone());
        taken.expect("it was decided by these books, at this instant");
        Ok(event)
    }

    /// Turns the clock to an instant, and lets happen what falls due until then, that instant included (RULES B48). Gives the
    /// months that were closed, with their bills.
    pub fn advance(&mut self, to: Timestamp) -> Result<Vec<(Timestamp, Event)>, Rejected> {
        if to < self.now {
            return Err(Rejected::BeforeTheLast);
        }
        let mut closed = Vec::new();
        while let Some((at, month)) = self.next_closing(to) {
            let bills = self.draft_all(month);
            let event = Event::MonthClosed { month, bills };
            closed.push((at, event.clone()));
            self.take(at, event)
                .expect("it is the open month, and its time has come");
        }
        self.settle(to);
        Ok(closed)
    }

    /// Puts another catalog in force: what has happened is found again in it by the names of the editions. Those that it lacks
    /// come back with the apps that were ever on them, whose months may still be adjusted; then nothing changes.
    pub fn set_catalog(&mut self, catalog: Arc<Catalog>) -> Result<(), Vec<(SdkAppId, Box<str>)>> {
        let missing = self.missing_from(&catalog);
        if !missing.is_empty() {
            return Err(missing);
        }
        let before = Arc::clone(&self.tariff.catalog);
        let renamed = |edition| {
            let found = catalog.edition_id(&before.edition(edition).name);
            found.unwrap_or_else(|| catalog.first_edition())
        };
        for app in self.apps.values_mut() {
            app.subscription.renamed(renamed);
        }
        for line in self.bills.iter_mut().flat_map(|bill| &mut bill.lines) {
            if let Basis::Plan(edition) = &mut line.basis {
                *edition = renamed(*edition);
            }
        }
        self.touched.extend(self.apps.keys());
        self.tariff.catalog = catalog;
        Ok(())
    }

    /// The editions that a catalog lacks, with the apps that were ever on them.
    pub fn missing_from(&self, catalog: &Catalog) -> Vec<(SdkAppId, Box<str>)> {
        let before = &self.tariff.catalog;
        let mut missing = BTreeSet::new();
        for (id, app) in &self.apps {
            let names = app.subscription.editions();
            let names = names.map(|edition| &before.edition(edition).name);
            let lost = names.filter(|name| catalog.edition_id(name).is_none());
            missing.extend(lost.map(|name| (*id, name.clone())));
        }
        missing.into_iter().collect()
    }

    /// A copy with one account alone, to try something in.
    #[must_use]
    pub fn only(&self, account: &AccountId) -> Self {
        let holder = self.accounts.get(account).cloned();
        let ids = holder.iter().flat_map(|holder| &holder.apps);
        let apps = ids.filter_map(|id| Some((*id, self.apps.get(id)?.clone())));
        let due = self.due.iter().filter(|(_, of)| of == account);
        Self {
            tariff: self.tariff.clone(),
            keep: self.keep,
            now: self.now,
            apps: apps.collect(),
            open: self.open,
            due: due.cloned().collect(),
            bills: Vec::new(),
            happened: Vec::new(),
            touched: BTreeSet::new(),
            accounts: holder.map(|it| (account.clone(), it)).into_iter().collect(),
        }
    }

    /// The apps whose plan or standing may have become another since this was asked last, by id.
    pub fn touched(&mut self) -> BTreeSet<SdkAppId> {
        std::mem::take(&mut self.touched)
    }

    /// What bills are made by.
    pub fn tariff(&self) -> &Tariff {
        &self.tariff
    }

    /// The instant that the clock was turned to.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The bills of closed months, by month and account: one for every month from the account's first app on. None where only
    /// what is recent is kept.
    pub fn bills(&self) -> &[Bill] {
        &self.bills
    }

    /// Everything that happened by itself or came of a command, in the order of time.
    pub fn happened(&self) -> &[Dated] {
        &self.happened
    }

    /// The same since this was asked last, for one who keeps it.
    pub fn take_happened(&mut self) -> Vec<Dated> {
        std::mem::take(&mut self.happened)
    }

    /// The accounts, in order.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.accounts.keys()
    }

    /// The money side of an account, from the first event on that named it.
    pub fn account(&self, account: &AccountId) -> Option<&Account> {
        self.accounts.get(account).map(|holder| &holder.money)
    }

    /// The apps of an account, by id.
    pub fn apps_of(&self, account: &AccountId) -> impl Iterator<Item = SdkAppId> {
        let holder = self.accounts.get(account);
        holder
            .into_iter()
            .flat_map(|holder| holder.apps.iter().copied())
    }

    /// The apps, by id.
    pub fn apps(&self) -> impl Iterator<Item = SdkAppId> {
        self.apps.keys().copied()
    }

    /// An app's subscription, and the account that pays for it.
    pub fn app(&self, app: SdkAppId) -> Option<(&AccountId, &Subscription)> {
        let found = self.apps.get(&app)?;
        Some((&found.account, &found.subscription))
    }
}

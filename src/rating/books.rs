//! The books of a deployment: accounts and their apps over time, and what falls due at which instant (RULES 6.9, B13, B47 to B49).
//!
//! Pure: a virtual clock that only its caller turns. Invariant: the same commands at the same times give the same books; a refused
//! command changes nothing; what falls due at an instant has happened before a command stamped with it; a pushed bill never
//! changes. Absent on purpose: storage. Whoever keeps the accepted commands with their times can make the books again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::adjust::adjustments;
use super::bill::{Bill, Line};
use super::command::{Command, Dated, Happening, PushDay, Rejected};
use super::month::rate;
use super::usage::{DayReport, Usage};
use crate::catalog::Catalog;
use crate::id::{AccountId, SdkAppId};
use crate::money::Money;
use crate::subscription::{Account, Change, Refusal, Subscription, Unpaid};
use crate::time::{Day, Month, Timestamp, Zone};

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

/// Accounts, apps, bills and what happened.
#[derive(Clone, Debug)]
pub struct Books {
    tariff: Tariff,
    now: Timestamp,
    accounts: BTreeMap<AccountId, Holder>,
    apps: BTreeMap<SdkAppId, App>,
    /// The month that closes next, from the first app on.
    open: Option<Month>,
    /// Instants at which an account's apps may change their state. One that has become void does no harm.
    due: BTreeSet<(Timestamp, AccountId)>,
    bills: Vec<Bill>,
    happened: Vec<Dated>,
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
    /// Closed months that usage has arrived for since the last bill, with their lines as billed and adjusted until then.
    late: BTreeMap<Month, Vec<Line>>,
}

impl Books {
    /// Empty books.
    pub fn new(tariff: Tariff) -> Self {
        Self {
            tariff,
            now: Timestamp::MIN,
            accounts: BTreeMap::new(),
            apps: BTreeMap::new(),
            open: None,
            due: BTreeSet::new(),
            bills: Vec::new(),
            happened: Vec::new(),
        }
    }

    /// Takes a command at its time; first whatever falls due until then happens, at its own time.
    pub fn apply(&mut self, at: Timestamp, command: &Command) -> Result<(), Rejected> {
        self.advance(at)?;
        match command {
            Command::CreateApp { app, account } => return self.create_app(*app, account, at),
            Command::Change { app, change } => self.change(*app, change, at),
            Command::Disable { app } => self.disable(*app, at),
            Command::Prepaid { app, expires } => self.prepay(*app, *expires, at),
            Command::Usage { app, day, report } => self.report(*app, *day, report),
            Command::TopUp { account, amount } => {
                self.top_up(account, *amount, at);
                Ok(())
            }
        }
        .map_err(Rejected::Refused)
    }

    /// Turns the clock to an instant, and lets happen what falls due until then, that instant included (RULES B48).
    pub fn advance(&mut self, to: Timestamp) -> Result<(), Rejected> {
        if to < self.now {
            return Err(Rejected::BeforeTheLast);
        }
        loop {
            let push = self.next_push().filter(|(at, _)| *at <= to);
            let due = self.due.first().map(|(at, _)| *at).filter(|at| *at <= to);
            match (push, due) {
                (Some((at, month)), due) if due.is_none_or(|due| at <= due) => {
                    self.close(month, at);
                }
                (_, Some(_)) => {
                    if let Some((at, account)) = self.due.pop_first() {
                        self.settle(&account, at);
                    }
                }
                (_, None) => break,
            }
        }
        self.now = to;
        Ok(())
    }

    /// When the open month closes, and which it is; nothing before the first app and beyond the end of time.
    fn next_push(&self) -> Option<(Timestamp, Month)> {
        let month = self.open?;
        let at = self.tariff.zone.start(self.push_date(month));
        (at < Timestamp::MAX).then_some((at, month))
    }

    fn push_date(&self, month: Month) -> Day {
        month
            .next()
            .first_day()
            .plus(self.tariff.push_day.days_after_first())
    }

    /// Closes a month: its bills are made and pushed, and paid where the balance allows (RULES B13, B46, B49).
    fn close(&mut self, month: Month, at: Timestamp) {
        let billed: Vec<_> = self.accounts.keys().cloned().collect();
        for account in billed {
            let Some(bill) = self.draft(&account, month, None) else {
                continue;
            };
            let total = bill.total;
            self.bills.push(bill);
            let Some(holder) = self.accounts.get_mut(&account) else {
                continue;
            };
            for app in &holder.apps {
                if let Some(app) = self.apps.get_mut(app) {
                    app.late.clear();
                }
            }
            if total.is_zero() {
                continue;
            }
            let paid = holder.money.push(Unpaid { month, total }, at);
            let dates = [
                holder.money.suspended_from(),
                holder.money.repossessed_from(),
            ];
            self.happened.push(Dated {
                at,
                account: account.clone(),
                what: Happening::Pushed { month, total },
            });
            self.paid(&account, &paid, at);
            self.expect(&account, dates, at);
        }
        self.open = Some(month.next());
    }

    /// The bill of a month as it stands; nothing for a month before the account's first app. With `instead`, as if an app had
    /// another subscription.
    pub fn draft(
        &self,
        account: &AccountId,
        month: Month,
        instead: Option<(SdkAppId, &Subscription)>,
    ) -> Option<Bill> {
        let holder = self.accounts.get(account)?;
        holder.since.filter(|since| *since <= month)?;
        let (mut lines, mut free) = (Vec::new(), Vec::new());
        for id in &holder.apps {
            let Some(app) = self.apps.get(id) else {
                continue;
            };
            let subscription = match instead {
                Some((other, subscription)) if other == *id => subscription,
                Some(_) | None => &app.subscription,
            };
            let rated = self.rate(*id, subscription, &app.usage, month);
            let rounds_to_something = |line: &Line| !line.amount.is_zero();
            lines.extend(rated.lines.into_iter().filter(rounds_to_something));
            free.extend(rated.free);
            for (late, billed) in &app.late {
                let now = self.rate(*id, subscription, &app.usage, *late).lines;
                lines.extend(adjustments(*late, billed, &now));
            }
        }
        let total = lines
            .iter()
            .fold(Money::ZERO, |sum, line| sum.plus(line.amount));
        Some(Bill {
            account: account.clone(),
            month,
            pushed: (!total.is_zero()).then(|| self.push_date(month)),
            total,
            lines,
            free,
        })
    }

    fn rate(
        &self,
        app: SdkAppId,
        subscription: &Subscription,
        usage: &Usage,
        month: Month,
    ) -> super::AppMonth {
        let (catalog, zone) = (&self.tariff.catalog, self.tariff.zone);
        rate(app, subscription, usage, catalog, zone, month)
    }

    fn create_app(
        &mut self,
        app: SdkAppId,
        account: &AccountId,
        at: Timestamp,
    ) -> Result<(), Rejected> {
        if self.apps.contains_key(&app) {
            return Err(Rejected::AppExists);
        }
        let month = self.tariff.zone.day(at).month();
        self.open.get_or_insert(month);
        let holder = self.accounts.entry(account.clone()).or_default();
        holder.since.get_or_insert(month);
        holder.apps.insert(app);
        let subscription = Subscription::create(&self.tariff.catalog, &holder.money, at);
        let made = App {
            account: account.clone(),
            subscription,
            usage: Usage::default(),
            late: BTreeMap::new(),
        };
        self.apps.insert(app, made);
        Ok(())
    }

    fn found(&mut self, app: SdkAppId) -> Result<&mut App, Refusal> {
        self.apps.get_mut(&app).ok_or(Refusal::AppNotFound)
    }

    fn change(&mut self, app: SdkAppId, change: &Change, at: Timestamp) -> Result<(), Refusal> {
        let Tariff { catalog, zone, .. } = self.tariff.clone();
        let found = self.found(app)?;
        found.subscription.change(&catalog, zone, at, change)
    }

    fn disable(&mut self, app: SdkAppId, at: Timestamp) -> Result<(), Refusal> {
        let found = self.found(app)?;
        found.subscription.disable(at)?;
        let (account, state) = (found.account.clone(), found.subscription.state());
        self.happened.push(Dated {
            at,
            account,
            what: Happening::State { app, state },
        });
        Ok(())
    }

    fn prepay(&mut self, app: SdkAppId, expires: Day, at: Timestamp) -> Result<(), Refusal> {
        let zone = self.tariff.zone;
        let found = self.found(app)?;
        found.subscription.prepay(expires, at)?;
        let (account, dates) = (
            found.account.clone(),
            found.subscription.prepaid_dates(zone),
        );
        self.expect(&account, dates, at);
        self.settle(&account, at);
        Ok(())
    }

    fn top_up(&mut self, account: &AccountId, amount: Money, at: Timestamp) {
        let holder = self.accounts.entry(account.clone()).or_default();
        let paid = holder.money.top_up(amount);
        let is_restored = !paid.is_empty() && holder.money.arrears_since().is_none();
        self.paid(account, &paid, at);
        if is_restored {
            self.settle(account, at);
        }
    }

    fn report(&mut self, app: SdkAppId, day: Day, report: &DayReport) -> Result<(), Refusal> {
        let (month, open) = (day.month(), self.open);
        let tariff = &self.tariff;
        let found = self.apps.get_mut(&app).ok_or(Refusal::AppNotFound)?;
        if open.is_some_and(|open| month < open) && !found.late.contains_key(&month) {
            let App {
                subscription,
                usage,
                ..
            } = found;
            let billed = rate(
                app,
                subscription,
                usage,
                &tariff.catalog,
                tariff.zone,
                month,
            );
            found.late.insert(month, billed.lines);
        }
        found.usage.merge(day, report);
        Ok(())
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

    /// Brings the states of an account's apps to where they stand at an instant.
    fn settle(&mut self, account: &AccountId, at: Timestamp) {
        let Some(holder) = self.accounts.get(account) else {
            return;
        };
        for id in &holder.apps {
            let app = self.apps.get_mut(id);
            let settled =
                app.and_then(|app| app.subscription.settle(&holder.money, self.tariff.zone, at));
            self.happened.extend(settled.map(|state| Dated {
                at,
                account: account.clone(),
                what: Happening::State { app: *id, state },
            }));
        }
    }

    /// What bills are made by.
    pub fn tariff(&self) -> &Tariff {
        &self.tariff
    }

    /// The instant that the clock was turned to.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The bills of closed months, by month and account: one for every month from the account's first app on.
    pub fn bills(&self) -> &[Bill] {
        &self.bills
    }

    /// Everything that happened by itself or came of a command, in the order of time.
    pub fn happened(&self) -> &[Dated] {
        &self.happened
    }

    /// The money side of an account, from the first command on that named it.
    pub fn account(&self, account: &AccountId) -> Option<&Account> {
        self.accounts.get(account).map(|holder| &holder.money)
    }

    /// An app's subscription, and the account that pays for it.
    pub fn app(&self, app: SdkAppId) -> Option<(&AccountId, &Subscription)> {
        let found = self.apps.get(&app)?;
        Some((&found.account, &found.subscription))
    }
}

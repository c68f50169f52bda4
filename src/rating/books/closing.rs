//! The closing of months: usage as it is reported, the bills that come of it, and what late usage changes (RULES B13, B46 to B49).

use super::{App, Books, Keep};
use crate::id::{AccountId, SdkAppId};
use crate::money::Money;
use crate::rating::adjust::adjustments;
use crate::rating::bill::{Bill, Line};
use crate::rating::month::{AppMonth, rate};
use crate::rating::usage::{DayReport, Usage};
use crate::subscription::{Refusal, Subscription};
use crate::time::{Day, Month, Timestamp};

impl Books {
    /// The month that closes next, from the first app on.
    pub fn open_month(&self) -> Option<Month> {
        self.open
    }

    /// When the open month closes, and which it is, if that is not after an instant. What falls due before it has happened then.
    pub fn next_closing(&mut self, to: Timestamp) -> Option<(Timestamp, Month)> {
        let (at, month) = self.next_push().filter(|(at, _)| *at <= to)?;
        self.settle_before(at);
        Some((at, month))
    }

    /// When the open month closes, and which it is; nothing before the first app and beyond the end of time.
    pub fn next_push(&self) -> Option<(Timestamp, Month)> {
        let (month, zone) = (self.open?, self.tariff.zone);
        let at = self.push_instant(month);
        // A push day that was set earlier than before may have passed already: then at the next midnight.
        let at = if at < self.now {
            zone.start(zone.day(self.now).next())
        } else {
            at
        };
        (at < Timestamp::MAX).then_some((at, month))
    }

    /// When a month closes by the calendar.
    pub fn push_instant(&self, month: Month) -> Timestamp {
        let after_first = self.tariff.push_day.days_after_first();
        let day = month.next().first_day().plus(after_first);
        self.tariff.zone.start(day)
    }

    /// The next instant after which something may be due: a closing, or a change of an app's state.
    pub fn next_due(&self) -> Option<Timestamp> {
        let push = self.next_push().map(|(at, _)| at);
        let due = self.due.first().map(|(at, _)| *at);
        push.into_iter().chain(due).min()
    }

    /// Whether a report says more of a day than the books know; nothing of an app that they do not know.
    pub fn is_news(&self, app: SdkAppId, day: Day, report: &DayReport) -> bool {
        let found = self.apps.get(&app);
        found.is_some_and(|app| app.usage.is_raised_by(day, report))
    }

    /// Takes in what an app used on a day, in whichever order it arrives. Where only what is recent is kept, days before the last
    /// two closed months are passed over: as what they were billed is not known any more.
    pub fn report(&mut self, app: SdkAppId, day: Day, report: &DayReport) -> Result<(), Refusal> {
        let (month, open) = (day.month(), self.open);
        let found = self.apps.get_mut(&app).ok_or(Refusal::AppNotFound)?;
        let is_forgotten = open.is_some_and(|open| month.next().next() < open);
        if is_forgotten && self.keep == Keep::Recent || !found.usage.is_raised_by(day, report) {
            return Ok(());
        }
        if open.is_some_and(|open| month < open) {
            let usage = &found.usage;
            let billed = found.billed.entry(month);
            billed.or_insert_with(|| usage.of_month(month));
        }
        found.usage.merge(day, report);
        Ok(())
    }

    /// Takes in usage that a closed month was billed or adjusted by: nothing of it is late.
    pub fn restore_billed(
        &mut self,
        app: SdkAppId,
        day: Day,
        report: &DayReport,
    ) -> Result<(), Refusal> {
        let found = self.apps.get_mut(&app).ok_or(Refusal::AppNotFound)?;
        found.usage.merge(day, report);
        Ok(())
    }

    /// The bills of the open month as they are pushed when it closes, by account.
    pub fn draft_all(&self, month: Month) -> Vec<Bill> {
        let accounts = self.accounts.keys();
        accounts
            .filter_map(|account| self.draft(account, month, None))
            .collect()
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
            // Late usage is for the bill that comes next.
            let late = app.billed.iter().filter(|_| self.open == Some(month));
            for (late, billed) in late {
                let [billed, now] = [billed, &app.usage]
                    .map(|usage| self.rate(*id, subscription, usage, *late).lines);
                lines.extend(adjustments(*late, &billed, &now));
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

    /// The day on which a month's bills are pushed.
    fn push_date(&self, month: Month) -> Day {
        let next = self.next_push().filter(|(_, open)| *open == month);
        let at = next.map_or_else(|| self.push_instant(month), |(at, _)| at);
        self.tariff.zone.day(at)
    }

    fn rate(
        &self,
        app: SdkAppId,
        subscription: &Subscription,
        usage: &Usage,
        month: Month,
    ) -> AppMonth {
        let (catalog, zone) = (&self.tariff.catalog, self.tariff.zone);
        rate(app, subscription, usage, catalog, zone, month)
    }

    /// Closes a month: its bills are pushed, and late usage is billed by them.
    pub(super) fn close(&mut self, month: Month, bills: Vec<Bill>, at: Timestamp) {
        for bill in bills.iter().filter(|bill| !bill.total.is_zero()) {
            self.push(bill, at);
        }
        for App { usage, billed, .. } in self.apps.values_mut() {
            billed.clear();
            if self.keep == Keep::Recent {
                usage.forget_before(month.previous());
            }
        }
        if self.keep == Keep::All {
            self.bills.extend(bills);
        }
        self.open = Some(month.next());
    }
}

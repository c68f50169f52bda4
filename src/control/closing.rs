//! Months that close: their usage is frozen, then their bills are written (RULES B13, B49).
//!
//! Invariant: from the instant its usage is in the ledger a month is billed by that and nothing else, however often writing the
//! bills is broken off. Absent on purpose: when it is looked; the server's task asks, and so does every call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{ControlError, ControlPlane, State, words};
use crate::gateway::MeteredDay;
use crate::id::SdkAppId;
use crate::ledger::{BilledDay, Caller, Entry};
use crate::metering::Counted;
use crate::money::{Money, Quantity};
use crate::rating::{DayReport, Event};
use crate::time::{Month, Timestamp};

/// Who closes months that nobody has asked to close.
pub(super) const ACTOR: &str = "calendar";
/// Closed months before the one that closes whose usage can still have been raised.
const LATE_MONTHS: usize = 2;

/// A month that is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed {
    /// The month.
    pub month: Month,
    /// When it closed.
    pub at: Timestamp,
    /// Its bills, those of nothing among them.
    pub bills: u64,
    /// What they come to.
    pub total: Money,
}

/// How many months were closed since the start, and how often what had fallen due could not be done.
#[derive(Default, Debug)]
pub struct Closings {
    closed: AtomicU64,
    failed: AtomicU64,
}

impl Closings {
    /// Months closed.
    pub fn closed(&self) -> u64 {
        self.closed.load(Ordering::Relaxed)
    }

    /// Attempts that failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

impl ControlPlane {
    /// Lets happen what has fallen due until now: months close, states change. Gives the next instant at which something will.
    pub async fn advance(&self, now: Timestamp) -> Result<Option<Timestamp>, ControlError> {
        let mut state = self.state.lock().await;
        let caller = Caller::new(ACTOR, "");
        self.advance_to(&mut state, now, now, &caller).await?;
        Ok(state.books.next_due())
    }

    /// When a month closes; nothing if it has.
    pub async fn closes_at(&self, month: Month) -> Option<Timestamp> {
        let state = self.state.lock().await;
        let has_closed = state.books.open_month().is_some_and(|open| month < open);
        (!has_closed).then(|| match state.books.next_push() {
            Some((at, next)) if next == month => at,
            Some(_) | None => state.books.push_instant(month),
        })
    }

    /// Closes a month, the last that is due if none is named; one that is closed already gives the same answer again.
    pub async fn close_month(
        &self,
        caller: &Caller,
        month: Option<Month>,
        now: Timestamp,
    ) -> Result<Closed, ControlError> {
        {
            let mut state = self.state.lock().await;
            self.advance_to(&mut state, now, now, caller).await?;
        }
        let mut call = self.begin("CloseMonth", caller, None, now).await?;
        let checked = last_closed(&call.state, month);
        let last = call.unless_refused(checked).await?;
        let close = self.ledger.close_of(last).await?;
        let checked = close.ok_or_else(|| match (month, call.state.books.next_push()) {
            // Whoever names none waits for the first.
            (None, Some((at, month))) => ControlError::NotDue { month, at },
            _ => ControlError::NothingToBill(last),
        });
        let month = last;
        let at = call.unless_refused(checked).await?.at;
        let (bills, total) = self.ledger.bills_of(month).await?;
        let entry = call.done(None, Some(words::closed(month, bills, total)));
        self.ledger.write(&[], &[entry]).await?;
        Ok(Closed {
            month,
            at,
            bills,
            total,
        })
    }

    /// The same as [`Self::advance`] for a state that is held. `caller` is who closes months by it.
    pub(super) async fn advance_to(
        &self,
        state: &mut State,
        to: Timestamp,
        now: Timestamp,
        caller: &Caller,
    ) -> Result<(), ControlError> {
        while let Some((at, month)) = state.books.next_closing(to) {
            let done = self.close_one(state, (at, month), now, caller).await;
            if done.is_err() {
                self.closings.failed.fetch_add(1, Ordering::Relaxed);
                // What changed its state until then is in force all the same.
                self.publish(&mut state.books, now);
            }
            done?;
            self.closings.closed.fetch_add(1, Ordering::Relaxed);
        }
        state.books.settle(to);
        self.publish(&mut state.books, now);
        Ok(())
    }

    async fn close_one(
        &self,
        state: &mut State,
        (at, month): (Timestamp, Month),
        now: Timestamp,
        caller: &Caller,
    ) -> Result<(), ControlError> {
        let close = self.ledger.close_of(month).await?;
        if state.frozen != Some(month) {
            let usage = match &close {
                Some(close) => self.ledger.frozen(close).await?,
                None => {
                    // Not by the present day: an app that was away for long would lose its oldest days to those that passed.
                    let usage = self.usage_of(state, month, at);
                    self.ledger.freeze(month, at, now, &usage).await?;
                    usage
                }
            };
            for day in &usage {
                // Every app of the ledger is one of the books.
                let _ = state.books.report(day.app, day.day, &report_of(day));
            }
            state.frozen = Some(month);
        }
        let bills = state.books.draft_all(month);
        // A failure may have been told of what was done.
        if close.and_then(|close| close.finished_at).is_none() {
            let totals = bills.iter().map(|bill| bill.total);
            let total = totals.fold(Money::ZERO, Money::plus);
            let count = u64::try_from(bills.len()).unwrap_or(u64::MAX);
            let entry = Entry {
                at: now,
                caller,
                call: "CloseMonth",
                app: None,
                before: None,
                after: Some(words::closed(month, count, total)),
                outcome: super::call::DONE.to_owned(),
            };
            let catalog = Arc::clone(&state.books.tariff().catalog);
            self.ledger
                .finish(month, &catalog, &bills, now, &[entry])
                .await?;
            tracing::info!(%month, bills = count, %total, "month closed");
        }
        let at = close.map_or(at, |close| close.at);
        let taken = state.books.take(at, Event::MonthClosed { month, bills });
        taken.expect("it is the open month, and its time has come");
        state.frozen = None;
        Ok(())
    }

    /// What a close has to see: the month's days, and those of the months before that have been raised since they were billed.
    fn usage_of(&self, state: &State, month: Month, at: Timestamp) -> Vec<BilledDay> {
        let months = std::iter::successors(Some(month), |month| Some(month.previous()));
        let mut months: Vec<_> = months.take(LATE_MONTHS + 1).collect();
        months.reverse();
        let mut usage = Vec::new();
        for app in state.books.apps() {
            for of in &months {
                let days = self.days_of(app, *of, at);
                usage.extend(days.into_iter().filter(|day| {
                    *of == month || state.books.is_news(day.app, day.day, &report_of(day))
                }));
            }
        }
        usage
    }

    /// What an app used in a month, by the gateway.
    pub(super) fn days_of(&self, app: SdkAppId, month: Month, now: Timestamp) -> Vec<BilledDay> {
        let days = self.gateway.month_usage(app, month, now).into_iter();
        days.flatten()
            .map(
                |MeteredDay {
                     usage,
                     bandwidth_bps,
                 }| BilledDay {
                    app,
                    day: usage.day,
                    users: Counted::Exact(usage.users.into()),
                    groups: usage.peak_groups.into(),
                    av_chat_rooms: usage.peak_av_chat_rooms.into(),
                    bandwidth_bps,
                },
            )
            .collect()
    }
}

/// The month that an answer is about, if it is closed.
fn last_closed(state: &State, month: Option<Month>) -> Result<Month, ControlError> {
    let open = state.books.open_month().ok_or(ControlError::NoApps)?;
    let month = month.unwrap_or_else(|| open.previous());
    if month < open {
        return Ok(month);
    }
    let at = state.books.push_instant(month);
    Err(ControlError::NotDue { month, at })
}

/// A day as a bill sees it.
pub(super) fn report_of(day: &BilledDay) -> DayReport {
    // A bit per second is a millionth of a Mbps.
    let mbps = i64::try_from(day.bandwidth_bps).ok();
    DayReport {
        dau: Some(day.users),
        groups: Some(day.groups),
        bandwidth_mbps: mbps.and_then(Quantity::from_micros),
    }
}

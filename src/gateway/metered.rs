//! What apps used, for those who bill it: told day by day since a mark, or for a month; and the bandwidth that others measure.
//!
//! Invariants: what has changed since a mark is told, whatever happens meanwhile; what is told is cumulative, so that telling it
//! twice is harmless. Absent on purpose: who is told, and whether they have read it.

use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::Gateway;
use crate::admission::{LATE_LOGIN_MS_MAX, Mode};
use crate::id::SdkAppId;
use crate::journal::Position;
use crate::metering::{DAYS_REACHED, DayUsage};
use crate::sketch::Sketch;
use crate::time::{Day, Month, Timestamp};
use crate::usage::{App, Facts};

/// How far somebody has been told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Everything that was appended to the journal up to here has been told.
    pub position: Position,
    /// The days before this one have been told as final.
    pub final_before: Day,
}

/// What an app used on one day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MeteredDay {
    /// Users, groups and AVChatRooms.
    pub usage: DayUsage,
    /// Most bits per second of on-screen comments.
    pub bandwidth_bps: u64,
}

/// The same, as it is told.
#[derive(Clone, Debug)]
pub struct DayRecord {
    /// Users, groups and AVChatRooms. `changed_at` is the record's sequence.
    pub usage: DayUsage,
    /// Most bits per second of on-screen comments.
    pub bandwidth_bps: u64,
    /// The distinct users; nothing where it is not wanted, or deleted users' logins of that day are not remembered any more.
    pub sketch: Option<Sketch>,
    /// Whether no login or report can reach the day any more.
    pub is_final: bool,
}

/// Whether sketches are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sketches {
    /// Those that can be had. One of a past day takes a walk over all users of the app.
    Wanted,
    /// None.
    Left,
}

/// What became of a report of bandwidth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reported {
    /// The day's peak is at least that now.
    Taken,
    /// There is no such app.
    NoApp,
    /// The day is too long ago, or in the future: nothing has changed.
    OutOfReach,
}

impl Gateway {
    /// Where somebody stands who is told everything from now on: to be read before [`Self::usage_since`] is asked about the first
    /// app, and counts once all apps have been. Nothing if all is held in memory alone.
    pub fn usage_mark(&self, now: Timestamp) -> Option<Mark> {
        Some(Mark {
            position: self.log()?.position(),
            final_before: self.final_before(now),
        })
    }

    /// The days of an app that have changed since a mark, or have become final, in order; without a mark all that are kept.
    /// It may show what is not yet as durable as the level asks for: whoever tells it waits for the journal's position after
    /// the call. With sketches of past days it can take as long as a look at all users: not for a thread that admits.
    pub fn usage_since(
        &self,
        id: SdkAppId,
        since: Option<&Mark>,
        now: Timestamp,
        sketches: Sketches,
    ) -> Vec<DayRecord> {
        let final_before = self.final_before(now);
        let found = self.apps.with(id, |app| {
            if since.is_some_and(|mark| is_told(app, mark, final_before)) {
                return Vec::new();
            }
            self.records_since(id, since, now, sketches)
        });
        found.unwrap_or_default()
    }

    fn records_since(
        &self,
        id: SdkAppId,
        since: Option<&Mark>,
        now: Timestamp,
        sketches: Sketches,
    ) -> Vec<DayRecord> {
        let final_before = self.final_before(now);
        let is_news = |usage: &DayUsage| match since {
            None => usage.changed_at > 0,
            Some(mark) => {
                let is_final_now = usage.day >= mark.final_before && usage.day < final_before;
                usage.changed_at > mark.position.get() || is_final_now && usage.changed_at > 0
            }
        };
        // The groups of an idle app are carried into the day that has begun: under a lock of its own, after which it is stamped.
        self.locked(id, Mode::Enforce, now, |facts, context| {
            facts.carry_to(context.entitlements.zone.day(now));
        });
        let begun = self.apps.with(id, |app| {
            let mut facts = app.facts.lock();
            let days = metered(&facts).filter(|day| is_news(&day.usage));
            let days: Vec<_> = days.collect();
            let wanted = match sketches {
                Sketches::Wanted => days.iter().map(|day| day.usage.day).collect(),
                Sketches::Left => Vec::new(),
            };
            let (kept, walk) = facts.begin_walk(wanted);
            (days, kept, walk)
        });
        let Some((days, mut made, mut walk)) = begun else {
            return Vec::new();
        };
        while let Some(under_way) = walk.take() {
            let step = |app: &App| {
                let mut facts = app.facts.lock();
                let step = facts.walk_on(under_way);
                // To those who wait: this thread would have the lock again before they are awake.
                MutexGuard::unlock_fair(facts);
                step
            };
            match self.apps.with(id, step) {
                Some(Ok(sketches)) => made.extend(sketches),
                Some(Err(under_way)) => walk = Some(under_way),
                None => {}
            }
        }
        let record = |MeteredDay {
                          usage,
                          bandwidth_bps,
                      }| {
            let place = made.iter().position(|(day, _)| *day == usage.day);
            DayRecord {
                usage,
                bandwidth_bps,
                sketch: place.map(|place| made.swap_remove(place).1),
                is_final: usage.day < final_before,
            }
        };
        days.into_iter().map(record).collect()
    }

    /// What an app used in a month, of the days that are kept, in order; nothing if there is no such app. Days and groups are
    /// brought up to `now`.
    pub fn month_usage(
        &self,
        id: SdkAppId,
        month: Month,
        now: Timestamp,
    ) -> Option<Vec<MeteredDay>> {
        self.locked(id, Mode::Enforce, now, |facts, context| {
            facts.advance_to(context.entitlements.zone.day(now));
        });
        self.apps.with(id, |app| {
            let facts = app.facts.lock();
            let days = metered(&facts).filter(|day| day.usage.month == month);
            days.collect()
        })
    }

    /// On-screen comments of an app took that many bits per second, all at once, on a day. The journal is asked first whether
    /// it takes what adds.
    pub fn report_bandwidth(
        &self,
        id: SdkAppId,
        day: Day,
        bits_per_second: u64,
        now: Timestamp,
    ) -> Reported {
        let reported = self.locked(id, Mode::Record, now, |facts, context| {
            let today = context.entitlements.zone.day(now);
            facts.advance_to(today);
            let oldest = today.number().saturating_sub(DAYS_REACHED - 1);
            if day.number() < oldest || day > today.next() {
                return Reported::OutOfReach;
            }
            facts.bandwidth_reached(day, bits_per_second);
            Reported::Taken
        });
        reported.map_or(Reported::NoApp, |(reported, _)| reported)
    }

    /// The first day that a login or report may still reach, which come so late at most.
    fn final_before(&self, now: Timestamp) -> Day {
        self.terms.load().zone.day(now.plus_ms(-LATE_LOGIN_MS_MAX))
    }
}

/// Whether an app has nothing to tell since a mark. Its lock is not taken.
fn is_told(app: &App, mark: &Mark, final_before: Day) -> bool {
    // Acquire: with the mark's position, this is at least what it was before an append up to there.
    let changed_at = app.metered_at.load(Ordering::Acquire);
    changed_at <= mark.position.get() && final_before <= mark.final_before
}

/// The days that are kept, in order.
fn metered(facts: &Facts) -> impl Iterator<Item = MeteredDay> {
    facts.days().map(|usage| MeteredDay {
        usage: *usage,
        bandwidth_bps: facts.bandwidth(usage.day),
    })
}

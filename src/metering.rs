//! What an app used: distinct users of each day, peaks of groups and of bandwidth, by day and month (RULES, section 5).
//!
//! Pure. Invariants: peaks are running maxima, never samples; a count once reached is never lowered (RULES, trap 15); a day on
//! which something was counted is stamped with where the journal then was. Absent on purpose: who logged in. The facts know;
//! here are numbers.

mod counted;
mod merge;
mod record;

use std::collections::VecDeque;

pub use counted::Counted;
pub use merge::{DayTotal, Merged};
pub use record::{Contradiction, UsageRecord};

use crate::time::{Day, Month};

/// Days that logins and reports reach back, this day among them, and that have sketches: 31, and a margin for clocks.
pub(crate) const DAYS_REACHED: u16 = 40;
/// Days whose counts are kept one by one: what comes 31 days late is adjusted by the next bill, up to 33 days later (RULES
/// B49), and a bill may be made some days late itself.
pub(crate) const DAYS_KEPT: u16 = 70;
/// Months that are kept: a hundred years.
const MONTHS_KEPT: usize = 1_200;
/// Days that room is made for at once, at least: it grows by halves, and never far beyond what is kept.
const DAYS_MORE: usize = 3;
/// The stamp of a day that has changed since the last one was given.
const UNSTAMPED: u64 = u64::MAX;

/// What an app used on one day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DayUsage {
    /// The day.
    pub day: Day,
    /// The day's month.
    pub month: Month,
    /// Distinct users that logged in.
    pub users: u32,
    /// Most groups that existed at once, those carried into the day included.
    pub peak_groups: u32,
    /// Most AVChatRooms that existed at once, likewise.
    pub peak_av_chat_rooms: u32,
    /// Where the journal was after the last change of the day: 0 if nothing was ever counted, `u64::MAX` where no journal is
    /// kept.
    pub changed_at: u64,
}

const _: () = assert!(size_of::<DayUsage>() == 24);

/// What an app used in one month.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MonthUsage {
    /// The month.
    pub month: Month,
    /// Distinct users of the highest day (RULES B23).
    pub peak_dau: u32,
    /// Most groups that existed at once, those carried into the month included (RULES B29).
    pub peak_groups: u32,
    /// Most AVChatRooms that existed at once, likewise.
    pub peak_av_chat_rooms: u32,
}

/// Groups that exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct GroupCounts {
    /// Of all types.
    pub(crate) groups: u64,
    /// AVChatRooms among them.
    pub(crate) av_chat_rooms: u64,
}

/// The usage of one app over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metering {
    days: VecDeque<DayUsage>,
    months: Vec<MonthUsage>,
    /// Most bits per second of on-screen comments, of days that had some (RULES B40), in order.
    bandwidth: Vec<(Day, u64)>,
    /// The last day that groups were carried into.
    begun: Option<Day>,
    user_days: u64,
    /// Days that have changed since the last stamp.
    unstamped: u16,
}

impl Metering {
    /// The usage of these days and months, each in order; `begun` is the last day that groups were carried into.
    pub(crate) fn restored(
        days: Vec<DayUsage>,
        months: Vec<MonthUsage>,
        bandwidth: Vec<(Day, u64)>,
        begun: Day,
        user_days: u64,
    ) -> Self {
        Self {
            days: days.into(),
            months,
            bandwidth,
            begun: Some(begun),
            user_days,
            unstamped: 0,
        }
    }

    /// A new day begins with groups carried in. Days and months that passed without an operation had that many too (RULES B29).
    pub(crate) fn begin_day(&mut self, day: Day, carried: GroupCounts) {
        let kept_from = day.number().saturating_sub(DAYS_KEPT - 1);
        let mut passing = self.begun.map_or(day, Day::next);
        passing = passing.max(Day::from_number(kept_from));
        while carried.groups > 0 && passing < day {
            self.groups_reached(passing, carried);
            passing = passing.next();
        }
        self.day_mut(day);
        self.groups_reached(day, carried);
        let mut passing = self.begun.map_or(day.month(), |day| day.month().next());
        while passing <= day.month() {
            let usage = self.month_mut(passing);
            usage.peak_groups = usage.peak_groups.max(saturated(carried.groups));
            let rooms = saturated(carried.av_chat_rooms);
            usage.peak_av_chat_rooms = usage.peak_av_chat_rooms.max(rooms);
            passing = passing.next();
        }
        self.begun = self.begun.max(Some(day));
    }

    /// Another distinct user logged in on that day.
    #[inline]
    pub(crate) fn user_counted(&mut self, day: Day) {
        let usage = self.touched(day);
        usage.users = usage.users.saturating_add(1);
        let (month, users) = (usage.month, usage.users);
        let month = self.month_mut(month);
        month.peak_dau = month.peak_dau.max(users);
        self.user_days = self.user_days.saturating_add(1);
    }

    /// There are so many groups now, on that day.
    #[inline]
    pub(crate) fn groups_reached(&mut self, day: Day, counts: GroupCounts) {
        let groups = saturated(counts.groups);
        let rooms = saturated(counts.av_chat_rooms);
        let usage = self.day_mut(day);
        if groups > usage.peak_groups || rooms > usage.peak_av_chat_rooms {
            let usage = self.touched(day);
            usage.peak_groups = usage.peak_groups.max(groups);
            usage.peak_av_chat_rooms = usage.peak_av_chat_rooms.max(rooms);
            let month = usage.month;
            let month = self.month_mut(month);
            month.peak_groups = month.peak_groups.max(groups);
            month.peak_av_chat_rooms = month.peak_av_chat_rooms.max(rooms);
        }
    }

    /// On-screen comments took that many bits per second on that day.
    pub(crate) fn bandwidth_reached(&mut self, day: Day, bits_per_second: u64) {
        if bits_per_second <= self.bandwidth(day) {
            return;
        }
        self.touched(day);
        match self.bandwidth.binary_search_by_key(&day, |(day, _)| *day) {
            Ok(at) => {
                if let Some((_, most)) = self.bandwidth.get_mut(at) {
                    *most = bits_per_second;
                }
            }
            Err(at) => self.bandwidth.insert(at, (day, bits_per_second)),
        }
    }

    /// Most bits per second of on-screen comments on a day.
    pub(crate) fn bandwidth(&self, day: Day) -> u64 {
        let found = self.bandwidth.binary_search_by_key(&day, |(day, _)| *day);
        let most = found.ok().and_then(|at| self.bandwidth.get(at));
        most.map_or(0, |(_, most)| *most)
    }

    /// The kept days that had bandwidth, in order, and how many bits per second.
    pub(crate) fn bandwidths(&self) -> &[(Day, u64)] {
        &self.bandwidth
    }

    /// Gives all days that have changed since the last time a stamp; whether there was one.
    #[inline]
    pub(crate) fn stamp(&mut self, changed_at: u64) -> bool {
        let mut left = std::mem::take(&mut self.unstamped);
        let any = left > 0;
        for usage in self.days.iter_mut().rev() {
            if left == 0 {
                break;
            }
            if usage.changed_at == UNSTAMPED {
                usage.changed_at = changed_at;
                left -= 1;
            }
        }
        any
    }

    /// Whether a day has changed since the last stamp.
    #[inline]
    pub(crate) const fn is_unstamped(&self) -> bool {
        self.unstamped > 0
    }

    /// The last stamp of any day.
    pub(crate) fn changed_at(&self) -> u64 {
        let stamps = self.days.iter().map(|usage| usage.changed_at);
        stamps.max().unwrap_or(0)
    }

    /// Distinct users of a day.
    #[inline]
    pub(crate) fn day_users(&self, day: Day) -> u64 {
        let found = self.days.iter().rev().find(|usage| usage.day == day);
        found.map_or(0, |usage| u64::from(usage.users))
    }

    /// Pairs of a user and a day with a login; a user deleted since still counts.
    pub(crate) const fn user_days(&self) -> u64 {
        self.user_days
    }

    /// The days that are kept, in order; those without an operation or a group are missing.
    pub(crate) fn days(&self) -> impl ExactSizeIterator<Item = &DayUsage> {
        self.days.iter()
    }

    /// Every month, in order.
    pub(crate) fn months(&self) -> &[MonthUsage] {
        &self.months
    }

    /// The usage of a day, which changes now.
    #[inline]
    fn touched(&mut self, day: Day) -> &mut DayUsage {
        let at = self.day_at(day);
        let usage = self.days.get_mut(at).expect("found, or just inserted");
        if usage.changed_at != UNSTAMPED {
            usage.changed_at = UNSTAMPED;
            self.unstamped = self.unstamped.saturating_add(1);
        }
        usage
    }

    #[inline]
    fn day_mut(&mut self, day: Day) -> &mut DayUsage {
        let at = self.day_at(day);
        self.days.get_mut(at).expect("found, or just inserted")
    }

    #[inline]
    fn day_at(&mut self, day: Day) -> usize {
        let later = self
            .days
            .iter()
            .rev()
            .take_while(|usage| usage.day > day)
            .count();
        let place = self.days.len() - later;
        let found = place
            .checked_sub(1)
            .filter(|at| self.days.get(*at).is_some_and(|usage| usage.day == day));
        found.unwrap_or_else(|| self.insert_day(place, day))
    }

    #[cold]
    fn insert_day(&mut self, place: usize, day: Day) -> usize {
        let usage = DayUsage {
            day,
            month: day.month(),
            users: 0,
            peak_groups: 0,
            peak_av_chat_rooms: 0,
            changed_at: 0,
        };
        let is_full = self.days.len() >= usize::from(DAYS_KEPT);
        if place > 0 && is_full {
            if let Some(gone) = self.days.pop_front() {
                self.bandwidth.retain(|(day, _)| *day != gone.day);
            }
            self.days.insert(place - 1, usage);
            return place - 1;
        }
        if self.days.is_empty() {
            // Most of many small apps are seen on one day.
            self.days.reserve_exact(1);
        } else if self.days.len() == self.days.capacity() {
            let more = (self.days.len() / 2).max(DAYS_MORE);
            let most = usize::from(DAYS_KEPT).saturating_sub(self.days.len());
            self.days.reserve_exact(more.min(most).max(1));
        }
        self.days.insert(place, usage);
        place
    }

    fn month_mut(&mut self, month: Month) -> &mut MonthUsage {
        let later = self
            .months
            .iter()
            .rev()
            .take_while(|usage| usage.month > month)
            .count();
        let place = self.months.len() - later;
        let found = place.checked_sub(1).filter(|at| {
            self.months
                .get(*at)
                .is_some_and(|usage| usage.month == month)
        });
        let at = found.unwrap_or_else(|| self.insert_month(place, month));
        self.months.get_mut(at).expect("found, or just inserted")
    }

    #[cold]
    fn insert_month(&mut self, place: usize, month: Month) -> usize {
        let usage = MonthUsage {
            month,
            peak_dau: 0,
            peak_groups: 0,
            peak_av_chat_rooms: 0,
        };
        if self.months.is_empty() {
            self.months.reserve_exact(1);
        }
        self.months.insert(place, usage);
        if place > 0 && self.months.len() > MONTHS_KEPT {
            self.months.remove(0);
            return place - 1;
        }
        place
    }
}

fn saturated(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;

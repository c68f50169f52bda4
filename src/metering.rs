//! What an app used: distinct users of each day, peaks of groups, by day and month (RULES, section 5).
//!
//! Pure. Invariant: peaks are running maxima, never samples; a count once reached is never lowered (RULES, trap 15).
//! Absent on purpose: who logged in. The facts know; here are numbers.

mod counted;

use std::collections::VecDeque;

pub use counted::Counted;

use crate::time::{Day, Month};

/// Days whose counts are kept one by one: those that a late login may still reach, and a margin for clocks.
pub(crate) const DAYS_KEPT: u16 = 40;
/// Months that are kept: a hundred years.
const MONTHS_KEPT: usize = 1_200;

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
}

/// What an app used in one month.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MonthUsage {
    /// The month.
    pub month: Month,
    /// Distinct users of the highest day (RULES B23).
    pub peak_dau: u32,
    /// Most groups that existed at once, those carried into the month included (RULES B29).
    pub peak_groups: u32,
}

/// The usage of one app over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metering {
    days: VecDeque<DayUsage>,
    months: Vec<MonthUsage>,
    /// The last month into which groups were carried.
    begun: Option<Month>,
    user_days: u64,
}

impl Metering {
    /// The usage of these days and months, each in order; `begun` is the last month that groups were carried into.
    pub(crate) fn restored(
        days: Vec<DayUsage>,
        months: Vec<MonthUsage>,
        begun: Option<Month>,
        user_days: u64,
    ) -> Self {
        Self {
            days: days.into(),
            months,
            begun,
            user_days,
        }
    }

    /// The last month that groups were carried into.
    pub(crate) const fn begun(&self) -> Option<Month> {
        self.begun
    }

    /// A new day begins with `groups` carried in. Months that passed without an operation had that many too.
    pub(crate) fn begin_day(&mut self, day: Day, groups: u64) {
        let groups = saturated(groups);
        let usage = self.day_mut(day);
        usage.peak_groups = usage.peak_groups.max(groups);
        let month = usage.month;
        let mut passing = self.begun.map_or(month, Month::next);
        while passing <= month {
            let usage = self.month_mut(passing);
            usage.peak_groups = usage.peak_groups.max(groups);
            passing = passing.next();
        }
        self.begun = self.begun.max(Some(month));
    }

    /// Another distinct user logged in on that day.
    #[inline]
    pub(crate) fn user_counted(&mut self, day: Day) {
        let usage = self.day_mut(day);
        usage.users = usage.users.saturating_add(1);
        let (month, users) = (usage.month, usage.users);
        let month = self.month_mut(month);
        month.peak_dau = month.peak_dau.max(users);
        self.user_days = self.user_days.saturating_add(1);
    }

    /// There are `groups` now, on that day.
    #[inline]
    pub(crate) fn groups_reached(&mut self, day: Day, groups: u64) {
        let groups = saturated(groups);
        let usage = self.day_mut(day);
        if groups > usage.peak_groups {
            usage.peak_groups = groups;
            let month = usage.month;
            let month = self.month_mut(month);
            month.peak_groups = month.peak_groups.max(groups);
        }
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

    /// The days that are kept, in order; those without an operation are missing.
    pub(crate) fn days(&self) -> impl ExactSizeIterator<Item = &DayUsage> {
        self.days.iter()
    }

    /// Every month, in order.
    pub(crate) fn months(&self) -> &[MonthUsage] {
        &self.months
    }

    #[inline]
    fn day_mut(&mut self, day: Day) -> &mut DayUsage {
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
        let at = found.unwrap_or_else(|| self.insert_day(place, day));
        self.days.get_mut(at).expect("found, or just inserted")
    }

    #[cold]
    fn insert_day(&mut self, place: usize, day: Day) -> usize {
        let usage = DayUsage {
            day,
            month: day.month(),
            users: 0,
            peak_groups: 0,
        };
        if self.days.is_empty() {
            // Most of many small apps are seen on one day.
            self.days.reserve_exact(1);
        }
        self.days.insert(place, usage);
        if place > 0 && self.days.len() > usize::from(DAYS_KEPT) {
            self.days.pop_front();
            return place - 1;
        }
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
mod tests {
    use super::*;
    use crate::time::{Timestamp, Zone};

    fn day(text: &str) -> Day {
        let at = format!("{text}T00:00:00Z");
        Zone::parse("Z")
            .expect("zone")
            .day(Timestamp::parse(&at).expect("time"))
    }

    fn months(metering: &Metering) -> Vec<(String, u32, u32)> {
        let shown = |m: &MonthUsage| (m.month.to_string(), m.peak_dau, m.peak_groups);
        metering.months().iter().map(shown).collect()
    }

    /// RULES B29: a month with no event has the count carried into it.
    #[test]
    fn groups_are_carried_into_days_and_months() {
        let mut metering = Metering::default();
        metering.begin_day(day("2026-01-10"), 0);
        metering.groups_reached(day("2026-01-10"), 7);
        metering.begin_day(day("2026-01-11"), 3);
        metering.begin_day(day("2026-04-02"), 5);
        metering.groups_reached(day("2026-04-02"), 4);
        assert_eq!(
            months(&metering),
            [
                ("2026-01".into(), 0, 7),
                ("2026-02".into(), 0, 5),
                ("2026-03".into(), 0, 5),
                ("2026-04".into(), 0, 5)
            ]
        );
    }

    #[test]
    fn late_and_early_logins_count_in_their_own_day_and_month() {
        let mut metering = Metering::default();
        metering.begin_day(day("2026-03-31"), 2);
        metering.user_counted(day("2026-04-01"));
        metering.user_counted(day("2026-02-28"));
        metering.user_counted(day("2026-02-28"));
        metering.user_counted(day("2026-03-30"));
        metering.begin_day(day("2026-04-01"), 2);
        metering.user_counted(day("2026-04-01"));
        assert_eq!(metering.day_users(day("2026-02-28")), 2);
        assert_eq!(metering.day_users(day("2026-03-29")), 0);
        assert_eq!(metering.user_days(), 5);
        assert_eq!(
            months(&metering),
            [
                ("2026-02".into(), 2, 0),
                ("2026-03".into(), 1, 2),
                ("2026-04".into(), 2, 2)
            ]
        );
    }

    #[test]
    fn old_days_go_and_their_months_stay() {
        let mut metering = Metering::default();
        for number in 20_000..20_100 {
            metering.begin_day(Day::from_number(number), 1);
            metering.user_counted(Day::from_number(number));
        }
        assert_eq!(metering.days().count(), usize::from(DAYS_KEPT));
        assert_eq!(metering.user_days(), 100);
        assert!(
            metering
                .months()
                .iter()
                .all(|m| (m.peak_dau, m.peak_groups) == (1, 1))
        );
    }
}

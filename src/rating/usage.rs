//! What an app used, day by day, as it was reported (RULES 5, B29, B40, B49).
//!
//! Invariant: reports of one day merge by maximum, so their order and repetition do not matter; a day that nobody reported had
//! no usage, and nothing is carried over. Absent on purpose: which days are billed.

use crate::money::Quantity;
use crate::time::{Day, Month};

/// What a report says of a day; what it does not say is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DayReport {
    /// Distinct users that logged in.
    pub dau: Option<u64>,
    /// Most groups that existed at once.
    pub groups: Option<u64>,
    /// Most megabits per second of on-screen comments at once.
    pub bandwidth_mbps: Option<Quantity>,
}

/// The usage of one app over time. A metric that is never reported takes no memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    dau: Peaks<u64>,
    groups: Peaks<u64>,
    bandwidth: Peaks<Quantity>,
}

/// The highest value reported for each day, by day.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Peaks<T>(Vec<(Day, T)>);

/// Days of one month: bit 0 is its first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Days(u32);

impl Days {
    /// Adds the days of the month from `first` to `last`, both included and both of the month that begins with `start`.
    pub(super) fn add(&mut self, start: Day, first: Day, last: Day) {
        let [low, high] = [first, last].map(|day| day.number().saturating_sub(start.number()));
        for day in low..=high {
            self.0 |= 1_u32.checked_shl(day.into()).unwrap_or(0);
        }
    }

    fn has(self, start: Day, day: Day) -> bool {
        let place = u32::from(day.number().saturating_sub(start.number()));
        self.0.checked_shr(place).is_some_and(|bits| bits & 1 == 1)
    }
}

impl<T: Copy + Ord> Peaks<T> {
    fn merge(&mut self, day: Day, value: T) {
        match self.0.last() {
            Some((last, _)) if *last >= day => {}
            Some(_) | None => return self.0.push((day, value)),
        }
        match self.0.binary_search_by_key(&day, |(day, _)| *day) {
            Ok(at) => {
                if let Some((_, held)) = self.0.get_mut(at) {
                    *held = value.max(*held);
                }
            }
            Err(at) => self.0.insert(at, (day, value)),
        }
    }

    fn on(&self, month: Month, days: Days) -> impl Iterator<Item = T> {
        let (start, end) = (month.first_day(), month.next().first_day());
        let from = self.0.partition_point(|(day, _)| *day < start);
        let of_month = self
            .0
            .iter()
            .skip(from)
            .take_while(move |(day, _)| *day < end);
        let counted = of_month.filter(move |(day, _)| days.has(start, *day));
        counted.map(|(_, value)| *value)
    }
}

impl Usage {
    /// Takes a report in.
    pub fn merge(&mut self, day: Day, report: &DayReport) {
        if let Some(dau) = report.dau {
            self.dau.merge(day, dau);
        }
        if let Some(groups) = report.groups {
            self.groups.merge(day, groups);
        }
        if let Some(bandwidth) = report.bandwidth_mbps {
            self.bandwidth.merge(day, bandwidth);
        }
    }

    /// Distinct users of the highest of these days (RULES B23).
    pub(super) fn peak_dau(&self, month: Month, days: Days) -> u64 {
        self.dau.on(month, days).max().unwrap_or(0)
    }

    /// Most groups at once on these days (RULES B28, B29).
    pub(super) fn peak_groups(&self, month: Month, days: Days) -> u64 {
        self.groups.on(month, days).max().unwrap_or(0)
    }

    /// The sum of the peaks of these days, in Mbps and days, and how many of them had any (RULES B40).
    pub(super) fn bandwidth(&self, month: Month, days: Days) -> (Quantity, u32) {
        let used = self
            .bandwidth
            .on(month, days)
            .filter(|mbps| !mbps.is_zero());
        used.fold((Quantity::ZERO, 0), |(sum, days), mbps| {
            (sum.plus(mbps), days + 1)
        })
    }
}

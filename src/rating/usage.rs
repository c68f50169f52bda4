//! What an app used, day by day, as it was reported (RULES 5, B29, B40, B49).
//!
//! Invariant: reports of one day merge by maximum, so their order and repetition do not matter; a day that nobody reported had
//! no usage, and nothing is carried over. Absent on purpose: which days are billed.

use crate::metering::Counted;
use crate::money::Quantity;
use crate::time::{Day, Month};

/// What a report says of a day; what it does not say is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DayReport {
    /// Distinct users that logged in.
    pub dau: Option<Counted>,
    /// Most groups that existed at once.
    pub groups: Option<u64>,
    /// Most megabits per second of on-screen comments at once.
    pub bandwidth_mbps: Option<Quantity>,
}

/// The usage of one app over time. A metric that is never reported takes no memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    dau: Peaks<Counted>,
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

impl<T: Copy + Default + Ord> Peaks<T> {
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

    /// Whether a value would be the highest of its day.
    fn is_raised_by(&self, day: Day, value: T) -> bool {
        let found = self.0.binary_search_by_key(&day, |(day, _)| *day);
        let held = found.ok().and_then(|at| self.0.get(at));
        value > held.map_or_else(T::default, |(_, held)| *held)
    }

    /// Those of one month.
    fn of_month(&self, month: Month) -> Self {
        let [from, to] = [month, month.next()].map(Month::first_day);
        let [from, to] = [from, to].map(|day| self.0.partition_point(|(at, _)| *at < day));
        Self(self.0.get(from..to).unwrap_or_default().to_vec())
    }

    fn forget_before(&mut self, day: Day) {
        let kept = self.0.partition_point(|(at, _)| *at < day);
        self.0.drain(..kept);
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

    /// Whether a report says more of a day than is known.
    pub(super) fn is_raised_by(&self, day: Day, report: &DayReport) -> bool {
        let DayReport {
            dau,
            groups,
            bandwidth_mbps,
        } = report;
        dau.is_some_and(|dau| self.dau.is_raised_by(day, dau))
            || groups.is_some_and(|groups| self.groups.is_raised_by(day, groups))
            || bandwidth_mbps.is_some_and(|mbps| self.bandwidth.is_raised_by(day, mbps))
    }

    /// The usage of one month alone.
    pub(super) fn of_month(&self, month: Month) -> Self {
        Self {
            dau: self.dau.of_month(month),
            groups: self.groups.of_month(month),
            bandwidth: self.bandwidth.of_month(month),
        }
    }

    /// Forgets every month before this one.
    pub(super) fn forget_before(&mut self, month: Month) {
        let first = month.first_day();
        self.dau.forget_before(first);
        self.groups.forget_before(first);
        self.bandwidth.forget_before(first);
    }

    /// Distinct users of the highest of these days (RULES B23).
    pub(super) fn peak_dau(&self, month: Month, days: Days) -> Counted {
        self.dau.on(month, days).max().unwrap_or(Counted::ZERO)
    }

    /// Most groups at once on these days (RULES B28, B29).
    pub(super) fn peak_groups(&self, month: Month, days: Days) -> Counted {
        let peak = self.groups.on(month, days).max();
        Counted::Exact(peak.unwrap_or(0))
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

//! What came of a trace: counts of verdicts, what there is in the end, peaks of every month.
//!
//! The same report serves whoever answered, a gateway in this process or another one. Invariant: as JSON it has the same keys
//! in the same order, whatever happened. Absent on purpose: tables for people; see `cli`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::metering::MonthUsage;
use crate::time::{Month, Timestamp, Zone};
use crate::usage::AppUsage;

/// How many of each operation were answered what: `ALLOWED`, or the reason's name.
pub type Verdicts = BTreeMap<&'static str, BTreeMap<&'static str, u64>>;

/// What came of a trace.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Lines, changes of edition among them.
    pub operations: u64,
    /// Answers, by operation. Initial members and changes of edition are not among them.
    pub verdicts: Verdicts,
    /// What there is in the end.
    pub usage: Usage,
    /// Pairs of a user and a day with an allowed login; nothing where the answering side does not tell.
    pub user_days: Option<u64>,
    /// Peaks of every month from the first operation's to the last's; none where the answering side does not tell.
    pub months: Vec<MonthPeaks>,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    pub elapsed: Duration,
}

/// What an app has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Usage {
    /// Registered users.
    pub users: u64,
    /// Groups that exist.
    pub groups: u64,
    /// Memberships in them.
    pub memberships: u64,
    /// Entries on friend lists; a two-way friendship is two.
    pub friend_entries: u64,
}

/// The peaks of one month.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct MonthPeaks {
    /// Which.
    #[serde(serialize_with = "as_text")]
    pub month: Month,
    /// Distinct users of the highest day.
    pub peak_dau: u32,
    /// Most groups that existed at once, those carried into the month included.
    pub peak_groups: u32,
}

/// What is counted line by line while a trace runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    operations: u64,
    verdicts: Verdicts,
    span: Option<(Timestamp, Timestamp)>,
}

impl Tally {
    /// Counts a line by its time. Lines need not be in order.
    pub fn line(&mut self, at: Timestamp) {
        self.operations += 1;
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    /// Counts the answer to an operation.
    pub fn verdict(&mut self, operation: &'static str, verdict: &'static str) {
        let verdicts = self.verdicts.entry(operation).or_default();
        *verdicts.entry(verdict).or_default() += 1;
    }

    /// The earliest and the latest time of a line; nothing before the first.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.span
    }

    /// The report, with what a gateway elsewhere says that the app has at the end; it tells no user-days and no months.
    pub fn report_from_elsewhere(self, usage: Usage) -> Report {
        Report {
            operations: self.operations,
            verdicts: self.verdicts,
            usage,
            user_days: None,
            months: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    /// The report, with what an app in this process has at the end.
    pub fn report(self, usage: Option<&AppUsage>, zone: Zone) -> Report {
        let months = match (self.span, usage) {
            (Some((first, last)), Some(usage)) => {
                let month = |at| zone.day(at).month();
                every_month(month(first), month(last), &usage.months)
            }
            _ => Vec::new(),
        };
        Report {
            operations: self.operations,
            verdicts: self.verdicts,
            usage: usage.map(Usage::from).unwrap_or_default(),
            user_days: Some(usage.map_or(0, |usage| usage.user_days)),
            months,
            elapsed: Duration::ZERO,
        }
    }
}

impl From<&AppUsage> for Usage {
    fn from(usage: &AppUsage) -> Self {
        Self {
            users: usage.users,
            groups: usage.groups,
            memberships: usage.memberships,
            friend_entries: usage.friend_entries,
        }
    }
}

/// The months from the first to the last. One that was not measured lies before the app's first day: it has nothing.
fn every_month(first: Month, last: Month, measured: &[MonthUsage]) -> Vec<MonthPeaks> {
    let months = std::iter::successors(Some(first), |month| Some(month.next()));
    let peaks = |month| {
        let found = measured.iter().find(|usage| usage.month == month);
        MonthPeaks {
            month,
            peak_dau: found.map_or(0, |usage| usage.peak_dau),
            peak_groups: found.map_or(0, |usage| usage.peak_groups),
        }
    };
    months
        .take_while(|month| *month <= last)
        .map(peaks)
        .collect()
}

fn as_seconds<S: Serializer>(elapsed: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(elapsed.as_secs_f64())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn as_text<S: Serializer>(month: &Month, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(month)
}

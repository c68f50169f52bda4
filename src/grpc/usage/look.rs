//! One look for what has changed: app after app, in batches of a bounded size.
//!
//! Invariant: between two batches nothing is held but the days of one app. Apps that have not changed are passed over without
//! their lock. Absent on purpose: waiting; a look is taken on a thread where nobody else waits, for an app of millions of users
//! takes its time.

use std::sync::Arc;
use std::vec;

use crate::gateway::{DayRecord, Gateway, Mark, Sketches};
use crate::id::SdkAppId;
use crate::proto::UsageRecord;
use crate::time::{Day, Timestamp};

/// Most records in a batch.
pub(super) const RECORDS_MAX: usize = 1_000;
/// Bytes of records that a batch is closed at: only the last one may reach beyond.
const BYTES_MAX: usize = 1 << 20;
/// About what a record takes besides its sketch.
const RECORD_BYTES: usize = 96;

/// Which usage a stream is about, and how it is told.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The gateway's name.
    pub(super) gateway: Arc<str>,
    /// Of these apps, each once and in order; of all if nothing.
    pub(super) apps: Option<Arc<[SdkAppId]>>,
    /// Whether records have their sketches.
    pub(super) sketches: Sketches,
}

/// A look for what has changed since a mark.
pub(super) struct Look {
    gateway: Arc<Gateway>,
    wanted: Arc<Wanted>,
    since: Option<Mark>,
    now: Timestamp,
    /// Those to come.
    apps: vec::IntoIter<SdkAppId>,
    /// The app that is being told, and its days to come.
    app: u32,
    days: vec::IntoIter<DayRecord>,
    /// The last day that was written, and how.
    day: (Day, String),
}

impl Look {
    /// A look at the apps that there are now.
    pub(super) fn new(
        gateway: &Arc<Gateway>,
        wanted: &Arc<Wanted>,
        since: Option<Mark>,
        now: Timestamp,
    ) -> Self {
        let apps = match &wanted.apps {
            Some(apps) => apps.to_vec(),
            None => gateway.app_ids(),
        };
        let first = Day::from_number(0);
        Self {
            gateway: Arc::clone(gateway),
            wanted: Arc::clone(wanted),
            since,
            now,
            apps: apps.into_iter(),
            app: 0,
            days: Vec::new().into_iter(),
            day: (first, first.to_string()),
        }
    }

    /// The next batch; fewer records than there is room for are the last ones.
    pub(super) fn next_batch(&mut self) -> Batch {
        let (mut records, mut bytes) = (Vec::new(), 0);
        while records.len() < RECORDS_MAX && bytes < BYTES_MAX {
            let Some(day) = self.next_day() else {
                return Batch {
                    records,
                    is_last: true,
                };
            };
            let record = self.record(day);
            bytes += RECORD_BYTES + record.sketch.len();
            records.push(record);
        }
        let is_last = self.days.as_slice().is_empty() && self.apps.as_slice().is_empty();
        Batch { records, is_last }
    }

    fn next_day(&mut self) -> Option<DayRecord> {
        loop {
            if let Some(day) = self.days.next() {
                return Some(day);
            }
            let app = self.apps.next()?;
            let days =
                self.gateway
                    .usage_since(app, self.since.as_ref(), self.now, self.wanted.sketches);
            self.app = app.get();
            self.days = days.into_iter();
        }
    }

    fn record(&mut self, told: DayRecord) -> UsageRecord {
        let DayRecord {
            usage,
            bandwidth_bps,
            sketch,
            is_final,
        } = told;
        if self.day.0 != usage.day {
            self.day = (usage.day, usage.day.to_string());
        }
        UsageRecord {
            gateway: self.wanted.gateway.to_string(),
            sdk_app_id: self.app,
            day: self.day.1.clone(),
            sequence: usage.changed_at,
            users: usage.users.into(),
            sketch: sketch.map(|it| it.to_bytes()).unwrap_or_default(),
            peak_groups: usage.peak_groups.into(),
            peak_av_chat_rooms: usage.peak_av_chat_rooms.into(),
            bandwidth_bps,
            is_final,
        }
    }
}

/// Some of what a look has found.
pub(super) struct Batch {
    /// By app and day.
    pub(super) records: Vec<UsageRecord>,
    /// Whether nothing is left.
    pub(super) is_last: bool,
}

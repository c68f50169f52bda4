//! A day's usage of an app as a CloudEvent (1.0, JSON): what metering systems take in.
//!
//! Invariant: the same statement of the same day has the same id, whenever it is made: a receiver that knows an id has all of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::metering::UsageRecord;
use crate::time::{Day, Zone};

/// Which day of which app, at which gateway.
pub(super) type Key = (String, u32, u16);

/// What an event says: counts of a day so far.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Usage {
    gateway: String,
    sdk_app_id: u32,
    day: String,
    users: u64,
    peak_groups: u64,
    peak_av_chat_rooms: u64,
    bandwidth_bps: u64,
}

impl Usage {
    pub(super) fn of(record: &UsageRecord) -> Self {
        Self {
            gateway: record.gateway.to_string(),
            sdk_app_id: record.app.get(),
            day: record.day.to_string(),
            users: record.users,
            peak_groups: record.peak_groups,
            peak_av_chat_rooms: record.peak_av_chat_rooms,
            bandwidth_bps: record.bandwidth_bps,
        }
    }

    pub(super) fn day(&self) -> anyhow::Result<Day> {
        Ok(Day::parse(&self.day)?)
    }

    pub(super) fn key(&self) -> anyhow::Result<Key> {
        let day = self.day()?.number();
        Ok((self.gateway.clone(), self.sdk_app_id, day))
    }

    /// Counts only grow: each becomes the higher one. Whether any did.
    pub(super) fn raise(&mut self, other: &Self) -> bool {
        let before = self.clone();
        self.users = self.users.max(other.users);
        self.peak_groups = self.peak_groups.max(other.peak_groups);
        self.peak_av_chat_rooms = self.peak_av_chat_rooms.max(other.peak_av_chat_rooms);
        self.bandwidth_bps = self.bandwidth_bps.max(other.bandwidth_bps);
        *self != before
    }

    /// The event of the first statement about a day, or of a later one. Its time is the day's first instant, so that those who
    /// sort by time put it into that day.
    pub(super) fn event(
        &self,
        statement: u32,
        source: Option<&str>,
        zone: Zone,
    ) -> anyhow::Result<Value> {
        let Self {
            gateway,
            sdk_app_id,
            day,
            ..
        } = self;
        let id = format!("{gateway}/{sdk_app_id}/{day}");
        let (id, kind) = if statement <= 1 {
            (id, "quotagate.usage.day")
        } else {
            (format!("{id}/{statement}"), "quotagate.usage.day.corrected")
        };
        Ok(json!({
            "specversion": "1.0",
            "id": id,
            "source": source.map_or_else(|| format!("urn:quotagate:{gateway}"), str::to_owned),
            "type": kind,
            "subject": sdk_app_id.to_string(),
            "time": zone.show(zone.start(self.day()?)),
            "datacontenttype": "application/json",
            "data": self,
        }))
    }
}

/// The id of an event.
pub(super) fn id(event: &Value) -> &str {
    event.get("id").and_then(Value::as_str).unwrap_or_default()
}

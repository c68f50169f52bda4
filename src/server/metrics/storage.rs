//! The metrics of the files: the journal and the snapshots.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::{NO_EXEMPLAR, counter, gauge, whole};
use crate::gateway::Snapshots;
use crate::journal::{Counts, State};

/// What the journal has counted.
pub(super) fn journal(to: &mut DescriptorEncoder<'_>, counts: &Counts) -> fmt::Result {
    let help = "1 for the state that the journal is in: open; full, stalled or failed: changes are refused";
    let mut metric = gauge(to, "journal_state", help)?;
    for state in State::ALL {
        let is = i64::from(state == counts.state);
        let labels = [("state", state.name())];
        metric.encode_family(&labels)?.encode_gauge(&is)?;
    }
    let help = "Where the journal ends, in bytes of entries since it began: as decided, written to the system, and on the disk";
    let mut metric = gauge(to, "journal_position_bytes", help)?;
    let positions = [
        ("appended", counts.appended),
        ("written", counts.written),
        ("durable", counts.durable),
    ];
    for (name, position) in positions {
        let labels = [("as", name)];
        metric
            .encode_family(&labels)?
            .encode_gauge(&whole(position.get()))?;
    }
    let help = "Bytes of entries that wait to be written";
    gauge(to, "journal_pending_bytes", help)?.encode_gauge(&whole(counts.pending_bytes))?;
    let counters = [
        ("journal_writes", "Writes of the journal", counts.writes),
        (
            "journal_syncs",
            "Times that the journal was made durable",
            counts.syncs,
        ),
        (
            "journal_failures",
            "Writes and syncs of the journal that have failed",
            counts.failures,
        ),
    ];
    for (name, help, count) in counters {
        counter(to, name, help)?.encode_counter(&count, NO_EXEMPLAR)?;
    }
    let slowest = [
        (
            "journal_slowest_write",
            "The slowest write of the last seconds",
            counts.slowest_write,
        ),
        (
            "journal_slowest_sync",
            "The slowest sync of the last seconds",
            counts.slowest_sync,
        ),
    ];
    for (name, help, took) in slowest {
        seconds(to, name, help, took)?;
    }
    let help = "Segments of the journal on the disk";
    gauge(to, "journal_segments", help)?.encode_gauge(&whole(counts.segments))
}

/// What became of snapshots.
pub(super) fn snapshots(to: &mut DescriptorEncoder<'_>, snapshots: &Snapshots) -> fmt::Result {
    let counters = [
        ("snapshots", "Snapshots taken", snapshots.taken),
        (
            "snapshots_failed",
            "Snapshots that could not be taken",
            snapshots.failed,
        ),
    ];
    for (name, help, count) in counters {
        counter(to, name, help)?.encode_counter(&count, NO_EXEMPLAR)?;
    }
    let Some(last) = snapshots.last else {
        return Ok(());
    };
    let help = "Bytes of the last snapshot";
    gauge(to, "snapshot_bytes", help)?.encode_gauge(&whole(last.bytes))?;
    seconds(
        to,
        "snapshot_duration",
        "How long the last snapshot took",
        last.took,
    )?;
    let help = "The longest time that an app's lock was held for the last snapshot";
    seconds(to, "snapshot_longest_hold", help, last.longest_hold)
}

fn seconds(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    duration: Duration,
) -> fmt::Result {
    let seconds = duration.as_secs_f64();
    to.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?
        .encode_gauge(&seconds)
}

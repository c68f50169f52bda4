//! The metrics of the usage stream.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::{NO_EXEMPLAR, counter, gauge, whole};
use crate::telemetry::StreamCounts;
use crate::time::Timestamp;

/// What the stream has counted, and how long ago its named subscribers have acknowledged something.
pub(super) fn streams(
    to: &mut DescriptorEncoder<'_>,
    counts: &StreamCounts,
    now: Timestamp,
) -> fmt::Result {
    let help = "Streams of usage that are open";
    gauge(to, "usage_streams", help)?.encode_gauge(&whole(counts.open()))?;
    let help = "Records of usage sent";
    counter(to, "usage_records", help)?.encode_counter(&counts.records(), NO_EXEMPLAR)?;
    let subscribers = counts.subscribers();
    if subscribers.is_empty() {
        return Ok(());
    }
    let help = "How long ago a named subscriber of usage has acknowledged something";
    let unit = Unit::Seconds;
    let name = "usage_acknowledgement_age";
    let mut metric = to.encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?;
    for (name, at) in &subscribers {
        let age_ms = now.as_unix_ms() - at.as_unix_ms();
        let labels = [("subscriber", name.as_str())];
        metric
            .encode_family(&labels)?
            .encode_gauge(&(age_ms.max(0) / 1_000))?;
    }
    Ok(())
}

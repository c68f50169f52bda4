//! The text of `/metrics`: what is counted, under names that stay.
//!
//! Invariant: a scrape holds an app's lock as short as a `GetUsage` does, and its size is bounded. Absent on purpose: counting.

mod storage;
mod usage;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Semaphore;

use crate::admission::OperationKind;
use crate::clock::Clock;
use crate::control::ControlPlane;
use crate::gateway::Gateway;
use crate::telemetry::{BUCKETS_NS, Call, Telemetry, Verdict};

/// What [`Metrics::text`] is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Most apps whose usage is told one by one: the first by SDKAppID. More would make every scrape a burden.
const APPS_MAX: usize = 1_000;

/// What is scraped.
pub(super) struct Metrics(Registry);

struct Source {
    plane: Arc<ControlPlane>,
    gateway: Arc<Gateway>,
    telemetry: Telemetry,
    open: Arc<Semaphore>,
    connections_max: usize,
    clock: Clock,
}

impl Metrics {
    /// Metrics of a plane and its gateway; `open` has a permit for each connection that may still come.
    pub(super) fn new(
        plane: Arc<ControlPlane>,
        telemetry: Telemetry,
        open: Arc<Semaphore>,
        connections_max: usize,
        clock: Clock,
    ) -> Self {
        let gateway = Arc::clone(plane.gateway());
        let mut registry = Registry::with_prefix("quotagate");
        registry.register_collector(Box::new(Source {
            plane,
            gateway,
            telemetry,
            open,
            connections_max,
            clock,
        }));
        Self(registry)
    }

    /// All of them as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // A string takes all that it is given.
        let _ = encode(&mut text, &self.0);
        text
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl Collector for Source {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        self.decisions(&mut to)?;
        self.durations(&mut to)?;
        self.apps(&mut to)?;
        if let Some(log) = self.gateway.log() {
            storage::journal(&mut to, &log.counts())?;
            storage::snapshots(&mut to, &self.gateway.snapshots())?;
        }
        let help = "Times that the machine's clock has jumped by more than a minute";
        counter(&mut to, "clock_jumps", help)?
            .encode_counter(&self.telemetry.clock_jumps(), NO_EXEMPLAR)?;
        let help = "Months that were closed";
        counter(&mut to, "months_closed", help)?
            .encode_counter(&self.plane.closings().closed(), NO_EXEMPLAR)?;
        let help = "Closes of months that have failed; they are tried again";
        counter(&mut to, "month_closes_failed", help)?
            .encode_counter(&self.plane.closings().failed(), NO_EXEMPLAR)?;
        let refused = self.telemetry.refused();
        let help = "Calls, and batches of streams, that were refused as wrong";
        counter(&mut to, "refused_calls", help)?.encode_counter(&refused, NO_EXEMPLAR)?;
        let help = "Answers and streams that were cut off because their peers did not read them";
        counter(&mut to, "unread_answers", help)?
            .encode_counter(&self.telemetry.cut_off(), NO_EXEMPLAR)?;
        usage::streams(&mut to, self.telemetry.streams(), self.clock.now())?;
        let open = self.connections_max - self.open.available_permits();
        let help = "Connections that are open";
        gauge(&mut to, "connections", help)?.encode_gauge(&whole(open as u64))
    }
}

impl Source {
    /// What has happened to operations; what has not happened is left out.
    fn decisions(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Operations decided, by outcome: ALLOWED, SHADOWED (allowed, a limit in shadow was reached) or DENIED";
        let mut metric = counter(to, "decisions", help)?;
        for operation in OperationKind::ALL {
            for verdict in Verdict::all() {
                let count = self.telemetry.decisions(operation, verdict);
                if count == 0 {
                    continue;
                }
                let (outcome, reason) = match verdict {
                    Verdict::Allowed => ("ALLOWED", ""),
                    Verdict::Shadowed(reason) => ("SHADOWED", reason.name()),
                    Verdict::Denied(reason) => ("DENIED", reason.name()),
                };
                let labels = [
                    ("operation", operation.name()),
                    ("outcome", outcome),
                    ("reason", reason),
                ];
                metric
                    .encode_family(&labels)?
                    .encode_counter(&count, NO_EXEMPLAR)?;
            }
        }
        Ok(())
    }

    fn durations(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time from having read a call, or what was read with it, to having its answer";
        let unit = Unit::Seconds;
        let mut metric =
            to.encode_descriptor("call_duration", help, Some(&unit), MetricType::Histogram)?;
        for call in Call::ALL {
            let counts = self.telemetry.durations(call);
            let bounds = BUCKETS_NS.map(|ns| Duration::from_nanos(ns).as_secs_f64());
            let bounds = bounds.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(counts).collect();
            let (sum, count) = (
                self.telemetry.time_in(call).as_secs_f64(),
                counts.iter().sum(),
            );
            let labels = [("method", call.name())];
            metric
                .encode_family(&labels)?
                .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }

    /// Usage beside the limits of whole apps.
    fn apps(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.clock.now();
        let ids = self.gateway.app_ids();
        gauge(to, "apps", "Apps")?.encode_gauge(&whole(ids.len() as u64))?;
        let told: Vec<_> = ids
            .iter()
            .take(APPS_MAX)
            .filter_map(|id| {
                let usage = self.gateway.app_usage(*id, now)?;
                Some((id.to_string(), usage, self.gateway.entitlements(*id, now)?))
            })
            .collect();
        let help = "What counts to a limit of a whole app; of the first 1,000 apps";
        let mut metric = gauge(to, "app_usage", help)?;
        for (app, usage, _) in &told {
            for (limit, used) in &usage.counted {
                let labels = [("app", app.as_str()), ("limit", limit.name())];
                metric.encode_family(&labels)?.encode_gauge(used)?;
            }
        }
        let help = "How many a limit of a whole app allows; left out where it is unlimited";
        let mut metric = gauge(to, "app_limit", help)?;
        for (app, usage, entitlements) in &told {
            for (limit, _) in &usage.counted {
                if let Some(bound) = entitlements.limit(*limit).bound.finite() {
                    let labels = [("app", app.as_str()), ("limit", limit.name())];
                    metric.encode_family(&labels)?.encode_gauge(&whole(bound))?;
                }
            }
        }
        let help = "The revision of an app's limits";
        let mut metric = gauge(to, "app_revision", help)?;
        for (app, _, entitlements) in &told {
            let labels = [("app", app.as_str())];
            let revision = whole(entitlements.revision);
            metric.encode_family(&labels)?.encode_gauge(&revision)?;
        }
        let help = "The newest revision of any app's limits: it grows with every change and reload";
        gauge(to, "revision", help)?.encode_gauge(&whole(self.gateway.revision()))
    }
}

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, u64>> = None;

fn counter<'s>(
    to: &'s mut DescriptorEncoder<'_>,
    name: &'s str,
    help: &str,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    to.encode_descriptor(name, help, None, MetricType::Counter)
}

fn gauge<'s>(
    to: &'s mut DescriptorEncoder<'_>,
    name: &'s str,
    help: &str,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    to.encode_descriptor(name, help, None, MetricType::Gauge)
}

/// A number as gauges take it.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

//! What is counted while it runs, and the report that becomes of it.
//!
//! Invariant: what happens before the measured time does not count. What is answered after it counts for its latency alone.

use std::ops::Range;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::answer::Verdicts;

/// The longest time that is told apart from longer ones.
const LATENCY_MAX: Duration = Duration::from_hours(2);

/// What came of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Operations that were answered, the denied ones among them.
    pub operations: u64,
    /// Operations that were denied.
    pub denied: u64,
    /// Operations that got no answer, or an error.
    pub errors: u64,
    /// Operations that were due, and could not be sent before the end: the server was too slow for the rate.
    pub unsent: u64,
    /// The last error in words.
    pub trouble: Option<String>,
    /// How long it was measured.
    pub seconds: Duration,
    /// From when a message was due until its answer was there.
    pub latency: Latency,
}

/// Quantiles of a message's time. In batch and stream mode it is the batch's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Latency {
    /// The median.
    pub p50: Duration,
    /// Nine of ten are no longer.
    pub p90: Duration,
    /// Ninety-nine of a hundred.
    pub p99: Duration,
    /// All but one of a thousand.
    pub p999: Duration,
    /// All but one of ten thousand.
    pub p9999: Duration,
    /// The longest.
    pub max: Duration,
}

impl Report {
    /// Operations answered a second, in whole numbers.
    pub fn rate(&self) -> u64 {
        let micros = self.seconds.as_micros().max(1);
        let rate = u128::from(self.operations) * 1_000_000 / micros;
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

/// The counts of one thread.
#[derive(Debug)]
pub(super) struct Tally {
    measured: Range<Duration>,
    operations: u64,
    denied: u64,
    errors: u64,
    unsent: u64,
    latencies: Histogram<u64>,
    /// When something was last answered, measured or not.
    pub(super) last_answer: Duration,
    /// The last error in words.
    pub(super) trouble: Option<String>,
}

impl Tally {
    /// Nothing counted; what is due in `measured` will be.
    pub(super) fn new(measured: Range<Duration>) -> Self {
        let max = u64::try_from(LATENCY_MAX.as_nanos()).unwrap_or(u64::MAX);
        Self {
            measured,
            operations: 0,
            denied: 0,
            errors: 0,
            unsent: 0,
            latencies: Histogram::new_with_bounds(1, max, 3).expect("bounds that are constants"),
            last_answer: Duration::ZERO,
            trouble: None,
        }
    }

    /// A message that was due at an instant is answered.
    pub(super) fn answered(&mut self, due: Duration, now: Duration, verdicts: Verdicts) {
        self.last_answer = now;
        if self.measured.contains(&now) {
            self.operations += verdicts.operations;
            self.denied += verdicts.denied;
        }
        if now >= self.measured.start {
            let latency = nanos(now.saturating_sub(due));
            self.latencies.saturating_record(latency);
        }
    }

    /// A message got no answer, or an error.
    pub(super) fn failed(&mut self, now: Duration, operations: u64, trouble: String) {
        if now >= self.measured.start {
            self.errors += operations;
        }
        self.trouble = Some(trouble);
    }

    /// Messages that were due could not be sent, and have waited so long until the end.
    pub(super) fn unsent(&mut self, waited: Duration, messages: u64, operations: u64) {
        self.unsent += messages * operations;
        self.latencies.saturating_record_n(nanos(waited), messages);
    }

    /// Adds the counts of another thread of the same run.
    pub(super) fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.denied += other.denied;
        self.errors += other.errors;
        self.unsent += other.unsent;
        self.latencies
            .add(other.latencies)
            .expect("histograms of the same bounds");
        self.trouble = other.trouble.or(self.trouble.take());
    }

    pub(super) fn report(self) -> Report {
        let at = |quantile| Duration::from_nanos(self.latencies.value_at_quantile(quantile));
        Report {
            operations: self.operations,
            denied: self.denied,
            errors: self.errors,
            unsent: self.unsent,
            seconds: self.measured.end.saturating_sub(self.measured.start),
            latency: Latency {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p999: at(0.999),
                p9999: at(0.9999),
                max: Duration::from_nanos(self.latencies.max()),
            },
            trouble: self.trouble,
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Verdicts = Verdicts {
        operations: 1,
        denied: 0,
    };

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_happens_before_the_measured_time_does_not_count() {
        let mut tally = Tally::new(ms(100)..ms(200));
        for (due, now) in [(98, 99), (99, 100), (199, 199), (200, 250)] {
            tally.answered(ms(due), ms(now), ONE);
        }
        tally.failed(ms(99), 3, "gone".into());
        tally.failed(ms(150), 5, "gone".into());
        tally.unsent(ms(20), 2, 7);
        let report = tally.report();
        assert_eq!(
            (report.operations, report.errors, report.unsent),
            (2, 5, 14)
        );
        assert_eq!((report.seconds, report.rate()), (ms(100), 20));
        // What was answered late has its latency, and what was not sent its waiting.
        assert!(report.latency.max >= ms(50) && report.latency.max < ms(51));
        assert!(report.latency.p50 >= ms(20) && report.latency.p50 < ms(21));
        assert_eq!(report.trouble.as_deref(), Some("gone"));
    }

    #[test]
    fn threads_add_up() {
        let mut tally = Tally::new(ms(0)..ms(1_000));
        let mut other = Tally::new(ms(0)..ms(1_000));
        tally.answered(ms(0), ms(1), ONE);
        let denied = Verdicts {
            operations: 128,
            denied: 2,
        };
        other.answered(ms(0), ms(9), denied);
        tally.add(other);
        let report = tally.report();
        assert_eq!((report.operations, report.denied), (129, 2));
        assert!(report.latency.p50 < ms(2) && report.latency.max > ms(8));
    }
}

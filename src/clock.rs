//! The only place that reads the time of day, or how long something takes. Everything else is told `now`.

use std::time::{Duration, Instant, SystemTime};

use crate::time::Timestamp;

/// The present instant by the machine's clock.
pub fn now() -> Timestamp {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_ms_saturating(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// How long something takes, by a clock that never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has been.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

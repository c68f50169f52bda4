//! The only place that reads the time of day. Everything else is told `now`.

use std::time::SystemTime;

use crate::time::Timestamp;

/// The present instant by the machine's clock.
pub fn now() -> Timestamp {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_ms_saturating(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

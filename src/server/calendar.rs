//! What falls due by the calendar: months close and states change without anybody asking.
//!
//! Invariant: what is under way is awaited to its end; what fails is tried again, less and less often. Absent on purpose: what falls
//! due; the plane says.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::control::ControlPlane;
use crate::time::Timestamp;

/// How often the clock is looked at: it may be turned.
const PERIOD: Duration = Duration::from_millis(200);
/// The plane is asked at least so often, whatever it said.
const APART_MS: i64 = 60_000;
/// How long after a failure it is asked again; doubled each time that fails again …
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// … up to that.
const AFTER_FAILURES_MAX: Duration = Duration::from_mins(1);

/// Lets happen what falls due, at its instant, until it is stopped.
pub(super) async fn keep(plane: Arc<ControlPlane>, clock: Clock, stop: CancellationToken) {
    let (mut next, mut asked) = (Some(clock.now()), clock.now());
    let (mut pause, mut after_failure) = (Duration::ZERO, AFTER_FAILURE);
    while timeout(pause, stop.cancelled()).await.is_err() {
        let now = clock.now();
        pause = PERIOD;
        if !is_due(now, next, asked) {
            continue;
        }
        match plane.advance(now).await {
            Ok(due) => {
                (next, asked) = (due, now);
                after_failure = AFTER_FAILURE;
            }
            Err(error) => {
                tracing::error!("what has fallen due is not done: {error}: trying again");
                pause = after_failure;
                after_failure = (after_failure * 2).min(AFTER_FAILURES_MAX);
            }
        }
    }
}

/// Whether the plane is to be asked. A clock that was turned back is reason enough, too.
fn is_due(now: Timestamp, next: Option<Timestamp>, asked: Timestamp) -> bool {
    let apart = now.as_unix_ms() - asked.as_unix_ms();
    next.is_some_and(|next| now >= next) || !(0..APART_MS).contains(&apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_is_asked_at_its_instant_and_once_a_minute() {
        let at = |s: i64| Timestamp::from_unix_ms_saturating(1_000_000 + s * 1_000);
        assert!(is_due(at(0), Some(at(0)), at(0)));
        assert!(!is_due(at(1), Some(at(2)), at(0)));
        assert!(is_due(at(2), Some(at(2)), at(0)));
        assert!(!is_due(at(59), None, at(0)));
        assert!(is_due(at(60), None, at(0)));
        assert!(is_due(at(-1), Some(at(9)), at(0)), "turned back");
    }
}

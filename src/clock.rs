//! The only place that reads the time of day, or how long something takes. Everything else is told `now`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::time::Timestamp;

/// The present instant by the machine's clock.
pub fn now() -> Timestamp {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_ms_saturating(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// The time of day as a server reads it: the machine's, or one that is turned by hand. Clones show the same.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Milliseconds since 1970; nothing for the machine's.
    by_hand: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's.
    pub const fn machine() -> Self {
        Self { by_hand: None }
    }

    /// One that stands at an instant until it is turned.
    pub fn by_hand(at: Timestamp) -> Self {
        Self {
            by_hand: Some(Arc::new(AtomicI64::new(at.as_unix_ms()))),
        }
    }

    /// What it shows.
    #[inline]
    pub fn now(&self) -> Timestamp {
        match &self.by_hand {
            None => now(),
            Some(shown) => Timestamp::from_unix_ms_saturating(shown.load(Ordering::SeqCst)),
        }
    }

    /// Turns it, forward or back. The machine's stays as it is.
    pub fn turn(&self, to: Timestamp) {
        if let Some(shown) = &self.by_hand {
            shown.store(to.as_unix_ms(), Ordering::SeqCst);
        }
    }
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

/// Sees the machine's clock jump, by a clock that never does.
#[derive(Clone, Copy, Debug)]
pub struct JumpWatch {
    wall: Timestamp,
    steady: Stopwatch,
}

impl JumpWatch {
    /// Begins to watch.
    pub fn start() -> Self {
        Self {
            wall: now(),
            steady: Stopwatch::start(),
        }
    }

    /// How many milliseconds the clock has jumped since the last look, if that is more than `least_ms`; less than 0: back.
    pub fn look(&mut self, least_ms: i64) -> Option<i64> {
        let before = std::mem::replace(self, Self::start());
        let passed = i64::try_from(before.steady.elapsed().as_millis()).unwrap_or(i64::MAX);
        let shown = self.wall.as_unix_ms() - before.wall.as_unix_ms();
        let jumped = shown.saturating_sub(passed);
        (jumped.abs() > least_ms).then_some(jumped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_by_hand_shows_what_it_was_turned_to() {
        let at = Timestamp::from_unix_ms_saturating;
        let clock = Clock::by_hand(at(1_000));
        let same = clock.clone();
        clock.turn(at(500));
        assert_eq!(same.now(), at(500));
        let machine = Clock::machine();
        machine.turn(at(500));
        assert!(machine.now() > at(500));
    }

    #[test]
    fn a_jump_is_seen_once_and_in_its_direction() {
        let steady = Stopwatch::start();
        let wall = now().plus_ms(120_000);
        let mut watch = JumpWatch { wall, steady };
        let jumped = watch.look(60_000).expect("two minutes back");
        assert!((-180_000..-60_000).contains(&jumped), "{jumped}");
        assert_eq!(watch.look(60_000), None);
        watch.wall = watch.wall.plus_ms(-120_000);
        assert!(watch.look(60_000).is_some_and(|jumped| jumped > 60_000));
    }
}

//! When a stream says something though there is nothing to tell.
//!
//! Pure. Invariant: the first look is always told, so that a reader knows that it is up to date; later ones at least once in
//! [`SILENCE`], or every interval if that is longer.

use std::time::Duration;

/// How long a stream may be silent, if its interval is not longer.
const SILENCE: Duration = Duration::from_mins(1);

/// How long a stream has been silent.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    /// Since the last batch; nothing before the first.
    silent: Option<Duration>,
}

impl Pace {
    /// The pace of a stream that looks every interval.
    pub(super) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            silent: None,
        }
    }

    /// Another look begins, an interval after the last one.
    pub(super) fn begins(&mut self) {
        self.silent = self
            .silent
            .map(|silent| silent.saturating_add(self.interval));
    }

    /// Whether a look that has found nothing is told.
    pub(super) fn tells_nothing(&self) -> bool {
        self.silent.is_none_or(|silent| silent >= SILENCE)
    }

    /// A batch was sent.
    pub(super) const fn told(&mut self) {
        self.silent = Some(Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the looks are told, when those listed have found something.
    fn told(interval_s: u64, found: &[usize], looks: usize) -> Vec<usize> {
        let mut pace = Pace::new(Duration::from_secs(interval_s));
        let looks = (0..looks).filter(|look| {
            pace.begins();
            let tells = found.contains(look) || pace.tells_nothing();
            if tells {
                pace.told();
            }
            tells
        });
        looks.collect()
    }

    #[test]
    fn the_first_look_is_told_and_then_one_a_minute() {
        assert_eq!(told(10, &[], 14), [0, 6, 12]);
        assert_eq!(told(1, &[], 130), [0, 60, 120]);
        assert_eq!(told(45, &[], 5), [0, 2, 4]);
    }

    #[test]
    fn what_is_found_is_told_and_a_minute_counts_from_there() {
        assert_eq!(told(10, &[0, 3, 4], 12), [0, 3, 4, 10]);
    }

    #[test]
    fn a_long_interval_is_told_every_time() {
        assert_eq!(told(60, &[], 3), [0, 1, 2]);
        assert_eq!(told(3_600, &[], 3), [0, 1, 2]);
    }
}

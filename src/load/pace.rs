//! When each message of one connection is due.
//!
//! In an open loop messages are due at fixed instants whatever the server does, and a message's time runs from its instant:
//! a server that stalls is charged for everything that had to wait, not for the one call that met the stall.

use std::time::Duration;

/// The messages of one connection in time. Instants count from the start of the run.
#[derive(Clone, Debug)]
pub(super) enum Pace {
    /// One after another, as answers come.
    Closed,
    /// Message `n` at `(n * lines + line) * operations / rate` seconds.
    Open {
        /// Which connection of how many.
        line: u64,
        lines: u64,
        /// Operations in a message.
        operations: u64,
        /// Operations a second, over all connections.
        rate: u64,
        /// Messages sent.
        sent: u64,
    },
}

impl Pace {
    /// The instant at which the next message is due, if it is due by now.
    pub(super) fn due(&self, now: Duration) -> Option<Duration> {
        match self.next() {
            None => Some(now),
            Some(next) => (next <= now).then_some(next),
        }
    }

    /// The instant at which the next message is due; nothing in a closed loop.
    pub(super) fn next(&self) -> Option<Duration> {
        match self {
            Self::Closed => None,
            Self::Open { sent, .. } => self.instant(*sent),
        }
    }

    /// The next message is sent.
    pub(super) fn advance(&mut self) {
        if let Self::Open { sent, .. } = self {
            *sent += 1;
        }
    }

    /// How long each message that is due before an instant, and not sent, has waited by then: as a duration, and how many
    /// messages it stands for. At most a million, evenly chosen.
    pub(super) fn overdue(&self, until: Duration) -> impl Iterator<Item = (Duration, u64)> {
        const MOST: u64 = 1_000_000;
        let first = match self {
            Self::Closed => 0,
            Self::Open { sent, .. } => *sent,
        };
        let end = self.due_before(until).max(first);
        let stride = (end - first).div_ceil(MOST).max(1);
        let step = usize::try_from(stride).unwrap_or(usize::MAX);
        let numbers = (first..end).step_by(step);
        let waited = move |number| {
            let due = self.instant(number)?;
            Some((until.saturating_sub(due), stride.min(end - number)))
        };
        numbers.filter_map(waited)
    }

    /// The instant of a message; nothing in a closed loop.
    fn instant(&self, number: u64) -> Option<Duration> {
        let Self::Open {
            line,
            lines,
            operations,
            rate,
            ..
        } = self
        else {
            return None;
        };
        let before = u128::from(number) * u128::from(*lines) + u128::from(*line);
        let nanos = before * u128::from(*operations) * 1_000_000_000 / u128::from((*rate).max(1));
        Some(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ))
    }

    /// How many messages are due before an instant.
    fn due_before(&self, until: Duration) -> u64 {
        let Self::Open {
            line,
            lines,
            operations,
            rate,
            ..
        } = self
        else {
            return 0;
        };
        let operations_due = (until.as_nanos() * u128::from(*rate)).div_ceil(1_000_000_000);
        let messages = operations_due.div_ceil(u128::from((*operations).max(1)));
        let own = messages
            .saturating_sub(u128::from(*line))
            .div_ceil(u128::from((*lines).max(1)));
        u64::try_from(own).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(line: u64, rate: u64, operations: u64) -> Pace {
        Pace::Open {
            line,
            lines: 4,
            operations,
            rate,
            sent: 0,
        }
    }

    #[test]
    fn an_open_loop_is_spread_over_the_connections() {
        let mut pace = open(1, 1_000, 1);
        assert_eq!(pace.next(), Some(Duration::from_millis(1)));
        assert_eq!(pace.due(Duration::from_micros(999)), None);
        pace.advance();
        assert_eq!(pace.next(), Some(Duration::from_millis(5)));
        // Late as it is, its time runs from its own instant.
        let due = pace.due(Duration::from_secs(1));
        assert_eq!(due, Some(Duration::from_millis(5)));
        assert_eq!(open(1, 1_000, 128).next(), Some(Duration::from_millis(128)));
    }

    #[test]
    fn a_closed_loop_is_always_due() {
        let now = Duration::from_millis(7);
        assert_eq!(Pace::Closed.due(now), Some(now));
        assert_eq!(Pace::Closed.overdue(now).count(), 0);
    }

    #[test]
    fn what_was_not_sent_has_waited() {
        let mut pace = open(0, 1_000, 1);
        pace.advance();
        let waited: Vec<_> = pace.overdue(Duration::from_millis(10)).collect();
        let millis = Duration::from_millis;
        assert_eq!(waited, [(millis(6), 1), (millis(2), 1)]);
    }

    #[test]
    fn a_great_backlog_is_counted_in_full() {
        let pace = open(3, 10_000_000, 1);
        let overdue = || pace.overdue(Duration::from_secs(3));
        assert!(overdue().count() <= 1_000_000);
        let messages: u64 = overdue().map(|(_, messages)| messages).sum();
        assert_eq!(messages, 7_500_000);
    }
}

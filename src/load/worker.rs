//! One thread of the load: its connections in turn, and one wait for all of them.
//!
//! Invariant: it ends by itself, whatever the server does.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::line::Line;
use super::tally::Tally;
use super::{LoadError, Options};
use crate::clock::Stopwatch;

/// A run whose server has answered nothing for so long is over.
const GIVE_UP_AFTER: Duration = Duration::from_secs(3);

/// What is under way at the end may still be answered for so long.
const DRAIN: Duration = Duration::from_secs(2);

/// Waits are no longer than this, so that the end is not missed.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// Runs the connections of these numbers to the end.
pub(super) fn run(
    options: &Options,
    numbers: impl Iterator<Item = u32>,
    clock: Stopwatch,
) -> Result<Tally, LoadError> {
    settle_timers();
    let begin = options.warm_up();
    let end = begin + options.duration;
    let mut tally = Tally::new(begin..end);
    let mut lines: Vec<Line<'_>> = numbers.map(|number| Line::new(options, number)).collect();
    loop {
        let now = clock.elapsed();
        for line in &mut lines {
            line.turn(clock, end, &mut tally);
        }
        let in_flight: usize = lines.iter().map(Line::in_flight).sum();
        if now >= end && (in_flight == 0 || now >= end + DRAIN) {
            break;
        }
        if now.saturating_sub(tally.last_answer) > GIVE_UP_AFTER && now < end {
            return Err(LoadError::NothingAnswered {
                server: options.server.to_string(),
                seconds: GIVE_UP_AFTER.as_secs(),
                trouble: tally.trouble.unwrap_or_else(|| "no answer".into()),
            });
        }
        wait(&lines, clock, end)?;
    }
    let now = clock.elapsed();
    for line in &mut lines {
        line.give_up(now, &mut tally, "not answered by the end");
        line.count_unsent(end, &mut tally);
    }
    Ok(tally)
}

/// Waits until a connection has something, or something is due.
fn wait(lines: &[Line<'_>], clock: Stopwatch, end: Duration) -> Result<(), LoadError> {
    let mut readiness = Vec::with_capacity(lines.len());
    let mut sockets = Vec::with_capacity(lines.len());
    for (stream, known) in lines.iter().filter_map(Line::waits_for) {
        let mut events = PollFlags::IN;
        events.set(PollFlags::OUT, known.is_full.get());
        sockets.push(PollFd::new(stream, events));
        readiness.push(known);
    }
    let now = clock.elapsed();
    // After the end there is nothing to wait for but answers.
    let due = lines.iter().filter_map(Line::next).min();
    let due = due.filter(|_| now < end).map(|due| due.saturating_sub(now));
    let timeout = due.unwrap_or(WAIT_MAX).min(WAIT_MAX);
    let timeout = Timespec::try_from(timeout).unwrap_or_default();
    match poll(&mut sockets, Some(&timeout)) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(()),
        Err(error) => return Err(LoadError::Wait(error.into())),
    }
    for (socket, known) in sockets.iter().zip(readiness) {
        let events = socket.revents();
        if events.contains(PollFlags::OUT) {
            known.is_full.set(false);
        }
        if events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            known.is_readable.set(true);
            known.is_full.set(false);
        }
    }
    Ok(())
}

/// The kernel may be up to 50 microseconds late with a wait, unless it is told not to be: an open loop would measure that.
fn settle_timers() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

//! Whether the gateway is worth asking: after failures in a row, calls go by policy for a moment, then one tries.
//!
//! Invariant: one word holds the whole state; a try that is dropped unfinished gives its turn to the next call. Absent on purpose:
//! the time. A pause is a sleeping task, at most one each time that the breaker opens.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::sleep;

/// Failures in a row after which the gateway is taken to be down. One may be an accident; five are none.
const FAILURES_MAX: u32 = 5;
/// The pause before the next try, plus up to as much again by chance: clients that lost one gateway together come back apart.
const PAUSE: Duration = Duration::from_millis(250);

/// Calls go by policy. Smaller numbers than these three are failures in a row.
const OPEN: u32 = u32::MAX;
/// The next call tries.
const HALF_OPEN: u32 = u32::MAX - 1;
/// A call is trying; the others go by policy.
const TRYING: u32 = u32::MAX - 2;

/// The state, shared by the clones of a client. Relaxed throughout: the word guards no other memory.
#[derive(Default)]
pub(super) struct Breaker(Arc<AtomicU32>);

/// Leave to ask the gateway.
pub(super) struct Permit<'a> {
    state: &'a Arc<AtomicU32>,
    tries: bool,
}

impl Breaker {
    /// Leave to ask; none while the gateway is taken to be down.
    pub(super) fn permit(&self) -> Option<Permit<'_>> {
        let state = &self.0;
        match state.load(Ordering::Relaxed) {
            OPEN | TRYING => None,
            HALF_OPEN => {
                let turn = swap(state, HALF_OPEN, TRYING);
                turn.then_some(Permit { state, tries: true })
            }
            _ => Some(Permit {
                state,
                tries: false,
            }),
        }
    }
}

impl Permit<'_> {
    /// The gateway answered: it is there.
    pub(super) fn answered(mut self) {
        let tried = std::mem::take(&mut self.tries);
        // Not written when it is so already: every call of every thread would take the cache line. Once the breaker has
        // opened, only its own try closes it: an older call's answer says how things were.
        let close = |before| match before {
            0 | OPEN | HALF_OPEN => None,
            TRYING if !tried => None,
            _ => Some(0),
        };
        if self.state.load(Ordering::Relaxed) != 0 {
            let order = Ordering::Relaxed;
            let _ = self.state.fetch_update(order, order, close);
        }
    }

    /// The gateway could not be reached, or was late.
    pub(super) fn failed(mut self) {
        let tried = std::mem::take(&mut self.tries);
        let fail = |before| match before {
            OPEN | HALF_OPEN => None,
            TRYING => tried.then_some(OPEN),
            failures if failures + 1 >= FAILURES_MAX => Some(OPEN),
            failures => Some(failures + 1),
        };
        let changed = self
            .state
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fail);
        if changed.is_ok_and(|before| fail(before) == Some(OPEN)) {
            let state = Arc::downgrade(self.state);
            tokio::spawn(async move {
                sleep(pause()).await;
                if let Some(state) = state.upgrade() {
                    swap(&state, OPEN, HALF_OPEN);
                }
            });
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.tries {
            swap(self.state, TRYING, HALF_OPEN);
        }
    }
}

fn swap(state: &AtomicU32, from: u32, to: u32) -> bool {
    let swapped = state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
    swapped.is_ok()
}

fn pause() -> Duration {
    // A fresh hasher is the standard library's only source of chance, and chance enough.
    let chance = RandomState::new().hash_one(0) % 1024;
    PAUSE + PAUSE * u32::try_from(chance).unwrap_or(0) / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Past the longest pause. Timers go by whole milliseconds, and of two that end in the same one either may be first.
    const PAUSE_OVER: Duration = PAUSE
        .saturating_mul(2)
        .saturating_add(Duration::from_millis(2));

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.permit().expect("not open").failed();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_for_a_pause() {
        let breaker = Breaker::default();
        fail(&breaker, FAILURES_MAX - 1);
        breaker.permit().expect("not open").answered();
        fail(&breaker, FAILURES_MAX);
        assert!(breaker.permit().is_none());
        sleep(PAUSE * 9 / 10).await;
        assert!(breaker.permit().is_none());
        sleep(PAUSE_OVER.saturating_sub(PAUSE * 9 / 10)).await;
        let trying = breaker.permit().expect("one may try");
        assert!(breaker.permit().is_none(), "only one");
        trying.failed();
        assert!(breaker.permit().is_none());
        sleep(PAUSE_OVER).await;
        breaker.permit().expect("one may try").answered();
        assert!(breaker.permit().is_some());
        assert!(breaker.permit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_is_dropped_gives_its_turn_away() {
        let breaker = Breaker::default();
        fail(&breaker, FAILURES_MAX);
        sleep(PAUSE_OVER).await;
        drop(breaker.permit().expect("one may try"));
        breaker.permit().expect("the next may").answered();
        assert!(breaker.permit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn late_answers_of_older_calls_do_not_cut_the_pause_short() {
        let breaker = Breaker::default();
        let older = breaker.permit().expect("open");
        fail(&breaker, FAILURES_MAX);
        older.answered();
        assert!(breaker.permit().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn late_failures_of_older_calls_are_no_reason_to_wait_longer() {
        let breaker = Breaker::default();
        let older: Vec<_> = (0..9).map(|_| breaker.permit().expect("open")).collect();
        for permit in older {
            permit.failed();
        }
        sleep(PAUSE_OVER).await;
        assert!(breaker.permit().is_some());
    }
}

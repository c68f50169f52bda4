//! Tasks that wait for a position to be reached.
//!
//! Invariant: a task is held once, however often it asks, and is woken at the least position that it waits for, or when it
//! has waited too long; who finds a position reached after it was told to wait has been woken. Absent on purpose: the
//! position reached, which is compared by the caller under the lock.

use std::collections::HashMap;
use std::task::Waker;
use std::time::Duration;

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::entry::Position;
use crate::clock::Stopwatch;

/// Tasks by their wakers.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Tasks>);

/// A task is known by where its waker points.
type Tasks = HashMap<(usize, usize), Waiter, RandomState>;

#[derive(Debug)]
struct Waiter {
    position: Position,
    waker: Waker,
    since: Stopwatch,
}

impl Waiting {
    /// Lets a task wait unless `answer` has one for it. It is asked under the lock that waking takes: what becomes true
    /// later finds the task waiting.
    pub(super) fn wait<A>(
        &self,
        position: Position,
        waker: &Waker,
        answer: impl FnOnce() -> Option<A>,
    ) -> Option<A> {
        let mut tasks = self.0.lock();
        let answer = answer();
        if answer.is_none() {
            let key = (
                waker.data().addr(),
                std::ptr::from_ref(waker.vtable()).addr(),
            );
            let waiter = tasks.entry(key).or_insert_with(|| Waiter {
                position,
                waker: waker.clone(),
                since: Stopwatch::start(),
            });
            waiter.position = waiter.position.min(position);
        }
        answer
    }

    /// Wakes those whose position has been reached.
    pub(super) fn reached(&self, position: Position) {
        self.wake(|waiter| waiter.position <= position);
    }

    /// Wakes all.
    pub(super) fn all(&self) {
        self.wake(|_| true);
    }

    /// Wakes those that have waited so long.
    pub(super) fn longer_than(&self, patience: Duration) {
        self.wake(|waiter| waiter.since.elapsed() >= patience);
    }

    /// Whether some have waited so long.
    pub(super) fn is_longer_than(&self, patience: Duration) -> bool {
        let tasks = self.0.lock();
        tasks
            .values()
            .any(|waiter| waiter.since.elapsed() >= patience)
    }

    fn wake(&self, is_due: impl Fn(&Waiter) -> bool) {
        let due: Vec<Waker> = {
            let mut tasks = self.0.lock();
            if tasks.is_empty() {
                return;
            }
            let due = tasks.extract_if(|_, waiter| is_due(waiter));
            due.map(|(_, waiter)| waiter.waker).collect()
        };
        // Not under the lock: a task that is woken may ask again at once.
        due.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_task_is_woken_once_at_its_least_position() {
        let waiting = Waiting::default();
        let tasks = [(); 2].map(|()| Arc::new(Woken::default()));
        let woken = || tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed));
        for (task, position) in [(0, 30), (0, 10), (0, 20), (1, 15)] {
            let waker = Waker::from(Arc::clone(&tasks[task]));
            let answer = waiting.wait(Position::new(position), &waker, || None::<()>);
            assert_eq!(answer, None);
        }
        waiting.reached(Position::new(9));
        assert_eq!(woken(), [0, 0]);
        waiting.reached(Position::new(10));
        assert_eq!(woken(), [1, 0]);
        waiting.reached(Position::new(15));
        waiting.all();
        assert_eq!(woken(), [1, 1]);
    }

    #[test]
    fn who_has_waited_too_long_is_woken() {
        let waiting = Waiting::default();
        let task = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&task));
        assert!(!waiting.is_longer_than(Duration::ZERO));
        waiting.wait(Position::START, &waker, || None::<()>);
        assert!(!waiting.is_longer_than(Duration::from_hours(1)));
        assert!(waiting.is_longer_than(Duration::ZERO));
        waiting.longer_than(Duration::ZERO);
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
        assert!(!waiting.is_longer_than(Duration::ZERO));
    }
}

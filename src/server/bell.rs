//! Rung now and then, for every connection to look up from its calls: is the peer still there, is the gateway stopping?
//!
//! A timer or a token in each connection would be asked at every wake-up, and would give the worker's wait for events a
//! deadline; an unrung bell costs one load. Invariant: whoever has registered since the last ring is woken by the next.
//! Absent on purpose: what to do about it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

/// A bell that connections listen for.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: AtomicU64,
    stopping: AtomicBool,
    listeners: Mutex<Vec<Waker>>,
}

impl Bell {
    /// Times it has rung. Read it, then [`register`](Self::register), and a ring in between is seen at the next look.
    #[inline]
    pub(super) fn rung(&self) -> u64 {
        // Acquire: pairs with the release in `ring`, so that who sees the ring sees why.
        self.rung.load(Ordering::Acquire)
    }

    /// Whether the gateway is stopping.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Wakes at the next ring; at once if it has rung since `seen`.
    pub(super) fn register(&self, waker: &Waker, seen: u64) {
        let mut listeners = self.listeners.lock();
        if self.rung() == seen {
            listeners.push(waker.clone());
        } else {
            waker.wake_by_ref();
        }
    }

    /// Rings.
    pub(super) fn ring(&self) {
        let listeners = {
            let mut listeners = self.listeners.lock();
            self.rung.fetch_add(1, Ordering::Release);
            std::mem::take(&mut *listeners)
        };
        listeners.into_iter().for_each(Waker::wake);
    }

    /// Rings, and says that the gateway is stopping.
    pub(super) fn ring_the_end(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.ring();
    }
}

//! Rung now and then, for every connection to look up from its calls: is the peer still there, is the gateway stopping?
//!
//! A timer or a token in each connection would be asked at every wake-up, and would give the worker's wait for events a
//! deadline; an unrung bell costs one load. Invariant: whoever listens since the last ring is woken by the next, and who has gone is forgotten.
//! Absent on purpose: what to do about it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

/// A bell that connections listen for.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: AtomicU64,
    stopping: AtomicBool,
    ears: AtomicU64,
    listening: Mutex<HashMap<u64, Waker>>,
}

/// A connection's ear for the bell. A connection that ends takes it away.
#[derive(Debug)]
pub(super) struct Ear {
    bell: Arc<Bell>,
    number: u64,
}

impl Bell {
    /// A new ear for it.
    pub(super) fn ear(self: &Arc<Self>) -> Ear {
        Ear {
            bell: Arc::clone(self),
            // Relaxed: numbers need only differ.
            number: self.ears.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Times it has rung.
    #[inline]
    fn rung(&self) -> u64 {
        // Acquire: pairs with the release in `ring`, so that who sees the ring sees why.
        self.rung.load(Ordering::Acquire)
    }

    /// Whether the gateway is stopping.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Rings.
    pub(super) fn ring(&self) {
        let listening = {
            let mut listening = self.listening.lock();
            self.rung.fetch_add(1, Ordering::Release);
            std::mem::take(&mut *listening)
        };
        listening.into_values().for_each(Waker::wake);
    }

    /// Rings, and says that the gateway is stopping.
    pub(super) fn ring_the_end(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.ring();
    }
}

impl Ear {
    /// Times the bell has rung. Read it, then [`listen`](Self::listen), and a ring in between is seen at the next look.
    #[inline]
    pub(super) fn rung(&self) -> u64 {
        self.bell.rung()
    }

    /// Wakes at the next ring; at once if the bell has rung since `heard`.
    pub(super) fn listen(&self, waker: &Waker, heard: u64) {
        let mut listening = self.bell.listening.lock();
        if self.bell.rung() == heard {
            listening.insert(self.number, waker.clone());
        } else {
            waker.wake_by_ref();
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.bell.listening.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_is_woken_and_who_has_gone_is_forgotten() {
        let bell = Arc::new(Bell::default());
        let (here, gone) = (bell.ear(), bell.ear());
        for ear in [&here, &gone] {
            ear.listen(Waker::noop(), ear.rung());
        }
        drop(gone);
        assert_eq!(bell.listening.lock().len(), 1);
        let heard = here.rung();
        bell.ring();
        assert!(bell.listening.lock().is_empty());
        // It has rung since: the next look is at once.
        here.listen(Waker::noop(), heard);
        assert!(bell.listening.lock().is_empty());
        assert_ne!(here.rung(), heard);
    }
}

//! The thread that looks after the journal: writes what nobody has, syncs, makes room.
//!
//! Invariant: whoever kicks it after an append is followed by a step that sees the append. Absent on purpose: what a step
//! does; see `upkeep`. Tests take steps without this thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::log::Log;

/// How long anything waits at most before the scribe has it written and synced.
const PERIOD: Duration = Duration::from_millis(20);

/// What makes the scribe begin its next step.
#[derive(Debug, Default)]
pub(super) struct Kick {
    is_kicked: AtomicBool,
    lock: Mutex<()>,
    kicked: Condvar,
}

impl Kick {
    #[inline]
    pub(super) fn kick(&self) {
        // AcqRel: pairs with the swap in `wait`. If it was kicked already, the step that follows sees this thread's appends.
        if !self.is_kicked.swap(true, Ordering::AcqRel) {
            // Under the lock: the scribe has looked and waits, or has not looked yet.
            let _looked = self.lock.lock();
            self.kicked.notify_one();
        }
    }

    fn wait(&self, period: Duration) {
        let mut looked = self.lock.lock();
        if !self.is_kicked.load(Ordering::Relaxed) {
            self.kicked.wait_for(&mut looked, period);
        }
        self.is_kicked.swap(false, Ordering::AcqRel);
    }
}

/// The thread; it ends when it is told to, or let go.
#[derive(Debug)]
pub struct Scribe {
    log: Arc<Log>,
    is_ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scribe {
    /// Begins to look after a journal.
    pub fn start(log: &Arc<Log>) -> io::Result<Self> {
        let is_ending = Arc::new(AtomicBool::new(false));
        let (shared, ending) = (Arc::clone(log), Arc::clone(&is_ending));
        let run = move || {
            // Relaxed: only whether to go on.
            while !ending.load(Ordering::Relaxed) {
                shared.kick.wait(PERIOD);
                shared.step();
            }
        };
        let thread = thread::Builder::new().name("journal".to_owned());
        Ok(Self {
            log: Arc::clone(log),
            is_ending,
            thread: Some(thread.spawn(run)?),
        })
    }

    /// Ends, and closes the journal: everything is written and durable, or an error says that it may not be.
    pub fn close(mut self) -> io::Result<()> {
        self.end();
        self.log.close()
    }

    fn end(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.log.kick.kick();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks after the journal has panicked");
        }
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.end();
    }
}

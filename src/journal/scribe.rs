//! The threads that look after the journal: one writes what nobody has, syncs and makes room; at level `process` another, the
//! pen, writes for those who must not wait for a slow disk, and not for a sync either.
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
use super::status::Level;

/// How long anything waits at most before the scribe has it written and synced.
const PERIOD: Duration = Duration::from_millis(20);
/// How long the pen rests at most.
const IDLE: Duration = Duration::from_secs(1);

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

/// The threads; they end when they are told to, or let go.
#[derive(Debug)]
pub struct Scribe {
    log: Arc<Log>,
    is_ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Scribe {
    /// Begins to look after a journal.
    pub fn start(log: &Arc<Log>) -> io::Result<Self> {
        let mut scribe = Self {
            log: Arc::clone(log),
            is_ending: Arc::default(),
            threads: Vec::new(),
        };
        scribe.spawn("journal", |log| {
            log.kick.wait(PERIOD);
            log.step();
        })?;
        if log.options.level == Level::Process {
            scribe.spawn("journal-pen", |log| {
                log.pen.wait(IDLE);
                log.write_pending(log.file.lock());
            })?;
        }
        Ok(scribe)
    }

    /// Begins a thread that does this again and again.
    fn spawn(&mut self, name: &str, turn: fn(&Log)) -> io::Result<()> {
        let (log, is_ending) = (Arc::clone(&self.log), Arc::clone(&self.is_ending));
        let thread = thread::Builder::new().name(name.to_owned());
        let run = move || {
            // Relaxed: only whether to go on.
            while !is_ending.load(Ordering::Relaxed) {
                turn(&log);
            }
        };
        self.threads.push(thread.spawn(run)?);
        Ok(())
    }

    /// Ends, and closes the journal: everything is written and durable, or an error says that it may not be.
    pub fn close(mut self) -> io::Result<()> {
        self.end();
        self.log.close()
    }

    fn end(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.log.kick.kick();
        self.log.pen.kick();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that looks after the journal has panicked");
            }
        }
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.end();
    }
}

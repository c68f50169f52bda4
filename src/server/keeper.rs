//! What keeps a gateway's files behind its calls: a thread that writes and syncs the journal, one that takes snapshots.
//!
//! Invariant: they end when they are let go, the journal in good order if it can be. Absent on purpose: what is due; the
//! gateway says.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::gateway::Gateway;
use crate::journal::{Scribe, State};
use crate::snapshot::Taken;

/// How often it is looked whether a snapshot is due.
const PERIOD: Duration = Duration::from_millis(100);
/// How long after a snapshot that failed another is tried; doubled each time that fails again …
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// … up to that: each takes room and time. While nothing is taken because the files have to be founded anew, it stays short.
const AFTER_FAILURES_MAX: Duration = Duration::from_mins(2);

/// The threads.
pub struct Keeper {
    scribe: Scribe,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Begins to keep the files of a gateway; nothing if it has none. A snapshot is due when the journal has grown by so
    /// many bytes, and by half of the last one.
    pub fn start(gateway: &Arc<Gateway>, snapshot_bytes: u64) -> io::Result<Option<Self>> {
        let Some(log) = gateway.log() else {
            return Ok(None);
        };
        let scribe = Scribe::start(log)?;
        let (stop, stopped) = mpsc::channel::<()>();
        let gateway = Arc::clone(gateway);
        let run = move || {
            let (mut pause, mut is_failing) = (PERIOD, false);
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let kept = gateway.keep(snapshot_bytes);
                tell(&kept, is_failing);
                let is_urgent = gateway
                    .log()
                    .is_some_and(|log| log.state() == State::Failed);
                pause = match kept {
                    Ok(_) => PERIOD,
                    Err(_) if is_failing && !is_urgent => (pause * 2).min(AFTER_FAILURES_MAX),
                    Err(_) => AFTER_FAILURE,
                };
                is_failing = kept.is_err();
            }
        };
        let thread = thread::Builder::new().name("snapshots".to_owned());
        Ok(Some(Self {
            scribe,
            stop,
            thread: thread.spawn(run)?,
        }))
    }

    /// Ends, after the snapshot under way, and closes the journal; an error if something may not be durable.
    pub fn close(self) -> io::Result<()> {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that takes snapshots has panicked");
        }
        self.scribe.close()
    }
}

/// Says what came of it, a failure once.
fn tell(kept: &io::Result<Option<Taken>>, is_failing: bool) {
    match kept {
        Ok(None) => {}
        Ok(Some(taken)) => tracing::info!(
            apps = taken.apps,
            bytes = taken.bytes,
            "snapshot taken in {:.1?}; the longest lock hold was {:.0?}",
            taken.took,
            taken.longest_hold
        ),
        Err(error) if is_failing => tracing::debug!("still no snapshot: {error}"),
        Err(error) => {
            tracing::error!(
                "no snapshot could be taken: {error}: trying again, less and less often"
            );
        }
    }
}

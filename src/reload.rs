//! Reading the catalog and limits files anew, into a gateway that serves.
//!
//! Invariant: both files are put in force or neither, and what has a fault changes nothing. Absent on purpose: when to do it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::config::{self, Fault, Loaded};
use crate::control::{ControlError, ControlPlane};
use crate::entitlement::Terms;
use crate::ledger::Caller;
use crate::time::{Timestamp, Zone};

/// Reloads the files of a gateway.
pub struct Reloader {
    plane: Arc<ControlPlane>,
    dir: Option<PathBuf>,
    /// One reload after the other: what is read last is in force last, and one thread at most reads.
    one: Mutex<()>,
}

/// Why nothing was reloaded.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// There are no files to read.
    #[error(
        "the gateway runs on the files that are built in: start it with --config FILE to have some to reload"
    )]
    BuiltIn,
    /// The files have faults.
    #[error("{} in the files; what was in force stays", count(.0.len()))]
    Faults(Vec<Fault>),
    /// The thread that reads them broke off.
    #[error("the reload broke off")]
    BrokeOff,
    /// They cannot be put in force.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl Reloader {
    /// A reloader of the files in a directory; of none if the gateway runs on what is built in.
    pub fn new(plane: Arc<ControlPlane>, dir: Option<PathBuf>) -> Self {
        Self {
            plane,
            dir,
            one: Mutex::new(()),
        }
    }

    /// Reads the files and puts them in force; the revision of all limits from now on.
    pub async fn reload(&self, caller: &Caller, now: Timestamp) -> Result<u64, ReloadError> {
        let _one = self.one.lock().await;
        let read = self.read().await;
        let reloaded = self.plane.reload(caller, read, now).await;
        let reloaded = reloaded.map_err(ReloadError::from).flatten();
        match &reloaded {
            Ok(revision) => tracing::info!(revision, "catalog.toml and limits.toml are in force"),
            Err(error) => {
                tracing::error!("nothing reloaded: {error}");
                if let ReloadError::Faults(faults) = error {
                    for fault in faults {
                        tracing::error!("{fault}");
                    }
                }
            }
        }
        reloaded
    }

    /// Reading files blocks: not on a thread that serves admissions.
    async fn read(&self) -> Result<Terms, ReloadError> {
        let dir = self.dir.clone().ok_or(ReloadError::BuiltIn)?;
        let zone = self.plane.gateway().terms().zone;
        let read = spawn_blocking(move || terms(&dir, zone)).await;
        read.unwrap_or(Err(ReloadError::BrokeOff))
    }
}

fn terms(dir: &Path, zone: Zone) -> Result<Terms, ReloadError> {
    let Loaded { catalog, policy } = config::load_dir(dir).map_err(ReloadError::Faults)?;
    Ok(Terms {
        catalog: Arc::new(catalog),
        policy: Arc::new(policy),
        zone,
    })
}

fn count(faults: usize) -> String {
    format!("{faults} {}", if faults == 1 { "fault" } else { "faults" })
}

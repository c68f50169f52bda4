//! Reading the catalog and limits files anew, into a gateway that serves.
//!
//! Invariant: both files are put in force or neither, and what has a fault changes nothing. Absent on purpose: when to do it.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::config::{self, Fault, Loaded};
use crate::entitlement::Terms;
use crate::gateway::{Gateway, Stranded};
use crate::time::Timestamp;

/// Reloads the files of a gateway.
pub struct Reloader {
    gateway: Arc<Gateway>,
    dir: Option<PathBuf>,
    /// One reload after the other: what is read last is in force last.
    one: Mutex<()>,
}

/// Why nothing was reloaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// There are no files to read.
    #[error(
        "the gateway runs on the files that are built in: start it with --config FILE to have some to reload"
    )]
    BuiltIn,
    /// The files have faults.
    #[error("{} in the files; what was in force stays", count(.0.len()))]
    Faults(Vec<Fault>),
    /// Apps are on editions that the new catalog lacks.
    #[error("the new catalog lacks editions that apps are on: {}; put them back, or move the apps first", listed(.0))]
    Stranded(Vec<Stranded>),
}

impl Reloader {
    /// A reloader of the files in a directory; of none if the gateway runs on what is built in.
    pub fn new(gateway: Arc<Gateway>, dir: Option<PathBuf>) -> Self {
        Self {
            gateway,
            dir,
            one: Mutex::new(()),
        }
    }

    /// Reads the files and puts them in force; the revision of all limits from now on.
    pub fn reload(&self, now: Timestamp) -> Result<u64, ReloadError> {
        let _one = self.one.lock();
        let reloaded = self.read(now);
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

    fn read(&self, now: Timestamp) -> Result<u64, ReloadError> {
        let dir = self.dir.as_ref().ok_or(ReloadError::BuiltIn)?;
        let Loaded { catalog, policy } = config::load_dir(dir).map_err(ReloadError::Faults)?;
        let terms = Terms {
            catalog: Arc::new(catalog),
            policy: Arc::new(policy),
            zone: self.gateway.terms().zone,
        };
        self.gateway
            .set_terms(terms, now)
            .map_err(ReloadError::Stranded)
    }
}

fn count(faults: usize) -> String {
    format!("{faults} {}", if faults == 1 { "fault" } else { "faults" })
}

/// The first few, in words.
fn listed(stranded: &[Stranded]) -> String {
    const SHOWN: usize = 5;
    let words = |Stranded { app, edition }: &_| format!("app {app} on \"{edition}\"");
    let shown: Vec<_> = stranded.iter().take(SHOWN).map(words).collect();
    let shown = shown.join(", ");
    match stranded.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

//! Recovery: the facts of every app from the snapshot in force and the journal after it.
//!
//! Invariant: what comes back is what was journaled, or the start is refused and no file is changed. Absent on purpose: which
//! apps there are; the ledger says.

mod names;

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::id::SdkAppId;
use crate::journal::{self, Ending, Entry, Found, Log, Options, Position, ReadError, Storage};
use crate::snapshot::{Files, NamesReader, SnapshotError, forget_others, load};
use crate::time::Day;
use crate::usage::{Facts, Restoring, Totals};

/// What was recovered.
pub struct Recovered {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) log: Arc<Log>,
    pub(crate) facts: HashMap<SdkAppId, Facts>,
    pub(crate) totals: Totals,
    /// Where the journal goes on from the snapshot in force, and how long that is.
    pub(crate) snapshot: Option<(Position, u64)>,
    summary: Summary,
}

/// What a directory holds, read and put together as a start would, with nothing changed.
pub struct Examined {
    pub(crate) facts: HashMap<SdkAppId, Facts>,
    totals: Totals,
    /// How the journal was read.
    pub(crate) found: Found,
    /// Where the journal goes on from the snapshot in force, and how long that is.
    pub(crate) snapshot: Option<(Position, u64)>,
    pub(crate) summary: Summary,
}

/// What is to be put together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Every app.
    All,
    /// One app; the others are read and left.
    App(SdkAppId),
}

/// What recovery came to, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Apps with facts.
    pub apps: usize,
    /// Registered users of all apps.
    pub users: u64,
    /// Memberships and entries of friend lists of all apps.
    pub edges: u64,
    /// Bytes of the snapshot.
    pub snapshot_bytes: u64,
    /// Entries of the journal that were applied to it.
    pub entries: u64,
    /// How the journal ended.
    pub ending: Ending,
    /// How long it took.
    pub took: Duration,
}

/// How far recovery has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// So many bytes of the snapshot have been read of so many.
    Snapshot(u64, u64),
    /// So many bytes of the journal.
    Journal(u64, u64),
    /// The app of that place, of so many, is being indexed.
    Apps(usize, usize),
}

/// Why the facts cannot be recovered. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The directory cannot be read.
    #[error("the data directory cannot be read: {0}: see to the disk, then start again")]
    Io(io::Error),
    /// The snapshot cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] ReadError),
    /// There are facts of an app that the ledger has not.
    #[error(
        "there are facts of app {0}, which the ledger does not know: the directory's files are not of one time; restore \
         a backup of the whole directory"
    )]
    UnknownApp(SdkAppId),
    /// The facts contradict each other.
    #[error(
        "the facts of app {app} cannot be put together: {why}: restore a backup of the directory"
    )]
    Facts {
        /// Which app.
        app: SdkAppId,
        /// What is wrong.
        why: String,
    },
}

/// Recovers the facts in a directory, and opens its journal. `created` tells on which day an app began that is known.
pub fn recover(
    storage: Arc<dyn Storage>,
    options: Options,
    created: &dyn Fn(SdkAppId) -> Option<Day>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Recovered, RecoverError> {
    let examined = examine(&*storage, Wanted::All, created, progress)?;
    let log = Arc::new(Log::open(Arc::clone(&storage), &examined.found, options)?);
    // What an end between two steps of a snapshot has left.
    let base = examined.snapshot.map(|(base, _)| base);
    forget_others(&*storage, base).map_err(RecoverError::Io)?;
    Ok(Recovered {
        storage,
        log,
        facts: examined.facts,
        totals: examined.totals,
        snapshot: examined.snapshot,
        summary: examined.summary,
    })
}

/// Reads a directory as a start would, and changes nothing.
pub fn examine(
    storage: &dyn Storage,
    wanted: Wanted,
    created: &dyn Fn(SdkAppId) -> Option<Day>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Examined, RecoverError> {
    let watch = Stopwatch::start();
    let only = match wanted {
        Wanted::All => None,
        Wanted::App(app) => Some(app),
    };
    let files = Files::list(storage).map_err(RecoverError::Io)?;
    let base = files.snapshots.last().copied();
    let (mut restoring, set, seen) = match base {
        Some(base) => {
            let loaded = load(storage, base, only, &mut |read, all| {
                progress(Progress::Snapshot(read, all));
            })?;
            // To its end: the next snapshot will need all of it.
            let mut names = NamesReader::open(storage, base, loaded.set)?;
            while names.next()?.is_some() {}
            (loaded.apps, Some(loaded.set), loaded.seen)
        }
        None => (HashMap::new(), None, Position::START),
    };
    if let Some(id) = restoring.keys().find(|id| created(**id).is_none()) {
        return Err(RecoverError::UnknownApp(*id));
    }
    let mut unknown = None;
    let mut visit = |entry: &Entry<'_>| match only {
        Some(app) if app != entry.app => Ok(()),
        _ => apply(&mut restoring, entry, created, &mut unknown),
    };
    let found = journal::read(
        storage,
        base.unwrap_or(Position::START),
        set,
        &mut visit,
        &mut |read, all| progress(Progress::Journal(read, all)),
    );
    let found = found.map_err(|error| match unknown {
        Some(id) => RecoverError::UnknownApp(id),
        None => error.into(),
    })?;
    whole(&found, seen)?;
    let totals = Totals::default();
    let facts = finish(restoring, &totals, progress)?;
    let held = totals.held();
    let summary = Summary {
        apps: facts.len(),
        users: held.users,
        edges: held.edges,
        snapshot_bytes: files.bytes,
        entries: found.entries,
        ending: found.ending.clone(),
        took: watch.elapsed(),
    };
    Ok(Examined {
        facts,
        totals,
        found,
        snapshot: base.map(|base| (base, files.bytes)),
        summary,
    })
}

/// Whether the journal has all that the snapshot has seen.
fn whole(found: &Found, seen: Position) -> Result<(), ReadError> {
    match found.segments.last() {
        Some((segment, offset)) if found.end < seen => Err(ReadError::Damaged {
            file: segment.name(),
            offset: *offset,
            position: found.end,
            proof: format!("the snapshot was taken when all was durable up to {seen}"),
        }),
        _ => Ok(()),
    }
}

fn apply(
    restoring: &mut HashMap<SdkAppId, Restoring>,
    entry: &Entry<'_>,
    created: &dyn Fn(SdkAppId) -> Option<Day>,
    unknown: &mut Option<SdkAppId>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let app = match restoring.entry(entry.app) {
        Occupied(app) => app.into_mut(),
        Vacant(place) => match created(entry.app) {
            Some(day) => place.insert(Restoring::empty(day)),
            None => {
                *unknown = Some(entry.app);
                return Err("the app is unknown".into());
            }
        },
    };
    Ok(app.apply(entry.end.get(), entry.records)?)
}

fn finish(
    restoring: HashMap<SdkAppId, Restoring>,
    totals: &Totals,
    progress: &mut dyn FnMut(Progress),
) -> Result<HashMap<SdkAppId, Facts>, RecoverError> {
    let all = restoring.len();
    let mut facts = HashMap::with_capacity(all);
    for (place, (app, one)) in restoring.into_iter().enumerate() {
        progress(Progress::Apps(place, all));
        let finished = one.finish(totals);
        let finished = finished.map_err(|malformed| RecoverError::Facts {
            app,
            why: malformed.to_string(),
        })?;
        facts.insert(app, finished);
    }
    Ok(facts)
}

impl Recovered {
    /// What it came to.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The journal.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }
}

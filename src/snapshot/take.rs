//! Taking a snapshot, while admissions go on.
//!
//! Invariants: no app's lock is held while anything is written, nor for more than some hundred users or groups; a snapshot
//! gets its name after its names file has.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;

use super::births::{Births, Span};
use super::block::{Tag, Writer};
use super::files::{self, NEXT, NEXT_NAMES};
use super::load::{GROUPS, HEAD, MAGIC, USERS};
use super::names::{Names, NamesReader, NamesWriter, Naming, Place};
use crate::clock::Stopwatch;
use crate::id::SdkAppId;
use crate::journal::{Log, Position, SetId, Storage};
use crate::usage::{App, Bearer, Facts, Image};

/// A snapshot that was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Where the journal goes on from it.
    pub base: Position,
    /// Apps in it.
    pub apps: usize,
    /// How long its file is.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
    /// The longest time that an app's lock was held for it.
    pub longest_hold: Duration,
}

/// Where the names of a new snapshot come from: the snapshot in force, and the journal since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    /// Where the journal goes on from the snapshot in force; the start if there is none.
    pub(crate) base: Position,
    pub(crate) journal: Journal,
}

/// What is to be expected of the journal since the snapshot in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Journal {
    /// All of it is there.
    Whole,
    /// It has failed: a part was never written, or cannot be read.
    Failed,
}

/// Takes a snapshot that the journal goes on from at `base`, which lies in the past, and puts it in force: durable, with the
/// those before still there: see [`forget_others`](super::forget_others).
pub(crate) fn take(
    storage: &dyn Storage,
    log: &Log,
    apps: &mut [(SdkAppId, Arc<App>)],
    since: Since,
    base: Position,
) -> io::Result<Taken> {
    let watch = Stopwatch::start();
    apps.sort_unstable_by_key(|(id, _)| *id);
    let written = write(storage, log, apps, since, base);
    if written.is_err() {
        // Room for the journal; what cannot be removed now is removed before the next.
        let _ = storage.remove(NEXT);
        let _ = storage.remove(NEXT_NAMES);
    }
    let (bytes, longest_hold) = written?;
    for (_, app) in &*apps {
        app.facts.lock().end_snapshot();
    }
    Ok(Taken {
        base,
        apps: apps.len(),
        bytes,
        took: watch.elapsed(),
        longest_hold,
    })
}

fn write(
    storage: &dyn Storage,
    log: &Log,
    apps: &[(SdkAppId, Arc<App>)],
    since: Since,
    base: Position,
) -> io::Result<(u64, Duration)> {
    for left in [NEXT, NEXT_NAMES] {
        match storage.remove(left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let names = names_since(storage, log.set(), since, base)?;
    let names_writer = NamesWriter::create(storage, NEXT_NAMES, log.set(), base)?;
    let mut taking = Taking {
        log,
        writer: Writer::create(storage, NEXT, MAGIC, log.set(), base)?,
        naming: Naming::new(names, names_writer),
        part: Image::default(),
        last: base,
        longest_hold: Duration::ZERO,
    };
    for (id, app) in apps {
        taking.app(*id, app)?;
    }
    let unknown = taking.naming.unknown;
    if since.journal == Journal::Failed && unknown > 0 {
        tracing::warn!("the ids of {unknown} users and groups were lost when the journal failed");
    }
    taking.naming.finish()?;
    // What the parts have seen must be in the journal behind them, whatever happens once the snapshot counts.
    log.make_durable(taking.last)?;
    let bytes = taking.writer.finish()?;
    storage.rename(NEXT_NAMES, &files::names(base))?;
    storage.sync_dir()?;
    storage.rename(NEXT, &files::snapshot(base))?;
    storage.sync_dir()?;
    Ok((bytes, taking.longest_hold))
}

/// The names in force and those of the births since. What a failed journal lacks is left out.
fn names_since(
    storage: &dyn Storage,
    set: SetId,
    since: Since,
    base: Position,
) -> io::Result<Names> {
    let span = Span {
        from: since.base,
        to: base,
    };
    let window = Births::collect(storage, set, span, None);
    let in_force = storage.list()?;
    let name = files::names(since.base);
    // The first snapshot has none before it.
    let has_file = since.base > Position::START || in_force.iter().any(|it| it.name == name);
    let file = has_file.then(|| NamesReader::open(storage, since.base, set));
    match (file.transpose(), window.gap, since.journal) {
        (Err(error), _, Journal::Whole) => Err(io::Error::other(error)),
        (_, Some(gap), Journal::Whole) => Err(io::Error::other(gap)),
        (file, _, _) => {
            Names::new(file.unwrap_or_default(), window.births).map_err(io::Error::other)
        }
    }
}

struct Taking<'a> {
    log: &'a Log,
    writer: Writer,
    naming: Naming,
    /// The part under way; its room is used again.
    part: Image,
    /// Where the journal was when the last part was taken.
    last: Position,
    longest_hold: Duration,
}

impl Taking<'_> {
    fn app(&mut self, id: SdkAppId, app: &App) -> io::Result<()> {
        self.part(id, app, HEAD, 0, |facts, part| {
            facts.begin_snapshot(&mut part.bytes);
            None
        })?;
        let mut next = Some(0);
        while let Some(first) = next {
            next = self.part(id, app, USERS, first, |facts, part| {
                facts.put_users(first, part)
            })?;
            self.name(id, Bearer::User, first)?;
        }
        let mut next = Some(0);
        while let Some(first) = next {
            next = self.part(id, app, GROUPS, first, |facts, part| {
                facts.put_groups(first, part)
            })?;
            self.name(id, Bearer::Group, first)?;
        }
        Ok(())
    }

    /// Writes the names of those in the part that was taken last.
    fn name(&mut self, app: SdkAppId, bearer: Bearer, first: u32) -> io::Result<()> {
        let place = Place {
            app,
            bearer,
            slot: first,
        };
        self.naming.slots(place, &self.part.filled)
    }

    /// Takes a part under the app's lock, and writes it.
    fn part(
        &mut self,
        id: SdkAppId,
        app: &App,
        kind: u8,
        first: u32,
        put: impl FnOnce(&mut Facts, &mut Image) -> Option<u32>,
    ) -> io::Result<Option<u32>> {
        self.part.clear();
        let mut facts = app.facts.lock();
        let watch = Stopwatch::start();
        let next = put(&mut facts, &mut self.part);
        // All that this app has appended is before it: appending needs its lock.
        let position = self.log.position();
        let held = watch.elapsed();
        // To those who wait: this thread would have the lock again before they are awake.
        MutexGuard::unlock_fair(facts);
        self.longest_hold = self.longest_hold.max(held);
        self.last = position;
        if !self.part.bytes.is_empty() {
            let tag = Tag {
                kind,
                app: id.get(),
                position,
                first,
            };
            self.writer.block(tag, &self.part.bytes)?;
        }
        Ok(next)
    }
}

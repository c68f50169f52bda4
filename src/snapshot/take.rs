//! Taking a snapshot, while admissions go on.
//!
//! Invariant: no app's lock is held while anything is written, nor for more than some hundred users or groups.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;

use super::block::{Tag, Writer};
use super::files::{self, NEXT, NEXT_NAMES, forget_others};
use super::load::{GROUPS, HEAD, MAGIC, USERS};
use crate::clock::Stopwatch;
use crate::id::SdkAppId;
use crate::journal::{Log, Position, Storage};
use crate::usage::{App, Facts};

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

/// Takes a snapshot that the journal goes on from at `base`, which lies in the past, and puts it in force: durable, with the
/// ones before removed.
pub(crate) fn take(
    storage: &dyn Storage,
    log: &Log,
    apps: &[(SdkAppId, Arc<App>)],
    base: Position,
) -> io::Result<Taken> {
    let watch = Stopwatch::start();
    let written = write(storage, log, apps, base);
    if written.is_err() {
        // Room for the journal; what cannot be removed now is removed before the next.
        let _ = storage.remove(NEXT);
        let _ = storage.remove(NEXT_NAMES);
    }
    let (bytes, longest_hold) = written?;
    for (_, app) in apps {
        app.facts.lock().end_snapshot();
    }
    forget_others(storage, Some(base))?;
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
    base: Position,
) -> io::Result<(u64, Duration)> {
    for left in [NEXT, NEXT_NAMES] {
        match storage.remove(left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let writer = Writer::create(storage, NEXT, MAGIC, log.set(), base)?;
    let mut taking = Taking {
        log,
        writer,
        part: Vec::new(),
        last: base,
        longest_hold: Duration::ZERO,
    };
    for (id, app) in apps {
        taking.app(*id, app)?;
    }
    // What the parts have seen must be in the journal behind them, whatever happens once the snapshot counts.
    log.make_durable(taking.last)?;
    let bytes = taking.writer.finish()?;
    storage.rename(NEXT, &files::snapshot(base))?;
    storage.sync_dir()?;
    Ok((bytes, taking.longest_hold))
}

struct Taking<'a> {
    log: &'a Log,
    writer: Writer,
    /// The part under way; its room is used again.
    part: Vec<u8>,
    /// Where the journal was when the last part was taken.
    last: Position,
    longest_hold: Duration,
}

impl Taking<'_> {
    fn app(&mut self, id: SdkAppId, app: &App) -> io::Result<()> {
        self.part(id, app, HEAD, 0, |facts, part| {
            facts.begin_snapshot(part);
            None
        })?;
        let mut next = Some(0);
        while let Some(first) = next {
            next = self.part(id, app, USERS, first, |facts, part| {
                facts.put_users(first, part)
            })?;
        }
        let mut next = Some(0);
        while let Some(first) = next {
            next = self.part(id, app, GROUPS, first, |facts, part| {
                facts.put_groups(first, part)
            })?;
        }
        Ok(())
    }

    /// Takes a part under the app's lock, and writes it.
    fn part(
        &mut self,
        id: SdkAppId,
        app: &App,
        kind: u8,
        first: u32,
        put: impl FnOnce(&mut Facts, &mut Vec<u8>) -> Option<u32>,
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
        if !self.part.is_empty() {
            let tag = Tag {
                kind,
                app: id.get(),
                position,
                first,
            };
            self.writer.block(tag, &self.part)?;
        }
        Ok(next)
    }
}

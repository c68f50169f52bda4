//! The journal's bytes: what was promised is read back, whatever happens to the disk, and nothing else.

mod any_bytes;
mod content;
mod crash;
mod damage;
pub mod dice;
mod directory;
mod failing;
pub mod faulty;
mod threads;

use std::sync::Arc;
use std::task::{Poll, Waker};

use quotagate::id::SdkAppId;
use quotagate::journal::{Found, Level, Log, Options, Position, ReadError, Storage, read};
use quotagate::time::Timestamp;

/// An entry as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    pub app: u32,
    pub at: Timestamp,
    pub end: Position,
    pub records: Vec<u8>,
}

/// Small sizes, so that short tests fill many segments.
pub fn options(level: Level) -> Options {
    Options {
        level,
        segment_bytes: 1024,
        ahead_bytes: 512,
        pending_bytes_max: 4096,
        ..Options::default()
    }
}

/// All entries from a position on.
pub fn entries(storage: &dyn Storage, from: Position) -> Result<(Vec<Kept>, Found), ReadError> {
    let mut kept = Vec::new();
    let found = read(
        storage,
        from,
        None,
        &mut |entry| {
            kept.push(Kept {
                app: entry.app.get(),
                at: entry.at,
                end: entry.end,
                records: entry.records.to_vec(),
            });
            Ok(())
        },
        &mut |_, _| {},
    )?;
    Ok((kept, found))
}

/// The journal of a storage, gone on with.
pub fn open(storage: &Arc<dyn Storage>, options: Options) -> Result<(Vec<Kept>, Log), ReadError> {
    let (kept, found) = entries(&**storage, Position::START)?;
    let log = Log::open(Arc::clone(storage), &found, options)?;
    Ok((kept, log))
}

/// Appends an entry, and says what must be read of it.
pub fn append(log: &Log, app: u32, ms: i64, records: &[u8]) -> Kept {
    let at = Timestamp::from_unix_ms_saturating(ms);
    let end = log.append(SdkAppId::new(app).expect("not 0"), at, records);
    let records = records.to_vec();
    Kept {
        app,
        at,
        end,
        records,
    }
}

/// The names of the segments, from the first on.
pub fn names(storage: &dyn Storage) -> Vec<String> {
    let listed = storage.list().expect("listed").into_iter();
    let names = listed.map(|file| file.name);
    let mut names: Vec<_> = names
        .filter(|name| name.rsplit('.').next() == Some("qgj"))
        .collect();
    names.sort();
    names
}

/// Whether a position has been promised.
pub fn is_reached(log: &Log, position: Position) -> bool {
    matches!(
        log.poll_reached(position, Waker::noop()),
        Poll::Ready(Ok(()))
    )
}

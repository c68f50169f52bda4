//! Directories as bytes describe them: raw files, or entries and blocks with the checksums that they must have.
//!
//! For the fuzzer and for properties: what is recovered of it is refused or consistent, and nothing panics.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

use quotagate::journal::{Options, Storage, Stored, StoredFile};
use quotagate::recovery::recover;
use quotagate::time::Day;

const SET: u64 = 0x51;
const SEGMENT: &str = "journal-0000000000000000.qgj";
const SNAPSHOT: &str = "snapshot-0000000000000000.qgs";

type Bytes = Arc<Mutex<Vec<u8>>>;

/// Files in memory.
#[derive(Debug, Default)]
struct Memory(Mutex<BTreeMap<String, Bytes>>);

#[derive(Debug)]
struct File(Bytes);

fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Memory {
    fn find(&self, name: &str) -> io::Result<Bytes> {
        let found = held(&self.0).get(name).cloned();
        found.ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Storage for Memory {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let file = Bytes::default();
        held(&self.0).insert(name.to_owned(), Arc::clone(&file));
        Ok(Arc::new(File(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        Ok(Arc::new(File(self.find(name)?)))
    }

    fn open_to_change(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let file = self.find(from)?;
        self.remove(from)?;
        held(&self.0).insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.find(name)?;
        held(&self.0).remove(name);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<Stored>> {
        let files = held(&self.0);
        let stored = files.iter().map(|(name, file)| Stored {
            name: name.clone(),
            bytes: held(file).len() as u64,
        });
        Ok(stored.collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }
}

impl StoredFile for File {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut file, at) = (held(&self.0), place(offset));
        let end = at + bytes.len();
        if file.len() < end {
            file.resize(end, 0);
        }
        file[at..end].copy_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let file = held(&self.0);
        let from = file.get(place(offset)..).unwrap_or_default();
        let read = from.len().min(into.len());
        into[..read].copy_from_slice(&from[..read]);
        Ok(read)
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let mut file = held(&self.0);
        let end = place(offset + bytes).max(file.len());
        file.resize(end, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        held(&self.0).resize(place(bytes), 0);
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(held(&self.0).len() as u64)
    }
}

/// A header of a version with its checksum: of a segment, or of a snapshot, which go on from position 0.
fn header(magic: [u8; 8], version: u64) -> Vec<u8> {
    let mut header = magic.to_vec();
    header.extend(version.to_le_bytes());
    header.extend(SET.to_le_bytes());
    header.resize(60, 0);
    header.extend(crc32c::crc32c(&header).to_le_bytes());
    header
}

fn length_of(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// Takes a piece off: one or two bytes say how long it is.
fn piece<'i>(input: &mut &'i [u8]) -> Option<&'i [u8]> {
    let (length, rest) = input.split_first()?;
    let (length, rest) = match length {
        255 => {
            let (more, rest) = rest.split_first()?;
            (255 + 16 * usize::from(*more), rest)
        }
        _ => (usize::from(*length), rest),
    };
    let (piece, rest) = rest.split_at(length.min(rest.len()));
    *input = rest;
    Some(piece)
}

/// A segment of entries, a frame each: two bytes say the app and how far time goes on, the rest are records.
fn segment(mut input: &[u8]) -> Vec<u8> {
    let mut segment = header(*b"QGJOURNL", 1);
    let (mut position, mut at) = (0_u64, 1_770_000_000_000_i64);
    while let Some(piece) = piece(&mut input) {
        let [app, time, records @ ..] = piece else {
            continue;
        };
        at += i64::from(*time) * 3_600_000;
        let mut entry = (u32::from(*app % 2) + 1).to_le_bytes().to_vec();
        entry.extend(at.to_le_bytes());
        entry.extend(length_of(records));
        entry.extend(records);
        let length = length_of(&entry);
        let rest = [position.to_le_bytes(), position.to_le_bytes()].concat();
        let covered = [&SET.to_le_bytes()[..], &length, &rest, &entry].concat();
        segment.extend(length);
        segment.extend(crc32c::crc32c(&covered).to_le_bytes());
        segment.extend(rest);
        segment.extend(&entry);
        position += entry.len() as u64;
    }
    segment
}

/// A snapshot of blocks: its length says the version, four bytes kind, app, position and first slot, the rest is the body.
fn snapshot(mut input: &[u8]) -> Vec<u8> {
    let version = 1 + u64::from(!input.len().is_multiple_of(3));
    let mut snapshot = header(*b"QGSNAPSH", version);
    let mut blocks = 0_u64;
    let mut put = |tag: [u8; 4], body: &[u8]| {
        let [kind, app, position, first] = tag;
        let length = length_of(body);
        let mut rest = vec![kind, 0, 0, 0];
        rest.extend(u32::from(app).to_le_bytes());
        rest.extend(u64::from(position).to_le_bytes());
        rest.extend((u32::from(first) * 64).to_le_bytes());
        rest.extend([0; 4]);
        let covered = [&SET.to_le_bytes()[..], &length, &rest, body].concat();
        snapshot.extend(length);
        snapshot.extend(crc32c::crc32c(&covered).to_le_bytes());
        snapshot.extend(rest);
        snapshot.extend(body);
    };
    while let Some(piece) = piece(&mut input) {
        if let [kind, app, position, first, body @ ..] = piece {
            put([1 + kind % 4, *app % 3, *position, *first], body);
            blocks += 1;
        }
    }
    put([0; 4], &blocks.to_le_bytes());
    snapshot
}

/// What the first byte says the rest is.
fn described(input: &[u8]) -> BTreeMap<String, Bytes> {
    let (how, rest) = input.split_first().unwrap_or((&0, &[]));
    let (left, right) = rest.split_at(rest.len().min(usize::from(how / 4) * 16));
    let files = match how % 4 {
        0 => vec![(SEGMENT, rest.to_vec())],
        1 => vec![
            (SNAPSHOT, rest.to_vec()),
            (SEGMENT, header(*b"QGJOURNL", 1)),
        ],
        2 => vec![(SEGMENT, segment(rest))],
        _ => vec![(SNAPSHOT, snapshot(right)), (SEGMENT, segment(left))],
    };
    let held = files.into_iter().map(|(name, content)| {
        let content = Arc::new(Mutex::new(content));
        (name.to_owned(), content)
    });
    held.collect()
}

/// Recovers what is described; whether it was accepted. What was is accepted again, and is the same.
pub fn recovers(input: &[u8]) -> bool {
    let storage: Arc<dyn Storage> = Arc::new(Memory(Mutex::new(described(input))));
    let options = Options {
        segment_bytes: 4096,
        ahead_bytes: 512,
        ..Options::default()
    };
    let started = || {
        let created = |_| Some(Day::from_number(20_500));
        let recovered = recover(Arc::clone(&storage), options, &created, &mut |_| {});
        recovered.map(|recovered| {
            let summary = recovered.summary();
            (
                summary.apps,
                summary.users,
                summary.edges,
                recovered.log().position(),
            )
        })
    };
    let Ok(first) = started() else {
        return false;
    };
    match started() {
        Ok(again) => assert_eq!(again, first, "recovered again"),
        Err(error) => panic!("accepted, and refused: {error}"),
    }
    true
}

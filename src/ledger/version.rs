//! Which schema a ledger has, read from its bytes before SQLite has it.
//!
//! SQLite cannot open a file without touching its write-ahead log, and what a newer program has written must stay as it is. The
//! schema's number stands in the header, which is in the first page: of the file, or the newest of the log's. Invariant: nothing is
//! written. Absent on purpose: everything else of the format (sqlite.org/fileformat2.html), which is for SQLite to check.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of the header of a database.
const HEADER: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Bytes of the header of a write-ahead log, and of each of its frames.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The highest number that the file and what is committed in its log say; nothing of a file that is empty or not there.
pub(super) fn stored(path: &Path) -> io::Result<Option<u32>> {
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let mut header = [0; HEADER];
    let in_file = if filled(&mut file, &mut header)? {
        version(&header)
    } else {
        None
    };
    let mut log_path = path.as_os_str().to_owned();
    log_path.push("-wal");
    let in_log = match open(Path::new(&log_path))? {
        Some(log) => in_log(BufReader::new(log))?,
        None => None,
    };
    Ok(in_file.max(in_log))
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The number that the first page says, if it is one of a database.
fn version(header: &[u8; HEADER]) -> Option<u32> {
    let is_ours = header.starts_with(MAGIC);
    is_ours.then(|| number(header, 60)).flatten()
}

/// The number in the newest first page that is committed in a log.
fn in_log(mut log: impl Read + Seek) -> io::Result<Option<u32>> {
    let mut head = [0; LOG_HEADER];
    if !filled(&mut log, &mut head)? {
        return Ok(None);
    }
    let (salts, page_bytes) = (head.get(16..24), number(&head, 8).unwrap_or(0));
    let Some(rest) = i64::from(page_bytes).checked_sub(i64::try_from(HEADER).unwrap_or(0)) else {
        return Ok(None);
    };
    if rest < 0 {
        return Ok(None);
    }
    let (mut committed, mut begun) = (None, None);
    let mut frame = [0; FRAME_HEADER];
    let mut page = [0; HEADER];
    while filled(&mut log, &mut frame)? && frame.get(8..16) == salts {
        if !filled(&mut log, &mut page)? {
            break;
        }
        log.seek(SeekFrom::Current(rest))?;
        if number(&frame, 0) == Some(1) {
            begun = version(&page).or(begun);
        }
        // The frame that ends a transaction says how long the file is then.
        if number(&frame, 4) != Some(0) {
            committed = begun.or(committed);
        }
    }
    Ok(committed)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    four.try_into().ok().map(u32::from_be_bytes)
}

/// Fills the bytes; false where the file ends before.
fn filled(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

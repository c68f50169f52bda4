//! The data directory: whose it is, of which format, and with which key its ids are hashed.
//!
//! Invariant: one process at a time has it; one of a newer format, or that is not ours, is left as it is, byte for byte.
//! Absent on purpose: the journal, the snapshots and the ledger that lie in it.

mod fault;
mod key;

pub use fault::DataDirError;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::id::IdKey;
use crate::time::Timestamp;

/// The format that this program writes. It reads those before, and what it writes into such a directory makes it one of this.
const FORMAT: u32 = 2;
const FORMAT_FILE: &str = "format";
const LOCK_FILE: &str = "LOCK";
/// What a founding that broke off may have left, and what a fresh file system has of its own.
const UNFOUNDED: [&str; 7] = [
    LOCK_FILE,
    key::KEY_FILE,
    key::FINGERPRINT_FILE,
    "format.new",
    "id_key.new",
    "id_key.fingerprint.new",
    "lost+found",
];
/// Most bytes of the small files of text.
const TEXT_BYTES_MAX: u64 = 256;

/// A data directory that this process has to itself, until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
    since: Timestamp,
}

/// How far the founding of a directory has come.
#[derive(PartialEq, Eq)]
enum Founded {
    Wholly,
    NotYet,
}

impl DataDir {
    /// Opens a data directory, or founds it where there is none: with the key of the configuration, or one that is drawn.
    /// `doing` is what others who want it are told, like "serving on 127.0.0.1:7600".
    pub fn open(
        path: &Path,
        configured: Option<IdKey>,
        doing: &str,
        now: Timestamp,
    ) -> Result<(Self, IdKey), DataDirError> {
        create(path)?;
        founded(path)?;
        let dir = Self::locked(path, doing, now)?;
        // Somebody may have founded it since. The format comes last: a directory that has it has a key.
        let key = if founded(path)? == Founded::NotYet {
            let key = key::found(path, configured)?;
            dir.mark()?;
            key
        } else {
            let key = dir.key(configured)?;
            dir.renew()?;
            key
        };
        Ok((dir, key))
    }

    /// Opens a data directory that is there: for commands that work on one while no gateway does.
    pub fn open_existing(path: &Path, doing: &str, now: Timestamp) -> Result<Self, DataDirError> {
        if founded(path)? == Founded::NotYet {
            return Err(DataDirError::NotThere(path.to_owned()));
        }
        Self::locked(path, doing, now)
    }

    /// The key that the ids in it are hashed with; `configured` is what gateway.toml says.
    pub fn key(&self, configured: Option<IdKey>) -> Result<IdKey, DataDirError> {
        key::of(&self.path, configured)
    }

    /// Makes it one of this program's format, which an older program refuses: to be called before anything is written that
    /// such a one would not read.
    pub fn renew(&self) -> Result<(), DataDirError> {
        match format_of(&self.path)? {
            Some(FORMAT) => Ok(()),
            _ => self.mark(),
        }
    }

    fn mark(&self) -> Result<(), DataDirError> {
        let format = format!("quotagate data {FORMAT}\n");
        write_durably(&self.path, FORMAT_FILE, format.as_bytes(), 0o644)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says what this process does with it, for others who want it.
    pub fn says(&self, doing: &str) -> Result<(), DataDirError> {
        let process = std::process::id();
        let text = format!("process {process}\n{doing}\nsince {}\n", self.since);
        let file = self.path.join(LOCK_FILE);
        let written = self.lock.set_len(0);
        written
            .and_then(|()| self.lock.write_all_at(text.as_bytes(), 0))
            .map_err(DataDirError::io("write", &file))
    }

    fn locked(path: &Path, doing: &str, now: Timestamp) -> Result<Self, DataDirError> {
        let file = path.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock = options
            .mode(0o644)
            .open(&file)
            .map_err(DataDirError::io("write", &file))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path, &file)),
            Err(TryLockError::Error(error)) => {
                return Err(DataDirError::io("lock", &file)(error));
            }
        }
        let dir = Self {
            path: path.to_owned(),
            lock,
            since: now,
        };
        dir.says(doing)?;
        Ok(dir)
    }
}

/// Makes the directory if there is nothing.
fn create(path: &Path) -> Result<(), DataDirError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(DataDirError::NoDirectory(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(DataDirError::io("open", path)(error)),
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => sync(parent),
        // Two that begin at once.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(DataDirError::NoParent {
            path: path.to_owned(),
            parent: parent.to_owned(),
        }),
        Err(error) => Err(DataDirError::io("create", path)(error)),
    }
}

/// Whether a directory is founded. One that is not ours, or is for a newer program, is an error. Nothing is written.
fn founded(path: &Path) -> Result<Founded, DataDirError> {
    match format_of(path)? {
        Some(found) if found > FORMAT => Err(DataDirError::Newer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        }),
        Some(_) => Ok(Founded::Wholly),
        None => unfounded(path),
    }
}

/// The format of a directory; nothing if it does not say.
fn format_of(path: &Path) -> Result<Option<u32>, DataDirError> {
    let file = path.join(FORMAT_FILE);
    let Some(text) = read_text(&file)? else {
        return Ok(None);
    };
    let number = text
        .strip_prefix("quotagate data ")
        .and_then(|rest| rest.strip_suffix('\n'))
        .and_then(|number| number.parse::<u32>().ok())
        .filter(|number| *number > 0);
    match number {
        None => Err(DataDirError::Unreadable(file)),
        found => Ok(found),
    }
}

fn unfounded(path: &Path) -> Result<Founded, DataDirError> {
    let listed = match fs::read_dir(path) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DataDirError::NotThere(path.to_owned()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(DataDirError::NoDirectory(path.to_owned()));
        }
        Err(error) => return Err(DataDirError::io("read", path)(error)),
    };
    for entry in listed {
        let name = entry.map_err(DataDirError::io("read", path))?.file_name();
        if !UNFOUNDED.iter().any(|known| name == *known) {
            return Err(DataDirError::NotOurs {
                path: path.to_owned(),
                entry: name.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(Founded::NotYet)
}

/// Who has it. Its text may be half written, or by another hand: what is no line of ours is left out.
fn in_use(path: &Path, file: &Path) -> DataDirError {
    let text = read_text(file).ok().flatten().unwrap_or_default();
    let mut lines = text.lines();
    let process = lines
        .next()
        .filter(|line| line.starts_with("process "))
        .unwrap_or("another process");
    let doing = lines.next().unwrap_or_default();
    let holder = format!("{process} {doing}");
    DataDirError::InUse {
        path: path.to_owned(),
        holder: holder.trim_end().escape_debug().to_string(),
    }
}

/// The text of a small file; nothing if there is none. One that is no short text comes back empty.
fn read_text(file: &Path) -> Result<Option<String>, DataDirError> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(DataDirError::io("read", file)(error)),
    };
    let mut bytes = Vec::new();
    opened
        .take(TEXT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(DataDirError::io("read", file))?;
    let short = u64::try_from(bytes.len()).is_ok_and(|length| length <= TEXT_BYTES_MAX);
    let text = String::from_utf8(bytes).ok().filter(|_| short);
    Ok(Some(text.unwrap_or_default()))
}

/// Writes a small file so that it is there wholly or not at all, and stays when the power fails.
fn write_durably(dir: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<(), DataDirError> {
    let (file, fresh) = (dir.join(name), dir.join(format!("{name}.new")));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let written = options.open(&fresh).and_then(|mut opened| {
        opened.write_all(bytes)?;
        opened.sync_all()
    });
    written
        .and_then(|()| fs::rename(&fresh, &file))
        .map_err(DataDirError::io("write", &file))?;
    sync(dir)
}

/// Makes the names in a directory stay when the power fails.
fn sync(dir: &Path) -> Result<(), DataDirError> {
    File::open(dir)
        .and_then(|opened| opened.sync_all())
        .map_err(DataDirError::io("write", dir))
}

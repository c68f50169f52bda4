//! Why a data directory cannot be had, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a data directory cannot be had. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error("{path} is in use by {holder}: stop it, or name another --data-dir")]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Which process, and what it does.
        holder: String,
    },
    /// A newer program has written it.
    #[error(
        "{path} is of format {found}, and this quotagate knows none after {known}: start the newer one that wrote it, or \
         name another --data-dir; nothing was changed"
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// The format that it has.
        found: u32,
        /// The newest format that is known.
        known: u32,
    },
    /// There is something, and it is not what quotagate writes.
    #[error(
        "{0} is damaged, or not by quotagate: restore it from a backup, or name another --data-dir"
    )]
    Unreadable(PathBuf),
    /// It holds something else.
    #[error(
        "{path} is no data directory of quotagate: it has no `format`, and yet holds {entry:?}; name another --data-dir, or \
         an empty one"
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// One thing that it holds.
        entry: String,
    },
    /// A file is in its place.
    #[error("{0} is no directory: move it away, or name another --data-dir")]
    NoDirectory(PathBuf),
    /// What it should stand in is not there.
    #[error(
        "cannot create {path}: {parent} is not there; create that first, or name another --data-dir"
    )]
    NoParent {
        /// The directory.
        path: PathBuf,
        /// What it should stand in.
        parent: PathBuf,
    },
    /// There is none.
    #[error("{0} is no data directory yet: name the one that `serve` has used")]
    NotThere(PathBuf),
    /// gateway.toml has another key than the one that the data was written with.
    #[error(
        "the ids in {0} are hashed with another `id_key` than that of gateway.toml: put back the one it was begun with (or \
         none, if it had none), or name another --data-dir"
    )]
    KeyDiffers(PathBuf),
    /// gateway.toml had the key.
    #[error(
        "the ids in {0} are hashed with an `id_key` that gateway.toml had and lacks now: put it back"
    )]
    KeyTakenOut(PathBuf),
    /// The key has gone.
    #[error(
        "{0} has lost its `id_key`, without which nothing in it is found: restore that file from a backup"
    )]
    KeyMissing(PathBuf),
    /// The machine has no source of random numbers.
    #[error(
        "the system gives no random numbers to draw an `id_key` from: put one into gateway.toml"
    )]
    NoRandom,
    /// The file system says no.
    #[error("cannot {what} {path}: {error}; {}", remedy(error.kind()))]
    Io {
        /// What was attempted.
        what: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

impl DataDirError {
    /// Where a gateway serves that has the directory, if that is why.
    pub fn serving(&self) -> Option<&str> {
        match self {
            Self::InUse { holder, .. } => Some(holder.split_once(" serving on ")?.1),
            _ => None,
        }
    }

    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { what, path, error }
    }
}

fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "let the user that quotagate runs as write there, or name another --data-dir"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there, or name another --data-dir"
        }
        _ => "look after that disk, or name another --data-dir",
    }
}

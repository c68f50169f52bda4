//! The files of a data directory held open, so that what a gateway removes meanwhile stays to be read.
//!
//! Invariant: they are those of one snapshot and of the journal from it on. Absent on purpose: changing anything.

use std::io;
use std::sync::Arc;

use crate::journal::{Storage, Stored, StoredFile};
use crate::snapshot::{Files, names_file, snapshot_file};

/// Files that are held open, to be read.
#[derive(Debug)]
pub(super) struct Held {
    files: Vec<(String, Arc<dyn StoredFile>)>,
}

impl Held {
    /// Opens the files of the snapshot in force and of the journal. One that is gone before it was opened is an error of kind
    /// `NotFound`: another snapshot has replaced it, and listing again finds that.
    pub(super) fn open(storage: &dyn Storage) -> io::Result<Self> {
        let mut names = Vec::new();
        if let Some(base) = Files::list(storage)?.snapshots.last() {
            names.extend([snapshot_file(*base), names_file(*base)]);
        }
        // After those of the snapshot: what it goes on from cannot be missing.
        let listed = storage.list()?.into_iter().map(|stored| stored.name);
        let is_segment = |name: &String| {
            let place = name.strip_prefix("journal-");
            place.is_some_and(|place| place.strip_suffix(".qgj").is_some())
        };
        names.extend(listed.filter(is_segment));
        let files = names.into_iter().map(|name| {
            let file = storage.open(&name)?;
            Ok((name, file))
        });
        Ok(Self {
            files: files.collect::<io::Result<_>>()?,
        })
    }

    fn no_change() -> io::Error {
        io::ErrorKind::Unsupported.into()
    }
}

impl Storage for Held {
    fn create(&self, _: &str) -> io::Result<Arc<dyn StoredFile>> {
        Err(Self::no_change())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let found = self.files.iter().find(|(held, _)| held == name);
        let found = found.map(|(_, file)| Arc::clone(file));
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open_to_change(&self, _: &str) -> io::Result<Arc<dyn StoredFile>> {
        Err(Self::no_change())
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(Self::no_change())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Err(Self::no_change())
    }

    fn list(&self) -> io::Result<Vec<Stored>> {
        let stored = self.files.iter().map(|(name, file)| {
            Ok(Stored {
                name: name.clone(),
                bytes: file.bytes()?,
            })
        });
        stored.collect()
    }

    fn sync_dir(&self) -> io::Result<()> {
        Err(Self::no_change())
    }
}

//! Where the journal's files are: the seam between it and a file system.
//!
//! Invariant: what is created, renamed or removed is durable once [`Storage::sync_dir`] has returned, what is written once
//! [`StoredFile::sync`] has; neither is tried again by whoever saw it fail. Absent on purpose: what the files hold.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::FallocateFlags;

/// A directory with files.
pub trait Storage: Send + Sync + Debug {
    /// A new file, to be read and changed. Fails if there is one of that name.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;
    /// A file, to be read.
    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;
    /// A file, to be read and changed.
    fn open_to_change(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;
    /// Gives a file another name, in place of whichever file has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Every file, in no order.
    fn list(&self) -> io::Result<Vec<Stored>>;
    /// Makes durable what was created, renamed and removed.
    fn sync_dir(&self) -> io::Result<()>;
    /// How many bytes are best written at once, where it is a choice.
    fn piece_bytes(&self) -> usize {
        1 << 20
    }
}

/// A file of a [`Storage`].
pub trait StoredFile: Send + Sync + Debug {
    /// Writes all of it, or fails; some may have been written then.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads as much as is wanted or as there is.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Takes room, and makes the file that much longer, with zeros.
    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Makes durable what was written, and how long the file is.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file.
    fn truncate(&self, bytes: u64) -> io::Result<()>;
    /// How long it is.
    fn bytes(&self) -> io::Result<u64>;
}

/// A file as it is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
}

/// A directory of a file system.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Open once it is synced for the first time: descriptors may run out later.
    handle: OnceLock<File>,
}

impl Directory {
    /// The directory of that path, which must be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            handle: OnceLock::new(),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn file(&self, name: &str, how: &OpenOptions) -> io::Result<Arc<dyn StoredFile>> {
        Ok(Arc::new(OnDisk(how.open(self.path.join(name))?)))
    }
}

impl Storage for Directory {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.file(
            name,
            OpenOptions::new().read(true).write(true).create_new(true),
        )
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.file(name, OpenOptions::new().read(true))
    }

    fn open_to_change(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.file(name, OpenOptions::new().read(true).write(true))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn list(&self) -> io::Result<Vec<Stored>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            // A name that is no text is none of ours.
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                let bytes = metadata.len();
                found.push(Stored { name, bytes });
            }
        }
        Ok(found)
    }

    fn sync_dir(&self) -> io::Result<()> {
        let handle = match self.handle.get() {
            Some(handle) => handle,
            None => {
                let opened = File::open(&self.path)?;
                self.handle.get_or_init(|| opened)
            }
        };
        handle.sync_all()
    }
}

#[derive(Debug)]
struct OnDisk(File);

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl OnDisk {
    /// Room on a file system that has no call for it.
    fn write_zeros(&self, mut offset: u64, mut bytes: u64) -> io::Result<()> {
        while bytes > 0 {
            let part = usize::try_from(bytes).unwrap_or(usize::MAX);
            let zeros = ZEROS.get(..part).unwrap_or(&ZEROS);
            self.0.write_all_at(zeros, offset)?;
            offset += zeros.len() as u64;
            bytes -= zeros.len() as u64;
        }
        Ok(())
    }
}

impl StoredFile for OnDisk {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        loop {
            match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), offset, bytes) {
                Ok(()) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                    return self.write_zeros(offset, bytes);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_without_fallocate_is_zeros_up_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Directory::new(dir.path());
        let file = File::create_new(dir.path().join("a")).unwrap();
        let bytes = 2 * ZEROS.len() as u64 + 5;
        OnDisk(file).write_zeros(3, bytes).unwrap();
        let a = storage.open("a").unwrap();
        assert_eq!(a.bytes().unwrap(), bytes + 3);
        assert!(storage.create("a").is_err());
        let mut read = vec![1; ZEROS.len() * 3];
        assert_eq!(a.read_at(1, &mut read).unwrap() as u64, bytes + 2);
    }

    #[test]
    fn files_are_allocated_cut_renamed_listed_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Directory::new(dir.path());
        let file = storage.create("a").unwrap();
        file.allocate(0, 4096).unwrap();
        file.write_at(4000, b"hello").unwrap();
        file.truncate(4003).unwrap();
        file.sync().unwrap();
        storage.rename("a", "b").unwrap();
        storage.sync_dir().unwrap();
        let (name, bytes) = ("b".to_owned(), 4003);
        assert_eq!(storage.list().unwrap(), [Stored { name, bytes }]);
        let mut read = [9; 8];
        let b = storage.open("b").unwrap();
        assert_eq!(b.read_at(3999, &mut read).unwrap(), 4);
        assert_eq!(&read, b"\0hel\x09\x09\x09\x09");
        storage.remove("b").unwrap();
        assert!(storage.open("b").is_err());
    }
}

//! The directory that a backup is written to.
//!
//! Invariants: it was missing or empty; every file is durable before `format` is, without which nothing takes it for a data
//! directory; what is not finished is removed. Absent on purpose: what is in the files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::journal::StoredFile;

const STEP: usize = 1 << 20;

/// A backup on its way.
pub(super) struct Copy {
    path: PathBuf,
    /// Files that it has written.
    names: Vec<String>,
    is_new: bool,
    is_finished: bool,
    pub(super) bytes: u64,
}

impl Copy {
    /// Begins one in a directory that is missing or empty.
    pub(super) fn begin(path: &Path) -> Result<Self, BackupError> {
        let of = |what| BackupError::io(what, path);
        let is_new = match fs::read_dir(path) {
            Ok(mut listed) => match listed.next() {
                None => false,
                Some(_) => return Err(BackupError::NotEmpty(path.to_owned())),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut builder = DirBuilder::new();
                builder.mode(0o700).create(path).map_err(of("create"))?;
                true
            }
            Err(error) => return Err(of("read")(error)),
        };
        Ok(Self {
            path: path.to_owned(),
            names: Vec::new(),
            is_new,
            is_finished: false,
            bytes: 0,
        })
    }

    /// Copies the first so many bytes of a file.
    pub(super) fn file(
        &mut self,
        name: &str,
        from: &dyn StoredFile,
        bytes: u64,
    ) -> Result<(), BackupError> {
        let to = self.path.join(name);
        let mut into = self.create(name, 0o644)?;
        let (mut buffer, mut offset) = (vec![0; STEP], 0);
        while offset < bytes {
            let rest = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
            let wanted = buffer.get_mut(..rest.min(STEP)).unwrap_or_default();
            let read = from.read_at(offset, wanted);
            let read = read.map_err(BackupError::io("read", Path::new(name)))?;
            if read == 0 {
                let cut = io::ErrorKind::UnexpectedEof.into();
                return Err(BackupError::io("read", Path::new(name))(cut));
            }
            let part = wanted.get(..read).unwrap_or_default();
            into.write_all(part)
                .map_err(BackupError::io("write", &to))?;
            offset += read as u64;
        }
        into.sync_all().map_err(BackupError::io("write", &to))?;
        self.bytes += bytes;
        Ok(())
    }

    /// Copies a small file of text, if there is one, for the owner alone.
    pub(super) fn small(&mut self, from: &Path, name: &str) -> Result<(), BackupError> {
        let (file, to) = (from.join(name), self.path.join(name));
        let text = match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read.map_err(BackupError::io("read", &file))?,
        };
        let mut into = self.create(name, 0o600)?;
        let written = into.write_all(&text).and_then(|()| into.sync_all());
        self.bytes += text.len() as u64;
        written.map_err(BackupError::io("write", &to))
    }

    /// Where a file goes that another writes; it is removed with the others.
    pub(super) fn place(&mut self, name: &str) -> PathBuf {
        self.names.push(name.to_owned());
        self.path.join(name)
    }

    /// Makes durable what another has written.
    pub(super) fn wrote(&mut self, path: &Path) -> Result<(), BackupError> {
        let written = File::open(path).and_then(|file| {
            file.sync_all()?;
            file.metadata()
        });
        self.bytes += written.map_err(BackupError::io("write", path))?.len();
        Ok(())
    }

    /// Makes the names durable.
    pub(super) fn sync(&self) -> Result<(), BackupError> {
        let parent = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        for dir in [&self.path, parent] {
            let synced = File::open(dir).and_then(|dir| dir.sync_all());
            synced.map_err(BackupError::io("write", dir))?;
        }
        Ok(())
    }

    /// It stays.
    pub(super) fn finish(mut self) -> usize {
        self.is_finished = true;
        self.names.len()
    }

    fn create(&mut self, name: &str, mode: u32) -> Result<File, BackupError> {
        let to = self.place(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        options.open(&to).map_err(BackupError::io("create", &to))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        // What cannot be removed has no `format` and is taken for nothing.
        for name in &self.names {
            let _ = fs::remove_file(self.path.join(name));
        }
        if self.is_new {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

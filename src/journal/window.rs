//! A file as it is read from front to back, through a buffer.
//!
//! Invariant: no more is held than was asked for at once, or 256 KiB, and nothing beyond the file's end is asked for.
//! Absent on purpose: what the bytes mean.

use std::io;
use std::sync::Arc;

use super::storage::{Storage, StoredFile};

/// What is read at once, unless more is asked for.
const STEP: usize = 256 * 1024;

/// A file, and a part of it in memory.
#[derive(Debug)]
pub(super) struct Window {
    file: Arc<dyn StoredFile>,
    file_bytes: u64,
    start: u64,
    held: Vec<u8>,
}

impl Window {
    /// Of that file, as long as it is now.
    pub(super) fn open(storage: &dyn Storage, name: &str) -> io::Result<Self> {
        let file = storage.open(name)?;
        Ok(Self {
            file_bytes: file.bytes()?,
            file,
            start: 0,
            held: Vec::new(),
        })
    }

    /// How much of the file there is from there on.
    pub(super) const fn rest(&self, offset: u64) -> u64 {
        self.file_bytes.saturating_sub(offset)
    }

    /// The bytes from there on, as many as are wanted, fewer only where the file ends.
    pub(super) fn at(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        let wanted = wanted.min(usize::try_from(self.rest(offset)).unwrap_or(usize::MAX));
        let from = offset.checked_sub(self.start);
        let from = from.and_then(|from| usize::try_from(from).ok());
        let is_held = |from: usize| from.saturating_add(wanted) <= self.held.len();
        if let Some(from) = from.filter(|from| is_held(*from)) {
            return Ok(self.held.get(from..from + wanted).unwrap_or_default());
        }
        let read = usize::try_from(self.rest(offset)).unwrap_or(usize::MAX);
        self.start = offset;
        // Emptied first: what is held is not what is meant if reading fails.
        self.held.clear();
        self.held.resize(read.min(wanted.max(STEP)), 0);
        let read = self.file.read_at(offset, &mut self.held);
        self.held.truncate(*read.as_ref().unwrap_or(&0));
        read?;
        Ok(self.held.get(..wanted).unwrap_or(&self.held))
    }
}

//! Entries that wait to be written, as frames that lack their headers.
//!
//! Invariant: entries stand in the order of their positions, no time before the one before it, and each frame is one that
//! can be read. Absent on purpose: how many may wait, which is asked before anything is appended.

use std::collections::VecDeque;

use super::entry::{self, Position, entry_bytes};
use super::frame::{FRAME_BYTES_MAX, FRAME_HEADER};
use crate::id::SdkAppId;
use crate::time::Timestamp;

/// Entries that wait to be written, behind room for the header of their frame.
#[derive(Debug)]
pub(super) struct Pending {
    filling: Vec<u8>,
    /// Frames' worth of entries before those, if the disk does not keep up.
    whole: VecDeque<Vec<u8>>,
    pub(super) bytes: u64,
    pub(super) end: Position,
    pub(super) last_at: Timestamp,
}

impl Pending {
    pub(super) fn new(end: Position, last_at: Timestamp) -> Self {
        Self {
            filling: empty_frame(),
            whole: VecDeque::new(),
            bytes: 0,
            end,
            last_at,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, app: SdkAppId, now: Timestamp, records: &[u8]) {
        let bytes = entry_bytes(records);
        if self.filling.len() + bytes > FRAME_HEADER + FRAME_BYTES_MAX {
            let whole = std::mem::replace(&mut self.filling, empty_frame());
            self.whole.push_back(whole);
        }
        self.last_at = self.last_at.max(now);
        entry::encode(&mut self.filling, app, self.last_at, records);
        self.bytes += bytes as u64;
        self.end = self.end.plus(bytes as u64);
    }

    /// Bytes of the next frame; none if there is nothing.
    pub(super) fn next_bytes(&self) -> Option<u64> {
        let next = self.whole.front().unwrap_or(&self.filling);
        (next.len() > FRAME_HEADER).then_some(next.len() as u64)
    }

    /// Takes the next frame, and leaves the spare buffer for entries to come.
    pub(super) fn take(&mut self, spare: &mut Vec<u8>) -> Vec<u8> {
        let whole = self.whole.pop_front();
        let frame =
            whole.unwrap_or_else(|| std::mem::replace(&mut self.filling, std::mem::take(spare)));
        self.bytes -= (frame.len() - FRAME_HEADER) as u64;
        frame
    }

    /// How many frames wait before the one that is filled.
    pub(super) fn whole(&self) -> usize {
        self.whole.len()
    }

    /// Bytes of all frames that wait.
    pub(super) fn frames_bytes(&self) -> u64 {
        self.bytes + (FRAME_HEADER * (1 + self.whole.len())) as u64
    }
}

pub(super) fn empty_frame() -> Vec<u8> {
    vec![0; FRAME_HEADER]
}

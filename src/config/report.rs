//! The faults of one file, found in any order and reported in the order of their places.
//!
//! Invariant: a fault is never lost, and none is reported twice.
//! Absent on purpose: what is a fault.

use std::cell::{Cell, RefCell};

use super::Fault;

/// The faults found so far.
pub(super) struct Report<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    broken: Cell<bool>,
    found: RefCell<Vec<(usize, String)>>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            line_starts: std::iter::once(0).chain(ends).collect(),
            broken: Cell::new(false),
            found: RefCell::default(),
        }
    }

    /// From here on nothing is called missing or unknown that may stand in a part that could not be read.
    pub(super) fn text_is_broken(&self) {
        self.broken.set(true);
    }

    /// Records what is wrong at a byte of the text.
    pub(super) fn fault(&self, at: usize, message: impl Into<String>) {
        self.found.borrow_mut().push((at, message.into()));
    }

    /// Records what is wrong unless a part that could not be read may hold what it lacks.
    pub(super) fn fault_of_whole(&self, at: usize, message: impl Into<String>) {
        if !self.broken.get() {
            self.fault(at, message);
        }
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Every fault with its place, in order.
    pub(super) fn faults(&self, file: &str) -> Vec<Fault> {
        let mut found = self.found.take();
        if found.is_empty() {
            // Readers record why they yield nothing; this stands in should one forget.
            found.push((0, "the file is not consistent".to_owned()));
        }
        found.sort();
        found.dedup();
        // One walk over the text: a file may have many faults on one long line.
        let (mut line, mut column, mut walked) = (1, 1, 0);
        let place = |(at, message): (usize, String)| {
            for c in self.text.get(walked..at).unwrap_or_default().chars() {
                (line, column) = if c == '\n' {
                    (line + 1, 1)
                } else {
                    (line, column + 1)
                };
            }
            walked = walked.max(at);
            Fault {
                file: file.into(),
                line,
                column,
                message: message.into(),
            }
        };
        found.into_iter().map(place).collect()
    }
}

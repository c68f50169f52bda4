//! What can be wrong with a trace: where it is, what it is, what to do. One fault ends the reading.
//!
//! Invariant: every message names the remedy or the allowed values. Absent on purpose: denials, which are answers.

use std::io;

use super::line::SET_EDITION;
use crate::admission::{InvalidOperation, OperationKind};
use crate::catalog::{Catalog, GroupType};
use crate::id::IdError;
use crate::time::TimeError;

/// Why a trace cannot be read on: where, and what is wrong there.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {fault}")]
pub struct TraceError {
    /// The file, as it was named.
    pub file: Box<str>,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong and what to do.
    pub fault: Fault,
}

/// What is wrong with a line, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read on.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// The gzip stream is cut off or damaged.
    #[error("the gzip stream ends early or is damaged ({0}); get the file anew")]
    Gzip(io::Error),
    /// No operation is this long.
    #[error("has more than {0} bytes; write one operation a line")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("is not UTF-8 at byte {0}; write the file as UTF-8")]
    NotUtf8(usize),
    /// Nothing, with more lines after it.
    #[error("is empty, and more lines follow; remove it")]
    Empty,
    /// Something else than a JSON object.
    #[error("is no JSON object; write it like {{\"at\":…,\"op\":…}}")]
    NotAnObject,
    /// A JSON object that is malformed, or has a field of the wrong name or kind.
    #[error("{problem} (near byte {column})")]
    Json {
        /// What the parser says.
        problem: Box<str>,
        /// Where, from 1.
        column: usize,
    },
    /// `at` is no time.
    #[error("at: {0}")]
    Time(TimeError),
    /// `op` is nothing that is known.
    #[error("op: there is no operation \"{op}\"; there are {}, {SET_EDITION}", OperationKind::ALL.map(OperationKind::name).join(", "))]
    UnknownOperation {
        /// What stands there.
        op: Box<str>,
    },
    /// The operation cannot do without the field.
    #[error("{op} needs the field \"{field}\"; add it")]
    Missing {
        /// The operation.
        op: Box<str>,
        /// The field.
        field: &'static str,
    },
    /// The operation does not have the field.
    #[error("{op} takes no field \"{field}\"; remove it")]
    NotTaken {
        /// The operation.
        op: Box<str>,
        /// The field.
        field: &'static str,
    },
    /// A text that is no id.
    #[error("{field}: an id that {problem}")]
    Id {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: IdError,
    },
    /// The catalog has no such type of group.
    #[error("type: the catalog has no \"{name}\"; it has {known}")]
    UnknownType {
        /// What stands there.
        name: Box<str>,
        /// What the catalog has.
        known: Box<str>,
    },
    /// The catalog has no such edition.
    #[error("edition: the catalog has no \"{name}\"; it has {known}")]
    UnknownEdition {
        /// What stands there.
        name: Box<str>,
        /// What the catalog has.
        known: Box<str>,
    },
    /// Understood, but no valid operation.
    #[error(transparent)]
    Invalid(#[from] InvalidOperation),
}

impl Fault {
    /// The fault, at its place.
    pub(super) fn on(self, file: &str, line: u64) -> TraceError {
        let file = file.into();
        let fault = self;
        TraceError { file, line, fault }
    }

    /// The names that the catalog has instead.
    pub(super) fn unknown_edition(name: &str, catalog: &Catalog) -> Self {
        let known = catalog.editions().map(|(_, edition)| &*edition.name);
        let known = known.collect::<Vec<_>>().join(", ").into();
        let name = name.into();
        Self::UnknownEdition { name, known }
    }

    /// The names and aliases that the catalog has instead.
    pub(super) fn unknown_type(name: &str, catalog: &Catalog) -> Self {
        let names = |kind: &GroupType| match kind.aliases.as_slice() {
            [] => kind.name.to_string(),
            aliases => format!("{} (or {})", kind.name, aliases.join(", ")),
        };
        let known = catalog.group_types().map(names);
        let known = known.collect::<Vec<_>>().join(", ").into();
        let name = name.into();
        Self::UnknownType { name, known }
    }
}

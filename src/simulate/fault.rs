//! What can be wrong with a scenario: where it is, what it is, what to do. One fault ends the play.
//!
//! Invariant: every message names the remedy or the allowed values. Absent on purpose: refused changes, which are answers.

use crate::catalog::Catalog;
use crate::id::IdError;
use crate::money::{MoneyError, QuantityError};
use crate::rating::Rejected;
use crate::time::TimeError;
use crate::trace::{self, TraceError};

/// Every operation of a scenario.
pub const OPERATIONS: &str =
    "create_app, upgrade, change, disable, usage, top_up, prepaid, configure, end";

/// Why a scenario cannot be played on: where, and what is wrong there.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {fault}")]
pub struct ScenarioError {
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
    /// It cannot be read, or is no JSON object of the known fields.
    #[error(transparent)]
    Reading(#[from] trace::Fault),
    /// `op` is nothing that is known.
    #[error("op: there is no operation \"{0}\"; there are {OPERATIONS}")]
    UnknownOperation(Box<str>),
    /// The operation cannot do without the field.
    #[error("{op} needs the field \"{field}\"; add it")]
    Missing {
        /// The operation.
        op: &'static str,
        /// The field.
        field: &'static str,
    },
    /// The operation does not have the field.
    #[error("{op} takes no field \"{field}\"; remove it")]
    NotTaken {
        /// The operation.
        op: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A text that is no time, day or zone.
    #[error("{field}: {problem}")]
    Time {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: TimeError,
    },
    /// A text or number that is no id.
    #[error("{field}: an id that {problem}")]
    Id {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: IdError,
    },
    /// A text that is no amount of money.
    #[error("amount: {0}")]
    Amount(#[from] MoneyError),
    /// A text that is no bandwidth.
    #[error("bandwidth_mbps: {0}")]
    Bandwidth(#[from] QuantityError),
    /// More than is counted.
    #[error("{field}: {count} is more than {most}; write what was counted")]
    Count {
        /// The field.
        field: &'static str,
        /// What stands there.
        count: u64,
        /// What may.
        most: u64,
    },
    /// Bounds that are none.
    #[error("dau_estimate: lower, estimate and upper must not fall; put them in their order")]
    Bounds,
    /// An estimate beside what was counted.
    #[error("usage takes dau or dau_estimate, not both; remove one")]
    CountedTwice,
    /// The catalog has no such edition.
    #[error("edition: the catalog has no \"{name}\"; it has {known}")]
    UnknownEdition {
        /// What stands there.
        name: Box<str>,
        /// What the catalog has.
        known: Box<str>,
    },
    /// A push day that no bill is pushed on.
    #[error("push_day: {0} is none; write 1, 2 or 3")]
    PushDay(u16),
    /// Settings of the whole play, after it has begun.
    #[error("configure stands on the first line or nowhere; move it there")]
    ConfiguredLate,
    /// Something after the end.
    #[error("stands after end; move end to the last line")]
    AfterEnd,
    /// Something that books cannot take.
    #[error(transparent)]
    Rejected(Rejected),
}

impl Fault {
    /// The fault, at its place.
    pub(super) fn on(self, file: &str, line: u64) -> ScenarioError {
        let file = file.into();
        let fault = self;
        ScenarioError { file, line, fault }
    }

    /// The names that the catalog has instead.
    pub(super) fn unknown_edition(name: &str, catalog: &Catalog) -> Self {
        let known = catalog.editions().map(|(_, edition)| &*edition.name);
        let known = known.collect::<Vec<_>>().join(", ").into();
        let name = name.into();
        Self::UnknownEdition { name, known }
    }
}

impl From<TraceError> for ScenarioError {
    fn from(error: TraceError) -> Self {
        let TraceError { file, line, fault } = error;
        let fault = fault.into();
        Self { file, line, fault }
    }
}

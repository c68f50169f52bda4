//! Traces: recorded operations, read from a file, put to a gateway, and what came of them.
//!
//! A trace is NDJSON, plain or gzip: one operation a line with its time. Invariant: memory does not grow with the trace; one
//! line is held at a time. Absent on purpose: the clock. A trace runs at its own times; how long that took is the caller's to say.

mod fault;
mod line;
mod reader;
mod replay;
mod report;
mod said;

pub use fault::{Fault, TraceError};
pub use line::{Entry, Line};
pub(crate) use line::{Text, fields, present};
pub use reader::{LINE_BYTES_MAX, Reader};
pub use replay::{ReplayError, replay};
pub use report::{MonthPeaks, Report, Tally, Usage, Verdicts};
pub use said::{Action, Said};

//! Scenarios: dated changes, usage and payments, read from a file, played through the rules, and what came of them.
//!
//! A scenario is NDJSON, plain or gzip: one object a line, in the order of time. It is the what-if tool of billing people, and how
//! the rules are shown right. Absent on purpose: the clock; a scenario runs at its own times.

mod fault;
mod line;
mod play;
mod report;

pub use fault::{Fault, OPERATIONS, ScenarioError};
pub use play::{Played, Refused, play};
pub use report::StateChange;

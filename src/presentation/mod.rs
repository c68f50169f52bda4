//! How a bill looks: a table for a terminal, JSON, CSV, and a page to print.
//!
//! Invariant: every form says the same, from the same words; none depends on the clock, the terminal or the locale, so a bill
//! printed again is the same. Absent on purpose: sums; a bill brings its own.

mod csv;
mod html;
mod json;
mod table;
mod words;

pub use csv::csv;
pub use html::html;
pub use json::{BillJson, Detail};
pub use table::table;
pub use words::{because, why};

//! Rating: from subscriptions, a catalog and usage to bills, arrears and what comes of them (RULES 6.3 to 6.9, section 7).
//!
//! `month` rates an app's month, `adjust` what arrives late, `books` keeps accounts and lets happen what falls due, `event` is
//! what it can be made again from, `preview` says what a change would do. Invariant: pure, so bills are reproducible: the same inputs give the same bytes.
//! Absent on purpose: the clock, storage, and how a bill looks.

mod adjust;
mod bill;
mod books;
mod command;
mod event;
mod month;
mod preview;
mod usage;

pub use bill::{Basis, Bill, Free, FreeReason, Item, Line};
pub use books::{Books, Keep, Misfit, Tariff};
pub use command::{Command, Dated, Happening, PushDay, Rejected};
pub use event::Event;
pub use month::{AppMonth, rate};
pub use preview::{BillChange, LimitChange, Over, Preview, preview};
pub use usage::{DayReport, Usage};

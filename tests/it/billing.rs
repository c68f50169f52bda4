//! Subscriptions and bills: rows named by their numbers in RULES, whole bills as snapshots, properties, an independent model.

mod arrears;
mod changes;
mod editions;
mod events;
mod fees;
mod formats;
pub mod generate;
mod late;
mod naive;
mod preview;
mod properties;
mod reading;
pub mod script;
mod seed;
mod switches;
mod worked;

//! Tests of the whole crate from outside, linked once.

#![allow(
    clippy::indexing_slicing,
    reason = "a test that reaches beyond what is there fails, as it should"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "tests are named after what they show"
)]

mod billing;
mod churn;
mod cli;
mod client;
mod config;
mod crash;
mod data_dir;
mod journal;
mod linearizable;
mod load;
mod metered;
mod model;
mod plane;
mod properties;
mod races;
mod recovery;
mod rules;
mod script;
mod served;
mod structure;
mod support;
mod traces;
mod upkeep;
mod usage;
mod wire;
mod year;

//! Tests of the whole crate from outside, linked once.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "tests are named after what they show"
)]

mod cli;
mod config;
mod linearizable;
mod model;
mod properties;
mod races;
mod rules;
mod structure;
mod support;
mod traces;

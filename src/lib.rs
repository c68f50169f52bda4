//! quotagate: a real-time quota enforcement gateway for instant-messaging servers.
//!
//! Modules stand in order of dependency: each uses only those above it, which a test checks.

#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        reason = "a test that panics has failed"
    )
)]

// Vocabulary: no clock, no I/O.

pub mod id;

pub mod time;

pub mod money;

// The domain, pure: no clock, no I/O.

pub mod catalog;

pub mod subscription;

pub mod entitlement;

pub mod admission;

pub mod metering;

// State.

pub mod clock;

pub mod usage;

// The application.

pub mod gateway;

// Edges: files, streams, people.

pub mod config;

pub mod trace;

pub mod cli;

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

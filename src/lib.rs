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

pub mod operation;

#[cfg(feature = "server")]
pub mod id;

#[cfg(feature = "server")]
pub mod time;

#[cfg(feature = "server")]
pub mod money;

// The domain, pure: no clock, no I/O.

#[cfg(feature = "server")]
pub mod catalog;

#[cfg(feature = "server")]
pub mod subscription;

#[cfg(feature = "server")]
pub mod entitlement;

#[cfg(feature = "server")]
pub mod admission;

#[cfg(feature = "server")]
pub mod sketch;

#[cfg(feature = "server")]
pub mod metering;

#[cfg(feature = "server")]
pub mod rating;

// State.

#[cfg(feature = "server")]
pub mod clock;

#[cfg(feature = "server")]
pub mod telemetry;

#[cfg(feature = "server")]
pub mod usage;

#[cfg(feature = "server")]
pub mod journal;

#[cfg(feature = "server")]
pub mod snapshot;

#[cfg(feature = "server")]
pub mod recovery;

#[cfg(feature = "server")]
pub mod data_dir;

#[cfg(feature = "server")]
pub mod ledger;

#[cfg(feature = "server")]
pub mod backup;

// The application.

#[cfg(feature = "server")]
pub mod gateway;

#[cfg(feature = "server")]
pub mod control;

// Edges: wires, files, streams, people.

#[cfg(feature = "client")]
pub mod proto;

#[cfg(feature = "client")]
pub mod client;

#[cfg(feature = "server")]
pub mod config;

#[cfg(feature = "server")]
pub mod trace;

#[cfg(feature = "server")]
pub mod presentation;

#[cfg(feature = "server")]
pub mod simulate;

#[cfg(feature = "server")]
pub mod reload;

#[cfg(feature = "server")]
pub mod grpc;

#[cfg(feature = "server")]
pub mod server;

#[cfg(feature = "server")]
pub mod load;

#[cfg(feature = "server")]
pub mod cli;

/// The README's example, compiled and run.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;

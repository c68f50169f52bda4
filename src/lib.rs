//! quotagate: a real-time quota enforcement gateway for instant-messaging servers.
//!
//! Modules stand in order of dependency: each uses only those above it (a test checks that).

// Vocabulary.
pub mod id;
pub mod money;
pub mod time;

// Domain, pure: no clock, no I/O.
pub mod admission;
pub mod catalog;
pub mod entitlement;
pub mod metering;
pub mod subscription;

// State.
pub mod clock;
pub mod usage;

// Application.
pub mod gateway;

// Edges.
pub mod config;
pub mod trace;

// The program.
pub mod cli;

//! The messages and services of `proto/quotagate/v1`, as generated when the crate is built.
//!
//! Invariant: nothing here decides anything. Converting to and from the types of the other modules is for `grpc` and `client`.
//! Absent on purpose: conversions. The generated server of AdmissionService is for benches; `grpc` reads the bytes itself.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated; the proto files carry the documentation"
)]

tonic::include_proto!("quotagate.v1");

/// The proto files as a serialised `FileDescriptorSet`, for reflection and for JSON.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Number of the first operation's field in `AdmitRequest` and `Operation`; the nine follow one another.
#[cfg(feature = "server")]
pub(crate) const FIRST_OPERATION: u32 = 5;

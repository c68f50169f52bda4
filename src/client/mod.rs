//! The client for IM servers: asks a gateway before an operation happens, and never hurts the IM server that asks.
//!
//! Invariant: every call ends within its deadline, whatever the gateway does. When the gateway cannot be reached, does not
//! answer in time, or cannot decide, the answer comes from a stated policy and says so; only a request that is itself wrong is an
//! error. Absent on purpose: caching and counting. Only a gateway decides; a copy of its facts here would be another gateway.
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! use quotagate::client::{Client, OnUnreachable, OperationKind};
//!
//! let gate = Client::builder("http://127.0.0.1:7600")
//!     .on_unreachable_for(OperationKind::CreateGroup, OnUnreachable::Deny)
//!     .connect()?;
//! let answer = gate.join_group(1_400_000_001, "group", "user").await?;
//! if !answer.is_allowed() {
//!     println!("{} {}", answer.im_error_code(), answer.message());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # When the gateway is away
//!
//! A connection that goes away under a call is replaced and the call repeated once, at once, within its deadline: operations are
//! facts, and repeating one changes nothing. After five calls in a row that failed to reach the gateway or to be answered in time,
//! the client takes it to be down: for 250 to 500 ms every call is answered by policy at once, without being sent, queued or
//! waited for; then one call tries again while the others still go by policy, until one is answered.

mod address;
mod answer;
mod batching;
mod billing;
mod breaker;
mod builder;
mod call;
mod control;
mod error;
mod kind;
mod operations;
mod policy;
mod stream;
mod usage;

pub use crate::operation::OperationKind;
pub use address::AddressError;
pub use answer::{Answer, BatchAnswer, Cause, DecidedBy};
pub use builder::{Builder, ConnectError, DEADLINE_DEFAULT};
pub use call::Client;
pub use error::{ClientError, InvalidRequest};
pub use operations::Sides;
pub use policy::OnUnreachable;
pub use stream::{BatchStream, Messages};
pub use usage::UsageStream;

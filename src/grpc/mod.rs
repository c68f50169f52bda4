//! gRPC: the bytes of calls into the domain's types, and its answers into bytes.
//!
//! `admission` holds the calls of AdmissionService over `request`, `answer` and their `wire`; `control` is ControlService, over
//! the generated messages, with `operator` and `watch`; `billing` is BillingService, with `bill` and `account`; `read` takes the requests
//! of both; `usage` is UsageService; `convert` and `fault` are shared. Invariant: a wrong request is refused with its field named, and
//! changes nothing. Absent on purpose: sockets and HTTP.

mod account;
mod admission;
mod answer;
mod bill;
mod billing;
mod control;
mod convert;
mod fault;
mod frame;
mod operator;
mod read;
mod request;
mod usage;
mod watch;
mod wire;

pub use admission::{Reply, admit, admit_batch, admit_each, admit_in_stream, get_usage};
pub use billing::Billing;
pub use control::Control;
pub use fault::{unavailable, unavailable_in_stream};
pub use frame::{MESSAGE_BYTES_MAX, PREFIX_BYTES, length, too_large, unframed};
pub use operator::Peer;
pub use request::{MEMBERS_MAX, OPERATIONS_MAX, batch_id};
pub use usage::Usage;

//! How a client is set up; everything but the address has a default.
//!
//! Invariant: a client that exists has an address that can be dialled. Absent on purpose: dialling, which the first call does.

use std::time::Duration;

use tokio::runtime::Handle;

use super::address::{self, AddressError};
use super::call::Client;
use super::policy::{OnUnreachable, Policies};
use crate::operation::OperationKind;

/// A call's deadline unless another is set: 100 ms, a hundred times what a gateway near by needs, and still too short to be felt.
pub const DEADLINE_DEFAULT: Duration = Duration::from_millis(100);

/// Sets a client up.
#[derive(Clone, Debug)]
#[must_use = "connect() makes a client of it"]
pub struct Builder {
    address: String,
    deadline: Duration,
    policies: Policies,
    batched: bool,
    actor: Option<String>,
}

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A client needs tokio for its connection.
    #[error("a client was made outside a tokio runtime; call connect() in async code")]
    NoRuntime,
}

impl Builder {
    /// A client of the gateway at `http://HOST:PORT` or `unix:///PATH`.
    pub(super) fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            deadline: DEADLINE_DEFAULT,
            policies: Policies::default(),
            batched: false,
            actor: None,
        }
    }

    /// How long a call may take, connecting and repeating included; [`DEADLINE_DEFAULT`] if not set.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// What is answered in the gateway's place, for every operation that has no policy of its own;
    /// [`OnUnreachable::Allow`] if not set.
    pub fn on_unreachable(mut self, policy: OnUnreachable) -> Self {
        self.policies.general = policy;
        self
    }

    /// What is answered in the gateway's place for one operation.
    pub fn on_unreachable_for(mut self, kind: OperationKind, policy: OnUnreachable) -> Self {
        self.policies.set(kind, policy);
        self
    }

    /// Gathers the operations of concurrent callers into batches on one stream: some ten times cheaper for a busy IM server than
    /// a call for each. Nothing waits for company: what is there is sent when the stream can take it.
    pub fn batched(mut self) -> Self {
        self.batched = true;
        self
    }

    /// Who calls, like `ann@ops-1`: the audit trail has it beside the operators' calls. What cannot stand in a header is escaped.
    pub fn actor(mut self, actor: &str) -> Self {
        self.actor = Some(actor.escape_default().to_string());
        self
    }

    /// The client. It dials at the first call, and whenever its connection is gone.
    pub fn connect(self) -> Result<Client, ConnectError> {
        let endpoint = address::endpoint(&self.address)?;
        if Handle::try_current().is_err() {
            return Err(ConnectError::NoRuntime);
        }
        let channel = endpoint.connect_lazy();
        Ok(Client::new(
            channel,
            self.deadline,
            self.policies,
            self.batched,
            self.actor.and_then(|actor| actor.parse().ok()),
        ))
    }
}

//! How far the subscribers of the usage stream have got.
//!
//! Invariant: what is answered is on the disk. Absent on purpose: the audit trail, which is for what operators do; a subscriber
//! acknowledges every few seconds.

use super::ControlPlane;
use crate::ledger::{LedgerError, Subscriber};
use crate::time::Timestamp;

impl ControlPlane {
    /// A subscriber with what it has acknowledged last; nothing if it is not known.
    pub async fn subscriber(&self, name: &str) -> Result<Option<Subscriber>, LedgerError> {
        self.ledger.subscriber(name).await
    }

    /// Every subscriber, by name.
    pub async fn subscribers(&self) -> Result<Vec<Subscriber>, LedgerError> {
        self.ledger.subscribers().await
    }

    /// Remembers what a subscriber has acknowledged. Of more than a thousand the one that was silent for longest is forgotten.
    pub async fn acknowledge(
        &self,
        name: String,
        token: String,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let acknowledged_at = now;
        let subscriber = Subscriber {
            name,
            token,
            acknowledged_at,
        };
        self.ledger.acknowledge(&subscriber).await
    }
}

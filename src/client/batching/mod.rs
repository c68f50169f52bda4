//! The operations of concurrent callers, gathered into batches on one stream.
//!
//! Invariant: an operation is told its own result and nobody else's fault: a batch with one that is wrong is asked for again one by
//! one. The queue, the batches and those in flight are bounded. Absent on purpose: a delay. What waits is sent when there is room
//! for it in flight, so that batches grow as the load does.

mod batch;
mod worker;

pub(super) use self::batch::BYTES_MAX;

use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;

use self::batch::Pending;
use self::worker::Worker;
use super::answer::Cause;
use super::error::Undecided;
use crate::proto::admission_service_client::AdmissionServiceClient;
use crate::proto::{AdmitRequest, AdmitResponse};

/// Most operations that wait for a batch: half a second's worth for a gateway that decides but 8,000 a second.
const QUEUE_MAX: usize = 4096;

/// The callers' end of the queue.
pub(super) struct Batcher {
    queue: mpsc::Sender<Pending>,
}

impl Batcher {
    /// Starts what sends the batches; it ends with the last client.
    pub(super) fn start(service: AdmissionServiceClient<Channel>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(Worker::new(service, waiting).run());
        Self { queue }
    }

    /// Has an operation asked for in a batch. The caller that stops waiting takes it out of the queue, if it is still there.
    pub(super) async fn ask(
        &self,
        request: AdmitRequest,
        patience: Duration,
    ) -> Result<AdmitResponse, Undecided> {
        let (answer, answered) = oneshot::channel();
        let pending = Pending::new(request, patience, answer);
        let ended = || Cause::Unreachable("the runtime that the client was made in is gone".into());
        self.queue.try_send(pending).map_err(|error| match error {
            TrySendError::Full(_) => {
                Cause::Overloaded(format!("{QUEUE_MAX} operations wait to be sent").into())
            }
            TrySendError::Closed(_) => ended(),
        })?;
        answered.await.unwrap_or_else(|_| Err(ended().into()))
    }
}

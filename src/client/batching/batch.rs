//! A batch: operations of one app in one mode, and who waits for each.
//!
//! Invariant: it has at least one operation, and no more bytes or operations than the gateway takes. Absent on purpose: the stream.

use std::collections::VecDeque;
use std::time::Duration;

use prost::Message as _;
use tokio::sync::oneshot;

use super::super::answer::Cause;
use super::super::error::Undecided;
use crate::proto::{AdmitBatchRequest, AdmitBatchResponse, AdmitRequest, AdmitResponse};

/// Most operations of a batch: beyond a hundred, the cost of the call is no longer seen beside theirs.
const OPERATIONS_MAX: usize = 128;
/// Most bytes of a batch's operations. The gateway takes 1 MiB, but what is behind a long message waits for it.
pub(in crate::client) const BYTES_MAX: usize = 1 << 17;

/// What a caller waits for.
pub(super) type Answering = oneshot::Sender<Result<AdmitResponse, Undecided>>;

/// An operation, and who waits for it.
pub(super) struct Pending {
    pub(super) request: AdmitRequest,
    pub(super) patience: Duration,
    answer: Answering,
}

impl Pending {
    pub(super) fn new(request: AdmitRequest, patience: Duration, answer: Answering) -> Self {
        Self {
            request,
            patience,
            answer,
        }
    }

    /// Whether nobody waits any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }

    /// Tells who waits. One that has just given up needs no answer.
    pub(super) fn answer(self, answer: Result<AdmitResponse, Undecided>) {
        let _ = self.answer.send(answer);
    }
}

/// Operations that are sent together.
pub(super) struct Batch {
    pub(super) id: u64,
    /// It was sent before, and the stream ended without an answer.
    pub(super) repeated: bool,
    app: u32,
    mode: i32,
    bytes: usize,
    pending: Vec<Pending>,
}

impl Batch {
    /// Puts an operation into the youngest batch that takes it, or into a new one.
    pub(super) fn gather(batches: &mut VecDeque<Self>, pending: Pending, next_id: &mut u64) {
        let (app, mode) = (pending.request.sdk_app_id, pending.request.mode);
        let bytes = pending.request.encoded_len();
        let youngest = batches
            .iter_mut()
            .rfind(|it| (it.app, it.mode) == (app, mode));
        if let Some(batch) = youngest.filter(|it| it.takes(bytes)) {
            batch.bytes += bytes;
            batch.pending.push(pending);
            return;
        }
        *next_id += 1;
        batches.push_back(Self {
            id: *next_id,
            repeated: false,
            app,
            mode,
            bytes,
            pending: vec![pending],
        });
    }

    /// One that is sent again keeps its operations: the gateway may have seen them, and in this order.
    fn takes(&self, bytes: usize) -> bool {
        !self.repeated && self.pending.len() < OPERATIONS_MAX && self.bytes + bytes <= BYTES_MAX
    }

    /// The longest that one of its callers waits.
    pub(super) fn patience(&self) -> Duration {
        let all = self.pending.iter().map(|it| it.patience);
        all.max().unwrap_or_default()
    }

    /// The request for those that somebody still waits for; none if that is nobody.
    pub(super) fn request(&mut self) -> Option<AdmitBatchRequest> {
        self.pending.retain(|it| !it.is_given_up());
        let operations = self.pending.iter().map(|it| it.request.clone().into());
        let request = AdmitBatchRequest {
            sdk_app_id: self.app,
            mode: self.mode,
            all_or_nothing: false,
            batch_id: self.id,
            operations: operations.collect(),
        };
        (!self.pending.is_empty()).then_some(request)
    }

    /// Tells each who waits its own result.
    pub(super) fn answer(self, response: AdmitBatchResponse) {
        let (told, asked) = (response.results.len(), self.pending.len());
        if told != asked {
            self.fail(&Cause::Failed {
                code: tonic::Code::Unknown,
                message: format!("it answered {told} operations of {asked}").into(),
            });
            return;
        }
        for (pending, mut result) in self.pending.into_iter().zip(response.results) {
            // In a batch the revision is the batch's.
            result.revision = response.revision;
            pending.answer(Ok(result));
        }
    }

    /// Tells all who wait why there is no answer.
    pub(super) fn fail(self, cause: &Cause) {
        for pending in self.pending {
            pending.answer(Err(cause.clone().into()));
        }
    }

    /// Tells the one who waits what is wrong; of several, gives them back to be asked for one by one.
    pub(super) fn refuse(mut self, undecided: Undecided) -> Vec<Pending> {
        if self.pending.len() > 1 {
            return self.pending;
        }
        if let Some(only) = self.pending.pop() {
            only.answer(Err(alone(undecided)));
        }
        Vec::new()
    }
}

/// What is wrong with the only operation of a batch, in the words of a call: the caller knows of no batch.
fn alone(undecided: Undecided) -> Undecided {
    const FIRST: &str = "operations[0].";
    let Undecided::Invalid(mut invalid) = undecided else {
        return undecided;
    };
    for violation in &mut invalid.violations {
        if let Some(field) = violation.field.strip_prefix(FIRST) {
            violation.field = field.into();
        }
    }
    invalid.message = invalid.message.replace(FIRST, "");
    Undecided::Invalid(invalid)
}

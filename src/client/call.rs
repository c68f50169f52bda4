//! A call, from the request to its answer: leave of the breaker, the deadline, one repetition, and the policy.
//!
//! Invariant: no call lasts longer than its deadline, and none but those that reached for the gateway are told to the breaker.
//! Absent on purpose: queues of its own; what cannot be sent now is answered now.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_stream::Stream;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::answer::{Answer, BatchAnswer, Cause};
use super::batching::{BYTES_MAX, Batcher};
use super::breaker::Breaker;
use super::builder::Builder;
use super::error::{self, ClientError, InvalidRequest, Undecided};
use super::policy::Policies;
use super::stream::{BatchStream, Messages};
use crate::operation::OperationKind;
use crate::proto::admission_service_client::AdmissionServiceClient;
use crate::proto::billing_service_client::BillingServiceClient;
use crate::proto::control_service_client::ControlServiceClient;
use crate::proto::usage_service_client::UsageServiceClient;
use crate::proto::{
    AdmitBatchRequest, AdmitRequest, AdmitResponse, GetUsageRequest, GetUsageResponse,
    WatchEntitlementsRequest, WatchEntitlementsResponse,
};

/// Metadata that tells who calls.
const ACTOR: &str = "x-quotagate-actor";
/// Largest message that a gateway takes.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// A client of one gateway. Clones are cheap and share one connection.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    deadline: Duration,
}

struct Shared {
    admission: AdmissionServiceClient<Channel>,
    billing: BillingServiceClient<Channel>,
    control: ControlServiceClient<Channel>,
    usage: UsageServiceClient<Channel>,
    policies: Policies,
    breaker: Breaker,
    batcher: Option<Batcher>,
    /// Who calls, for the audit trail.
    actor: Option<AsciiMetadataValue>,
}

impl Client {
    /// Begins to set up a client of the gateway at `http://HOST:PORT` or `unix:///PATH`.
    pub fn builder(address: impl Into<String>) -> Builder {
        Builder::new(address)
    }

    pub(super) fn new(
        channel: Channel,
        deadline: Duration,
        policies: Policies,
        batched: bool,
        actor: Option<AsciiMetadataValue>,
    ) -> Self {
        let admission = AdmissionServiceClient::new(channel.clone());
        let shared = Shared {
            batcher: batched.then(|| Batcher::start(admission.clone())),
            admission,
            billing: BillingServiceClient::new(channel.clone()),
            control: ControlServiceClient::new(channel.clone()),
            usage: UsageServiceClient::new(channel),
            policies,
            breaker: Breaker::default(),
            actor,
        };
        Self {
            shared: Arc::new(shared),
            deadline,
        }
    }

    /// The same client with another deadline.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        let shared = Arc::clone(&self.shared);
        Self { shared, deadline }
    }

    /// Asks for one operation.
    pub async fn admit(&self, request: AdmitRequest) -> Result<Answer, InvalidRequest> {
        let Some(operation) = &request.operation else {
            return Err(no_operation("operation"));
        };
        let kind = OperationKind::from(operation);
        let bytes = check_size(&request)?;
        let asked = async {
            let response = match &self.shared.batcher {
                Some(batcher) if bytes <= BYTES_MAX => batcher.ask(request, self.deadline).await?,
                _ => admit_once(&self.shared.admission, &request, self.deadline).await?,
            };
            Ok(Answer::by_gateway(response)?)
        };
        match self.within_deadline(asked).await {
            Ok(answer) => Ok(answer),
            Err(Undecided::Invalid(invalid)) => Err(invalid),
            Err(Undecided::Because(cause)) => {
                Ok(Answer::by_policy(self.shared.policies.of(kind), cause))
            }
        }
    }

    /// Asks for up to 1,000 operations of one app, decided in order under one lock.
    pub async fn admit_batch(
        &self,
        request: AdmitBatchRequest,
    ) -> Result<BatchAnswer, InvalidRequest> {
        check_size(&request)?;
        let parts = request.operations.iter().enumerate();
        let kinds = parts.map(|(at, part)| {
            let kind = part.operation.as_ref().map(OperationKind::from);
            kind.ok_or_else(|| no_operation(&format!("operations[{at}].operation")))
        });
        let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
        let asked = async {
            let call = || {
                let mut service = self.shared.admission.clone();
                let request = with_timeout(request.clone(), self.deadline);
                async move { service.admit_batch(request).await }
            };
            let response = repeated(call).await;
            let response =
                response.map_err(|status| Undecided::from_status(&status, self.deadline))?;
            Ok(BatchAnswer::by_gateway(response, kinds.len())?)
        };
        match self.within_deadline(asked).await {
            Ok(answer) => Ok(answer),
            Err(Undecided::Invalid(invalid)) => Err(invalid),
            Err(Undecided::Because(cause)) => Ok(self.batch_by_policy(&kinds, &cause)),
        }
    }

    fn batch_by_policy(&self, kinds: &[OperationKind], cause: &Cause) -> BatchAnswer {
        let policies = &self.shared.policies;
        let answer = |kind: &OperationKind| Answer::by_policy(policies.of(*kind), cause.clone());
        BatchAnswer {
            answers: kinds.iter().map(answer).collect(),
            committed: false,
            revision: 0,
        }
    }

    /// A stream of batches, for callers that keep several in flight themselves, like a replay. Neither deadline nor policy apply to
    /// it: it ends with the connection.
    pub fn admit_stream(
        &self,
        batches: impl Stream<Item = AdmitBatchRequest> + Send + 'static,
    ) -> BatchStream {
        let mut service = self.shared.admission.clone();
        Messages::opened_by(async move { service.admit_stream(batches).await })
    }

    /// What an app, a user or a group has, beside its limits.
    pub async fn get_usage(
        &self,
        request: GetUsageRequest,
    ) -> Result<GetUsageResponse, ClientError> {
        let call = |mut service: AdmissionServiceClient<_>, request| async move {
            service.get_usage(request).await
        };
        self.call(&self.shared.admission, request, call).await
    }

    /// What an app may do, and every change of it, from where `token` of the last message that was taken in has left off; see
    /// `WatchEntitlements` in control.proto. Neither deadline nor policy apply to it: it ends with the connection, and whoever watches
    /// asks again with the last token.
    pub fn watch_entitlements(
        &self,
        request: WatchEntitlementsRequest,
    ) -> Messages<WatchEntitlementsResponse> {
        let (mut service, request) = (self.shared.control.clone(), self.by_actor(request));
        Messages::opened_by(async move { service.watch_entitlements(request).await })
    }

    /// A control call that no policy answers.
    pub(super) async fn control<M: Clone, T, F>(
        &self,
        message: M,
        call: impl Fn(ControlServiceClient<Channel>, Request<M>) -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        self.call(&self.shared.control, message, call).await
    }

    /// A billing call that no policy answers.
    pub(super) async fn billing<M: Clone, T, F>(
        &self,
        message: M,
        call: impl Fn(BillingServiceClient<Channel>, Request<M>) -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        self.call(&self.shared.billing, message, call).await
    }

    /// A request that tells who calls.
    fn by_actor<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(actor) = &self.shared.actor {
            request.metadata_mut().insert(ACTOR, actor.clone());
        }
        request
    }

    /// A call of UsageService with one answer.
    pub(super) async fn usage<M: Clone, T, F>(
        &self,
        message: M,
        call: impl Fn(UsageServiceClient<Channel>, Request<M>) -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        self.call(&self.shared.usage, message, call).await
    }

    /// Opens a stream within the deadline, which is not one of the stream.
    pub(super) async fn usage_stream<T, F>(
        &self,
        open: impl Fn(UsageServiceClient<Channel>) -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let opening = repeated(|| open(self.shared.usage.clone()));
        let opened = timeout(self.deadline, opening).await;
        let opened = opened.map_err(|_| Cause::Deadline(self.deadline))?;
        opened.map_err(|status| ClientError::from_status(&status, self.deadline))
    }

    /// A call that no policy answers, within the deadline, repeated where its connection went away.
    async fn call<S: Clone, M: Clone, T, F>(
        &self,
        service: &S,
        message: M,
        call: impl Fn(S, Request<M>) -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let deadline = self.deadline;
        let asked = repeated(|| {
            let mut request = self.by_actor(message.clone());
            request.set_timeout(deadline);
            call(service.clone(), request)
        });
        let response = timeout(deadline, asked)
            .await
            .map_err(|_| Cause::Deadline(deadline))?;
        response.map_err(|status| ClientError::from_status(&status, deadline))
    }

    /// What is asked of the gateway, by leave of the breaker and within the deadline.
    async fn within_deadline<T>(
        &self,
        asked: impl Future<Output = Result<T, Undecided>>,
    ) -> Result<T, Undecided> {
        let permit = self.shared.breaker.permit().ok_or(Cause::Down)?;
        let late = Err(Cause::Deadline(self.deadline).into());
        let result = timeout(self.deadline, asked).await.unwrap_or(late);
        match &result {
            Err(Undecided::Because(Cause::Unreachable(_) | Cause::Deadline(_))) => permit.failed(),
            // This client's own queue is full: that tells nothing about the gateway.
            Err(Undecided::Because(Cause::Overloaded(_) | Cause::Down)) => drop(permit),
            Err(Undecided::Because(Cause::Failed { .. }) | Undecided::Invalid(_)) | Ok(_) => {
                permit.answered();
            }
        }
        result
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Asks for one operation by a call of its own, repeated where its connection went away.
pub(super) async fn admit_once(
    service: &AdmissionServiceClient<Channel>,
    request: &AdmitRequest,
    deadline: Duration,
) -> Result<AdmitResponse, Undecided> {
    let call = || {
        let mut service = service.clone();
        let request = with_timeout(request.clone(), deadline);
        async move { service.admit(request).await }
    };
    let response = repeated(call).await;
    response.map_err(|status| Undecided::from_status(&status, deadline))
}

/// Calls, and once more at once where the connection went away under the call.
async fn repeated<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let response = match call().await {
        Err(status) if error::is_going_away(&status) => call().await?,
        response => response?,
    };
    Ok(response.into_inner())
}

/// A request that tells the gateway how long its answer is waited for.
fn with_timeout<M>(message: M, deadline: Duration) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

fn no_operation(field: &str) -> InvalidRequest {
    InvalidRequest::field(field, "there is none; set exactly one")
}

/// How many bytes a message has. Too large is wrong whether or not the gateway is there to say so.
fn check_size(message: &impl prost::Message) -> Result<usize, InvalidRequest> {
    let bytes = message.encoded_len();
    if bytes <= MESSAGE_BYTES_MAX {
        return Ok(bytes);
    }
    let description =
        format!("it has {bytes} bytes; a gateway takes {MESSAGE_BYTES_MAX}: name fewer ids");
    Err(InvalidRequest::field("(message)", &description))
}

//! The calls of those who take usage in, and of those who measure bandwidth.
//!
//! Invariant: no policy answers any of them; what a stream has told is not told to have been kept before the caller says so.
//! Absent on purpose: opening a stream again when it ends; who reads it knows what it has kept.

use super::call::Client;
use super::error::ClientError;
use super::stream::Messages;
use crate::proto::{
    AcknowledgeUsageRequest, BandwidthSample, ReportBandwidthRequest, StreamUsageRequest,
    UsageBatch,
};

/// What apps used, batch by batch, at least once a minute or interval.
pub type UsageStream = Messages<UsageBatch>;

impl Client {
    /// What apps used since a token, and what changes from then on. The deadline is for opening it.
    pub async fn stream_usage(
        &self,
        request: StreamUsageRequest,
    ) -> Result<UsageStream, ClientError> {
        let open = |mut service: crate::proto::usage_service_client::UsageServiceClient<_>| {
            let request = request.clone();
            async move { service.stream_usage(request).await }
        };
        self.usage_stream(open).await.map(Messages::open)
    }

    /// Says that everything up to a batch's token has been kept: the subscriber's next stream goes on from there.
    pub async fn acknowledge_usage(
        &self,
        subscriber: &str,
        token: &str,
    ) -> Result<(), ClientError> {
        let request = AcknowledgeUsageRequest {
            subscriber: subscriber.into(),
            token: token.into(),
        };
        let done = self.usage(request, |mut service, request| async move {
            service.acknowledge_usage(request).await
        });
        done.await.map(drop)
    }

    /// Reports the bandwidth of on-screen comments as it was measured, up to 1,000 samples.
    pub async fn report_bandwidth(&self, samples: Vec<BandwidthSample>) -> Result<(), ClientError> {
        let request = ReportBandwidthRequest { samples };
        let done = self.usage(request, |mut service, request| async move {
            service.report_bandwidth(request).await
        });
        done.await.map(drop)
    }
}

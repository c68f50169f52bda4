//! Plain HTTP for monitoring: `/metrics` for Prometheus, `/readyz` for whoever sends calls here or elsewhere.
//!
//! Invariant: what is told here changes nothing. Absent on purpose: anything that operates the gateway.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::{self, Metrics};
use crate::gateway::Gateway;

#[derive(Clone)]
struct Told {
    metrics: Arc<Metrics>,
    gateway: Arc<Gateway>,
    stop: CancellationToken,
}

/// Serves until `deadline`; from `stop` on it says that the gateway is not ready.
pub(super) async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    gateway: Arc<Gateway>,
    stop: CancellationToken,
    deadline: CancellationToken,
) {
    let told = Told {
        metrics: Arc::new(metrics),
        gateway,
        stop,
    };
    let router = Router::new()
        .route("/", get(about))
        .route("/metrics", get(scrape))
        .route("/readyz", get(ready))
        .with_state(told);
    let served = axum::serve(listener, router).into_future();
    tokio::select! {
        () = deadline.cancelled() => {}
        ended = served => tracing::error!("HTTP for monitoring ended: {ended:?}"),
    }
}

async fn about() -> &'static str {
    "quotagate\n\n/metrics  for Prometheus\n/readyz   200 while calls are taken, 503 while the disk is in trouble or it shuts down\n"
}

async fn scrape(State(told): State<Told>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)],
        told.metrics.text(),
    )
}

async fn ready(State(told): State<Told>) -> impl IntoResponse {
    if told.stop.is_cancelled() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "shutting down\n".to_owned(),
        );
    }
    match told.gateway.trouble() {
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", why.reason)),
        None => (StatusCode::OK, "ready\n".to_owned()),
    }
}

//! What the commands that ask a running gateway share: its address, one call, and its trouble in words.
//!
//! Invariant: no policy decides anything here; a gateway that does not answer is trouble. Absent on purpose: tables.

use std::time::Duration;

use clap::Args;
use tonic::Code;

use super::runtime;
use crate::client::{Cause, Client, ClientError};

/// A person waits: long enough for a gateway at work, short enough not to think that it hangs.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(super) struct Server {
    /// The gateway to ask: http://HOST:PORT or unix:///PATH
    #[arg(
        long,
        value_name = "ADDR",
        env = "QUOTAGATE_SERVER",
        default_value = "http://127.0.0.1:7600"
    )]
    server: String,
}

impl Server {
    /// Asks the gateway.
    pub(super) fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
    ) -> anyhow::Result<Result<T, ClientError>> {
        let client = async { connect(&self.server) };
        runtime()?.block_on(async { Ok(ask(client.await?).await) })
    }

    /// Asks the gateway, whose refusal is trouble as well.
    pub(super) fn must<T>(
        &self,
        ask: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
    ) -> anyhow::Result<T> {
        self.ask(ask)?.map_err(|error| self.trouble(&error))
    }

    /// What has gone wrong, and what to do.
    pub(super) fn trouble(&self, error: &ClientError) -> anyhow::Error {
        trouble(&self.server, error)
    }
}

/// A client for a person's patience. In a runtime.
pub(super) fn connect(server: &str) -> anyhow::Result<Client> {
    let client = Client::builder(server).deadline(DEADLINE);
    Ok(client.actor(&myself()).connect()?)
}

/// The user at the machine, for the audit trail: `ann@ops-1`.
fn myself() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| rustix::process::geteuid().as_raw().to_string());
    let machine = rustix::system::uname();
    format!("{user}@{}", machine.nodename().to_string_lossy())
}

/// What has gone wrong, and what to do.
pub(super) fn trouble(server: &str, error: &ClientError) -> anyhow::Error {
    match error {
        ClientError::Undecided(cause @ (Cause::Unreachable(_) | Cause::Deadline(_))) => {
            anyhow::anyhow!(
                "{server}: {cause}; start one with `quotagate serve`, or name another with --server"
            )
        }
        ClientError::Undecided(
            cause @ Cause::Failed {
                code: Code::Unimplemented,
                ..
            },
        ) => anyhow::anyhow!("{server}: {cause}; is that where the gateway serves gRPC?"),
        ClientError::Undecided(cause) => anyhow::anyhow!("{server}: {cause}"),
        ClientError::Invalid(_) | ClientError::Refused { .. } => anyhow::anyhow!("{error}"),
    }
}

//! `reload`: has a running gateway read its files anew, and prints every fault of theirs.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::remote::Server;
use super::{TROUBLE, complain, counted, json, print};
use crate::client::ClientError;

/// Has a running gateway read catalog.toml and limits.toml anew
#[derive(Args)]
#[command(
    long_about = "Has a running gateway read catalog.toml and limits.toml anew and put them in force, both or neither.\n\n\
                  Where they have faults, prints every one on stdout, one a line, as FILE:LINE:COLUMN: MESSAGE; what was in \
                  force goes on serving.",
    after_long_help = "\
Examples:
  quotagate reload
  quotagate reload --server unix:///run/quotagate.sock

Exit status:
  0  in force; the line says its revision
  2  trouble: the files have faults, an argument is wrong, or no gateway answers"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    server: Server,
    /// Prints the response as one line of JSON, by the proto's field names
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let server = &arguments.server;
    match server.ask(async |client| client.reload().await)? {
        Ok(response) => {
            let text = if arguments.json {
                json::line("ReloadResponse", &response)?
            } else {
                format!("revision {}\n", response.revision)
            };
            print(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(ClientError::Refused { violations, .. }) if !violations.is_empty() => {
            let mut text = String::new();
            for fault in &violations {
                writeln!(text, "{}: {}", fault.field, fault.description)?;
            }
            print(&text)?;
            let count = counted(violations.len(), "fault", "faults");
            complain(&format!("{count}; what was in force goes on serving"));
            Ok(ExitCode::from(TROUBLE))
        }
        Err(error) => Err(server.trouble(&error)),
    }
}

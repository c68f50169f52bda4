//! `audit`: who has changed what in a running gateway, newest first.

use std::process::ExitCode;

use clap::Args;

use super::app::app_id;
use super::overrides::when;
use super::remote::Server;
use super::table::{finished, table, together};
use super::{json, print};
use crate::proto::{AuditEntry, ListAuditRequest, ListAuditResponse};

/// Entries asked for at a time.
const PAGE: u32 = 1_000;

/// Shows who has changed what, newest first
#[derive(Args)]
#[command(
    long_about = "Shows the audit trail of a running gateway, newest first: every call that has changed something, and the first 1,000 \
                  of a day that were refused; who called, from where, and what was there before and after.",
    after_long_help = "\
Examples:
  quotagate audit
  quotagate audit --app 1400000001 --last 5
  quotagate audit --json | jq '.entries[] | select(.call == \"SetEdition\")'

Exit status:
  0  shown
  2  trouble: an argument is wrong, or no gateway answers"
)]
pub(super) struct Arguments {
    /// Only what is about this app (SDKAppID)
    #[arg(long, value_name = "APP", value_parser = app_id)]
    app: Option<u32>,
    /// Only so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    last: u32,
    #[command(flatten)]
    server: Server,
    /// Prints the entries as one line of JSON, by the proto's field names
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (mut left, app) = (arguments.last, arguments.app.unwrap_or_default());
    let entries = arguments.server.must(async |client| {
        let (mut entries, mut token) = (Vec::new(), String::new());
        loop {
            let request = ListAuditRequest {
                sdk_app_id: app,
                page_size: left.min(PAGE),
                page_token: token,
            };
            let page = client.list_audit(request).await?;
            left = left.saturating_sub(PAGE);
            entries.extend(page.entries);
            token = page.next_page_token;
            if token.is_empty() || left == 0 {
                return Ok(entries);
            }
        }
    })?;
    let text = if arguments.json {
        let next_page_token = String::new();
        let all = ListAuditResponse {
            entries,
            next_page_token,
        };
        json::line("ListAuditResponse", &all)?
    } else if entries.is_empty() {
        "nothing has been changed\n".to_owned()
    } else {
        let mut rows = table(&["when", "who", "from", "call", "app", "before", "after"]);
        for entry in &entries {
            rows.add_row(row(entry));
        }
        together([finished(rows, usize::MAX)])
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn row(entry: &AuditEntry) -> [String; 7] {
    let app = match entry.sdk_app_id {
        0 => "all".to_owned(),
        number => number.to_string(),
    };
    let after = if entry.outcome == "OK" {
        entry.after.clone()
    } else {
        format!("refused: {}", entry.outcome)
    };
    [
        entry.at.as_ref().map_or_else(String::new, when),
        entry.actor.clone(),
        entry.peer.clone(),
        entry.call.clone(),
        app,
        entry.before.clone(),
        after,
    ]
}

//! `usage show`: what an app, a user or a group has, beside its limits.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::app::app_id;
use crate::cli::remote::Server;
use crate::cli::table::{bound, enforcement, finished, origin, shown, table, together};
use crate::cli::{json, print};
use crate::proto::get_usage_request::Subject;
use crate::proto::get_usage_response::Usage;
use crate::proto::{AppUsage, GetUsageRequest, GetUsageResponse};

/// The end of the help, also of `usage` itself.
pub(super) const AFTER_HELP: &str = "\
Examples:
  quotagate usage 1400000001
  quotagate usage 1400000001 user alice
  quotagate usage 1400000001 group lobby --json
  quotagate usage show 1400000001

Exit status:
  0  shown
  2  trouble: there is none of that id, an argument is wrong, or no gateway answers";

/// Shows what an app, a user or a group has, beside its limits
#[derive(Args)]
#[command(after_long_help = AFTER_HELP)]
pub(super) struct Show {
    /// The app (SDKAppID)
    // Not a plain number only so that `usage watch` needs none.
    #[arg(value_name = "APP", value_parser = app_id, required = true)]
    app: Option<u32>,
    /// Of whom, if not of the whole app
    #[arg(requires = "id")]
    of: Option<Of>,
    /// The user's or group's id
    id: Option<String>,
    #[command(flatten)]
    server: Server,
    /// Prints the response as one line of JSON, by the proto's field names
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Of {
    /// A user
    User,
    /// A group
    Group,
}

pub(super) fn run(arguments: &Show) -> anyhow::Result<ExitCode> {
    let subject = arguments.of.zip(arguments.id.clone());
    let request = GetUsageRequest {
        sdk_app_id: arguments.app.unwrap_or_default(),
        subject: subject.map(|(of, id)| match of {
            Of::User => Subject::User(id),
            Of::Group => Subject::Group(id),
        }),
    };
    let ask = async |client: crate::client::Client| client.get_usage(request).await;
    let usage = arguments.server.must(ask)?;
    let text = if arguments.json {
        json::line("GetUsageResponse", &usage)?
    } else {
        together([counts(&usage), limits(&usage)])
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn counts(response: &GetUsageResponse) -> Option<String> {
    let mut listed = table(&["", "count"]);
    let mut add = |what: &str, count: String| {
        listed.add_row([what, &count]);
    };
    match response.usage.as_ref()? {
        Usage::App(app) => of_app(app, add),
        Usage::User(user) => {
            add("groups joined", shown(user.joined_groups));
            add("friends", shown(user.friends));
            let today = if user.counted_today { "yes" } else { "no" };
            add("counted among today's users", today.into());
        }
        Usage::Group(group) => {
            add("type", group.r#type.clone());
            add("members", shown(group.members));
        }
    }
    finished(listed, 1)
}

fn of_app(app: &AppUsage, mut add: impl FnMut(&str, String)) {
    add("users", shown(app.users));
    add("groups", shown(app.groups));
    let mut types: Vec<_> = app.groups_by_type.iter().collect();
    types.sort();
    for (kind, count) in types {
        add(&format!("  {kind}"), shown(*count));
    }
    add("memberships", shown(app.memberships));
    add("friend-list entries", shown(app.friend_entries));
    add("users today", shown(app.daily_users));
    add(
        "groups created less deleted today",
        app.daily_groups.to_string(),
    );
}

fn limits(response: &GetUsageResponse) -> Option<String> {
    let header = ["limit", "from", "", "begins anew", "used", "of"];
    let mut listed = table(&header);
    for it in &response.limits {
        let Some(limit) = &it.limit else { continue };
        let anew = it.resets_at.map(|at| at.to_string()).unwrap_or_default();
        let used = u64::try_from(it.used).map_or_else(|_| it.used.to_string(), shown);
        listed.add_row([
            limit.name.clone(),
            origin(limit.source.as_ref()),
            enforcement(limit).into(),
            anew,
            used,
            bound(limit),
        ]);
    }
    finished(listed, 4)
}

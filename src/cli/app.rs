//! `app`: the apps of a running gateway, their editions, add-ons and overrides.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::overrides::in_zone;
use super::remote::Server;
use super::table::{bound, enforcement, finished, origin, shown, table, together};
use super::{json, overrides, preview, print, subscription};
use crate::client::Client;
use crate::proto::app::State;
use crate::proto::{App, ListAppsResponse};

#[derive(Subcommand)]
pub(super) enum Command {
    Create(Create),
    Show(Show),
    List(List),
    Upgrade(subscription::Upgrade),
    Change(subscription::Change),
    Preview(subscription::Preview),
    Disable(subscription::Disable),
    Prepaid(subscription::Prepaid),
    SetEdition(SetEdition),
    SetOverride(overrides::Set),
    RemoveOverride(overrides::Remove),
}

/// Creates an app with nothing in it
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  quotagate app create 1400000001
  quotagate app create 1400000001 --edition pro --account acme

Exit status:
  0  created
  2  trouble: there is such an app already, an argument is wrong, or no gateway answers")]
pub(super) struct Create {
    #[command(flatten)]
    app: Which,
    /// Its edition, like trial, pro or flagship [default: the catalog's first: trial]
    #[arg(long, value_name = "NAME")]
    edition: Option<String>,
    /// Who pays for it [default: an account of its own, named after its SDKAppID]
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Shows an app, its limits and what it costs
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  quotagate app show 1400000001
  quotagate app show 1400000001 --json | jq .limits

Exit status:
  0  shown
  2  trouble: there is no such app, an argument is wrong, or no gateway answers")]
pub(super) struct Show {
    #[command(flatten)]
    app: Which,
    #[command(flatten)]
    common: Common,
}

/// Lists every app
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  quotagate app list
  quotagate app list --json | jq '.apps[].sdk_app_id'

Exit status:
  0  listed
  2  trouble: an argument is wrong, or no gateway answers")]
pub(super) struct List {
    #[command(flatten)]
    common: Common,
}

/// Puts an app on any edition, at once, whatever the calendar's rules say
#[derive(Args)]
#[command(
    override_usage = "quotagate app set-edition [OPTIONS] <APP> <EDITION>",
    long_about = "Puts an app on any edition, at once, whatever the calendar's rules say: an operator's override, also for a suspended \
                  app. Nothing that it has is removed; additions are refused where it is over the new limits. Customers' own changes \
                  are `app upgrade` and `app change`.",
    after_long_help = "\
Examples:
  quotagate app set-edition 1400000001 pro
  quotagate app set-edition --app 1400000001 --edition pro

Exit status:
  0  done
  2  trouble: there is no such app or edition, an argument is wrong, or no gateway answers"
)]
pub(super) struct SetEdition {
    /// The app (SDKAppID), and the edition; each may be given as a flag instead
    #[arg(value_names = ["APP", "EDITION"], num_args = 0..=2)]
    words: Vec<String>,
    /// The app (SDKAppID)
    #[arg(long, value_name = "APP", value_parser = app_id)]
    app: Option<u32>,
    /// The edition, like trial, pro or flagship
    #[arg(long, value_name = "NAME")]
    edition: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// The app that a command is about.
#[derive(Args)]
pub(super) struct Which {
    /// The app (SDKAppID)
    #[arg(value_name = "APP", value_parser = app_id, required_unless_present = "flag")]
    id: Option<u32>,
    /// The same as a flag
    #[arg(id = "flag", long = "app", value_name = "APP", value_parser = app_id, conflicts_with = "id")]
    flag: Option<u32>,
}

#[derive(Args)]
pub(super) struct Common {
    #[command(flatten)]
    pub(super) server: Server,
    /// Prints the response as one line of JSON, by the proto's field names
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(it) => {
            let edition = it.edition.as_deref().unwrap_or_default();
            let account = it.account.as_deref().unwrap_or_default();
            let id = it.app.id();
            let server = &it.common.server;
            let ask = async |client: Client| client.create_app_for(id, edition, account).await;
            it.common.show(&server.must(ask)?)
        }
        Command::Show(it) => {
            let id = it.app.id();
            let app = it
                .common
                .server
                .must(async |client| client.get_app(id).await);
            it.common.show(&app?)
        }
        Command::List(it) => list(&it.common),
        Command::SetEdition(it) => {
            let (id, edition) = it.meant()?;
            let app = it
                .common
                .server
                .must(async |client| client.set_edition(id, edition).await);
            it.common.show(&app?)
        }
        Command::Upgrade(it) => it.run(),
        Command::Change(it) => it.run(),
        Command::Preview(it) => it.run(),
        Command::Disable(it) => it.run(),
        Command::Prepaid(it) => it.run(),
        Command::SetOverride(it) => it.run(),
        Command::RemoveOverride(it) => it.run(),
    }
}

/// An SDKAppID from an argument.
pub(super) fn app_id(text: &str) -> Result<u32, String> {
    let id = text.parse().ok().filter(|id| *id != 0);
    id.ok_or_else(|| "an SDKAppID is a number from 1 to 4294967295".into())
}

impl Which {
    fn id(&self) -> u32 {
        // One of the two is there, or the arguments had been refused; 0 would be by the gateway.
        self.id.or(self.flag).unwrap_or_default()
    }
}

impl SetEdition {
    /// The app and the edition, wherever each was given.
    fn meant(&self) -> anyhow::Result<(u32, &str)> {
        let mut words = self.words.iter();
        let app = match (self.app, self.edition.as_ref(), words.len()) {
            (Some(app), _, _) => app,
            (None, _, 0) => {
                anyhow::bail!("which app? Give its SDKAppID: app set-edition APP EDITION")
            }
            (None, _, _) => {
                let word = words.next().map_or("", String::as_str);
                app_id(word).map_err(|problem| anyhow::anyhow!("\"{word}\": {problem}"))?
            }
        };
        let edition = self.edition.as_ref().or_else(|| words.next());
        let edition = edition.ok_or_else(|| {
            anyhow::anyhow!("which edition? Give its name, like pro: app set-edition {app} EDITION")
        })?;
        if let Some(word) = words.next() {
            anyhow::bail!(
                "\"{word}\" is one too many: an app and an edition are all that is taken"
            );
        }
        Ok((app, edition))
    }
}

impl Common {
    pub(super) fn show(&self, app: &App) -> anyhow::Result<ExitCode> {
        let text = if self.json {
            json::line("App", app)?
        } else {
            let mut of_app = apps_table();
            of_app.add_row(row(app));
            together([
                finished(of_app, 5),
                subscribed(app),
                preview::costs(&app.costs, &app.time_zone),
                limits(app),
                overrides::listed(app),
            ])
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Every page as one.
fn list(common: &Common) -> anyhow::Result<ExitCode> {
    let apps = common.server.must(async |client| {
        let (mut apps, mut token) = (Vec::new(), String::new());
        loop {
            let page = client.list_apps(&token).await?;
            apps.extend(page.apps);
            token = page.next_page_token;
            if token.is_empty() {
                return Ok(apps);
            }
        }
    })?;
    let text = if common.json {
        let next_page_token = String::new();
        let all = ListAppsResponse {
            apps,
            next_page_token,
        };
        json::line("ListAppsResponse", &all)?
    } else if apps.is_empty() {
        "no apps; create one: quotagate app create 1400000001\n".to_owned()
    } else {
        let mut listed = apps_table();
        for app in &apps {
            listed.add_row(row(app));
        }
        together([finished(listed, 5)])
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn apps_table() -> comfy_table::Table {
    table(&[
        "app",
        "account",
        "edition",
        "state",
        "unknown users and groups",
        "revision",
    ])
}

/// Whether a service stands.
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Unspecified => "",
        State::Active => "active",
        State::Suspended => "suspended",
        State::Disabled => "disabled",
        State::Repossessed => "repossessed",
    }
}

fn row(app: &App) -> [String; 6] {
    let adopted = if app.adopt_unknown {
        "taken in"
    } else {
        "denied"
    };
    [
        app.sdk_app_id.to_string(),
        app.account.clone(),
        app.edition.clone(),
        state(app.state()).into(),
        adopted.into(),
        app.revision.to_string(),
    ]
}

/// What it has chosen, what the IM server enforces, and what is known of its end.
fn subscribed(app: &App) -> Option<String> {
    let mut rows = table(&["subscription", ""]);
    let published = app.published.unwrap_or_default();
    let switch = |is_on| if is_on { "on" } else { "off" };
    rows.add_row(["days of history", &shown(published.history_days)]);
    rows.add_row(["content filtering", switch(published.content_filtering)]);
    rows.add_row(["comment bandwidth", switch(published.comment_bandwidth)]);
    if !app.prepaid_until.is_empty() {
        rows.add_row(["paid ahead until", &app.prepaid_until]);
    }
    let standing = app.standing.unwrap_or_default();
    for (name, at) in [
        ("suspended from", &standing.suspended_from),
        ("repossessed from", &standing.repossessed_from),
        ("disabled from", &standing.disabled_from),
    ] {
        if at.is_some() {
            rows.add_row([name, &in_zone(at.as_ref(), &app.time_zone)]);
        }
    }
    finished(rows, 1)
}

fn limits(app: &App) -> Option<String> {
    let mut listed = table(&["limit", "from", "", "value"]);
    for limit in &app.limits {
        let (value, from) = (bound(limit), origin(limit.source.as_ref()));
        listed.add_row([&limit.name, &from, enforcement(limit), &value]);
    }
    finished(listed, 3)
}

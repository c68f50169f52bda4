//! `app upgrade`, `change`, `preview`, `disable` and `prepaid`: what an app subscribes to.
//!
//! Absent on purpose: which change is allowed, which the gateway says; and what a preview looks like, which is `preview`'s.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::app::{Common, app_id};
use super::{json, preview, print};
use crate::proto::{AddOns, ChangeConfigurationRequest, PreviewChangeRequest, UpgradeRequest};

/// Puts an app on the free edition on a paid one, with add-ons, at once
#[derive(Args)]
#[command(
    long_about = "Puts an app on the free edition on a paid one, with add-ons, at once. Nothing that it has is removed. The plan is due from \
                  the first of the next month on; usage above the free quota from now on. `app preview` says beforehand what it does.",
    after_long_help = "\
Examples:
  quotagate app upgrade 1400000001 pro
  quotagate app upgrade 1400000001 pro --av-chat-rooms on --group-members 2000

Exit status:
  0  done
  2  trouble: it is refused, with the rule and what to do; an argument is wrong, or no gateway answers"
)]
pub(super) struct Upgrade {
    /// The app (SDKAppID)
    #[arg(value_name = "APP", value_parser = app_id)]
    app: u32,
    /// The edition, like pro or flagship
    #[arg(value_name = "EDITION")]
    edition: String,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    common: Common,
}

/// Changes the edition or add-ons of an app on a paid edition, at once
#[derive(Args)]
#[command(
    long_about = "Changes the edition or add-ons of an app on a paid edition, at once: all that is asked for, or nothing. What is not \
                  named stays as it is, or as it is carried over to another edition.\n\n\
                  The edition and each add-on may change once in a calendar month; an add-on may also go back, once, to what it was. An \
                  add-on that is bought in a later month than the edition's last change is due for the whole month at once; else from the \
                  first of the next month on. `app preview` says beforehand what a change does.",
    after_long_help = "\
Examples:
  quotagate app change 1400000001 --edition flagship
  quotagate app change 1400000001 --history-days 180 --content-filtering on

Exit status:
  0  done
  2  trouble: it is refused, with the rule and what to do; an argument is wrong, or no gateway answers"
)]
pub(super) struct Change {
    /// The app (SDKAppID)
    #[arg(value_name = "APP", value_parser = app_id)]
    app: u32,
    /// Another edition, like flagship; trial ends all add-ons
    #[arg(long, value_name = "NAME")]
    edition: Option<String>,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    common: Common,
}

/// Shows what an upgrade or a change would do; nothing is changed
#[derive(Args)]
#[command(
    long_about = "Shows what a change would do, by the rules that would make it; nothing is changed. On the free edition it is an \
                  upgrade, else a change of configuration.\n\n\
                  It shows every limit that would be another, what is used beyond it, the account's bills of this month and the next \
                  without the change and with it, and what everything costs from when on. The bills are drafts by the usage known now.",
    after_long_help = "\
Examples:
  quotagate app preview 1400000001 --edition flagship
  quotagate app preview 1400000001 --history-days 180 --json | jq .costs

Exit status:
  0  shown
  2  trouble: the change would be refused, with the rule and what to do; an argument is wrong, or no gateway answers"
)]
pub(super) struct Preview {
    /// The app (SDKAppID)
    #[arg(value_name = "APP", value_parser = app_id)]
    app: u32,
    /// Another edition, like flagship
    #[arg(long, value_name = "NAME")]
    edition: Option<String>,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    common: Common,
}

/// Disables an app for ever, at once
#[derive(Args)]
#[command(
    long_about = "Disables an app for ever, at once: every operation is refused from then on, and nothing brings it back. What it owes \
                  for the month until then is in the month's ordinary bill. Nothing is done unless --confirm repeats its SDKAppID.",
    after_long_help = "\
Examples:
  quotagate app disable 1400000001 --confirm 1400000001

Exit status:
  0  disabled
  2  trouble: it is not confirmed, or gone already; an argument is wrong, or no gateway answers"
)]
pub(super) struct Disable {
    /// The app (SDKAppID)
    #[arg(value_name = "APP", value_parser = app_id)]
    app: u32,
    /// The same again
    #[arg(long, value_name = "APP", value_parser = app_id)]
    confirm: Option<u32>,
    #[command(flatten)]
    common: Common,
}

/// Says until which day an app's plan is paid ahead
#[derive(Args)]
#[command(
    long_about = "Says until which day an app's plan is paid ahead. Its bills have no line for the plan then, and it is suspended at \
                  00:00 of the eighth day after it expires. A later day moves the dates, and restores the app if that is what it was \
                  suspended for.",
    after_long_help = "\
Examples:
  quotagate app prepaid 1400000001 2026-12-31

Exit status:
  0  done
  2  trouble: it is refused, with the rule and what to do; an argument is wrong, or no gateway answers"
)]
pub(super) struct Prepaid {
    /// The app (SDKAppID)
    #[arg(value_name = "APP", value_parser = app_id)]
    app: u32,
    /// The day on which it expires, like 2026-12-31
    #[arg(value_name = "DAY")]
    expires: String,
    #[command(flatten)]
    common: Common,
}

/// What is wanted of the add-ons.
#[derive(Args)]
struct Wanted {
    /// Unlimited audio-video chat rooms
    #[arg(long, value_name = "ON|OFF")]
    av_chat_rooms: Option<Switch>,
    /// Members of a group; the edition's own number takes the add-on back
    #[arg(long, value_name = "N")]
    group_members: Option<i64>,
    /// Groups of a user; the edition's own number takes the add-on back
    #[arg(long, value_name = "N")]
    joined_groups: Option<i64>,
    /// Filtering of content
    #[arg(long, value_name = "ON|OFF")]
    content_filtering: Option<Switch>,
    /// Days for which messages are kept; the edition's own number takes the add-on back
    #[arg(long, value_name = "N")]
    history_days: Option<i64>,
    /// Bandwidth of on-screen comments
    #[arg(long, value_name = "ON|OFF")]
    comment_bandwidth: Option<Switch>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Wanted {
    fn message(&self) -> AddOns {
        let is_on = |switch: Option<Switch>| switch.map(|switch| switch == Switch::On);
        AddOns {
            av_chat_rooms_unlimited: is_on(self.av_chat_rooms),
            group_members: self.group_members,
            joined_groups: self.joined_groups,
            content_filtering: is_on(self.content_filtering),
            history_days: self.history_days,
            comment_bandwidth: is_on(self.comment_bandwidth),
        }
    }

    /// Trouble if nothing at all is to be another.
    fn must_say(&self, edition: Option<&str>) -> anyhow::Result<AddOns> {
        let add_ons = self.message();
        anyhow::ensure!(
            edition.is_some() || add_ons != AddOns::default(),
            "what is to change? Give --edition or an add-on, like --history-days 90"
        );
        Ok(add_ons)
    }
}

impl Upgrade {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let request = UpgradeRequest {
            sdk_app_id: self.app,
            edition: self.edition.clone(),
            add_ons: Some(self.wanted.message()),
        };
        let server = &self.common.server;
        let app = server.must(async |client| client.upgrade(request).await)?;
        self.common.show(&app)
    }
}

impl Change {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let add_ons = self.wanted.must_say(self.edition.as_deref())?;
        let request = ChangeConfigurationRequest {
            sdk_app_id: self.app,
            edition: self.edition.clone().unwrap_or_default(),
            add_ons: Some(add_ons),
        };
        let server = &self.common.server;
        let app = server.must(async |client| client.change_configuration(request).await)?;
        self.common.show(&app)
    }
}

impl Preview {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let add_ons = self.wanted.must_say(self.edition.as_deref())?;
        let request = PreviewChangeRequest {
            sdk_app_id: self.app,
            edition: self.edition.clone().unwrap_or_default(),
            add_ons: Some(add_ons),
        };
        let server = &self.common.server;
        let previewed = server.must(async |client| client.preview_change(request).await)?;
        let text = if self.common.json {
            json::line("PreviewChangeResponse", &previewed)?
        } else {
            preview::shown(self.app, &previewed)
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Disable {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let app = self.app;
        let confirm = self.confirm.ok_or_else(|| {
            anyhow::anyhow!(
                "nothing was done: app {app} would be disabled for ever; if that is meant: app disable {app} --confirm {app}"
            )
        })?;
        let server = &self.common.server;
        let disabled = server.must(async |client| client.disable(app, confirm).await)?;
        self.common.show(&disabled)
    }
}

impl Prepaid {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let server = &self.common.server;
        let app = server.must(async |client| client.set_prepaid(self.app, &self.expires).await)?;
        self.common.show(&app)
    }
}

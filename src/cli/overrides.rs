//! `app set-override` and `app remove-override`: what operators set for one limit of one app; and how `app show` lists it.

use std::process::ExitCode;

use clap::Args;

use super::app::{Common, app_id};
use super::table::{finished, shown, table};
use crate::catalog::Bound;
use crate::entitlement::Enforcement;
use crate::proto::limit::Enforcement as Wire;
use crate::proto::set_override_request::Value;
use crate::proto::{App, Override, SetOverrideRequest};
use crate::time::{Timestamp, Zone};

/// Overrides one limit of an app, at once
#[derive(Args)]
#[command(
    long_about = "Overrides one limit of an app, at once, in place of what the command has set before. It counts before every rule of \
                  limits.toml, also before one for that app, and is kept across restarts and reloads. Nothing that the app has is \
                  removed; additions are refused where it is over the new limit.",
    after_long_help = "\
Examples:
  quotagate app set-override 1400000001 group_members 500 --reason 'contract 2026-117'
  quotagate app set-override 1400000001 daily_groups unlimited --reason 'migration' --expires 2026-12-31T00:00:00+08:00
  quotagate app set-override 1400000001 friends --enforcement shadow --reason 'trying it before it bites'

Exit status:
  0  done
  2  trouble: there is no such app or limit, an argument is wrong, or no gateway answers"
)]
pub(super) struct Set {
    /// The app (SDKAppID)
    #[arg(value_name = "APP", value_parser = app_id)]
    app: u32,
    /// The limit, like group_members
    #[arg(value_name = "LIMIT")]
    limit: String,
    /// How many at most, or `unlimited`; without it only the enforcement is set
    #[arg(value_name = "VALUE", value_parser = value, required_unless_present = "enforcement")]
    value: Option<Value>,
    /// What is done when the limit is reached: enforce, shadow or off
    #[arg(long, value_name = "MODE", value_parser = enforcement)]
    enforcement: Option<Wire>,
    /// Why, for those who come after
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// It counts before this instant, like 2026-12-31T00:00:00+08:00 [default: without end]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    expires: Option<Timestamp>,
    #[command(flatten)]
    common: Common,
}

/// Takes an override of an app back, at once
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  quotagate app remove-override 1400000001 group_members

Exit status:
  0  done
  2  trouble: there is no such app or override, an argument is wrong, or no gateway answers")]
pub(super) struct Remove {
    /// The app (SDKAppID)
    #[arg(value_name = "APP", value_parser = app_id)]
    app: u32,
    /// The limit, like group_members
    #[arg(value_name = "LIMIT")]
    limit: String,
    #[command(flatten)]
    common: Common,
}

impl Set {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let request = SetOverrideRequest {
            sdk_app_id: self.app,
            limit: self.limit.clone(),
            value: self.value,
            enforcement: self.enforcement.unwrap_or(Wire::Unspecified).into(),
            reason: self.reason.clone(),
            expires: self.expires.map(on_the_wire),
        };
        let server = &self.common.server;
        let app = server.must(async |client| client.set_override(request).await)?;
        self.common.show(&app)
    }
}

impl Remove {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let server = &self.common.server;
        let ask = server.must(async |client| client.remove_override(self.app, &self.limit).await);
        self.common.show(&ask?)
    }
}

/// What calls have set for an app; nothing if nothing is.
pub(super) fn listed(app: &App) -> Option<String> {
    let mut rows = table(&["override by a call", "until", "reason", "value"]);
    for one in &app.overrides {
        let until = one.expires.as_ref().map_or_else(String::new, when);
        rows.add_row([&one.limit, &until, &one.reason, &worth(one)]);
    }
    finished(rows, 3)
}

/// An instant as messages have it.
pub(super) fn on_the_wire(at: Timestamp) -> prost_types::Timestamp {
    let ms = at.as_unix_ms();
    prost_types::Timestamp {
        seconds: ms.div_euclid(1_000),
        nanos: i32::try_from(ms.rem_euclid(1_000) * 1_000_000).unwrap_or(0),
    }
}

/// An instant of a message, in words.
pub(super) fn when(at: &prost_types::Timestamp) -> String {
    timestamp(at).to_string()
}

/// The same in the deployment's zone, as a message names it; nothing for an instant that is not there.
pub(super) fn in_zone(at: Option<&prost_types::Timestamp>, zone: &str) -> String {
    at.map_or_else(String::new, |at| match Zone::parse(zone) {
        Ok(zone) => zone.show(timestamp(at)),
        Err(_) => when(at),
    })
}

fn timestamp(at: &prost_types::Timestamp) -> Timestamp {
    let ms = at.seconds.saturating_mul(1_000);
    Timestamp::from_unix_ms_saturating(ms.saturating_add(i64::from(at.nanos / 1_000_000)))
}

fn worth(one: &Override) -> String {
    let value = match one.value {
        Some(count) => shown(count),
        None if one.unlimited => "unlimited".to_owned(),
        None => String::new(),
    };
    let enforcement = match one.enforcement() {
        Wire::Unspecified => "",
        Wire::Enforce => "enforced",
        Wire::Shadow => "shadow",
        Wire::Off => "off",
    };
    format!("{value} {enforcement}").trim().to_owned()
}

fn value(text: &str) -> Result<Value, String> {
    let bound = Bound::parse(text);
    let bound = bound.ok_or("a limit is a whole number up to 1000000000000, or `unlimited`")?;
    let finite = bound.finite();
    Ok(finite.map_or(Value::Unlimited(true), Value::AtMost))
}

fn enforcement(text: &str) -> Result<Wire, String> {
    match Enforcement::from_name(text) {
        Some(Enforcement::Enforce) => Ok(Wire::Enforce),
        Some(Enforcement::Shadow) => Ok(Wire::Shadow),
        Some(Enforcement::Off) => Ok(Wire::Off),
        None => Err("it is enforce, shadow or off".to_owned()),
    }
}

/// Reads an instant.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| error.to_string())
}

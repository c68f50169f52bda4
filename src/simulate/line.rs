//! One line of a scenario: JSON in, what it says out, or the one thing that is wrong with it.
//!
//! Invariant: a field that is not understood is a fault, never ignored: it would change the bills. Absent on purpose: what any of
//! it does.

use serde::Deserialize;

use super::fault::Fault;
use crate::catalog::{Bound, Catalog, EditionId};
use crate::id::{AccountId, SdkAppId};
use crate::metering::Counted;
use crate::money::{Money, Quantity};
use crate::rating::{Command, DayReport, PushDay};
use crate::subscription::{Change, Settings};
use crate::time::{Day, Zone};
use crate::trace::{Text, present};

/// What a line says.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// Something for the books.
    Command(Command),
    /// What an app used on a day.
    Usage {
        app: SdkAppId,
        day: Day,
        report: DayReport,
    },
    /// How the deployment is set up.
    Configure { push_day: PushDay, zone: Zone },
    /// The play is over.
    End,
}

/// Every field that a line may have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    at: Option<Text<'a>>,
    #[serde(borrow)]
    op: Text<'a>,
    #[serde(default, deserialize_with = "present")]
    app: Option<u32>,
    #[serde(borrow, default, deserialize_with = "present")]
    account: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    edition: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    settings: Option<SettingsFields>,
    #[serde(borrow, default, deserialize_with = "present")]
    day: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    dau: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    dau_estimate: Option<EstimateFields>,
    #[serde(default, deserialize_with = "present")]
    groups: Option<u64>,
    #[serde(borrow, default, deserialize_with = "present")]
    bandwidth_mbps: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    amount: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    expires: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    push_day: Option<u16>,
    #[serde(borrow, default, deserialize_with = "present")]
    time_zone: Option<Text<'a>>,
}

/// An estimate with its bounds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct EstimateFields {
    lower: u64,
    estimate: u64,
    upper: u64,
}

impl EstimateFields {
    fn counted(self) -> Result<Counted, Fault> {
        let Self {
            lower,
            estimate,
            upper,
        } = self;
        count("dau_estimate", Some(upper))?;
        if lower > estimate || estimate > upper {
            return Err(Fault::Bounds);
        }
        Ok(Counted::Estimated {
            lower,
            estimate,
            upper,
        })
    }
}

/// The add-ons that a line names.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SettingsFields {
    #[serde(deserialize_with = "present")]
    av_chat_rooms_unlimited: Option<bool>,
    #[serde(deserialize_with = "present")]
    group_members: Option<i64>,
    #[serde(deserialize_with = "present")]
    joined_groups: Option<i64>,
    #[serde(deserialize_with = "present")]
    content_filtering: Option<bool>,
    #[serde(deserialize_with = "present")]
    history_days: Option<i64>,
    #[serde(deserialize_with = "present")]
    comment_bandwidth: Option<bool>,
}

impl From<SettingsFields> for Settings {
    fn from(fields: SettingsFields) -> Self {
        Self {
            av_chat_rooms_unlimited: fields.av_chat_rooms_unlimited,
            group_members: fields.group_members,
            joined_groups: fields.joined_groups,
            content_filtering: fields.content_filtering,
            history_days: fields.history_days,
            comment_bandwidth: fields.comment_bandwidth,
        }
    }
}

impl Fields<'_> {
    /// The text of the line's time; only `configure` may go without.
    pub(super) fn at(&self) -> Option<&str> {
        self.at.as_ref().map(|text| &*text.0)
    }

    /// What the line says, in the words of a catalog.
    pub(super) fn said(&self, catalog: &Catalog) -> Result<Said, Fault> {
        let command = match &*self.op.0 {
            "create_app" => self.create_app(),
            "upgrade" => self.upgrade(catalog),
            "change" => self.change(catalog),
            "disable" => self.disable(),
            "usage" => return self.usage(),
            "top_up" => self.top_up(),
            "prepaid" => self.prepaid(),
            "configure" => return self.configure(),
            "end" => {
                self.take_only("end", &[])?;
                return Ok(Said::End);
            }
            unknown => Err(Fault::UnknownOperation(unknown.into())),
        };
        command.map(Said::Command)
    }

    fn create_app(&self) -> Result<Command, Fault> {
        let op = "create_app";
        self.take_only(op, &["app", "account"])?;
        let (app, account) = (self.app(op)?, self.account(op)?);
        Ok(Command::CreateApp {
            app,
            account,
            edition: None,
        })
    }

    fn upgrade(&self, catalog: &Catalog) -> Result<Command, Fault> {
        let op = "upgrade";
        self.take_only(op, &["app", "edition", "settings"])?;
        let edition = self.edition(catalog)?;
        let change = Change::Upgrade {
            edition: edition.ok_or(Fault::Missing {
                op,
                field: "edition",
            })?,
            settings: self.settings(),
        };
        let app = self.app(op)?;
        Ok(Command::Change { app, change })
    }

    fn change(&self, catalog: &Catalog) -> Result<Command, Fault> {
        let op = "change";
        self.take_only(op, &["app", "edition", "settings"])?;
        let change = Change::Configuration {
            edition: self.edition(catalog)?,
            settings: self.settings(),
        };
        let app = self.app(op)?;
        Ok(Command::Change { app, change })
    }

    fn disable(&self) -> Result<Command, Fault> {
        self.take_only("disable", &["app"])?;
        let app = self.app("disable")?;
        Ok(Command::Disable { app })
    }

    fn usage(&self) -> Result<Said, Fault> {
        let op = "usage";
        let dau = match self.dau_estimate {
            Some(estimate) if self.dau.is_none() => Some(estimate.counted()?),
            Some(_) => return Err(Fault::CountedTwice),
            None => count("dau", self.dau)?.map(Counted::Exact),
        };
        self.take_only(
            op,
            &[
                "app",
                "day",
                "dau",
                "dau_estimate",
                "groups",
                "bandwidth_mbps",
            ],
        )?;
        let bandwidth = self.bandwidth_mbps.as_ref();
        let bandwidth = bandwidth.map(|text| Quantity::parse(&text.0)).transpose()?;
        Ok(Said::Usage {
            app: self.app(op)?,
            day: day(op, "day", self.day.as_ref())?,
            report: DayReport {
                dau,
                groups: count("groups", self.groups)?,
                bandwidth_mbps: bandwidth,
            },
        })
    }

    fn top_up(&self) -> Result<Command, Fault> {
        let op = "top_up";
        self.take_only(op, &["account", "amount"])?;
        let amount = Money::parse(text(op, "amount", self.amount.as_ref())?)?;
        let account = self.account(op)?;
        Ok(Command::TopUp { account, amount })
    }

    fn prepaid(&self) -> Result<Command, Fault> {
        let op = "prepaid";
        self.take_only(op, &["app", "expires"])?;
        let expires = day(op, "expires", self.expires.as_ref())?;
        let app = self.app(op)?;
        Ok(Command::Prepaid { app, expires })
    }

    fn configure(&self) -> Result<Said, Fault> {
        self.take_only("configure", &["push_day", "time_zone"])?;
        let push_day = self.push_day.map_or(Ok(PushDay::default()), |day| {
            PushDay::new(day).ok_or(Fault::PushDay(day))
        })?;
        let zone = self.time_zone.as_ref();
        let zone = zone.map_or(Ok(Zone::default()), |text| Zone::parse(&text.0));
        let zone = zone.map_err(|problem| Fault::Time {
            field: "time_zone",
            problem,
        })?;
        Ok(Said::Configure { push_day, zone })
    }

    /// A fault if a field is there that is not in `taken`.
    fn take_only(&self, op: &'static str, taken: &[&str]) -> Result<(), Fault> {
        let fields = [
            ("app", self.app.is_some()),
            ("account", self.account.is_some()),
            ("edition", self.edition.is_some()),
            ("settings", self.settings.is_some()),
            ("day", self.day.is_some()),
            ("dau", self.dau.is_some()),
            ("dau_estimate", self.dau_estimate.is_some()),
            ("groups", self.groups.is_some()),
            ("bandwidth_mbps", self.bandwidth_mbps.is_some()),
            ("amount", self.amount.is_some()),
            ("expires", self.expires.is_some()),
            ("push_day", self.push_day.is_some()),
            ("time_zone", self.time_zone.is_some()),
        ];
        let other = |(field, given): &&(&str, bool)| *given && !taken.contains(field);
        match fields.iter().find(other) {
            None => Ok(()),
            Some((field, _)) => Err(Fault::NotTaken { op, field }),
        }
    }

    fn app(&self, op: &'static str) -> Result<SdkAppId, Fault> {
        let field = "app";
        let number = self.app.ok_or(Fault::Missing { op, field })?;
        SdkAppId::new(number).map_err(|problem| Fault::Id { field, problem })
    }

    fn account(&self, op: &'static str) -> Result<AccountId, Fault> {
        let field = "account";
        let text = text(op, field, self.account.as_ref())?;
        AccountId::new(text).map_err(|problem| Fault::Id { field, problem })
    }

    fn edition(&self, catalog: &Catalog) -> Result<Option<EditionId>, Fault> {
        let known = |text: &Text<'_>| {
            let id = catalog.edition_id(&text.0);
            id.ok_or_else(|| Fault::unknown_edition(&text.0, catalog))
        };
        self.edition.as_ref().map(known).transpose()
    }

    fn settings(&self) -> Settings {
        self.settings.unwrap_or_default().into()
    }
}

fn text<'t>(
    op: &'static str,
    field: &'static str,
    text: Option<&'t Text<'_>>,
) -> Result<&'t str, Fault> {
    let text = text.map(|text| &*text.0);
    text.ok_or(Fault::Missing { op, field })
}

fn day(op: &'static str, field: &'static str, from: Option<&Text<'_>>) -> Result<Day, Fault> {
    let day = Day::parse(text(op, field, from)?);
    day.map_err(|problem| Fault::Time { field, problem })
}

fn count(field: &'static str, count: Option<u64>) -> Result<Option<u64>, Fault> {
    let most = Bound::FINITE_MAX;
    match count {
        Some(count) if count > most => Err(Fault::Count { field, count, most }),
        Some(_) | None => Ok(count),
    }
}

//! The operators' rules on top of the catalog: enforcement, overrides, adoption, budgets (the limits file).

use std::collections::BTreeMap;

use crate::catalog::{Bound, LimitName};
use crate::id::SdkAppId;
use crate::time::Timestamp;

/// What is done when a limit is reached (RULES, section 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Enforcement {
    /// Refuse.
    Enforce,
    /// Count and allow; the answer says that it would have been refused.
    Shadow,
    /// Count and allow.
    Off,
}

impl Enforcement {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Shadow, Self::Off];

    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Which apps a rule is for. The nearest one counts: app, then edition, then deployment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// Every app.
    Deployment,
    /// Every app on the edition of that name.
    Edition(Box<str>),
    /// One app.
    App(SdkAppId),
}

/// How near the rule that set a value is to the app.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Set for every app.
    Deployment,
    /// Set for the app's edition.
    Edition,
    /// Set for the app.
    App,
    /// Set for the app by a call, not by the limits file.
    Call,
}

impl Scope {
    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Edition => "edition",
            Self::App => "app",
            Self::Call => "call",
        }
    }
}

/// What a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Topic {
    /// Enforcement of a limit.
    Enforcement(LimitName),
    /// Another bound for a limit.
    Override(LimitName),
    /// Whether unknown users and groups are taken in.
    AdoptUnknown,
}

/// What a rule sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    /// For [`Topic::Enforcement`].
    Enforcement(Enforcement),
    /// For [`Topic::Override`].
    Bound(Bound),
    /// For [`Topic::AdoptUnknown`].
    Adopt(bool),
}

/// A value that operators have set, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// The value.
    pub setting: Setting,
    /// Why, for those who come after; never empty.
    pub reason: Box<str>,
    /// The rule counts before this instant; [`Timestamp::MAX`] for one with no end.
    pub expires: Timestamp,
}

/// What an operator has set by a call for one limit of one app. Of bound and enforcement at least one is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Override {
    /// Another bound.
    pub bound: Option<Bound>,
    /// Another enforcement.
    pub enforcement: Option<Enforcement>,
    /// Why, for those who come after; never empty.
    pub reason: Box<str>,
    /// It counts before this instant; [`Timestamp::MAX`] for one with no end.
    pub expires: Timestamp,
}

/// What operators have set by calls for one app: at most one for a limit. It is nearer to the app than any rule of the limits
/// file, also than one for that app: who calls means that app, now. When it expires, the file's rules count again.
pub type Overrides = BTreeMap<LimitName, Override>;

/// Overrides as rules, to be resolved with the others.
pub(super) fn as_rules(overrides: &Overrides) -> BTreeMap<Topic, Rule> {
    let mut rules = BTreeMap::new();
    for (limit, one) in overrides {
        let rule = |setting| Rule {
            setting,
            reason: one.reason.clone(),
            expires: one.expires,
        };
        if let Some(bound) = one.bound {
            rules.insert(Topic::Override(*limit), rule(Setting::Bound(bound)));
        }
        if let Some(enforcement) = one.enforcement {
            let setting = Setting::Enforcement(enforcement);
            rules.insert(Topic::Enforcement(*limit), rule(setting));
        }
    }
    rules
}

/// Most entries that the gateway keeps for one app, or for all together. Past it new entries are refused, BUDGET_EXCEEDED.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entries {
    /// Users, with those deleted whose logins still count (32 days).
    pub users: u64,
    /// Groups.
    pub groups: u64,
    /// Memberships and entries of friend lists.
    pub edges: u64,
}

/// The gateway's budgets of memory, in entries. Beyond 2^31 of a kind for one app, and 2^26 on a list, no budget counts:
/// that is what an app can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budgets {
    /// For one app.
    pub per_app: Entries,
    /// For all apps.
    pub in_all: Entries,
    /// Edges on one list where a limit is unlimited, off or smaller.
    pub edges_per_list: u64,
}

impl Default for Budgets {
    /// What fits into some 5 GiB for one app and 10 GiB in all; a list of 10,000.
    fn default() -> Self {
        Self {
            per_app: Entries {
                users: 20_000_000,
                groups: 10_000_000,
                edges: 400_000_000,
            },
            in_all: Entries {
                users: 40_000_000,
                groups: 20_000_000,
                edges: 800_000_000,
            },
            edges_per_list: 10_000,
        }
    }
}

/// The operators' rules: at most one for a topic and target.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    rules: BTreeMap<Target, BTreeMap<Topic, Rule>>,
    /// The gateway's budgets.
    pub budgets: Budgets,
}

impl Policy {
    /// Adds a rule; the one it replaces comes back, if there was one.
    pub fn set(&mut self, target: Target, topic: Topic, rule: Rule) -> Option<Rule> {
        self.rules.entry(target).or_default().insert(topic, rule)
    }

    /// Every rule with its target and topic, in a stable order.
    pub fn rules(&self) -> impl Iterator<Item = (&Target, Topic, &Rule)> {
        self.rules.iter().flat_map(|(target, rules)| {
            rules
                .iter()
                .map(move |(topic, rule)| (target, *topic, rule))
        })
    }

    /// The rules for an app on an edition, nearest first; `called` are those set by calls.
    pub(super) fn for_app<'a>(
        &'a self,
        app: SdkAppId,
        edition: &str,
        called: &'a BTreeMap<Topic, Rule>,
    ) -> AppRules<'a> {
        AppRules([
            (Scope::Call, Some(called)),
            (Scope::App, self.rules.get(&Target::App(app))),
            (
                Scope::Edition,
                self.rules.get(&Target::Edition(edition.into())),
            ),
            (Scope::Deployment, self.rules.get(&Target::Deployment)),
        ])
    }
}

/// The rules for one app, nearest first.
pub(super) struct AppRules<'a>([(Scope, Option<&'a BTreeMap<Topic, Rule>>); 4]);

impl AppRules<'_> {
    /// The nearest rule on a topic that has not expired.
    pub(super) fn in_force(&self, topic: Topic, now: Timestamp) -> Option<(Scope, Setting)> {
        let nearest_first = self.0.iter();
        nearest_first
            .filter_map(|(scope, rules)| Some((*scope, rules.as_ref()?.get(&topic)?)))
            .find(|(_, rule)| now < rule.expires)
            .map(|(scope, rule)| (scope, rule.setting))
    }

    /// The first instant after `now` at which one of the rules expires.
    pub(super) fn next_expiry(&self, now: Timestamp) -> Timestamp {
        let rules = self.0.iter().filter_map(|(_, rules)| *rules);
        rules
            .flat_map(BTreeMap::values)
            .map(|rule| rule.expires)
            .filter(|expires| *expires > now)
            .min()
            .unwrap_or(Timestamp::MAX)
    }
}

//! What an app may do now: catalog, plan and the operators' rules resolved into one immutable value.
//!
//! Invariant: [`Entitlements`] never change; a new state of things is a new value with a higher revision.
//! Absent on purpose: usage, and files. A decision reads this and the facts, nothing else.

mod policy;

pub use policy::{
    Budgets, Enforcement, Entries, Override, Overrides, Policy, Rule, Scope, Setting, Target, Topic,
};

use std::fmt;
use std::sync::Arc;

use crate::catalog::{AddOn, Bound, Catalog, Edition, EditionId, GroupTypeId, LimitName, PerLimit};
use crate::id::SdkAppId;
use crate::subscription::{Choice, Plan, Standing, price};
use crate::time::{Timestamp, Zone};

/// Where a limit's number comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// The edition's default.
    Edition,
    /// A value-added service that the app has.
    AddOn(AddOn),
    /// An operator's override.
    Override(Scope),
    /// The cap of the group's type.
    GroupType,
    /// The gateway's budget of entries.
    Budget,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edition => f.write_str("edition"),
            Self::AddOn(add_on) => write!(f, "add-on {add_on}"),
            Self::Override(Scope::Call) => f.write_str("override by a call"),
            Self::Override(scope) => write!(f, "override for the {}", scope.name()),
            Self::GroupType => f.write_str("group type"),
            Self::Budget => f.write_str("budget"),
        }
    }
}

/// A limit in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// How many at most.
    pub bound: Bound,
    /// Where the number comes from.
    pub source: Source,
    /// What happens when it is reached.
    pub enforcement: Enforcement,
}

/// What a group's type makes of the limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberCaps {
    /// The type's own cap.
    pub by_type: Bound,
    /// The plan's or override's cap; unlimited where it does not apply to the type.
    pub by_plan: Bound,
}

/// Everything that a decision needs to know of an app, apart from its facts.
#[derive(Clone, Debug)]
pub struct Entitlements {
    /// Grows with every change of what is in force for the app.
    pub revision: u64,
    /// The catalog they come from.
    pub catalog: Arc<Catalog>,
    /// The edition, of that catalog.
    pub edition_id: EditionId,
    /// From when on the service does not stand.
    pub standing: Standing,
    /// The instant from which they must be resolved anew: an override or a rule expires.
    pub valid_until: Timestamp,
    /// Whether unknown users and groups are taken in by adding operations (RULES, section 2).
    pub adopt_unknown: bool,
    /// The gateway's budgets.
    pub budgets: Budgets,
    /// The deployment's zone.
    pub zone: Zone,
    /// Days for which messages are kept: for the IM server to act on (RULES B39).
    pub history_days: u64,
    /// Whether content is filtered: for the IM server to act on.
    pub content_filtering: bool,
    /// Whether there is bandwidth for on-screen comments: for the IM server to act on.
    pub comment_bandwidth: bool,
    limits: PerLimit<Limit>,
}

/// Everything that [`Entitlements`] are resolved from, apart from the app's own plan.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What is sold.
    pub catalog: Arc<Catalog>,
    /// The operators' rules.
    pub policy: Arc<Policy>,
    /// The deployment's zone.
    pub zone: Zone,
}

impl Terms {
    /// Resolves what an app may do from `now` on; nothing if the catalog has no such edition.
    pub fn resolve(
        &self,
        app: SdkAppId,
        plan: &Plan,
        standing: Standing,
        now: Timestamp,
        revision: u64,
    ) -> Option<Entitlements> {
        self.resolve_with(app, plan, standing, &Overrides::new(), now, revision)
    }

    /// The same for an app that operators have set something for by calls.
    pub fn resolve_with(
        &self,
        app: SdkAppId,
        plan: &Plan,
        standing: Standing,
        overrides: &Overrides,
        now: Timestamp,
        revision: u64,
    ) -> Option<Entitlements> {
        let edition_id = self.catalog.edition_id(&plan.edition)?;
        let called = policy::as_rules(overrides);
        let rules = self.policy.for_app(app, &plan.edition, &called);
        let limits = PerLimit::from_fn(|name| {
            let (bound, source) = match rules.in_force(Topic::Override(name), now) {
                Some((scope, Setting::Bound(bound))) => (bound, Source::Override(scope)),
                _ => sold(&self.catalog, edition_id, plan, name),
            };
            let enforcement = match rules.in_force(Topic::Enforcement(name), now) {
                Some((_, Setting::Enforcement(enforcement))) => enforcement,
                _ => Enforcement::Enforce,
            };
            Limit {
                bound,
                source,
                enforcement,
            }
        });
        let adopt = rules.in_force(Topic::AdoptUnknown, now);
        let sells = |add_on| self.catalog.tiers(add_on, edition_id).next().is_some();
        Some(Entitlements {
            revision,
            catalog: Arc::clone(&self.catalog),
            edition_id,
            standing,
            valid_until: rules.next_expiry(now),
            adopt_unknown: matches!(adopt, Some((_, Setting::Adopt(true)))),
            budgets: self.policy.budgets,
            zone: self.zone,
            history_days: history_days(&self.catalog, edition_id, plan),
            content_filtering: plan.content_filtering && sells(AddOn::ContentFiltering),
            comment_bandwidth: plan.comment_bandwidth && sells(AddOn::CommentBandwidth),
            limits,
        })
    }
}

/// A limit as bought: the add-on's value where it is above the edition's default and sold there, else the default (B9, B12).
fn sold(catalog: &Catalog, edition: EditionId, plan: &Plan, name: LimitName) -> (Bound, Source) {
    let default = *catalog.edition(edition).limits.get(name);
    let chosen = match name {
        LimitName::AvChatRooms if plan.av_chat_rooms_unlimited => {
            Some((AddOn::AvChatRooms, Bound::UNLIMITED))
        }
        LimitName::GroupMembers => plan
            .group_members
            .and_then(Bound::at_most)
            .map(|v| (AddOn::GroupMembers, v)),
        LimitName::JoinedGroups => plan
            .joined_groups
            .and_then(Bound::at_most)
            .map(|v| (AddOn::JoinedGroups, v)),
        _ => None,
    };
    let is_sold = |(add_on, value): &(AddOn, Bound)| {
        catalog
            .tiers(*add_on, edition)
            .any(|tier| tier.up_to.is_none_or(|top| *value <= top))
    };
    match chosen.filter(|(_, value)| *value > default).filter(is_sold) {
        Some((add_on, value)) => (value, Source::AddOn(add_on)),
        None => (default, Source::Edition),
    }
}

/// Days for which messages are kept: as bought where that is above the edition's own and sold there, else the edition's own.
fn history_days(catalog: &Catalog, edition: EditionId, plan: &Plan) -> u64 {
    let own = u64::from(catalog.edition(edition).history_days);
    let is_sold = |days: &u64| price(catalog, edition, AddOn::History, Choice::Value(*days));
    let bought = plan.history_days.filter(|days| is_sold(days).is_some());
    bought.unwrap_or(own)
}

impl Entitlements {
    /// Whether they are in force at an instant, or must be resolved anew.
    #[inline]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        now < self.valid_until || self.valid_until == Timestamp::MAX
    }

    /// A limit in force.
    #[inline]
    pub fn limit(&self, name: LimitName) -> &Limit {
        self.limits.get(name)
    }

    /// The caps on the members of a group of that type (RULES section 1: the smaller one counts). A type that the catalog
    /// does not know any more has the plan's cap alone.
    #[inline]
    pub fn member_caps(&self, id: GroupTypeId) -> MemberCaps {
        let by_plan = self.limit(LimitName::GroupMembers).bound;
        match self.catalog.group_type(id) {
            Some(kind) => MemberCaps {
                by_type: kind.member_cap,
                by_plan: if kind.group_members_apply {
                    by_plan
                } else {
                    Bound::UNLIMITED
                },
            },
            None => MemberCaps {
                by_type: Bound::UNLIMITED,
                by_plan,
            },
        }
    }

    /// The edition.
    pub fn edition(&self) -> &Edition {
        self.catalog.edition(self.edition_id)
    }
}

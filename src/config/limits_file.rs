//! The limits file: the operators' rules on top of the catalog (RULES section 2).
//!
//! Invariant: a rule says why it is there, and no two rules are for the same limit and target.
//! Absent on purpose: which rule counts for an app at an instant; see `entitlement`.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::entitlement::{Budgets, Enforcement, Entries, Policy, Rule, Setting, Target, Topic};
use crate::id::SdkAppId;
use crate::time::Timestamp;

use super::document::{Section, Value};
use super::values::{bound, count, instant, limit, number, one_of};

/// Reads the whole file. Without a catalog, which has faults of its own then, any edition may be named.
pub(super) fn policy(root: &Section<'_>, catalog: Option<&Catalog>) -> Option<Policy> {
    let mut rules = Rules {
        catalog,
        policy: Policy::default(),
        lines: BTreeMap::new(),
    };
    let kinds: [(&str, &str, ReadRule); 3] = [
        ("enforcement", "the rule of enforcement", enforcement),
        ("override", "the override", override_of),
        ("adopt_unknown", "the rule of adoption", adoption),
    ];
    for (key, what, read) in kinds {
        if let Some(value) = root.get(key) {
            value.list(&format!("a list, each rule under [[{key}]]"), |item| {
                item.table(what, |section| rules.add(section, read))
            });
        }
    }
    rules.policy.budgets = root.optional("budgets", Budgets::default(), |value| {
        value.table("[budgets]", budgets)
    })?;
    Some(rules.policy)
}

/// Reads what a rule is about and what it sets.
type ReadRule = fn(&Section<'_>) -> Option<(Topic, Setting)>;

fn enforcement(section: &Section<'_>) -> Option<(Topic, Setting)> {
    let limit = section.required("limit", limit);
    let mode = section.required("mode", |value| {
        one_of(value, &Enforcement::ALL, Enforcement::name)
    });
    Some((Topic::Enforcement(limit?), Setting::Enforcement(mode?)))
}

fn override_of(section: &Section<'_>) -> Option<(Topic, Setting)> {
    let limit = section.required("limit", limit);
    let value = section.required("value", bound);
    Some((Topic::Override(limit?), Setting::Bound(value?)))
}

fn adoption(section: &Section<'_>) -> Option<(Topic, Setting)> {
    let adopt = section.required("value", Value::flag)?;
    Some((Topic::AdoptUnknown, Setting::Adopt(adopt)))
}

/// The rules read so far, with the line of each.
struct Rules<'c> {
    catalog: Option<&'c Catalog>,
    policy: Policy,
    lines: BTreeMap<(Target, Topic), usize>,
}

impl Rules<'_> {
    fn add(&mut self, section: &Section<'_>, read: ReadRule) -> Option<()> {
        let sets = read(section);
        let reason = section.required("reason", Value::text);
        let target = self.target(section);
        let expires = section.optional("expires", Timestamp::MAX, instant);
        let ((topic, setting), target) = (sets?, target?);
        if let Some(line) = self.lines.get(&(target.clone(), topic)) {
            section.fault(format!(
                "a rule for the same {} stands on line {line} already: keep one",
                if topic == Topic::AdoptUnknown {
                    "target"
                } else {
                    "limit and target"
                }
            ));
            return None;
        }
        self.lines.insert((target.clone(), topic), section.line());
        let rule = Rule {
            setting,
            reason: reason?.into(),
            expires: expires?,
        };
        self.policy.set(target, topic, rule);
        Some(())
    }

    fn target(&self, section: &Section<'_>) -> Option<Target> {
        let app = section.get("app");
        let edition = section.get("edition");
        if let (Some(_), Some(edition)) = (app, edition) {
            edition.fault("a rule is for an app or for an edition: remove `app` or `edition`");
            return None;
        }
        match (app, edition) {
            (Some(value), _) => {
                let number = number(value, 1..=i128::from(u32::MAX))?;
                SdkAppId::new(number).ok().map(Target::App)
            }
            (None, Some(value)) => self.edition(value),
            (None, None) => Some(Target::Deployment),
        }
    }

    fn edition(&self, value: Value<'_>) -> Option<Target> {
        let name = value.text()?;
        if let Some(catalog) = self.catalog
            && catalog.edition_id(name).is_none()
        {
            let names: Vec<_> = catalog.editions().map(|(_, e)| &*e.name).collect();
            value.wrong_name(name, &names);
            return None;
        }
        Some(Target::Edition(name.into()))
    }
}

fn budgets(section: &Section<'_>) -> Option<Budgets> {
    let default = Budgets::default();
    let edges_per_list = budget(section, "edges_per_list", default.edges_per_list);
    let per_app = section.optional("per_app", default.per_app, |value| {
        value.table("[budgets.per_app]", |s| entries(s, default.per_app))
    });
    let in_all = section.optional("in_all", default.in_all, |value| {
        value.table("[budgets.in_all]", |s| entries(s, default.in_all))
    });
    Some(Budgets {
        per_app: per_app?,
        in_all: in_all?,
        edges_per_list: edges_per_list?,
    })
}

fn entries(section: &Section<'_>, default: Entries) -> Option<Entries> {
    let users = budget(section, "users", default.users);
    let groups = budget(section, "groups", default.groups);
    let edges = budget(section, "edges", default.edges);
    Some(Entries {
        users: users?,
        groups: groups?,
        edges: edges?,
    })
}

fn budget(section: &Section<'_>, key: &'static str, default: u64) -> Option<u64> {
    section.optional(key, default, |value| count(value, 1))
}

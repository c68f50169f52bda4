//! The model beside a real gateway: both are asked the same, and must say the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use quotagate::admission::Mode;
use quotagate::catalog::{Bound, Catalog, LimitName};
use quotagate::entitlement::{Budgets, Entries, Policy, Rule, Setting, Target, Terms, Topic};
use quotagate::gateway::{Commit, DayRecord, Gateway, Sketches};
use quotagate::id::{IdKey, SdkAppId};
use quotagate::sketch::Sketch;
use quotagate::subscription::{AppState, Plan, Standing};
use quotagate::time::{DAY_MS, Timestamp, Zone};

use super::facts::{Group, day_of};
use super::{Id, Kind, Model, Op, Rules, Verdict};
use crate::support::{MORNING, app, at, catalog_with, group, user};

/// What ids are hashed with.
pub const KEY: IdKey = IdKey::new(*b"a key for tests.");
/// No budget.
pub const ENDLESS: Entries = Entries {
    users: u64::MAX,
    groups: u64::MAX,
    edges: u64::MAX,
};

fn bound(number: u64) -> Bound {
    Bound::at_most(number).unwrap_or(Bound::UNLIMITED)
}

impl Rules {
    /// The same for the gateway: every limit as an override for its edition, so that no number of the catalog is left.
    pub fn terms(&self) -> Terms {
        let mut policy = Policy::default();
        let mut set = |target, topic, setting| {
            let rule = Rule {
                setting,
                reason: "a test".into(),
                expires: Timestamp::MAX,
            };
            policy.set(target, topic, rule);
        };
        for (edition, limits) in &self.editions {
            let target = || Target::Edition((*edition).into());
            for name in LimitName::ALL {
                let number = limits.get(&name).map_or(u64::MAX, |(number, _)| *number);
                set(
                    target(),
                    Topic::Override(name),
                    Setting::Bound(bound(number)),
                );
            }
            for (name, (_, how)) in limits {
                set(
                    target(),
                    Topic::Enforcement(*name),
                    Setting::Enforcement(*how),
                );
            }
        }
        let adopt = Setting::Adopt(self.adopt_unknown);
        set(Target::Deployment, Topic::AdoptUnknown, adopt);
        policy.budgets = Budgets {
            per_app: self.budget,
            in_all: ENDLESS,
            edges_per_list: self.edges_per_list,
        };
        Terms {
            catalog: self.catalog(),
            policy: Arc::new(policy),
            zone: Zone::UTC_PLUS_8,
        }
    }

    fn catalog(&self) -> Arc<Catalog> {
        catalog_with(|kind| {
            let Kind {
                cap,
                counts_to_joined,
                ..
            } = self.kinds[&*kind.name];
            kind.member_cap = bound(cap);
            kind.counts_to_joined_groups = counts_to_joined;
        })
    }
}

/// A model and a gateway of the same rules and past.
pub struct Beside {
    pub model: Model,
    pub gateway: Gateway,
    pub now: Timestamp,
    latest: Timestamp,
    catalog: Arc<Catalog>,
}

impl Beside {
    pub fn new(rules: Rules, edition: Id) -> Self {
        let terms = rules.terms();
        let catalog = Arc::clone(&terms.catalog);
        let gateway = Gateway::new(terms, KEY);
        let now = at(MORNING);
        gateway
            .create_app(app(1), Plan::of(edition), Standing::GOOD, now)
            .expect("a new app");
        Self {
            model: Model::new(rules, edition, now),
            gateway,
            now,
            latest: now,
            catalog,
        }
    }

    /// Time passes, or goes back, but never more than a day: clocks are not worse than that.
    pub fn pass(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms).max(self.latest.plus_ms(-DAY_MS));
        self.latest = self.latest.max(self.now);
    }

    /// One operation; both must answer the same.
    pub fn admit(&mut self, op: &Op, mode: Mode) -> Verdict {
        let verdict = self.ask(op, mode);
        let expected = self.model.admit(op, mode, self.now);
        assert_eq!(
            verdict, expected,
            "gateway, model: {mode:?} {op:?} at {}",
            self.now
        );
        verdict
    }

    /// One operation for the gateway alone.
    pub fn ask(&self, op: &Op, mode: Mode) -> Verdict {
        let request = op.request(&self.catalog, self.now);
        Verdict::from(
            &self
                .gateway
                .admit(app(1), &request, mode, self.now)
                .decision,
        )
    }

    /// A batch; both must answer the same.
    pub fn admit_batch(&mut self, ops: &[Op], mode: Mode, commit: Commit) -> Vec<Verdict> {
        let requests: Vec<_> = ops
            .iter()
            .map(|op| op.request(&self.catalog, self.now))
            .collect();
        let answer = self
            .gateway
            .admit_batch(app(1), &requests, mode, commit, self.now);
        let verdicts = answer.decisions.iter().map(Verdict::from).collect();
        let (expected, committed) = self.model.admit_batch(ops, mode, commit, self.now);
        assert_eq!(
            (&verdicts, answer.committed),
            (&expected, committed),
            "gateway, model: {mode:?} {commit:?} {ops:?} at {}",
            self.now
        );
        verdicts
    }

    pub fn change_edition(&mut self, edition: Id) {
        let changed = self.gateway.set_plan(app(1), Plan::of(edition), self.now);
        changed.expect("an edition of the catalog");
        self.model.edition = edition;
    }

    /// The app is in that state from now on.
    pub fn change_state(&mut self, state: AppState) {
        let mut standing = Standing::GOOD;
        match state {
            AppState::Active => {}
            AppState::Suspended => standing.suspended_from = self.now,
            AppState::Disabled => standing.disabled_from = self.now,
            AppState::Repossessed => standing.repossessed_from = self.now,
        }
        let changed = self.gateway.set_standing(app(1), standing, self.now);
        changed.expect("an app");
        self.model.standing = standing;
    }

    pub fn change_rules(&mut self, rules: Rules) {
        let terms = rules.terms();
        self.catalog = Arc::clone(&terms.catalog);
        let changed = self.gateway.set_terms(terms, self.now);
        changed.expect("every edition is in the catalog");
        self.model.rules = Arc::new(rules);
    }

    /// What both have of the app, of these users and of these groups must be the same.
    pub fn compare(&mut self, users: &[Id], groups: &[Id]) {
        self.model.facts.advance(self.now);
        let asked = Asked {
            gateway: &self.gateway,
            app: app(1),
            now: self.now,
            told: "",
        };
        asked.compare(&self.model, users, groups);
    }
}

/// The bytes of the sketch of these users.
pub fn sketch_of<'a>(users: impl Iterator<Item = &'a Id>) -> Vec<u8> {
    let hasher = KEY.hasher();
    let mut sketch = Sketch::new();
    for id in users {
        let key = hasher.user(user(id));
        sketch.add(u128::from(key.high) << 64 | u128::from(key.low));
    }
    sketch.to_bytes()
}

/// A gateway that is asked about an app at a time, and what it is asked for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub gateway: &'a Gateway,
    pub app: SdkAppId,
    pub now: Timestamp,
    pub told: &'a str,
}

impl Asked<'_> {
    /// What it has of the app, of these users and of these groups must be what the model has.
    pub fn compare(&self, model: &Model, users: &[Id], groups: &[Id]) {
        let (facts, now, told) = (&model.facts, self.now, self.told);
        let usage = self.gateway.app_usage(self.app, now).expect("an app");
        assert_eq!(
            [
                usage.users,
                usage.groups,
                usage.memberships,
                usage.friend_entries,
                usage.user_days
            ],
            [
                facts.users.len() as u64,
                facts.groups.len() as u64,
                facts.memberships.len(),
                facts.friends.len(),
                facts.logins.values().map(|users| users.len() as u64).sum(),
            ],
            "{told}: users, groups, memberships, friends, user days at {now}"
        );
        let by_type: BTreeMap<_, _> = usage.groups_by_type.into_iter().collect();
        for (kind, found) in by_type {
            let of_kind = |group: &&Group| *group.kind == *kind;
            let expected = facts.groups.values().filter(of_kind).count();
            assert_eq!(found, expected as u64, "{told}: groups of type {kind}");
        }
        assert_eq!(
            (usage.daily_users, usage.daily_groups),
            (facts.day_users(facts.day), facts.net()),
            "{told}: users and net groups of {}",
            facts.day
        );
        let months = usage.months.iter().map(|month| {
            let counts = (month.peak_groups.into(), month.peak_av_chat_rooms.into());
            (month.month, u64::from(month.peak_dau), counts)
        });
        assert_eq!(months.collect::<Vec<_>>(), facts.months(), "{told}: months");
        self.compare_days(model);
        for id in users {
            self.compare_user(model, id);
        }
        for id in groups {
            let found = self.gateway.group_usage(self.app, group(id));
            let terms = self.gateway.terms();
            let kind = |name| terms.catalog.group_type_named(name).map(|kind| kind.id);
            assert_eq!(
                found.map(|group| (Some(group.kind), group.members)),
                facts.groups.get(id).map(|group| {
                    (
                        kind(group.kind),
                        facts.memberships.of_right(id).len() as u64,
                    )
                }),
                "{told}: type and members of {id}"
            );
        }
    }

    /// What is told of its days must be what happened, to the last user.
    fn compare_days(&self, model: &Model) {
        let (facts, now, told) = (&model.facts, self.now, self.told);
        let records = self
            .gateway
            .usage_since(self.app, None, now, Sketches::Wanted);
        let mut metered = facts.metered();
        // Days that are not kept for certain.
        metered.retain(|day, _| {
            records.iter().any(|record| record.usage.day == *day) || day.plus(37) >= facts.day
        });
        let found = records.iter().map(
            |DayRecord {
                 usage,
                 bandwidth_bps,
                 ..
             }| {
                let counts = [usage.users, usage.peak_groups, usage.peak_av_chat_rooms];
                let [users, groups, rooms] = counts.map(u64::from);
                (usage.day, (users, groups, rooms, *bandwidth_bps))
            },
        );
        assert!(found.eq(metered), "{told}: {records:?} of {facts:?}");
        for record in records {
            let day = record.usage.day;
            let is_remembered = facts.day.number().saturating_sub(day.number()) <= 39;
            let expected =
                is_remembered.then(|| sketch_of(facts.logins.get(&day).into_iter().flatten()));
            assert_eq!(
                record.sketch.map(|it| it.to_bytes()),
                expected,
                "{told}: users of {day}"
            );
            let is_final = day_of(now).number() > day.number() + 31;
            assert_eq!(record.is_final, is_final, "{told}: {day} at {now}");
        }
    }

    fn compare_user(&self, model: &Model, id: Id) {
        let facts = &model.facts;
        let found = self.gateway.user_usage(self.app, user(id), self.now);
        let expected = facts.users.contains(id).then(|| {
            (
                model.joined_groups(id),
                facts.friends.of_left(id).len() as u64,
                facts.logged_in(id, facts.day),
            )
        });
        assert_eq!(
            found.map(|user| (user.joined_groups, user.friends, user.counted_today)),
            expected,
            "{}: groups, friends and login of {id}",
            self.told
        );
    }
}

//! Scenarios as text: a line for a command, and after `=>` the answer it must get.
//!
//! A scenario is played on a fresh gateway with app 1 on Trial, the time [`MORNING`], and no operators' rules. Commands:
//!
//! ```text
//! register u | delete u | login u [at <time>] | befriend u v [one-way] | unfriend u v [one-way]
//! create g <type> u [with v w] | disband g | join g u [as <type>] | leave g u       each also after `record` or `dry`
//! now <time> | plan <edition> [members=n] [joined=n] [av] | suspended|disabled|repossessed from <time>
//! limit <name> <n> [for edition:<e>|app:<n>] [until <time>] | enforce <name> <how> [for ..] [until ..] | adopt
//! budget users|groups|edges|list|all-users|all-groups|all-edges <n> | usage <what>=<n> .. | app <n>
//! ```
//!
//! `u1..5` stands for u1 to u5: the line is played five times. An answer is `ok` (changed), `same`, `over`, `shadow REASON`
//! or `REASON`; then, as far as the line goes on, `used/bound`, the code and the source; of a creation, the members' in `[]`.

use std::sync::Arc;

use quotagate::admission::{Decision, Denial, Mode, Outcome, Sides};
use quotagate::catalog::{Bound, Catalog, LimitName};
use quotagate::entitlement::{Enforcement, Policy, Rule, Setting, Target, Terms, Topic};
use quotagate::gateway::Gateway;
use quotagate::id::{IdKey, SdkAppId, UserId};
use quotagate::subscription::{Plan, Standing};
use quotagate::time::{Timestamp, Zone};

use crate::model::Op;
use crate::support::{MORNING, app, at, catalog};

/// Plays scenarios, each named by the rule it shows, and reports all that go wrong.
pub fn play(scenarios: &[(&str, &str)]) {
    let faults: Vec<String> = scenarios
        .iter()
        .filter_map(|(rule, text)| Some(format!("{rule}: {}", Stage::new().play(text).err()?)))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// What a scenario is played on.
pub struct Stage {
    pub gateway: Gateway,
    pub catalog: Arc<Catalog>,
    pub policy: Policy,
    pub now: Timestamp,
    app: SdkAppId,
    standing: Standing,
}

impl Stage {
    pub fn new() -> Self {
        Self::with(catalog())
    }

    pub fn with(catalog: Arc<Catalog>) -> Self {
        let terms = Terms {
            catalog: Arc::clone(&catalog),
            policy: Arc::default(),
            zone: Zone::default(),
        };
        let gateway = Gateway::new(terms, IdKey::new(*b"a key for tests."));
        for number in [1, 2] {
            gateway
                .create_app(app(number), Plan::of("trial"), Standing::GOOD, at(MORNING))
                .expect("a new app");
        }
        Self {
            gateway,
            catalog,
            policy: Policy::default(),
            now: at(MORNING),
            app: app(1),
            standing: Standing::GOOD,
        }
    }

    /// Plays every line; the first that goes wrong, if one does.
    pub fn play(&mut self, text: &str) -> Result<(), String> {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            for line in &unrolled(line) {
                self.line(line)
                    .map_err(|fault| format!("`{line}`: {fault}"))?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let Some((command, expected)) = line.split_once("=>") else {
            return self.control(&words(line));
        };
        let answer = self.admit(&words(command));
        let (answer, expected) = (words(&answer), words(expected));
        if expected == ["any"] || answer.starts_with(&expected) {
            Ok(())
        } else {
            Err(format!("answered {}", answer.join(" ")))
        }
    }

    /// The answer to one operation, in the words of scenarios.
    pub fn admit(&self, command: &[&str]) -> String {
        let (mode, command) = match command {
            ["record", rest @ ..] => (Mode::Record, rest),
            ["dry", rest @ ..] => (Mode::DryRun, rest),
            rest => (Mode::Enforce, rest),
        };
        let request = operation(command, self.now).request(&self.catalog, self.now);
        let answer = self.gateway.admit(self.app, &request, mode, self.now);
        let code = self
            .gateway
            .explain(&answer, &request)
            .map(|explanation| explanation.im_error_code);
        told(&answer.decision, code)
    }

    fn control(&mut self, command: &[&str]) -> Result<(), String> {
        match command {
            ["now", time] => self.now = at(time),
            ["app", number] => self.app = app(number.parse().expect("a number")),
            ["plan", edition, add_ons @ ..] => self.plan(edition, add_ons),
            ["suspended", "from", time] => self.stand(|s, time| s.suspended_from = time, time),
            ["disabled", "from", time] => self.stand(|s, time| s.disabled_from = time, time),
            ["repossessed", "from", time] => self.stand(|s, time| s.repossessed_from = time, time),
            ["restored"] => self.stand(|s, _| *s = Standing::GOOD, MORNING),
            ["limit", name, bound, scope @ ..] => {
                let bound = Setting::Bound(Bound::parse(bound).expect("a bound"));
                self.set(Topic::Override(limit(name)), bound, scope);
            }
            ["enforce", name, how, scope @ ..] => {
                let how = Setting::Enforcement(Enforcement::from_name(how).expect("a kind"));
                self.set(Topic::Enforcement(limit(name)), how, scope);
            }
            ["adopt", scope @ ..] => self.set(Topic::AdoptUnknown, Setting::Adopt(true), scope),
            ["budget", what, count] => self.budget(what, count.parse().expect("a count")),
            ["usage", counts @ ..] => return self.usage(counts),
            _ => panic!("no such command: {command:?}"),
        }
        Ok(())
    }

    fn plan(&self, edition: &str, add_ons: &[&str]) {
        let mut plan = Plan::of(edition);
        for add_on in add_ons {
            match add_on.split_once('=') {
                Some(("members", n)) => plan.group_members = n.parse().ok(),
                Some(("joined", n)) => plan.joined_groups = n.parse().ok(),
                None if *add_on == "av" => plan.av_chat_rooms_unlimited = true,
                _ => panic!("no such add-on: {add_on}"),
            }
        }
        let changed = self.gateway.set_plan(self.app, plan, self.now);
        changed.expect("an edition of the catalog");
    }

    fn stand(&mut self, set: impl Fn(&mut Standing, Timestamp), time: &str) {
        set(&mut self.standing, at(time));
        let changed = self.gateway.set_standing(self.app, self.standing, self.now);
        changed.expect("an app");
    }

    fn set(&mut self, topic: Topic, setting: Setting, scope: &[&str]) {
        let (target, until) = match scope {
            [rest @ .., "until", time] => (rest, at(time)),
            rest => (rest, Timestamp::MAX),
        };
        let target = match target {
            [] => Target::Deployment,
            ["for", target] => match target.split_once(':').expect("edition: or app:") {
                ("edition", name) => Target::Edition(name.into()),
                (_, number) => Target::App(app(number.parse().expect("a number"))),
            },
            _ => panic!("no such scope: {scope:?}"),
        };
        let rule = Rule {
            setting,
            reason: "a scenario".into(),
            expires: until,
        };
        self.policy.set(target, topic, rule);
        self.put_in_force();
    }

    fn budget(&mut self, what: &str, count: u64) {
        let budgets = &mut self.policy.budgets;
        *match what {
            "users" => &mut budgets.per_app.users,
            "groups" => &mut budgets.per_app.groups,
            "edges" => &mut budgets.per_app.edges,
            "all-users" => &mut budgets.in_all.users,
            "all-groups" => &mut budgets.in_all.groups,
            "all-edges" => &mut budgets.in_all.edges,
            "list" => &mut budgets.edges_per_list,
            _ => panic!("no such budget: {what}"),
        } = count;
        self.put_in_force();
    }

    fn put_in_force(&self) {
        let terms = Terms {
            catalog: Arc::clone(&self.catalog),
            policy: Arc::new(self.policy.clone()),
            zone: Zone::default(),
        };
        let changed = self.gateway.set_terms(terms, self.now);
        changed.expect("every edition is in the catalog");
    }

    fn usage(&self, counts: &[&str]) -> Result<(), String> {
        let usage = self.gateway.app_usage(self.app, self.now).expect("an app");
        for count in counts {
            let (what, expected) = count.split_once('=').expect("what=n");
            let last_month = usage.months.last().expect("a month");
            let found = match what {
                "users" => usage.users.to_string(),
                "groups" => usage.groups.to_string(),
                "memberships" => usage.memberships.to_string(),
                "friends" => usage.friend_entries.to_string(),
                "dau" => usage.daily_users.to_string(),
                "net" => usage.daily_groups.to_string(),
                "user-days" => usage.user_days.to_string(),
                "peak-dau" => last_month.peak_dau.to_string(),
                "peak-groups" => last_month.peak_groups.to_string(),
                "month" => last_month.month.to_string(),
                id => self.user_or_group(id),
            };
            if found != expected {
                return Err(format!("{what} is {found}"));
            }
        }
        Ok(())
    }

    /// `joined+friends` of a user, members of a group, or `-`.
    fn user_or_group(&self, id: &str) -> String {
        let (user, group) = (UserId::new(id).expect("an id"), crate::support::group(id));
        let user = self.gateway.user_usage(self.app, user, self.now);
        let group = self.gateway.group_usage(self.app, group);
        match (user, group) {
            (Some(user), _) => format!("{}+{}", user.joined_groups, user.friends),
            (None, Some(group)) => group.members.to_string(),
            (None, None) => "-".to_owned(),
        }
    }
}

fn limit(name: &str) -> LimitName {
    LimitName::from_name(name).expect("a limit")
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The line once for each number of its ranges, which go together.
fn unrolled(line: &str) -> Vec<String> {
    let words: Vec<(&str, Option<Range<'_>>)> = words(line)
        .into_iter()
        .map(|word| (word, range(word)))
        .collect();
    let Some((_, from, to)) = words.iter().find_map(|(_, range)| *range) else {
        return vec![line.to_owned()];
    };
    let nth = |n: u32| {
        let word = |(word, range): &(&str, Option<Range<'_>>)| match range {
            Some((prefix, from, _)) => format!("{prefix}{}", from + n),
            None => (*word).to_owned(),
        };
        words.iter().map(word).collect::<Vec<_>>().join(" ")
    };
    (0..=to - from).map(nth).collect()
}

/// A word like `u1..5`: what comes before the numbers, the first and the last.
type Range<'a> = (&'a str, u32, u32);

fn range(word: &str) -> Option<Range<'_>> {
    let (from, to) = word.split_once("..")?;
    let (prefix, from) = from.split_at(from.find(|c: char| c.is_ascii_digit())?);
    Some((prefix, from.parse().ok()?, to.parse().ok()?))
}

/// A command as an operation.
pub fn operation(command: &[&str], now: Timestamp) -> Op {
    let own = |text: &str| -> &'static str { text.to_owned().leak() };
    let sides = |flags: &[&str]| match flags {
        ["one-way"] => Sides::Own,
        _ => Sides::Both,
    };
    match command {
        ["register", id] => Op::Register(own(id)),
        ["delete", id] => Op::DeleteUser(own(id)),
        ["login", id] => Op::Login(own(id), None),
        ["login", id, "at", time] => {
            Op::Login(own(id), Some(at(time).as_unix_ms() - now.as_unix_ms()))
        }
        ["befriend", id, friend, flags @ ..] => Op::Befriend(own(id), own(friend), sides(flags)),
        ["unfriend", id, friend, flags @ ..] => Op::Unfriend(own(id), own(friend), sides(flags)),
        ["create", group, kind, owner, members @ ..] => Op::Create {
            group: own(group),
            kind: own(kind),
            owner: own(owner),
            members: members.iter().skip(1).map(|id| own(id)).collect(),
        },
        ["disband", group] => Op::Disband(own(group)),
        ["join", group, user] => Op::Join {
            group: own(group),
            user: own(user),
            kind: None,
        },
        ["join", group, user, "as", kind] => Op::Join {
            group: own(group),
            user: own(user),
            kind: Some(own(kind)),
        },
        ["leave", group, user] => Op::Leave(own(group), own(user)),
        _ => panic!("no such operation: {command:?}"),
    }
}

/// A decision in the words of scenarios.
fn told(decision: &Decision, code: Option<i32>) -> String {
    let mut said = match &decision.outcome {
        Outcome::Allowed if decision.over_limit => "over".to_owned(),
        Outcome::Allowed if decision.changed => "ok".to_owned(),
        Outcome::Allowed => "same".to_owned(),
        Outcome::Shadowed(denial) => format!("shadow {}", refused(denial, code)),
        Outcome::Denied(denial) => refused(denial, code),
    };
    if !decision.members.is_empty() {
        let members: Vec<String> = decision.members.iter().map(|m| told(m, None)).collect();
        said = format!("{said} [ {} ]", members.join(" "));
    }
    said
}

fn refused(denial: &Denial, code: Option<i32>) -> String {
    let mut said = vec![denial.reason.to_string()];
    if let Some(reached) = &denial.reached {
        said.push(format!("{}/{}", reached.used, reached.bound));
    }
    said.extend(code.map(|code| code.to_string()));
    if let Some(reached) = &denial.reached
        && code.is_some()
    {
        said.push(format!("from {}", reached.source));
    }
    said.join(" ")
}

/// A judge that cannot say no is worth nothing.
#[test]
fn a_wrong_answer_is_noticed() {
    for wrong in [
        "register u1 => same",
        "register u1..101 => ok",
        "register u1..101 => USER_LIMIT",
        "register u1..100 => ok\n register x => USER_LIMIT 100/101",
        "register u1 => ok\n usage users=2",
    ] {
        assert!(Stage::new().play(wrong).is_err(), "{wrong}");
    }
}

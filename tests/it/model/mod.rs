//! A naive gateway for one app, to judge the real one by: sets of texts, counted anew for every decision.
//!
//! Written from the rules of the domain (RULES, sections 2 to 5), not from the code it judges. Absent on purpose: speed,
//! sources, revisions and words.

mod beside;
mod budgets;
mod decide;
mod facts;

use std::collections::BTreeMap;
use std::sync::Arc;

use quotagate::admission::{
    Decision, Denial, LoginTime, Mode, NewFriendship, NewGroup, Operation, Outcome, Request, Sides,
    Subject,
};
use quotagate::catalog::{Catalog, LimitName, Reason};
use quotagate::entitlement::{Enforcement, Entries};
use quotagate::gateway::Commit;
use quotagate::id::{GroupId, UserId};
use quotagate::subscription::Standing;
use quotagate::time::Timestamp;

pub use beside::{Asked, Beside, ENDLESS, KEY};
pub use facts::Facts;

/// An id of a user, group, type or edition.
pub type Id = &'static str;

/// An operation; its ids are texts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    Register(Id),
    DeleteUser(Id),
    /// With the milliseconds from now to the login, if it is told.
    Login(Id, Option<i64>),
    Befriend(Id, Id, Sides),
    Unfriend(Id, Id, Sides),
    Create {
        group: Id,
        kind: Id,
        owner: Id,
        members: Vec<Id>,
    },
    Disband(Id),
    Join {
        group: Id,
        user: Id,
        kind: Option<Id>,
    },
    Leave(Id, Id),
}

impl Op {
    /// The same for the gateway.
    pub fn request(&self, catalog: &Catalog, now: Timestamp) -> Request<'static> {
        let user = |id: &Id| UserId::new(id).expect("an id");
        let group = |id: &Id| GroupId::new(id).expect("an id");
        let kind = |name: &Id| catalog.group_type_named(name).expect("a type");
        match self {
            Self::Register(id) => Operation::RegisterUser { user: user(id) },
            Self::DeleteUser(id) => Operation::DeleteUser { user: user(id) },
            Self::Login(id, after_ms) => Operation::Login {
                user: user(id),
                at: after_ms
                    .map(|ms| LoginTime::new(now.plus_ms(ms), now).expect("a time that counts")),
            },
            Self::Befriend(id, friend, sides) => Operation::AddFriend(
                NewFriendship::new(user(id), user(friend), *sides).expect("two users"),
            ),
            Self::Unfriend(id, friend, sides) => Operation::RemoveFriend {
                user: user(id),
                friend: user(friend),
                sides: *sides,
            },
            Self::Create {
                group: id,
                kind: name,
                owner,
                members,
            } => Operation::CreateGroup(
                NewGroup::new(
                    group(id),
                    kind(name),
                    user(owner),
                    members.iter().map(user).collect(),
                )
                .expect("members where they may be named"),
            ),
            Self::Disband(id) => Operation::DeleteGroup { group: group(id) },
            Self::Join {
                group: id,
                user: who,
                kind: name,
            } => Operation::JoinGroup {
                group: group(id),
                user: user(who),
                kind: name.as_ref().map(|name| kind(name).id),
            },
            Self::Leave(id, who) => Operation::LeaveGroup {
                group: group(id),
                user: user(who),
            },
        }
    }

    /// Whether it adds; the others remove.
    fn adds(&self) -> bool {
        !matches!(
            self,
            Self::DeleteUser(_) | Self::Unfriend(..) | Self::Disband(_) | Self::Leave(..)
        )
    }
}

/// Why not: the reason, whose, and of a limit the count and the bound (of a budget neither is promised).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub reason: Reason,
    pub subject: Subject,
    pub count: Option<Count>,
}

/// A count beside its limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    pub limit: LimitName,
    pub used: u64,
    pub bound: u64,
}

/// What both answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    pub name: &'static str,
    pub changed: bool,
    pub over_limit: bool,
    /// Of a denial, or of the one that a limit in shadow would have given.
    pub refusal: Option<Refusal>,
    pub members: Vec<Verdict>,
}

impl Verdict {
    fn denied(refusal: Refusal) -> Self {
        Self {
            name: refusal.reason.name(),
            changed: false,
            over_limit: false,
            refusal: Some(refusal),
            members: Vec::new(),
        }
    }

    pub fn is_allowed(&self) -> bool {
        self.name == "ALLOWED"
    }

    fn undone(mut self) -> Self {
        (self.changed, self.over_limit) = (false, false);
        self.members = self.members.into_iter().map(Self::undone).collect();
        self
    }
}

impl From<&Decision> for Verdict {
    fn from(decision: &Decision) -> Self {
        let refusal = match &decision.outcome {
            Outcome::Allowed => None,
            Outcome::Shadowed(denial) | Outcome::Denied(denial) => Some(refusal(denial)),
        };
        Self {
            name: decision.outcome.name(),
            changed: decision.changed,
            over_limit: decision.over_limit,
            refusal,
            members: decision.members.iter().map(Self::from).collect(),
        }
    }
}

fn refusal(denial: &Denial) -> Refusal {
    let count = denial.reached.and_then(|reached| {
        Some(Count {
            limit: reached.limit?,
            used: reached.used,
            bound: reached.bound.finite().unwrap_or(u64::MAX),
        })
    });
    Refusal {
        reason: denial.reason,
        subject: match denial.reason {
            Reason::BudgetExceeded => Subject::App,
            _ => denial.subject,
        },
        count,
    }
}

/// What a type of group makes of the limits (RULES 4.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kind {
    pub cap: u64,
    pub plan_cap: bool,
    pub counts_to_joined: bool,
    pub existing: Option<(LimitName, Reason)>,
    pub daily: Option<(LimitName, Reason)>,
}

/// A limit's number and what happens when it is reached; a limit that is missing is unlimited.
pub type Limits = BTreeMap<LimitName, (u64, Enforcement)>;

/// What is in force, apart from the facts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    pub kinds: BTreeMap<Id, Kind>,
    pub editions: BTreeMap<Id, Limits>,
    pub adopt_unknown: bool,
    pub budget: Entries,
    pub edges_per_list: u64,
}

/// The types that nobody can be named a member of when a group is created (RULES 4.2).
pub const LIVE: [Id; 2] = ["AVChatRoom", "BChatRoom"];

/// The five types with the caps given, and the order of RULES 4.2.
pub fn kinds(caps: [u64; 3]) -> BTreeMap<Id, Kind> {
    let common = |cap| Kind {
        cap,
        plan_cap: true,
        counts_to_joined: true,
        existing: None,
        daily: None,
    };
    let live = Kind {
        plan_cap: false,
        ..common(u64::MAX)
    };
    let [private, public, chat_room] = caps.map(common);
    let video = Kind {
        existing: Some((LimitName::AvChatRooms, Reason::AvChatRoomLimit)),
        ..live.clone()
    };
    let broadcast = Kind {
        existing: Some((LimitName::BroadcastRooms, Reason::BroadcastRoomLimit)),
        daily: Some((LimitName::DailyBroadcastRooms, Reason::DailyBroadcastLimit)),
        ..live
    };
    BTreeMap::from([
        ("Private", private),
        ("Public", public),
        ("ChatRoom", chat_room),
        ("AVChatRoom", video),
        ("BChatRoom", broadcast),
    ])
}

/// One app under its rules.
#[derive(Clone, Debug)]
pub struct Model {
    pub rules: Arc<Rules>,
    pub edition: Id,
    pub standing: Standing,
    pub facts: Facts,
}

impl Model {
    pub fn new(rules: Rules, edition: Id, now: Timestamp) -> Self {
        Self {
            rules: Arc::new(rules),
            edition,
            standing: Standing::GOOD,
            facts: Facts::new(now),
        }
    }

    /// One operation.
    pub fn admit(&mut self, op: &Op, mode: Mode, now: Timestamp) -> Verdict {
        self.facts.advance(now);
        match mode {
            Mode::DryRun => self.clone().take(op, mode, now),
            Mode::Enforce | Mode::Record => self.take(op, mode, now),
        }
    }

    /// Operations in order; and whether nothing stood in the way of remembering them.
    pub fn admit_batch(
        &mut self,
        ops: &[Op],
        mode: Mode,
        commit: Commit,
        now: Timestamp,
    ) -> (Vec<Verdict>, bool) {
        self.facts.advance(now);
        let take_all = |model: &mut Self| -> Vec<Verdict> {
            ops.iter().map(|op| model.take(op, mode, now)).collect()
        };
        if commit == Commit::Each && mode != Mode::DryRun {
            return (take_all(self), true);
        }
        let mut after = self.clone();
        let verdicts = take_all(&mut after);
        let denied = verdicts.iter().any(|verdict| !verdict.is_allowed());
        if commit == Commit::AllOrNothing && denied {
            return (verdicts.into_iter().map(Verdict::undone).collect(), false);
        }
        if mode != Mode::DryRun {
            *self = after;
        }
        (verdicts, true)
    }
}

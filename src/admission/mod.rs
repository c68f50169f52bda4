//! Admission rules: may this user, friend, member, group, room or login be added? (RULES, section 2)
//!
//! Pure: no clock, no I/O, no memory of its own. The caller shows what it knows (counts, who is known, what is already so),
//! the `Judge` answers. A denial is a value, not an error. Invariant: the order of checks is that of the functions here,
//! so that one reason is always the reported one; budgets come after them, in `usage`.

mod counts;
mod explain;
mod operation;
mod verdict;

pub use crate::operation::OperationKind;
pub(crate) use counts::AppCounts;
pub use explain::{Explanation, Remedy, explain};
pub use operation::{
    EARLY_LOGIN_MS_MAX, InvalidOperation, LATE_LOGIN_MS_MAX, LoginTime, Mode, NewFriendship,
    NewGroup, Operation, Request, Sides,
};
pub use verdict::{Decision, Denial, Outcome, Reached, Subject};

use crate::catalog::{Bound, GroupType, GroupTypeId, LimitName, Reason};
use crate::entitlement::{Enforcement, Entitlements, Limit, Source};
use crate::subscription::AppState;
use crate::time::{Day, Timestamp};

/// What is to be done about an operation that is not denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// It is already so.
    Unchanged,
    /// Do it; who or what is unknown is taken in first.
    Change,
}

/// What to do, or why not.
pub(crate) type Ruling = Result<Step, Denial>;

/// What is known about a login.
pub(crate) struct LoginFacts {
    /// Whether the user is registered.
    pub(crate) known: bool,
    /// Whether the user is among the day's distinct users.
    pub(crate) counted: bool,
    /// The day.
    pub(crate) day: Day,
    /// Distinct users of that day.
    pub(crate) day_users: u64,
}

/// What is known about one side of a friendship.
pub(crate) struct FriendFacts {
    /// Friends on the list; nothing for an unknown user.
    pub(crate) friends: Option<u64>,
    /// Whether this side's list has the other, or need not have.
    pub(crate) settled: bool,
}

/// What is known about the creation of a group.
pub(crate) struct CreateFacts {
    /// Groups that the owner is in; nothing for an unknown owner.
    pub(crate) owner_joined: Option<u64>,
    /// Whether a group of that id exists, and with the same owner.
    pub(crate) existing: Option<SameOwner>,
    /// The type.
    pub(crate) kind: GroupTypeId,
}

/// Whether an existing group has the owner that its creation names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SameOwner {
    /// It does.
    Yes,
    /// Another, or none that is known.
    No,
}

/// What is known about a user joining a group.
pub(crate) struct JoinFacts {
    /// Groups that the user is in; nothing for an unknown user.
    pub(crate) joined: Option<u64>,
    /// Members of the group; nothing for an unknown group.
    pub(crate) members: Option<u64>,
    /// The group's type; of an unknown group, the one it would be taken in with.
    pub(crate) kind: Option<GroupTypeId>,
    /// Whether the user is a member.
    pub(crate) member: bool,
}

/// A count that an operation would raise.
#[derive(Clone, Copy)]
struct Count {
    limit: LimitName,
    reason: Reason,
    subject: Subject,
    used: u64,
    adds: u64,
    day: Option<Day>,
}

/// Judges one operation.
pub(crate) struct Judge<'a> {
    entitlements: &'a Entitlements,
    mode: Mode,
    shadowed: Option<Denial>,
    over_limit: bool,
}

impl<'a> Judge<'a> {
    /// A judge for one operation.
    #[inline]
    pub(crate) const fn new(entitlements: &'a Entitlements, mode: Mode) -> Self {
        Self {
            entitlements,
            mode,
            shadowed: None,
            over_limit: false,
        }
    }

    /// The app's state, checked before everything else. RECORD passes a suspension, nothing passes an end.
    #[inline]
    pub(crate) fn app_state(&self, now: Timestamp, adds: bool) -> Result<(), Denial> {
        let reason = match self.entitlements.standing.state(now) {
            AppState::Active => return Ok(()),
            AppState::Suspended if !adds || self.mode == Mode::Record => return Ok(()),
            AppState::Suspended => Reason::AppSuspended,
            AppState::Disabled => Reason::AppDisabled,
            AppState::Repossessed => Reason::AppRepossessed,
        };
        Err(Denial::plain(reason, Subject::App))
    }

    /// Whether unknown users and groups are taken in.
    const fn adopts(&self) -> bool {
        matches!(self.mode, Mode::Record) || self.entitlements.adopt_unknown
    }

    /// The type that an unknown group is taken in with: the one named. A recorded join is never refused for want of one.
    pub(crate) fn adopted_type(&self, named: Option<GroupTypeId>) -> Option<GroupTypeId> {
        match self.mode {
            Mode::Record => named.or_else(|| Some(self.entitlements.catalog.assumed_group_type())),
            Mode::Enforce | Mode::DryRun => named.filter(|_| self.adopts()),
        }
    }

    /// `register_user`: users < maximum users.
    pub(crate) fn register_user(&mut self, app: &AppCounts, known: bool) -> Ruling {
        if known {
            return Ok(Step::Unchanged);
        }
        self.users(app, 1)?;
        Ok(Step::Change)
    }

    /// `login`: an unknown user registers first; then the day's distinct users (B26).
    pub(crate) fn login(&mut self, app: &AppCounts, facts: &LoginFacts) -> Ruling {
        if facts.known && facts.counted {
            return Ok(Step::Unchanged);
        }
        self.users(app, u64::from(!facts.known))?;
        // A late login's day is over: it resets no more.
        let day = (facts.day >= app.day()).then_some(facts.day);
        let adds = u64::from(!facts.counted);
        self.room_in_app(LimitName::DailyUsers, facts.day_users, adds, day)?;
        Ok(Step::Change)
    }

    /// `add_friend`: own list < limit; two-way: the friend's list too. Only a list that would grow is checked (B37).
    pub(crate) fn add_friend(
        &mut self,
        app: &AppCounts,
        own: &FriendFacts,
        peer: &FriendFacts,
    ) -> Ruling {
        let strangers = u64::from(own.friends.is_none()) + u64::from(peer.friends.is_none());
        self.known_or_adopted(app, own.friends.is_some(), 1, Subject::User)?;
        self.known_or_adopted(app, peer.friends.is_some(), strangers, Subject::Friend)?;
        if own.settled && peer.settled {
            return Ok(Step::Unchanged);
        }
        let sides = [
            (own, Reason::FriendLimit, Subject::User),
            (peer, Reason::PeerFriendLimit, Subject::Friend),
        ];
        for (side, reason, subject) in sides {
            self.room(Count {
                limit: LimitName::Friends,
                reason,
                subject,
                used: side.friends.unwrap_or(0),
                adds: u64::from(!side.settled),
                day: None,
            })?;
        }
        Ok(Step::Change)
    }

    /// `create_group`: owner's joined groups < limit; the type's own limits; the day's net; Trial's total.
    pub(crate) fn create_group(&mut self, app: &AppCounts, facts: &CreateFacts) -> Ruling {
        self.known_or_adopted(app, facts.owner_joined.is_some(), 1, Subject::User)?;
        match (facts.existing, self.mode) {
            (Some(SameOwner::Yes), _) | (Some(SameOwner::No), Mode::Record) => {
                return Ok(Step::Unchanged);
            }
            (Some(SameOwner::No), _) => {
                return Err(Denial::plain(Reason::GroupExists, Subject::Group));
            }
            (None, _) => {}
        }
        self.joined(facts.kind, facts.owner_joined.unwrap_or(0))?;
        self.type_limits(app, facts.kind)?;
        self.room_in_net(LimitName::DailyGroups, app.net(), app.day())?;
        self.room_in_app(LimitName::Groups, app.groups, 1, None)?;
        Ok(Step::Change)
    }

    /// `join_group`: user's joined groups < limit; group's members < cap of its type and plan.
    #[inline]
    pub(crate) fn join_group(&mut self, app: &AppCounts, facts: &JoinFacts) -> Ruling {
        self.known_or_adopted(app, facts.joined.is_some(), 1, Subject::User)?;
        let Some(kind) = facts.kind else {
            return Err(Denial::plain(Reason::GroupNotFound, Subject::Group));
        };
        if facts.member {
            return Ok(Step::Unchanged);
        }
        self.joined(kind, facts.joined.unwrap_or(0))?;
        self.members(kind, facts.members.unwrap_or(0))?;
        Ok(Step::Change)
    }

    /// The decision that a ruling comes to.
    #[inline]
    pub(crate) fn decide(self, ruling: Ruling) -> Decision {
        let changed = match ruling {
            Ok(step) => step == Step::Change,
            Err(denial) => return Decision::denied(denial),
        };
        Decision {
            outcome: self.shadowed.map_or(Outcome::Allowed, Outcome::Shadowed),
            changed,
            over_limit: self.over_limit && changed,
            members: Vec::new(),
        }
    }

    fn users(&mut self, app: &AppCounts, adds: u64) -> Result<(), Denial> {
        self.room_in_app(LimitName::MaxUsers, app.users, adds, None)
    }

    /// An unknown user is refused, or taken in by registering: the limit on users applies.
    #[inline]
    fn known_or_adopted(
        &mut self,
        app: &AppCounts,
        known: bool,
        adds: u64,
        subject: Subject,
    ) -> Result<(), Denial> {
        if known {
            Ok(())
        } else if self.adopts() {
            self.users(app, adds)
        } else {
            Err(Denial::plain(Reason::UserNotFound, subject))
        }
    }

    #[inline]
    fn joined(&mut self, kind: GroupTypeId, used: u64) -> Result<(), Denial> {
        let counts = |kind: &GroupType| kind.counts_to_joined_groups;
        if !self
            .entitlements
            .catalog
            .group_type(kind)
            .is_none_or(counts)
        {
            return Ok(());
        }
        self.room(Count {
            limit: LimitName::JoinedGroups,
            reason: Reason::JoinedGroupLimit,
            subject: Subject::User,
            used,
            adds: 1,
            day: None,
        })
    }

    /// The smaller of the type's cap and the plan's; GROUP_FULL where buying would not help (RULES 3.1).
    #[inline]
    fn members(&mut self, kind: GroupTypeId, used: u64) -> Result<(), Denial> {
        let caps = self.entitlements.member_caps(kind);
        if caps.by_type.min(caps.by_plan).has_room(used, 1) {
            return Ok(());
        }
        let limit = *self.entitlements.limit(LimitName::GroupMembers);
        let (reason, limit) = if caps.by_type.has_room(used, 1) {
            (Reason::GroupMemberLimit, limit)
        } else {
            let full = Limit {
                bound: caps.by_type,
                source: Source::GroupType,
                ..limit
            };
            (Reason::GroupFull, full)
        };
        let count = Count {
            limit: LimitName::GroupMembers,
            reason,
            subject: Subject::Group,
            used,
            adds: 1,
            day: None,
        };
        self.no_room(&limit, &count)
    }

    /// The limits that a type has of its own: how many exist, and the day's net (B32, B33).
    fn type_limits(&mut self, app: &AppCounts, id: GroupTypeId) -> Result<(), Denial> {
        let Some(kind) = self.entitlements.catalog.group_type(id) else {
            return Ok(());
        };
        if let Some(limit) = kind.existing_limit {
            self.room_in_app(limit, app.groups_of(id), 1, None)?;
        }
        if let Some(limit) = kind.daily_limit {
            self.room_in_net(limit, app.net_of(id), app.day())?;
        }
        Ok(())
    }

    /// Room for one more in a day's net number. Below 0 nothing that counts is added.
    fn room_in_net(&mut self, limit: LimitName, net: i64, day: Day) -> Result<(), Denial> {
        let used = net.max(0).unsigned_abs();
        self.room_in_app(limit, used, u64::from(net >= 0), Some(day))
    }

    #[inline]
    fn room_in_app(
        &mut self,
        limit: LimitName,
        used: u64,
        adds: u64,
        day: Option<Day>,
    ) -> Result<(), Denial> {
        self.room(Count {
            limit,
            reason: reason_of(limit),
            subject: Subject::App,
            used,
            adds,
            day,
        })
    }

    #[inline]
    fn room(&mut self, count: Count) -> Result<(), Denial> {
        let limit = self.entitlements.limit(count.limit);
        if limit.bound.has_room(count.used, count.adds) {
            return Ok(());
        }
        self.no_room(limit, &count)
    }

    #[cold]
    fn no_room(&mut self, limit: &Limit, count: &Count) -> Result<(), Denial> {
        let denial = Denial {
            reason: count.reason,
            subject: count.subject,
            reached: Some(Reached {
                limit: Some(count.limit),
                bound: limit.bound,
                used: count.used,
                source: limit.source,
                day: count.day,
            }),
        };
        match (limit.enforcement, self.mode) {
            (Enforcement::Off, _) => Ok(()),
            (Enforcement::Enforce | Enforcement::Shadow, Mode::Record) => {
                self.over_limit = true;
                Ok(())
            }
            (Enforcement::Shadow, Mode::Enforce | Mode::DryRun) => {
                self.shadowed.get_or_insert(denial);
                Ok(())
            }
            (Enforcement::Enforce, Mode::Enforce | Mode::DryRun) => Err(denial),
        }
    }
}

/// The reason that is reported when a limit of the whole app is reached.
const fn reason_of(limit: LimitName) -> Reason {
    match limit {
        LimitName::MaxUsers => Reason::UserLimit,
        LimitName::DailyUsers => Reason::TrialDauLimit,
        LimitName::Friends => Reason::FriendLimit,
        LimitName::JoinedGroups => Reason::JoinedGroupLimit,
        LimitName::GroupMembers => Reason::GroupMemberLimit,
        LimitName::AvChatRooms => Reason::AvChatRoomLimit,
        LimitName::BroadcastRooms => Reason::BroadcastRoomLimit,
        LimitName::DailyGroups => Reason::DailyGroupLimit,
        LimitName::DailyBroadcastRooms => Reason::DailyBroadcastLimit,
        LimitName::Groups => Reason::TrialGroupLimit,
    }
}

/// A denial for want of entries: the gateway's own budget, checked last (RULES, section 2).
pub(crate) const fn over_budget(subject: Subject, used: u64, bound: Bound) -> Denial {
    Denial {
        reason: Reason::BudgetExceeded,
        subject,
        reached: Some(Reached {
            limit: None,
            bound,
            used,
            source: Source::Budget,
            day: None,
        }),
    }
}

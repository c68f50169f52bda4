//! One operation: checks in the order of RULES section 2, then the change.

use quotagate::admission::{Mode, Sides, Subject};
use quotagate::catalog::{LimitName, Reason};
use quotagate::entitlement::Enforcement;
use quotagate::subscription::AppState;
use quotagate::time::{Day, Timestamp};

use super::facts::day_of;
use super::{Count, Id, Limits, Model, Op, Refusal, Verdict};

/// What must be done, or nothing: it is already so.
type Ruling = Result<bool, Refusal>;

/// The limits met on the way through one operation.
struct Checks<'a> {
    limits: &'a Limits,
    mode: Mode,
    shadow: Option<Refusal>,
    over_limit: bool,
}

impl Checks<'_> {
    /// Room for `more` where there are `used`, or what the enforcement and the mode make of the want of it.
    fn room(
        &mut self,
        limit: LimitName,
        (used, more): (u64, u64),
        reason: Reason,
        subject: Subject,
    ) -> Result<(), Refusal> {
        let Some((bound, _)) = self.limits.get(&limit) else {
            return Ok(());
        };
        if more == 0 || used + more <= *bound {
            return Ok(());
        }
        let count = Count {
            limit,
            used,
            bound: *bound,
        };
        self.no_room(count, reason, subject)
    }

    fn no_room(&mut self, count: Count, reason: Reason, subject: Subject) -> Result<(), Refusal> {
        let refusal = Refusal {
            reason,
            subject,
            count: Some(count),
        };
        let enforcement = self
            .limits
            .get(&count.limit)
            .map_or(Enforcement::Enforce, |(_, enforcement)| *enforcement);
        match (enforcement, self.mode) {
            (Enforcement::Off, _) => {}
            (_, Mode::Record) => self.over_limit = true,
            (Enforcement::Shadow, _) => {
                self.shadow.get_or_insert(refusal);
            }
            (Enforcement::Enforce, _) => return Err(refusal),
        }
        Ok(())
    }
}

pub(super) fn plain(reason: Reason, subject: Subject) -> Refusal {
    Refusal {
        reason,
        subject,
        count: None,
    }
}

impl Model {
    /// Decides and remembers.
    pub(super) fn take(&mut self, op: &Op, mode: Mode, now: Timestamp) -> Verdict {
        let rules = std::sync::Arc::clone(&self.rules);
        let mut checks = Checks {
            limits: &rules.editions[self.edition],
            mode,
            shadow: None,
            over_limit: false,
        };
        let ruling = self
            .app_state(op, mode, now)
            .and_then(|()| self.judge(&mut checks, op, now))
            .and_then(|needed| {
                if needed {
                    self.budgets(op)?;
                }
                Ok(needed)
            });
        let needed = match ruling {
            Ok(needed) => needed,
            Err(refusal) => return Verdict::denied(refusal),
        };
        let changed = needed && self.change(op, mode, now);
        let mut members = Vec::new();
        if let (
            true,
            Op::Create {
                group,
                members: named,
                ..
            },
        ) = (changed, op)
        {
            for user in named {
                let join = Op::Join {
                    group,
                    user,
                    kind: None,
                };
                members.push(self.take(&join, mode, now));
            }
        }
        Verdict {
            name: "ALLOWED",
            changed,
            over_limit: checks.over_limit && changed,
            refusal: checks.shadow,
            members,
        }
    }

    /// RULES B19: suspended, removing stays possible; what happened elsewhere is taken in until the app's end.
    fn app_state(&self, op: &Op, mode: Mode, now: Timestamp) -> Result<(), Refusal> {
        let reason = match self.standing.state(now) {
            AppState::Active => return Ok(()),
            AppState::Suspended if mode == Mode::Record || !op.adds() => return Ok(()),
            AppState::Suspended => Reason::AppSuspended,
            AppState::Disabled => Reason::AppDisabled,
            AppState::Repossessed => Reason::AppRepossessed,
        };
        Err(plain(reason, Subject::App))
    }

    fn adopts(&self, mode: Mode) -> bool {
        mode == Mode::Record || self.rules.adopt_unknown
    }

    fn judge(&self, checks: &mut Checks<'_>, op: &Op, now: Timestamp) -> Ruling {
        match op {
            Op::Register(id) => self.judge_register(checks, id),
            Op::Login(id, after_ms) => self.judge_login(checks, id, self.login_day(*after_ms, now)),
            Op::Befriend(id, friend, sides) => self.judge_befriend(checks, id, friend, *sides),
            Op::Create {
                group, kind, owner, ..
            } => self.judge_create(checks, group, kind, owner),
            Op::Join { group, user, kind } => self.judge_join(checks, group, user, *kind),
            Op::DeleteUser(_) | Op::Unfriend(..) | Op::Disband(_) | Op::Leave(..) => Ok(true),
        }
    }

    fn login_day(&self, after_ms: Option<i64>, now: Timestamp) -> Day {
        after_ms.map_or(self.facts.day, |ms| day_of(now.plus_ms(ms)))
    }

    fn users(&self, checks: &mut Checks<'_>, more: u64) -> Result<(), Refusal> {
        let used = self.facts.users.len() as u64;
        let room = (used, more);
        checks.room(LimitName::MaxUsers, room, Reason::UserLimit, Subject::App)
    }

    /// An unknown user is refused, or will be taken in as the `nth` of the operation.
    fn exists(
        &self,
        checks: &mut Checks<'_>,
        id: Id,
        nth: u64,
        subject: Subject,
    ) -> Result<(), Refusal> {
        if self.facts.users.contains(id) {
            Ok(())
        } else if self.adopts(checks.mode) {
            self.users(checks, nth)
        } else {
            Err(plain(Reason::UserNotFound, subject))
        }
    }

    fn judge_register(&self, checks: &mut Checks<'_>, id: Id) -> Ruling {
        if self.facts.users.contains(id) {
            return Ok(false);
        }
        self.users(checks, 1)?;
        Ok(true)
    }

    fn judge_login(&self, checks: &mut Checks<'_>, id: Id, day: Day) -> Ruling {
        let known = self.facts.users.contains(id);
        let counted = self.facts.logged_in(id, day);
        if known && counted {
            return Ok(false);
        }
        if !known {
            self.users(checks, 1)?;
        }
        if !counted {
            let room = (self.facts.day_users(day), 1);
            let reason = Reason::TrialDauLimit;
            checks.room(LimitName::DailyUsers, room, reason, Subject::App)?;
        }
        Ok(true)
    }

    fn judge_befriend(&self, checks: &mut Checks<'_>, id: Id, friend: Id, sides: Sides) -> Ruling {
        let known = self.facts.users.contains(id);
        self.exists(checks, id, 1, Subject::User)?;
        self.exists(checks, friend, if known { 1 } else { 2 }, Subject::Friend)?;
        let friends = &self.facts.friends;
        let own_grows = !friends.contains(id, friend);
        let peer_grows = sides == Sides::Both && !friends.contains(friend, id);
        if own_grows {
            let room = (friends.of_left(id).len() as u64, 1);
            checks.room(LimitName::Friends, room, Reason::FriendLimit, Subject::User)?;
        }
        if peer_grows {
            let room = (friends.of_left(friend).len() as u64, 1);
            let reason = Reason::PeerFriendLimit;
            checks.room(LimitName::Friends, room, reason, Subject::Friend)?;
        }
        Ok(own_grows || peer_grows)
    }

    fn judge_create(&self, checks: &mut Checks<'_>, group: Id, kind: Id, owner: Id) -> Ruling {
        self.exists(checks, owner, 1, Subject::User)?;
        if let Some(existing) = self.facts.groups.get(group) {
            return match checks.mode {
                Mode::Enforce | Mode::DryRun if existing.owner != Some(owner) => {
                    Err(plain(Reason::GroupExists, Subject::Group))
                }
                _ => Ok(false),
            };
        }
        self.joined(checks, owner, kind)?;
        let rules = &self.rules.kinds[kind];
        if let Some((limit, reason)) = rules.existing {
            let room = (self.facts.groups_of(kind), 1);
            checks.room(limit, room, reason, Subject::App)?;
        }
        if let Some((limit, reason)) = rules.daily {
            checks.room(limit, net(self.facts.net_of(kind)), reason, Subject::App)?;
        }
        let room = net(self.facts.net());
        checks.room(
            LimitName::DailyGroups,
            room,
            Reason::DailyGroupLimit,
            Subject::App,
        )?;
        let room = (self.facts.groups.len() as u64, 1);
        checks.room(
            LimitName::Groups,
            room,
            Reason::TrialGroupLimit,
            Subject::App,
        )?;
        Ok(true)
    }

    fn judge_join(&self, checks: &mut Checks<'_>, group: Id, user: Id, kind: Option<Id>) -> Ruling {
        self.exists(checks, user, 1, Subject::User)?;
        let Some(kind) = self.kind_joined(group, kind, checks.mode) else {
            return Err(plain(Reason::GroupNotFound, Subject::Group));
        };
        if self.facts.memberships.contains(user, group) {
            return Ok(false);
        }
        self.joined(checks, user, kind)?;
        self.members(checks, group, kind)?;
        Ok(true)
    }

    /// The type of the group, or of the one that would be taken in; a recorded one is Public if it is not said.
    fn kind_joined(&self, group: Id, named: Option<Id>, mode: Mode) -> Option<Id> {
        match self.facts.groups.get(group) {
            Some(group) => Some(group.kind),
            None if mode == Mode::Record => Some(named.unwrap_or("Public")),
            None => named.filter(|_| self.rules.adopt_unknown),
        }
    }

    pub(super) fn joined_groups(&self, user: Id) -> u64 {
        let groups = self.facts.memberships.of_left(user);
        let counts =
            |group: &&Id| self.rules.kinds[self.facts.groups[**group].kind].counts_to_joined;
        groups.iter().filter(counts).count() as u64
    }

    fn joined(&self, checks: &mut Checks<'_>, user: Id, kind: Id) -> Result<(), Refusal> {
        if !self.rules.kinds[kind].counts_to_joined {
            return Ok(());
        }
        let room = (self.joined_groups(user), 1);
        let reason = Reason::JoinedGroupLimit;
        checks.room(LimitName::JoinedGroups, room, reason, Subject::User)
    }

    /// Full by its type: buying would not help. Full by the plan: it would (RULES 3.1).
    fn members(&self, checks: &mut Checks<'_>, group: Id, kind: Id) -> Result<(), Refusal> {
        let kind = &self.rules.kinds[kind];
        let used = self.facts.memberships.of_right(group).len() as u64;
        if used >= kind.cap {
            let count = Count {
                limit: LimitName::GroupMembers,
                used,
                bound: kind.cap,
            };
            return checks.no_room(count, Reason::GroupFull, Subject::Group);
        }
        if !kind.plan_cap {
            return Ok(());
        }
        let reason = Reason::GroupMemberLimit;
        checks.room(LimitName::GroupMembers, (used, 1), reason, Subject::Group)
    }

    /// Does it; whether the facts are other than before.
    fn change(&mut self, op: &Op, mode: Mode, now: Timestamp) -> bool {
        match op {
            Op::Register(id) => self.facts.users.insert(id),
            Op::DeleteUser(id) => self.facts.delete_user(id),
            Op::Login(id, after_ms) => {
                self.facts.log_in(id, self.login_day(*after_ms, now));
                true
            }
            Op::Befriend(id, friend, sides) => {
                self.facts.users.extend([id, friend]);
                self.facts.friends.insert(id, friend);
                if *sides == Sides::Both {
                    self.facts.friends.insert(friend, id);
                }
                true
            }
            Op::Unfriend(id, friend, sides) => {
                let own = self.facts.friends.remove(id, friend);
                let peer = *sides == Sides::Both && self.facts.friends.remove(friend, id);
                own || peer
            }
            Op::Create {
                group, kind, owner, ..
            } => {
                self.facts.users.insert(owner);
                self.facts.create(group, kind, owner);
                self.facts.memberships.insert(owner, group);
                true
            }
            Op::Disband(id) => self.facts.disband(id),
            Op::Join { group, user, kind } => {
                if let Some(kind) = self.kind_joined(group, *kind, mode)
                    && !self.facts.groups.contains_key(group)
                {
                    self.facts.adopt_group(group, kind, None);
                }
                self.facts.users.insert(user);
                self.facts.memberships.insert(user, group);
                true
            }
            Op::Leave(group, user) => self.facts.memberships.remove(user, group),
        }
    }
}

/// A day's net as used, and what one more adds to it: below zero there is room for more (B31).
fn net(net: i64) -> (u64, u64) {
    (net.max(0).unsigned_abs(), u64::from(net >= 0))
}

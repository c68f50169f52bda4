//! The nine operations that are admitted (RULES, section 2), and the three modes.

use crate::catalog::{GroupType, GroupTypeId};
use crate::id::{GroupId, UserId};
use crate::operation::OperationKind;
use crate::time::{DAY_MS, Timestamp};

/// Oldest login that is taken in, before now: 31 days.
pub const LATE_LOGIN_MS_MAX: i64 = 31 * DAY_MS;
/// Most that a login may lie ahead of now, for clocks that disagree: 5 minutes.
pub const EARLY_LOGIN_MS_MAX: i64 = 5 * 60_000;

/// How an operation is taken (RULES, section 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Decide, and remember what is allowed.
    Enforce,
    /// Decide, and change nothing.
    DryRun,
    /// It has happened elsewhere: remember it even beyond a limit, and say so.
    Record,
}

/// Whose lists a friendship is on (RULES 4.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sides {
    /// Both users' lists.
    Both,
    /// The acting user's own list alone.
    Own,
}

/// An operation on ids that are texts or keys: `User` and `Group` are the kinds of id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Operation<User, Group> {
    /// The user exists.
    RegisterUser {
        /// Who.
        user: User,
    },
    /// The user leaves all groups and friend lists and is gone.
    DeleteUser {
        /// Who.
        user: User,
    },
    /// The user is counted in a day's active users; an unknown one registers first.
    Login {
        /// Who.
        user: User,
        /// When, if not now.
        at: Option<LoginTime>,
    },
    /// A friendship begins.
    AddFriend(NewFriendship<User>),
    /// A friendship ends.
    RemoveFriend {
        /// Whose list it is off.
        user: User,
        /// The other.
        friend: User,
        /// Off one list, or both.
        sides: Sides,
    },
    /// A group begins to exist, with its owner as its first member.
    CreateGroup(NewGroup<User, Group>),
    /// A group and all its memberships end.
    DeleteGroup {
        /// Which.
        group: Group,
    },
    /// A user becomes a member of a group.
    JoinGroup {
        /// Which.
        group: Group,
        /// Who.
        user: User,
        /// The group's type, for taking in a group that is unknown.
        kind: Option<GroupTypeId>,
    },
    /// A user is no member any more.
    LeaveGroup {
        /// Which.
        group: Group,
        /// Who.
        user: User,
    },
}

/// An operation as callers give it, its ids borrowed from the request.
pub type Request<'a> = Operation<UserId<'a>, GroupId<'a>>;

/// A friendship between two different users.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NewFriendship<User> {
    user: User,
    friend: User,
    sides: Sides,
}

/// A group to be created; members are named for types that allow it only.
///
/// In a box: creations are rare, and without it every operation of a batch would be as large as they are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NewGroup<User, Group>(Box<Creation<User, Group>>);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Creation<User, Group> {
    group: Group,
    kind: GroupTypeId,
    owner: User,
    members: Vec<User>,
}

/// The time of a login that is not now: at most 31 days old and 5 minutes ahead.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LoginTime(Timestamp);

/// Why something asked for is no operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOperation {
    /// Befriending oneself (RULES B37).
    #[error("friend: a user cannot befriend themselves; name another user")]
    OwnFriend,
    /// Members of a type that nobody can be invited to (RULES 4.2).
    #[error(
        "members: nobody can be named a member when a group of type {0} is created; leave them out"
    )]
    InitialMembers(Box<str>),
    /// A login too old to count.
    #[error("at: a login counts for at most 31 days, and {0} is older")]
    TooLate(Timestamp),
    /// A login from the future.
    #[error("at: {0} is more than 5 minutes ahead of the gateway's clock")]
    TooEarly(Timestamp),
}

impl<User: PartialEq + Copy> NewFriendship<User> {
    /// A friendship, if the users differ.
    pub fn new(user: User, friend: User, sides: Sides) -> Result<Self, InvalidOperation> {
        if user == friend {
            Err(InvalidOperation::OwnFriend)
        } else {
            Ok(Self {
                user,
                friend,
                sides,
            })
        }
    }
}

impl<User: Copy> NewFriendship<User> {
    /// The acting user.
    pub fn user(&self) -> User {
        self.user
    }

    /// The other.
    pub fn friend(&self) -> User {
        self.friend
    }

    /// On one list, or both.
    pub fn sides(&self) -> Sides {
        self.sides
    }
}

impl<User: Copy, Group: Copy> NewGroup<User, Group> {
    /// A group to be created, if its type lets members be named.
    pub fn new(
        group: Group,
        kind: &GroupType,
        owner: User,
        members: Vec<User>,
    ) -> Result<Self, InvalidOperation> {
        if !members.is_empty() && !kind.initial_members {
            return Err(InvalidOperation::InitialMembers(kind.name.clone()));
        }
        Ok(Self(Box::new(Creation {
            group,
            kind: kind.id,
            owner,
            members,
        })))
    }

    /// Which.
    pub fn group(&self) -> Group {
        self.0.group
    }

    /// Its type.
    pub fn kind(&self) -> GroupTypeId {
        self.0.kind
    }

    /// Its owner, for ever.
    pub fn owner(&self) -> User {
        self.0.owner
    }

    /// Who joins at once, apart from the owner.
    pub fn members(&self) -> &[User] {
        &self.0.members
    }
}

impl LoginTime {
    /// A login at `at`, seen from `now`.
    pub fn new(at: Timestamp, now: Timestamp) -> Result<Self, InvalidOperation> {
        if at > now.plus_ms(EARLY_LOGIN_MS_MAX) {
            Err(InvalidOperation::TooEarly(at))
        } else if at < now.plus_ms(-LATE_LOGIN_MS_MAX) {
            Err(InvalidOperation::TooLate(at))
        } else {
            Ok(Self(at))
        }
    }

    /// The instant.
    pub fn instant(self) -> Timestamp {
        self.0
    }
}

impl<User: Copy, Group: Copy> Operation<User, Group> {
    /// Which of the nine it is.
    pub const fn kind(&self) -> OperationKind {
        match self {
            Self::RegisterUser { .. } => OperationKind::RegisterUser,
            Self::DeleteUser { .. } => OperationKind::DeleteUser,
            Self::Login { .. } => OperationKind::Login,
            Self::AddFriend(_) => OperationKind::AddFriend,
            Self::RemoveFriend { .. } => OperationKind::RemoveFriend,
            Self::CreateGroup(_) => OperationKind::CreateGroup,
            Self::DeleteGroup { .. } => OperationKind::DeleteGroup,
            Self::JoinGroup { .. } => OperationKind::JoinGroup,
            Self::LeaveGroup { .. } => OperationKind::LeaveGroup,
        }
    }

    /// The name of this operation.
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The acting user (of a creation, the owner), the friend, and the group.
    #[inline]
    pub fn ids(&self) -> (Option<User>, Option<User>, Option<Group>) {
        match self {
            Self::RegisterUser { user } | Self::DeleteUser { user } | Self::Login { user, .. } => {
                (Some(*user), None, None)
            }
            Self::AddFriend(new) => (Some(new.user), Some(new.friend), None),
            Self::RemoveFriend { user, friend, .. } => (Some(*user), Some(*friend), None),
            Self::CreateGroup(new) => (Some(new.owner()), None, Some(new.group())),
            Self::DeleteGroup { group } => (None, None, Some(*group)),
            Self::JoinGroup { group, user, .. } | Self::LeaveGroup { group, user } => {
                (Some(*user), None, Some(*group))
            }
        }
    }

    /// Whether it adds to what the limits count; the others remove.
    pub const fn adds(&self) -> bool {
        match self {
            Self::RegisterUser { .. }
            | Self::Login { .. }
            | Self::AddFriend(_)
            | Self::CreateGroup(_)
            | Self::JoinGroup { .. } => true,
            Self::DeleteUser { .. }
            | Self::RemoveFriend { .. }
            | Self::DeleteGroup { .. }
            | Self::LeaveGroup { .. } => false,
        }
    }

    /// The same operation on other kinds of ids.
    #[inline]
    pub fn map<U, G>(
        &self,
        user_id: impl Fn(User) -> U,
        group_id: impl Fn(Group) -> G,
    ) -> Operation<U, G> {
        match self {
            Self::RegisterUser { user } => Operation::RegisterUser {
                user: user_id(*user),
            },
            Self::DeleteUser { user } => Operation::DeleteUser {
                user: user_id(*user),
            },
            Self::Login { user, at } => Operation::Login {
                user: user_id(*user),
                at: *at,
            },
            Self::AddFriend(new) => Operation::AddFriend(NewFriendship {
                user: user_id(new.user),
                friend: user_id(new.friend),
                sides: new.sides,
            }),
            Self::RemoveFriend {
                user,
                friend,
                sides,
            } => Operation::RemoveFriend {
                user: user_id(*user),
                friend: user_id(*friend),
                sides: *sides,
            },
            Self::CreateGroup(new) => Operation::CreateGroup(NewGroup(Box::new(Creation {
                group: group_id(new.group()),
                kind: new.kind(),
                owner: user_id(new.owner()),
                members: new.members().iter().map(|id| user_id(*id)).collect(),
            }))),
            Self::DeleteGroup { group } => Operation::DeleteGroup {
                group: group_id(*group),
            },
            Self::JoinGroup { group, user, kind } => Operation::JoinGroup {
                group: group_id(*group),
                user: user_id(*user),
                kind: *kind,
            },
            Self::LeaveGroup { group, user } => Operation::LeaveGroup {
                group: group_id(*group),
                user: user_id(*user),
            },
        }
    }
}

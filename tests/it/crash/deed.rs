//! What clients ask for, the facts that it comes to, and the small world in which they ask.
//!
//! Invariant: every fact belongs to one client, which asks for its changes one after the other, so that what must be there
//! follows from that client's own questions and answers. What clients share are the limits, and two groups that all may join.

use quotagate::proto::{self, operation::Operation};

/// The apps.
pub const APPS: [u32; 2] = [1, 2];
/// An app that nothing is judged of: what is asked of it makes the journal long.
pub const FILLED: u32 = 3;
/// Clients of one app.
pub const CLIENTS: u8 = 4;
/// Users of one client. The first owns its groups and is never deleted.
pub const USERS: u8 = 8;
/// Groups of one client, one of each type that counts differently.
pub const GROUPS: u8 = 4;
/// Groups that all clients of an app join; they are never deleted. Their numbers come before those of the clients' own.
pub const HALLS: u8 = 2;
/// Days of logins: 0 is today.
pub const DAYS: u8 = 4;

/// Every limit, small enough that many are refused.
pub const LIMITS: [(&str, u64); 10] = [
    ("max_users", 26),
    ("daily_users", 14),
    ("friends", 3),
    ("joined_groups", 4),
    ("group_members", 6),
    ("av_chat_rooms", 2),
    ("broadcast_rooms", 3),
    ("daily_groups", 11),
    ("daily_broadcast_rooms", 2),
    ("groups", 10),
];

/// A fact of an app, by the numbers of users, groups and days.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fact {
    User(u8),
    Group(u8),
    /// Group and user.
    Member(u8, u8),
    /// Whose list, and who is on it.
    Friend(u8, u8),
    /// User and day.
    Login(u8, u8),
}

/// An operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    Register(u8),
    DeleteUser(u8),
    /// User and day.
    Login(u8, u8),
    /// Whose list, who comes on it, and whether on that list alone.
    Befriend(u8, u8, bool),
    Unfriend(u8, u8, bool),
    /// Group and initial members.
    Create(u8, Vec<u8>),
    Disband(u8),
    /// Group and user.
    Join(u8, u8),
    Leave(u8, u8),
}

/// The first user of a client.
pub fn owner(client: u8) -> u8 {
    client * USERS
}

/// A client's own group.
pub fn group_of(client: u8, nth: u8) -> u8 {
    HALLS + client * GROUPS + nth
}

/// Who owns a group.
pub fn owner_of(group: u8) -> u8 {
    let client = group.checked_sub(HALLS).map_or(0, |own| own / GROUPS);
    owner(client)
}

/// A group's type.
pub fn kind_of(group: u8) -> &'static str {
    match group.checked_sub(HALLS) {
        Some(own) => ["Public", "ChatRoom", "AVChatRoom", "BChatRoom"][usize::from(own % GROUPS)],
        None => ["Public", "ChatRoom"][usize::from(group)],
    }
}

/// Whether it is a room that all may enter: nobody is a member at once, and there may be any number.
pub fn is_room(group: u8) -> bool {
    matches!(kind_of(group), "AVChatRoom" | "BChatRoom")
}

pub fn user_name(user: u8) -> String {
    format!("user-{user}")
}

pub fn group_name(group: u8) -> String {
    format!("group-{group}")
}

impl Deed {
    /// The facts that it makes, if it is allowed; of a group's creation without the initial members, which join each for itself.
    pub fn adds(&self) -> Vec<Fact> {
        match *self {
            Self::Register(user) => vec![Fact::User(user)],
            Self::Login(user, day) => vec![Fact::User(user), Fact::Login(user, day)],
            Self::Befriend(user, friend, true) => vec![Fact::Friend(user, friend)],
            Self::Befriend(user, friend, false) => {
                vec![Fact::Friend(user, friend), Fact::Friend(friend, user)]
            }
            Self::Create(group, _) => {
                vec![Fact::Group(group), Fact::Member(group, owner_of(group))]
            }
            Self::Join(group, user) => vec![Fact::Member(group, user)],
            Self::DeleteUser(_) | Self::Unfriend(..) | Self::Disband(_) | Self::Leave(..) => {
                Vec::new()
            }
        }
    }

    /// Whether it ends that fact.
    pub fn removes(&self, fact: Fact) -> bool {
        match *self {
            Self::DeleteUser(user) => match fact {
                Fact::User(it) | Fact::Member(_, it) => it == user,
                Fact::Friend(one, other) => one == user || other == user,
                // A day's distinct users stay counted.
                Fact::Group(_) | Fact::Login(..) => false,
            },
            Self::Unfriend(user, friend, one_way) => {
                fact == Fact::Friend(user, friend) || !one_way && fact == Fact::Friend(friend, user)
            }
            Self::Disband(group) => match fact {
                Fact::Group(it) | Fact::Member(it, _) => it == group,
                Fact::User(_) | Fact::Friend(..) | Fact::Login(..) => false,
            },
            Self::Leave(group, user) => fact == Fact::Member(group, user),
            Self::Register(_)
            | Self::Login(..)
            | Self::Befriend(..)
            | Self::Create(..)
            | Self::Join(..) => false,
        }
    }

    /// What must be there for it to be allowed.
    pub fn needs(&self) -> Vec<Fact> {
        match *self {
            Self::Befriend(user, friend, _) => vec![Fact::User(user), Fact::User(friend)],
            Self::Create(group, _) => vec![Fact::User(owner_of(group))],
            Self::Join(group, user) => vec![Fact::User(user), Fact::Group(group)],
            Self::Register(_)
            | Self::DeleteUser(_)
            | Self::Login(..)
            | Self::Unfriend(..)
            | Self::Disband(_)
            | Self::Leave(..) => Vec::new(),
        }
    }

    /// Whether it adds.
    pub fn is_adding(&self) -> bool {
        !self.adds().is_empty()
    }

    /// The question; `noon` is the time of logins of today, in seconds since 1970.
    pub fn ask(&self, noon: i64) -> proto::Operation {
        let (operation, at) = match *self {
            Self::Register(user) => {
                let user = user_name(user);
                (Operation::RegisterUser(proto::RegisterUser { user }), None)
            }
            Self::DeleteUser(user) => {
                let user = user_name(user);
                (Operation::DeleteUser(proto::DeleteUser { user }), None)
            }
            Self::Login(user, day) => {
                let user = user_name(user);
                let login = Operation::Login(proto::Login { user });
                let seconds = noon - i64::from(day) * 86_400;
                let at = prost_types::Timestamp { seconds, nanos: 0 };
                (login, (day > 0).then_some(at))
            }
            Self::Befriend(user, friend, one_way) => {
                let (user, friend) = (user_name(user), user_name(friend));
                let new = proto::AddFriend {
                    user,
                    friend,
                    one_way,
                };
                (Operation::AddFriend(new), None)
            }
            Self::Unfriend(user, friend, one_way) => {
                let (user, friend) = (user_name(user), user_name(friend));
                let end = proto::RemoveFriend {
                    user,
                    friend,
                    one_way,
                };
                (Operation::RemoveFriend(end), None)
            }
            Self::Create(group, ref members) => {
                let new = proto::CreateGroup {
                    group: group_name(group),
                    r#type: kind_of(group).to_owned(),
                    owner: user_name(owner_of(group)),
                    members: members.iter().map(|&user| user_name(user)).collect(),
                };
                (Operation::CreateGroup(new), None)
            }
            Self::Disband(group) => {
                let group = group_name(group);
                (Operation::DeleteGroup(proto::DeleteGroup { group }), None)
            }
            Self::Join(group, user) => {
                let join = proto::JoinGroup {
                    group: group_name(group),
                    user: user_name(user),
                    r#type: String::new(),
                };
                (Operation::JoinGroup(join), None)
            }
            Self::Leave(group, user) => {
                let (group, user) = (group_name(group), user_name(user));
                (
                    Operation::LeaveGroup(proto::LeaveGroup { group, user }),
                    None,
                )
            }
        };
        proto::Operation {
            at,
            operation: Some(operation),
        }
    }
}

impl Fact {
    /// The addition that makes it: where it is there, that is allowed and changes nothing.
    pub fn addition(self) -> Deed {
        match self {
            Self::User(user) => Deed::Register(user),
            Self::Group(group) => Deed::Create(group, Vec::new()),
            Self::Member(group, user) => Deed::Join(group, user),
            Self::Friend(user, friend) => Deed::Befriend(user, friend, true),
            Self::Login(user, day) => Deed::Login(user, day),
        }
    }

    /// The removal that ends it, and changes something where it is there. A login has none: what is the same is repeated.
    pub fn removal(self) -> Deed {
        match self {
            Self::User(user) => Deed::DeleteUser(user),
            Self::Group(group) => Deed::Disband(group),
            Self::Member(group, user) => Deed::Leave(group, user),
            Self::Friend(user, friend) => Deed::Unfriend(user, friend, true),
            Self::Login(user, day) => Deed::Login(user, day),
        }
    }
}

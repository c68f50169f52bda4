//! The names of the nine operations that are admitted, which the gateway and its clients share.
//!
//! Invariant: the order is that of RULES section 2, and of the API. Absent on purpose: what any of them does; see `admission`.

/// Which of the nine operations, in the order of RULES section 2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OperationKind {
    /// The user exists.
    RegisterUser,
    /// The user leaves all groups and friend lists and is gone.
    DeleteUser,
    /// The user is counted in a day's active users; an unknown one registers first.
    Login,
    /// A friendship begins.
    AddFriend,
    /// A friendship ends.
    RemoveFriend,
    /// A group begins to exist, with its owner as its first member.
    CreateGroup,
    /// A group and all its memberships end.
    DeleteGroup,
    /// A user becomes a member of a group.
    JoinGroup,
    /// A user is no member any more.
    LeaveGroup,
}

impl OperationKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::RegisterUser,
        Self::DeleteUser,
        Self::Login,
        Self::AddFriend,
        Self::RemoveFriend,
        Self::CreateGroup,
        Self::DeleteGroup,
        Self::JoinGroup,
        Self::LeaveGroup,
    ];

    /// The name in traces, commands and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RegisterUser => "register_user",
            Self::DeleteUser => "delete_user",
            Self::Login => "login",
            Self::AddFriend => "add_friend",
            Self::RemoveFriend => "remove_friend",
            Self::CreateGroup => "create_group",
            Self::DeleteGroup => "delete_group",
            Self::JoinGroup => "join_group",
            Self::LeaveGroup => "leave_group",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

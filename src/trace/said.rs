//! What a line says, and what that is in the words of a catalog.
//!
//! Invariant: an [`Action`] has types and editions of the catalog. What is said is enough for a gateway elsewhere, which knows its
//! own catalog. Absent on purpose: JSON.

use super::fault::Fault;
use crate::admission::{NewFriendship, NewGroup, Operation, Request, Sides};
use crate::catalog::{Catalog, GroupType};
use crate::id::{GroupId, UserId};

/// What a line says, its types of groups and editions by names that no catalog has seen.
#[derive(Debug)]
pub enum Said<'a> {
    /// The user exists.
    RegisterUser {
        /// Who.
        user: UserId<'a>,
    },
    /// The user is gone.
    DeleteUser {
        /// Who.
        user: UserId<'a>,
    },
    /// The user is counted in the day's active users.
    Login {
        /// Who.
        user: UserId<'a>,
    },
    /// A friendship begins.
    AddFriend(NewFriendship<UserId<'a>>),
    /// A friendship ends.
    RemoveFriend {
        /// Whose list it is off.
        user: UserId<'a>,
        /// The other.
        friend: UserId<'a>,
        /// Off one list, or both.
        sides: Sides,
    },
    /// A group begins to exist.
    CreateGroup {
        /// Which.
        group: GroupId<'a>,
        /// Its type's name.
        kind: &'a str,
        /// Its owner.
        owner: UserId<'a>,
        /// Who joins at once.
        members: Vec<UserId<'a>>,
    },
    /// A group ends.
    DeleteGroup {
        /// Which.
        group: GroupId<'a>,
    },
    /// A user becomes a member.
    JoinGroup {
        /// Which.
        group: GroupId<'a>,
        /// Who.
        user: UserId<'a>,
        /// The name of the group's type.
        kind: Option<&'a str>,
    },
    /// A user is no member any more.
    LeaveGroup {
        /// Which.
        group: GroupId<'a>,
        /// Who.
        user: UserId<'a>,
    },
    /// An operator puts the app on another edition.
    SetEdition {
        /// The edition's name.
        edition: &'a str,
    },
}

/// What happened, in the words of a catalog.
#[derive(Debug)]
pub enum Action<'a> {
    /// An operation is asked for.
    Admit(Request<'a>),
    /// An operator puts the app on the edition of that name, which the catalog has.
    SetEdition(&'a str),
}

impl<'a> Said<'a> {
    /// The same in the words of a catalog, if it has them.
    pub(super) fn in_words_of(self, catalog: &Catalog) -> Result<Action<'a>, Fault> {
        let operation = match self {
            Self::RegisterUser { user } => Operation::RegisterUser { user },
            Self::DeleteUser { user } => Operation::DeleteUser { user },
            Self::Login { user } => Operation::Login { user, at: None },
            Self::AddFriend(new) => Operation::AddFriend(new),
            Self::RemoveFriend {
                user,
                friend,
                sides,
            } => Operation::RemoveFriend {
                user,
                friend,
                sides,
            },
            Self::CreateGroup {
                group,
                kind,
                owner,
                members,
            } => {
                let kind = group_type(catalog, kind)?;
                Operation::CreateGroup(NewGroup::new(group, kind, owner, members)?)
            }
            Self::DeleteGroup { group } => Operation::DeleteGroup { group },
            Self::JoinGroup { group, user, kind } => {
                let kind = kind.map(|name| group_type(catalog, name)).transpose()?;
                let kind = kind.map(|kind| kind.id);
                Operation::JoinGroup { group, user, kind }
            }
            Self::LeaveGroup { group, user } => Operation::LeaveGroup { group, user },
            Self::SetEdition { edition } => {
                return match catalog.edition_id(edition) {
                    Some(_) => Ok(Action::SetEdition(edition)),
                    None => Err(Fault::unknown_edition(edition, catalog)),
                };
            }
        };
        Ok(Action::Admit(operation))
    }
}

fn group_type<'c>(catalog: &'c Catalog, name: &str) -> Result<&'c GroupType, Fault> {
    let found = catalog.group_type_named(name);
    found.ok_or_else(|| Fault::unknown_type(name, catalog))
}

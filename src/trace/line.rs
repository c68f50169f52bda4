//! One line of a trace: JSON in, a valid operation out, or the one thing that is wrong with it.
//!
//! Invariant: an [`Entry`] holds valid ids and types of the catalog; nothing after this checks them again. A field that is not
//! understood is a fault, never ignored: a misspelt `one_way` would change the answers. Absent on purpose: what any of it does.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use super::fault::{Fault, TraceError};
use crate::admission::{NewFriendship, NewGroup, Operation, OperationKind, Request, Sides};
use crate::catalog::{Catalog, GroupType};
use crate::id::{GroupId, UserId};
use crate::time::Timestamp;

/// The line that changes the plan; every other one is an operation to admit.
pub(super) const SET_EDITION: &str = "set_edition";

/// A line whose fields are read, but not yet understood.
#[derive(Debug)]
pub struct Line<'a> {
    file: &'a str,
    number: u64,
    fields: Fields<'a>,
}

/// What a line says.
#[derive(Debug)]
pub struct Entry<'a> {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub action: Action<'a>,
}

/// What happened.
#[derive(Debug)]
pub enum Action<'a> {
    /// An operation is asked for.
    Admit(Request<'a>),
    /// An operator puts the app on the edition of that name, which the catalog has.
    SetEdition(&'a str),
}

impl<'a> Line<'a> {
    /// Reads the fields of a line.
    pub(super) fn read(file: &'a str, number: u64, bytes: &'a [u8]) -> Result<Self, TraceError> {
        let fields = Fields::read(bytes).map_err(|fault| fault.on(file, number))?;
        Ok(Self {
            file,
            number,
            fields,
        })
    }

    /// What the line says, in the words of a catalog.
    pub fn entry(&self, catalog: &Catalog) -> Result<Entry<'_>, TraceError> {
        let entry = self.fields.entry(catalog);
        entry.map_err(|fault| fault.on(self.file, self.number))
    }
}

/// Every field that a line may have. Texts are borrowed from the line, unless JSON escapes stand in them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    at: Text<'a>,
    #[serde(borrow)]
    op: Text<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    user: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    friend: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    one_way: Option<bool>,
    #[serde(borrow, default, deserialize_with = "present")]
    group: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type", deserialize_with = "present")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    owner: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    members: Option<Vec<Text<'a>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    edition: Option<Text<'a>>,
}

/// A text that is borrowed where it can be: an `Option` of a plain `Cow` never is.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A field that is there has a value; `null` is none.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|error| Fault::NotUtf8(error.valid_up_to() + 1))?;
        // The parser would take an array, too, for the fields in their order.
        if !text.trim_start().starts_with('{') {
            return Err(Fault::NotAnObject);
        }
        serde_json::from_str(text).map_err(|error| {
            let said = error.to_string();
            // The parser counts lines of its own, and it sees only one.
            let problem = said
                .split_once(" at line ")
                .map_or(&*said, |(what, _)| what);
            let (problem, column) = (problem.into(), error.column());
            Fault::Json { problem, column }
        })
    }

    fn entry(&self, catalog: &Catalog) -> Result<Entry<'_>, Fault> {
        let at = Timestamp::parse(&self.at.0).map_err(Fault::Time)?;
        let op = &*self.op.0;
        if op == SET_EDITION {
            let action = Action::SetEdition(self.edition(catalog)?);
            return Ok(Entry { at, action });
        }
        let unknown = || Fault::UnknownOperation { op: op.into() };
        let operation = match OperationKind::from_name(op).ok_or_else(unknown)? {
            OperationKind::RegisterUser => self.register_user()?,
            OperationKind::DeleteUser => self.delete_user()?,
            OperationKind::Login => self.login()?,
            OperationKind::AddFriend => self.add_friend()?,
            OperationKind::RemoveFriend => self.remove_friend()?,
            OperationKind::CreateGroup => self.create_group(catalog)?,
            OperationKind::DeleteGroup => self.delete_group()?,
            OperationKind::JoinGroup => self.join_group(catalog)?,
            OperationKind::LeaveGroup => self.leave_group()?,
        };
        let action = Action::Admit(operation);
        Ok(Entry { at, action })
    }

    fn register_user(&self) -> Result<Request<'_>, Fault> {
        self.take_only(&["user"])?;
        let user = self.user()?;
        Ok(Operation::RegisterUser { user })
    }

    fn delete_user(&self) -> Result<Request<'_>, Fault> {
        self.take_only(&["user"])?;
        let user = self.user()?;
        Ok(Operation::DeleteUser { user })
    }

    fn login(&self) -> Result<Request<'_>, Fault> {
        self.take_only(&["user"])?;
        let (user, at) = (self.user()?, None);
        Ok(Operation::Login { user, at })
    }

    fn add_friend(&self) -> Result<Request<'_>, Fault> {
        self.take_only(&["user", "friend", "one_way"])?;
        let new = NewFriendship::new(self.user()?, self.friend()?, self.sides())?;
        Ok(Operation::AddFriend(new))
    }

    fn remove_friend(&self) -> Result<Request<'_>, Fault> {
        self.take_only(&["user", "friend", "one_way"])?;
        let (user, friend, sides) = (self.user()?, self.friend()?, self.sides());
        Ok(Operation::RemoveFriend {
            user,
            friend,
            sides,
        })
    }

    fn create_group(&self, catalog: &Catalog) -> Result<Request<'_>, Fault> {
        self.take_only(&["group", "type", "owner", "members"])?;
        let group = self.group()?;
        let kind = group_type(catalog, self.text(self.kind.as_ref(), "type")?)?;
        let owner = user_id("owner", self.text(self.owner.as_ref(), "owner")?)?;
        let members = self.members.iter().flatten();
        let members = members.map(|text| user_id("members", &text.0));
        let new = NewGroup::new(group, kind, owner, members.collect::<Result<_, _>>()?)?;
        Ok(Operation::CreateGroup(new))
    }

    fn delete_group(&self) -> Result<Request<'_>, Fault> {
        self.take_only(&["group"])?;
        let group = self.group()?;
        Ok(Operation::DeleteGroup { group })
    }

    fn join_group(&self, catalog: &Catalog) -> Result<Request<'_>, Fault> {
        self.take_only(&["group", "user", "type"])?;
        let kind = self.kind.as_ref().map(|name| group_type(catalog, &name.0));
        let kind = kind.transpose()?.map(|kind| kind.id);
        let (group, user) = (self.group()?, self.user()?);
        Ok(Operation::JoinGroup { group, user, kind })
    }

    fn leave_group(&self) -> Result<Request<'_>, Fault> {
        self.take_only(&["group", "user"])?;
        let (group, user) = (self.group()?, self.user()?);
        Ok(Operation::LeaveGroup { group, user })
    }

    fn edition(&self, catalog: &Catalog) -> Result<&str, Fault> {
        self.take_only(&["edition"])?;
        let name = self.text(self.edition.as_ref(), "edition")?;
        match catalog.edition_id(name) {
            Some(_) => Ok(name),
            None => Err(Fault::unknown_edition(name, catalog)),
        }
    }

    /// A fault if a field is there that is not in `taken`.
    fn take_only(&self, taken: &[&str]) -> Result<(), Fault> {
        let fields = [
            ("user", self.user.is_some()),
            ("friend", self.friend.is_some()),
            ("one_way", self.one_way.is_some()),
            ("group", self.group.is_some()),
            ("type", self.kind.is_some()),
            ("owner", self.owner.is_some()),
            ("members", self.members.is_some()),
            ("edition", self.edition.is_some()),
        ];
        match fields
            .iter()
            .find(|(f, given)| *given && !taken.contains(f))
        {
            None => Ok(()),
            Some((field, _)) => {
                let op = self.op.0.as_ref().into();
                Err(Fault::NotTaken { op, field })
            }
        }
    }

    fn text<'t>(&self, text: Option<&'t Text<'_>>, field: &'static str) -> Result<&'t str, Fault> {
        text.map(|text| &*text.0).ok_or_else(|| {
            let op = self.op.0.as_ref().into();
            Fault::Missing { op, field }
        })
    }

    fn user(&self) -> Result<UserId<'_>, Fault> {
        user_id("user", self.text(self.user.as_ref(), "user")?)
    }

    fn friend(&self) -> Result<UserId<'_>, Fault> {
        user_id("friend", self.text(self.friend.as_ref(), "friend")?)
    }

    fn group(&self) -> Result<GroupId<'_>, Fault> {
        let (text, field) = (self.text(self.group.as_ref(), "group")?, "group");
        GroupId::new(text).map_err(|problem| Fault::Id { field, problem })
    }

    fn sides(&self) -> Sides {
        match self.one_way {
            Some(true) => Sides::Own,
            Some(false) | None => Sides::Both,
        }
    }
}

fn user_id<'t>(field: &'static str, text: &'t str) -> Result<UserId<'t>, Fault> {
    UserId::new(text).map_err(|problem| Fault::Id { field, problem })
}

fn group_type<'c>(catalog: &'c Catalog, name: &str) -> Result<&'c GroupType, Fault> {
    let found = catalog.group_type_named(name);
    found.ok_or_else(|| Fault::unknown_type(name, catalog))
}

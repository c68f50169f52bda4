//! One line of a trace: JSON in, what it says out, or the one thing that is wrong with it.
//!
//! Invariant: what a line says has valid ids; nothing after this checks them again. A field that is not understood is a fault,
//! never ignored: a misspelt `one_way` would change the answers. Absent on purpose: what any of it does.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use super::fault::{Fault, TraceError};
use super::said::{Action, Said};
use crate::admission::{NewFriendship, OperationKind, Sides};
use crate::catalog::Catalog;
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

/// What a line says, or what that is in the words of a catalog.
#[derive(Debug)]
pub struct Entry<W> {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub action: W,
}

impl<'a> Line<'a> {
    /// Reads the fields of a line.
    pub(super) fn read(file: &'a str, number: u64, bytes: &'a [u8]) -> Result<Self, TraceError> {
        let fields = fields(bytes).map_err(|fault: Fault| fault.on(file, number))?;
        Ok(Self {
            file,
            number,
            fields,
        })
    }

    /// Which line it is, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What the line says, its types and editions by their names.
    pub fn said(&self) -> Result<Entry<Said<'_>>, TraceError> {
        let said = self.fields.said();
        said.map_err(|fault| fault.on(self.file, self.number))
    }

    /// What the line says, in the words of a catalog.
    pub fn entry(&self, catalog: &Catalog) -> Result<Entry<Action<'_>>, TraceError> {
        let Entry { at, action } = self.said()?;
        let action = action.in_words_of(catalog);
        let action = action.map_err(|fault| fault.on(self.file, self.number))?;
        Ok(Entry { at, action })
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
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// A field that is there has a value; `null` is none.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Reads the fields of a line, which is one JSON object.
pub(crate) fn fields<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Fault> {
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

impl Fields<'_> {
    fn said(&self) -> Result<Entry<Said<'_>>, Fault> {
        let at = Timestamp::parse(&self.at.0).map_err(Fault::Time)?;
        let op = &*self.op.0;
        if op == SET_EDITION {
            let action = self.set_edition()?;
            return Ok(Entry { at, action });
        }
        let unknown = || Fault::UnknownOperation { op: op.into() };
        let action = match OperationKind::from_name(op).ok_or_else(unknown)? {
            OperationKind::RegisterUser => self.register_user(),
            OperationKind::DeleteUser => self.delete_user(),
            OperationKind::Login => self.login(),
            OperationKind::AddFriend => self.add_friend(),
            OperationKind::RemoveFriend => self.remove_friend(),
            OperationKind::CreateGroup => self.create_group(),
            OperationKind::DeleteGroup => self.delete_group(),
            OperationKind::JoinGroup => self.join_group(),
            OperationKind::LeaveGroup => self.leave_group(),
        }?;
        Ok(Entry { at, action })
    }

    fn register_user(&self) -> Result<Said<'_>, Fault> {
        self.take_only(&["user"])?;
        let user = self.user()?;
        Ok(Said::RegisterUser { user })
    }

    fn delete_user(&self) -> Result<Said<'_>, Fault> {
        self.take_only(&["user"])?;
        let user = self.user()?;
        Ok(Said::DeleteUser { user })
    }

    fn login(&self) -> Result<Said<'_>, Fault> {
        self.take_only(&["user"])?;
        let user = self.user()?;
        Ok(Said::Login { user })
    }

    fn add_friend(&self) -> Result<Said<'_>, Fault> {
        self.take_only(&["user", "friend", "one_way"])?;
        let new = NewFriendship::new(self.user()?, self.friend()?, self.sides())?;
        Ok(Said::AddFriend(new))
    }

    fn remove_friend(&self) -> Result<Said<'_>, Fault> {
        self.take_only(&["user", "friend", "one_way"])?;
        let (user, friend, sides) = (self.user()?, self.friend()?, self.sides());
        Ok(Said::RemoveFriend {
            user,
            friend,
            sides,
        })
    }

    fn create_group(&self) -> Result<Said<'_>, Fault> {
        self.take_only(&["group", "type", "owner", "members"])?;
        let members = self.members.iter().flatten();
        let members = members.map(|text| user_id("members", &text.0));
        Ok(Said::CreateGroup {
            group: self.group()?,
            kind: self.text(self.kind.as_ref(), "type")?,
            owner: user_id("owner", self.text(self.owner.as_ref(), "owner")?)?,
            members: members.collect::<Result<_, _>>()?,
        })
    }

    fn delete_group(&self) -> Result<Said<'_>, Fault> {
        self.take_only(&["group"])?;
        let group = self.group()?;
        Ok(Said::DeleteGroup { group })
    }

    fn join_group(&self) -> Result<Said<'_>, Fault> {
        self.take_only(&["group", "user", "type"])?;
        let (group, user) = (self.group()?, self.user()?);
        let kind = self.kind.as_ref().map(|text| &*text.0);
        Ok(Said::JoinGroup { group, user, kind })
    }

    fn leave_group(&self) -> Result<Said<'_>, Fault> {
        self.take_only(&["group", "user"])?;
        let (group, user) = (self.group()?, self.user()?);
        Ok(Said::LeaveGroup { group, user })
    }

    fn set_edition(&self) -> Result<Said<'_>, Fault> {
        self.take_only(&["edition"])?;
        let edition = self.text(self.edition.as_ref(), "edition")?;
        Ok(Said::SetEdition { edition })
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

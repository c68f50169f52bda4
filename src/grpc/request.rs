//! Requests to admit, from their bytes: ids stay where they are in the message.
//!
//! Invariant: what is handed out is valid, and what is refused names its field. Fields that are not known are passed over, a
//! field that stands twice counts as protobuf says: the last one, messages merged. Absent on purpose: what is decided.

use std::borrow::Cow;
use std::str;

use super::fault::Fault;
use super::wire::{Fields, Malformed, Value};
use crate::admission::{
    InvalidOperation, LoginTime, Mode, NewFriendship, NewGroup, Operation, OperationKind, Request,
    Sides,
};
use crate::catalog::{Catalog, GroupType};
use crate::gateway::Ask;
use crate::id::{GroupId, IdError, SdkAppId, UserId};
use crate::time::Timestamp;

/// Most operations of a batch.
pub const OPERATIONS_MAX: usize = 1_000;
/// Most initial members that the operations of one request name together: what one lock may be held for.
pub const MEMBERS_MAX: usize = 10_000;

/// Numbers of the fields of `AdmitRequest`, `Operation` and `AdmitBatchRequest`; the operations follow one another.
mod number {
    pub(super) const APP: u64 = 1;
    pub(super) const MODE: u64 = 2;
    pub(super) const AT: u64 = 3;
    pub(super) const FIRST_OPERATION: u64 = crate::proto::FIRST_OPERATION as u64;
    pub(super) const ALL_OR_NOTHING: u64 = 3;
    pub(super) const BATCH_ID: u64 = 4;
    pub(super) const OPERATIONS: u64 = 5;
}

/// What a request to admit is understood by.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    /// Types of groups.
    pub(super) catalog: &'a Catalog,
    /// The present instant.
    pub(super) now: Timestamp,
}

/// A request to admit operations.
pub(super) struct Batch<'a> {
    pub(super) app: SdkAppId,
    pub(super) mode: Mode,
    pub(super) all_or_nothing: bool,
    pub(super) id: u64,
    pub(super) requests: Vec<Request<'a>>,
}

/// Reads an `AdmitRequest`.
#[inline]
pub(super) fn one<'a>(message: &'a [u8], terms: Terms<'_>) -> Result<Ask<'a>, Fault> {
    let (mut app, mut mode, mut draft) = (0, 0, Draft::default());
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next().map_err(malformed)? {
        match field {
            number::APP => app = value.number().map_err(malformed)?,
            number::MODE => mode = value.number().map_err(malformed)?,
            _ => draft.take(field, value).map_err(malformed)?,
        }
    }
    let mut members = 0;
    Ok(Ask {
        app: app_id(app)?,
        mode: mode_of(mode)?,
        request: draft.finish(terms, &mut members)?,
    })
}

impl<'a> Batch<'a> {
    /// Reads an `AdmitBatchRequest`.
    pub(super) fn read(message: &'a [u8], terms: Terms<'_>) -> Result<Self, Fault> {
        let (mut app, mut mode, mut all_or_nothing, mut batch_id) = (0, 0, false, 0);
        // Few operations have less than that; a longer batch grows.
        let mut requests =
            Vec::with_capacity((message.len() / OPERATION_BYTES).min(OPERATIONS_MAX));
        let (mut operations, mut members) = (0, 0);
        let mut fields = Fields::of(message);
        while let Some((field, value)) = fields.next().map_err(malformed)? {
            match field {
                number::APP => app = value.number().map_err(malformed)?,
                number::MODE => mode = value.number().map_err(malformed)?,
                number::ALL_OR_NOTHING => {
                    all_or_nothing = value.number().map_err(malformed)? != 0;
                }
                number::BATCH_ID => batch_id = value.number().map_err(malformed)?,
                number::OPERATIONS => {
                    let bytes = value.bytes().map_err(malformed)?;
                    operations += 1;
                    // Beyond the most, only how many there are is of interest.
                    if operations <= OPERATIONS_MAX {
                        let read = operation(bytes, terms, &mut members);
                        requests.push(read.map_err(|fault| in_place(&fault, operations - 1))?);
                    }
                }
                _ => {}
            }
        }
        Ok(Self {
            app: app_id(app)?,
            mode: mode_of(mode)?,
            all_or_nothing,
            id: batch_id,
            requests: match operations {
                0 => return Err(Fault::of("operations", "is empty: name 1 to 1,000")),
                1..=OPERATIONS_MAX => requests,
                many => return Err(too_many(many)),
            },
        })
    }
}

/// The `batch_id` of an `AdmitBatchRequest` that is wrong somewhere, as far as it can be read.
#[cold]
pub fn batch_id(message: &[u8]) -> u64 {
    let (mut batch_id, mut fields) = (0, Fields::of(message));
    while let Ok(Some((field, value))) = fields.next() {
        if field == number::BATCH_ID {
            batch_id = value.number().unwrap_or(batch_id);
        }
    }
    batch_id
}

/// Bytes of a short operation, with its tag and length.
const OPERATION_BYTES: usize = 16;

/// Reads an `Operation`.
#[inline]
fn operation<'a>(
    message: &'a [u8],
    terms: Terms<'_>,
    members: &mut usize,
) -> Result<Request<'a>, Fault> {
    let mut draft = Draft::default();
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next().map_err(malformed)? {
        draft.take(field, value).map_err(malformed)?;
    }
    draft.finish(terms, members)
}

#[cold]
fn in_place(fault: &Fault, place: usize) -> Fault {
    fault.within(format_args!("operations[{place}]"))
}

#[cold]
fn too_many(operations: usize) -> Fault {
    let problem = format!("has {operations} operations: send at most {OPERATIONS_MAX} a batch");
    Fault::of("operations", problem)
}

/// The fields of an operation as they are read, before it is known what is right.
#[derive(Default)]
struct Draft<'a> {
    kind: Option<OperationKind>,
    at: Option<Moment>,
    user: &'a [u8],
    other: &'a [u8],
    group: &'a [u8],
    group_type: &'a [u8],
    members: Vec<&'a [u8]>,
    one_way: bool,
}

/// A `google.protobuf.Timestamp`.
#[derive(Clone, Copy, Default)]
struct Moment {
    seconds: i64,
    nanos: i32,
}

impl<'a> Draft<'a> {
    /// Takes a field that requests and operations have in common.
    #[inline]
    fn take(&mut self, field: u64, value: Value<'a>) -> Result<(), Malformed> {
        if field == number::AT {
            return self.at.get_or_insert_default().merge(value.bytes()?);
        }
        let place = field.checked_sub(number::FIRST_OPERATION);
        let kind = place.and_then(|place| {
            let place = usize::try_from(place).ok()?;
            OperationKind::ALL.get(place).copied()
        });
        kind.map_or(Ok(()), |kind| self.operation(kind, value.bytes()?))
    }

    /// Takes the fields of an operation. The last one named counts; of one that stands twice, the fields merge.
    #[inline]
    fn operation(&mut self, kind: OperationKind, message: &'a [u8]) -> Result<(), Malformed> {
        if self.kind != Some(kind) {
            *self = Self {
                kind: Some(kind),
                at: self.at,
                ..Self::default()
            };
        }
        let mut fields = Fields::of(message);
        while let Some((field, value)) = fields.next()? {
            match (kind, field) {
                (
                    OperationKind::RegisterUser
                    | OperationKind::DeleteUser
                    | OperationKind::Login
                    | OperationKind::AddFriend
                    | OperationKind::RemoveFriend,
                    1,
                )
                | (OperationKind::JoinGroup | OperationKind::LeaveGroup, 2)
                | (OperationKind::CreateGroup, 3) => self.user = value.bytes()?,
                (OperationKind::AddFriend | OperationKind::RemoveFriend, 2) => {
                    self.other = value.bytes()?;
                }
                (OperationKind::AddFriend | OperationKind::RemoveFriend, 3) => {
                    self.one_way = value.number()? != 0;
                }
                (
                    OperationKind::CreateGroup
                    | OperationKind::DeleteGroup
                    | OperationKind::JoinGroup
                    | OperationKind::LeaveGroup,
                    1,
                ) => self.group = value.bytes()?,
                (OperationKind::CreateGroup, 2) | (OperationKind::JoinGroup, 3) => {
                    self.group_type = value.bytes()?;
                }
                (OperationKind::CreateGroup, 4) => self.members.push(value.bytes()?),
                _ => {}
            }
        }
        Ok(())
    }

    /// The operation, if everything is right. `members` counts the initial members of the request so far.
    #[inline]
    fn finish(&self, terms: Terms<'_>, members: &mut usize) -> Result<Request<'a>, Fault> {
        let Some(kind) = self.kind else {
            return Err(Fault::of("operation", NO_OPERATION));
        };
        if self.at.is_some() && kind != OperationKind::Login {
            return Err(Fault::of("at", "is for login alone: leave it out"));
        }
        self.request(kind, terms, members)
            .map_err(|fault| match fault {
                Wrong::Here(fault) => fault,
                Wrong::Inside(fault) => fault.within(kind.name()),
            })
    }

    #[inline]
    fn request(
        &self,
        kind: OperationKind,
        terms: Terms<'_>,
        members: &mut usize,
    ) -> Result<Request<'a>, Wrong> {
        Ok(match kind {
            OperationKind::RegisterUser => Operation::RegisterUser {
                user: self.user("user")?,
            },
            OperationKind::DeleteUser => Operation::DeleteUser {
                user: self.user("user")?,
            },
            OperationKind::Login => Operation::Login {
                user: self.user("user")?,
                at: self.login_time(terms.now).map_err(Wrong::Here)?,
            },
            OperationKind::AddFriend => {
                let (user, friend) = (self.user("user")?, user_id("friend", self.other)?);
                Operation::AddFriend(
                    NewFriendship::new(user, friend, self.sides()).map_err(invalid)?,
                )
            }
            OperationKind::RemoveFriend => Operation::RemoveFriend {
                user: self.user("user")?,
                friend: user_id("friend", self.other)?,
                sides: self.sides(),
            },
            OperationKind::CreateGroup => self.create_group(terms, members)?,
            OperationKind::DeleteGroup => Operation::DeleteGroup {
                group: self.group()?,
            },
            OperationKind::JoinGroup => Operation::JoinGroup {
                group: self.group()?,
                user: self.user("user")?,
                kind: if self.group_type.is_empty() {
                    None
                } else {
                    Some(self.kind_of_group(terms.catalog)?.id)
                },
            },
            OperationKind::LeaveGroup => Operation::LeaveGroup {
                group: self.group()?,
                user: self.user("user")?,
            },
        })
    }

    fn create_group(&self, terms: Terms<'_>, members: &mut usize) -> Result<Request<'a>, Wrong> {
        *members += self.members.len();
        if *members > MEMBERS_MAX {
            let problem = format!(
                "a request may name at most {MEMBERS_MAX} initial members: let the others join"
            );
            return Err(Fault::of("members", problem).into());
        }
        let (group, kind) = (self.group()?, self.kind_of_group(terms.catalog)?);
        let owner = self.user("owner")?;
        let member = |(place, bytes): (usize, &&'a [u8])| {
            user_id("", bytes).map_err(|fault| fault.within(format_args!("members[{place}]")))
        };
        let members = self.members.iter().enumerate().map(member);
        let new = NewGroup::new(group, kind, owner, members.collect::<Result<_, _>>()?);
        Ok(Operation::CreateGroup(new.map_err(invalid)?))
    }

    #[inline]
    fn user(&self, field: &'static str) -> Result<UserId<'a>, Fault> {
        user_id(field, self.user)
    }

    #[inline]
    fn group(&self) -> Result<GroupId<'a>, Fault> {
        GroupId::new(text("group", self.group)?).map_err(|error| id_fault("group", error))
    }

    fn sides(&self) -> Sides {
        if self.one_way {
            Sides::Own
        } else {
            Sides::Both
        }
    }

    fn kind_of_group<'c>(&self, catalog: &'c Catalog) -> Result<&'c GroupType, Fault> {
        let name = text("type", self.group_type)?;
        catalog.group_type_named(name).ok_or_else(|| {
            let known: Vec<_> = catalog.group_types().map(|kind| &*kind.name).collect();
            let known = known.join(", ");
            let name: String = name.chars().take(64).collect();
            Fault::of(
                "type",
                format!("the catalog has no type {name:?}; it has {known}"),
            )
        })
    }

    #[inline]
    fn login_time(&self, now: Timestamp) -> Result<Option<LoginTime>, Fault> {
        self.at.map_or(Ok(None), |at| Ok(Some(at.login_time(now)?)))
    }
}

impl Moment {
    fn merge(&mut self, message: &[u8]) -> Result<(), Malformed> {
        let mut fields = Fields::of(message);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => self.seconds = value.number()?.cast_signed(),
                // int32 on the wire is sign-extended to 64 bits: the lower half is it.
                2 => {
                    let low = value.number()? & u64::from(u32::MAX);
                    self.nanos = u32::try_from(low).map_err(|_| Malformed)?.cast_signed();
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn login_time(self, now: Timestamp) -> Result<LoginTime, Fault> {
        if !(0..1_000_000_000).contains(&self.nanos) {
            return Err(Fault::of("at.nanos", "must be from 0 to 999,999,999"));
        }
        let ms = self.seconds.saturating_mul(1_000);
        let at = Timestamp::from_unix_ms_saturating(
            ms.saturating_add(i64::from(self.nanos / 1_000_000)),
        );
        LoginTime::new(at, now).map_err(|error| {
            let said = error.to_string();
            Fault::of("at", said.trim_start_matches("at: ").to_owned())
        })
    }
}

/// What is wrong with a field of the operation itself, or of the message around it.
enum Wrong {
    Here(Fault),
    Inside(Fault),
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        Self::Inside(fault)
    }
}

const NO_OPERATION: &str = "is missing: name one of register_user, delete_user, login, add_friend, remove_friend, \
                            create_group, delete_group, join_group, leave_group";

#[cold]
fn malformed(_: Malformed) -> Fault {
    Fault::of(
        "",
        "the message is no protobuf of this type: build it from the proto files",
    )
}

#[inline]
fn app_id(number: u64) -> Result<SdkAppId, Fault> {
    // A uint32 field keeps the lower half of what stands on the wire.
    let number = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0);
    SdkAppId::new(number).map_err(|error| id_fault("sdk_app_id", error))
}

#[inline]
fn mode_of(number: u64) -> Result<Mode, Fault> {
    // So does an enum.
    match number & u64::from(u32::MAX) {
        0 => Ok(Mode::Enforce),
        1 => Ok(Mode::DryRun),
        2 => Ok(Mode::Record),
        other => {
            let problem =
                format!("{other} is no mode: send ENFORCE (0), DRY_RUN (1) or RECORD (2)");
            Err(Fault::of("mode", problem))
        }
    }
}

#[inline]
fn text<'a>(field: &'static str, bytes: &'a [u8]) -> Result<&'a str, Fault> {
    str::from_utf8(bytes).map_err(|_| Fault::of(field, "is not UTF-8"))
}

#[inline]
fn user_id<'a>(field: &'static str, bytes: &'a [u8]) -> Result<UserId<'a>, Fault> {
    UserId::new(text(field, bytes)?).map_err(|error| id_fault(field, error))
}

#[cold]
pub(super) fn id_fault(field: impl Into<Cow<'static, str>>, error: IdError) -> Fault {
    Fault::of(field, error.to_string())
}

/// The operation's own words name the field first.
#[cold]
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn invalid(error: InvalidOperation) -> Wrong {
    let said = error.to_string();
    let (field, problem) = said.split_once(": ").unwrap_or(("", &said));
    Wrong::Inside(Fault::of(field.to_owned(), problem.to_owned()))
}

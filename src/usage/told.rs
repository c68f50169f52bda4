//! What records of changes tell those who restore nothing: which changes they are, and the ids that came with them.
//!
//! Invariant: every birth of a user or group is told with the slot that it was given. Absent on purpose: what it does to the
//! facts; see `restore`.

use super::change::Change;
use super::restore::Malformed;

/// What can have a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Bearer {
    User,
    Group,
}

/// A user or group that came into being, or back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Birth<'a> {
    pub(crate) bearer: Bearer,
    /// The slot that it was given.
    pub(crate) slot: u32,
    /// Its id.
    pub(crate) text: &'a str,
}

/// What one record tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Told<'a> {
    /// Which change it is, for people.
    pub(crate) change: &'static str,
    pub(crate) birth: Option<Birth<'a>>,
}

/// What the records of an entry tell, one after the other; an error once there is none that can be read.
pub(crate) fn told(
    mut records: &[u8],
) -> impl Iterator<Item = Result<Told<'_>, Malformed>> + use<'_> {
    std::iter::from_fn(move || {
        if records.is_empty() {
            return None;
        }
        let Some(change) = Change::read(&mut records) else {
            records = &[];
            return Some(Err(Malformed::of("it is no record of a change")));
        };
        Some(Ok(Told {
            change: name(&change),
            birth: birth(&change),
        }))
    })
}

fn birth<'a>(change: &Change<'a>) -> Option<Birth<'a>> {
    match *change {
        Change::UserAdded { user, id } | Change::UserReturned { user, id, .. } => Some(Birth {
            bearer: Bearer::User,
            slot: user.number(),
            text: id.text,
        }),
        Change::GroupAdded { group, id, .. } => Some(Birth {
            bearer: Bearer::Group,
            slot: group.number(),
            text: id.text,
        }),
        Change::DayBegan { .. }
        | Change::UserRemoved { .. }
        | Change::LoggedIn { .. }
        | Change::EntryAdded { .. }
        | Change::EntryRemoved { .. }
        | Change::GroupRemoved { .. }
        | Change::Joined { .. }
        | Change::Left { .. }
        | Change::BandwidthReached { .. }
        | Change::RoomTypesSet { .. } => None,
    }
}

fn name(change: &Change<'_>) -> &'static str {
    match change {
        Change::DayBegan { .. } => "day began",
        Change::UserAdded { .. } => "user added",
        Change::UserReturned { .. } => "user came back",
        Change::UserRemoved { .. } => "user deleted",
        Change::LoggedIn { .. } => "first login of a day",
        Change::EntryAdded { .. } => "friend added",
        Change::EntryRemoved { .. } => "friend removed",
        Change::GroupAdded { owner: Some(_), .. } => "group created",
        Change::GroupAdded { owner: None, .. } => "group taken in",
        Change::GroupRemoved { .. } => "group deleted",
        Change::Joined { .. } => "member joined",
        Change::Left { .. } => "member left",
        Change::BandwidthReached { .. } => "bandwidth of a day reached",
        Change::RoomTypesSet { .. } => "types of AVChatRooms set",
    }
}

//! An app's facts as a snapshot holds them: a head of counts, then the records of users and groups by their slots.
//!
//! Each part is taken under the app's lock by itself, and between two of them the app goes on: whoever restores applies the
//! changes since a part was taken to that part. Counts that follow from the records are left out: members, memberships.
//! Integers are little-endian; keys, logins and slots stand as in a [`super::change`].
//!
//! * Head: day 2, net 8, slots of users 4, slots of groups 4; of each of 16 types of groups: how many 4, net 4; the set of
//!   those that are AVChatRooms 2; user-days 8; number of days 2, each with day 2, users 4, peak of groups 4, peak of
//!   AVChatRooms 4, position of its last change 8; number of days with bandwidth 2, each with day 2, bits per second 8; number
//!   of months 2, each with first day 2, peak of users 4, peak of groups 4, peak of AVChatRooms 4.
//! * Head in a snapshot of version 1: no set of types, no days with bandwidth, no peaks of AVChatRooms and no positions; after
//!   user-days the month begun 2 (its first day).
//! * A slot of a user: 0 for none; 1 for a user: key, logins, number of groups 4, their slots, number of friends 4, theirs;
//!   2 for the logins of a deleted one: key, logins.
//! * A slot of a group: 0 for none; 1 for one that was taken in: type, key; 2 for one that was created: type, key, owner's key.
//!
//! Invariant: lists lead to what is not dead. Absent on purpose: the files; see the journal.

use super::arena::{self, Arena, Slot};
use super::change::{Reader, key};
use super::edges::{EDGES_MAX, Edges};
use super::facts::Facts;
use super::pool::Pool;
use super::record::Life;
use super::told::Bearer;
use crate::admission::AppCounts;
use crate::catalog::{GROUP_TYPES_MAX, GroupTypeId, GroupTypeSet};
use crate::metering::{DayUsage, Metering, MonthUsage};
use crate::time::Month;

/// Slots that are taken together at least. Changes since then are told apart by this many.
pub(crate) const UNIT: u32 = 16;
/// Slots that are taken under one lock at most: with usual lists a tenth of a millisecond.
const SLOTS_MAX: u32 = 512;
/// Bytes beyond which no other unit is taken under the same lock.
const BYTES: usize = 64 << 10;

/// A part of an image, as it was taken under one lock.
#[derive(Default)]
pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
    /// Of each slot in it, whether there is somebody: a user, the logins of a deleted one, a group.
    pub(crate) filled: Vec<bool>,
}

impl Image {
    /// Empties it; its room is used again.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.filled.clear();
    }
}

impl Facts {
    /// A snapshot of the app begins: appends its head.
    pub(crate) fn begin_snapshot(&mut self, out: &mut Vec<u8>) {
        self.users.begin_snapshot();
        self.groups.begin_snapshot();
        let (counts, metering) = (&self.counts, &self.metering);
        out.extend(counts.day().number().to_le_bytes());
        out.extend(counts.net().to_le_bytes());
        out.extend(self.users.len().to_le_bytes());
        out.extend(self.groups.len().to_le_bytes());
        for kind in (0..GROUP_TYPES_MAX as u64).filter_map(GroupTypeId::new) {
            let groups = u32::try_from(counts.groups_of(kind)).unwrap_or(u32::MAX);
            let net = i32::try_from(counts.net_of(kind)).unwrap_or(0);
            out.extend(groups.to_le_bytes());
            out.extend(net.to_le_bytes());
        }
        out.extend(self.room_types.bits().to_le_bytes());
        out.extend(metering.user_days().to_le_bytes());
        let (days, months) = (metering.days(), metering.months());
        out.extend(small(days.len()).to_le_bytes());
        for usage in days {
            let DayUsage { day, .. } = usage;
            out.extend(day.number().to_le_bytes());
            out.extend(usage.users.to_le_bytes());
            out.extend(usage.peak_groups.to_le_bytes());
            out.extend(usage.peak_av_chat_rooms.to_le_bytes());
            out.extend(usage.changed_at.to_le_bytes());
        }
        let bandwidths = metering.bandwidths();
        out.extend(small(bandwidths.len()).to_le_bytes());
        for (day, bits_per_second) in bandwidths {
            out.extend(day.number().to_le_bytes());
            out.extend(bits_per_second.to_le_bytes());
        }
        out.extend(small(months.len()).to_le_bytes());
        for usage in months {
            let MonthUsage { month: of, .. } = usage;
            out.extend(month(*of));
            out.extend(usage.peak_dau.to_le_bytes());
            out.extend(usage.peak_groups.to_le_bytes());
            out.extend(usage.peak_av_chat_rooms.to_le_bytes());
        }
    }

    /// The snapshot has replaced the one before.
    pub(crate) fn end_snapshot(&mut self) {
        self.users.end_snapshot();
        self.groups.end_snapshot();
    }

    /// Appends users from a slot on, the first of a unit; the slot where to go on, or nothing at the end.
    pub(crate) fn put_users(&self, from: u32, out: &mut Image) -> Option<u32> {
        put_slots(&self.users, from, out, |slot, out| {
            let user = self.users.get(slot);
            match user.life {
                Life::Gone => out.push(0),
                Life::Live => {
                    out.push(1);
                    out.extend(key(user.key));
                    out.extend(user.logins.to_bytes());
                    put_list(&user.groups, &self.pool, &self.groups, out);
                    put_list(&user.friends, &self.pool, &self.users, out);
                }
                Life::Tombstone => {
                    out.push(2);
                    out.extend(key(user.key));
                    out.extend(user.logins.to_bytes());
                }
            }
            user.life != Life::Gone
        })
    }

    /// Appends groups, likewise.
    pub(crate) fn put_groups(&self, from: u32, out: &mut Image) -> Option<u32> {
        put_slots(&self.groups, from, out, |slot, out| {
            if self.groups.is_dead(slot) {
                out.push(0);
                return false;
            }
            let group = self.groups.get(slot);
            out.push(if group.owner.is_some() { 2 } else { 1 });
            out.push(group.kind.code());
            out.extend(key(group.key));
            if let Some(owner) = group.owner {
                out.extend(key(owner));
            }
            true
        })
    }

    /// Whether a user or group that exists has that slot.
    pub(crate) fn has(&self, bearer: Bearer, slot: u32) -> bool {
        match bearer {
            Bearer::User => {
                let is_live = |slot| self.users.get(slot).life == Life::Live;
                slot < self.users.len() && is_live(Slot::from_number(slot))
            }
            Bearer::Group => {
                slot < self.groups.len() && !self.groups.is_dead(Slot::from_number(slot))
            }
        }
    }
}

/// At most some hundred days and months are kept.
fn small(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn month(month: Month) -> [u8; 2] {
    month.first_day().number().to_le_bytes()
}

fn put_slots<T>(
    arena: &Arena<T>,
    from: u32,
    out: &mut Image,
    put: impl Fn(Slot<T>, &mut Vec<u8>) -> bool,
) -> Option<u32> {
    let (end, bytes) = (arena.len(), out.bytes.len() + BYTES);
    let mut next = from;
    while next < end && next - from < SLOTS_MAX && out.bytes.len() < bytes {
        let stop = next.saturating_add(UNIT).min(end);
        for number in next..stop {
            let is_filled = put(Slot::from_number(number), &mut out.bytes);
            out.filled.push(is_filled);
        }
        next = stop;
    }
    (next < end).then_some(next)
}

fn put_list<T>(edges: &Edges<T>, pool: &Pool, arena: &Arena<T>, out: &mut Vec<u8>) {
    let length_at = out.len();
    out.extend([0; 4]);
    let mut length = 0_u32;
    for slot in edges.live(pool, arena) {
        out.extend(slot.number().to_le_bytes());
        length += 1;
    }
    if let Some(place) = out.get_mut(length_at..length_at + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// Reads the slots of an image, and how many they are.
pub(super) fn read_slots(
    first: u32,
    image: &[u8],
    mut put: impl FnMut(u32, &mut Reader<'_>) -> Option<()>,
) -> Option<u32> {
    let (mut reader, mut read) = (Reader(image), 0_u32);
    while !reader.0.is_empty() {
        let number = first
            .checked_add(read)
            .filter(|number| u64::from(*number) < arena::SLOTS_MAX)?;
        put(number, &mut reader)?;
        read += 1;
    }
    Some(read)
}

pub(super) fn read_list<T>(
    edges: &mut Edges<T>,
    facts: &mut Facts,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let length = reader
        .u32()
        .filter(|length| u64::from(*length) <= EDGES_MAX)?;
    let (list, rest) = reader.0.split_at_checked(length as usize * 4)?;
    reader.0 = rest;
    let (list, _) = list.as_chunks::<4>();
    edges.fill(
        &mut facts.pool,
        list.iter().map(|slot| u32::from_le_bytes(*slot)),
    );
    Some(())
}

/// What a head says.
pub(super) struct Head {
    pub(super) counts: AppCounts,
    pub(super) metering: Metering,
    pub(super) rooms: GroupTypeSet,
    /// Slots ever given.
    pub(super) users: u32,
    pub(super) groups: u32,
}

/// Reads a head of a snapshot of that format, taken at a position.
pub(super) fn read_head(format: u32, head: &[u8], position: u64) -> Option<Head> {
    let is_first = format == 1;
    let mut reader = Reader(head);
    let (day, net) = (reader.day()?, reader.array().map(i64::from_le_bytes)?);
    let (users, groups) = (reader.u32()?, reader.u32()?);
    let (mut by_type, mut net_by_type) = ([0; GROUP_TYPES_MAX], [0; GROUP_TYPES_MAX]);
    for (groups, net) in by_type.iter_mut().zip(&mut net_by_type) {
        *groups = reader.u32()?;
        *net = reader.array().map(i32::from_le_bytes)?;
    }
    let counts = AppCounts::restored(day, by_type, net, net_by_type);
    let rooms = if is_first {
        GroupTypeSet::default()
    } else {
        reader.types()?
    };
    let user_days = reader.u64()?;
    if is_first {
        // The month begun: that of the app's day.
        reader.day()?;
    }
    let days = (0..reader.u16()?).map(|_| read_day(is_first, &mut reader, position));
    let days = days.collect::<Option<_>>()?;
    let bandwidths = if is_first { 0 } else { reader.u16()? };
    let bandwidths = (0..bandwidths).map(|_| Some((reader.day()?, reader.u64()?)));
    let bandwidths = bandwidths.collect::<Option<_>>()?;
    let months = (0..reader.u16()?).map(|_| {
        Some(MonthUsage {
            month: reader.day()?.month(),
            peak_dau: reader.u32()?,
            peak_groups: reader.u32()?,
            peak_av_chat_rooms: if is_first { 0 } else { reader.u32()? },
        })
    });
    let months = months.collect::<Option<_>>()?;
    let metering = Metering::restored(days, months, bandwidths, day, user_days);
    reader.0.is_empty().then_some(Head {
        counts,
        metering,
        rooms,
        users,
        groups,
    })
}

/// A day in a head. Version 1 did not say when it last changed: at the latest when the head was taken.
fn read_day(is_first: bool, reader: &mut Reader<'_>, position: u64) -> Option<DayUsage> {
    let day = reader.day()?;
    let mut usage = DayUsage {
        day,
        month: day.month(),
        users: reader.u32()?,
        peak_groups: reader.u32()?,
        peak_av_chat_rooms: 0,
        changed_at: 0,
    };
    if !is_first {
        (usage.peak_av_chat_rooms, usage.changed_at) = (reader.u32()?, reader.u64()?);
    } else if usage.users > 0 || usage.peak_groups > 0 {
        usage.changed_at = position;
    }
    Some(usage)
}

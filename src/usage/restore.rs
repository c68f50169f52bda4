//! Facts restored from a snapshot's images and the changes since.
//!
//! Images were taken one after the other while the app went on, each at a position of the journal: a change is applied to the
//! slots whose image is older, and to the app's counts if it is later than the head. Nothing is looked up by a key and nothing
//! is decided; indexes, and the counts that follow from lists, are made at the end.
//! Invariant: between two snapshots a slot has one record, so a slot in a list means the same at every position. Applying a
//! change twice is harmless. Absent on purpose: budgets and limits; what is there is there.

use super::arena::{Arena, SLOTS_MAX, Slot};
use super::change::{Change, Reader};
use super::edges::NOT_LOOKED_FOR;
use super::facts::{Facts, Reuse};
use super::image::{UNIT, read_head, read_list, read_slots};
use super::record::{Group, Life, Logins, User};
use crate::catalog::GroupTypeId;
use crate::id::Key;
use crate::time::Day;

/// Most slots that a record may skip: what one batch that was taken back can leave behind, and more.
const SKIPPED_MAX: u32 = 1 << 20;

/// Changes between two looks at one, and to its turn: as many as are applied while a cache line comes.
const APART: usize = 16;
/// Records of so many bytes are looked at ahead.
const AHEAD_BYTES_MIN: usize = 64;

/// The bytes are no image, or no record of a change that can have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(&'static str);

const NEVER_WAS: Malformed = Malformed("it names a user or group that never was");

impl Malformed {
    /// What is wrong with them.
    pub(crate) const fn of(what: &'static str) -> Self {
        Self(what)
    }
}

/// The facts of an app on their way back.
pub(crate) struct Restoring {
    facts: Facts,
    /// The position of the head: changes up to it are in the counts.
    since: u64,
    users: Images,
    groups: Images,
}

/// What is known of the slots of an arena, apart from the records in it.
#[derive(Default)]
struct Images {
    /// The position of the image of each unit of slots.
    taken: Vec<u64>,
    /// Slots that were ever given: those without a record are dead.
    len: u32,
    /// Slots that there must be images of.
    expected: u32,
}

impl Restoring {
    /// An app that is in no snapshot, created on a day.
    pub(crate) fn empty(day: Day) -> Self {
        Self {
            facts: Facts::new(day, Reuse::AfterSnapshot),
            since: 0,
            users: Images::default(),
            groups: Images::default(),
        }
    }

    /// An app of which a snapshot of a format has this head, taken at a position.
    pub(crate) fn begin(format: u32, head: &[u8], position: u64) -> Result<Self, Malformed> {
        let head = read_head(format, head, position).ok_or(Malformed("it is no head of an app"))?;
        let mut facts = Facts::new(head.counts.day(), Reuse::AfterSnapshot);
        (facts.counts, facts.metering) = (head.counts, head.metering);
        facts.meter_rooms(head.rooms);
        facts.room_types = head.rooms;
        let given = |expected| Images {
            expected,
            ..Images::default()
        };
        Ok(Self {
            facts,
            since: position,
            users: given(head.users),
            groups: given(head.groups),
        })
    }

    /// Takes an image of users in, from the first slot of a unit on, taken at a position.
    pub(crate) fn users(
        &mut self,
        first: u32,
        image: &[u8],
        position: u64,
    ) -> Result<(), Malformed> {
        let facts = &mut self.facts;
        let put = |number, reader: &mut Reader<'_>| {
            let user = match reader.byte()? {
                0 => return Some(()),
                1 => {
                    let mut user = User::new(reader.key()?, reader.logins()?);
                    read_list(&mut user.groups, facts, reader)?;
                    read_list(&mut user.friends, facts, reader)?;
                    user
                }
                2 => {
                    let mut user = User::new(reader.key()?, reader.logins()?);
                    user.life = Life::Tombstone;
                    user
                }
                _ => return None,
            };
            let (slot, dead) = (Slot::from_number(number), user.life != Life::Live);
            facts.users.put(slot, user, gone);
            if dead {
                facts.users.mark_dead(slot);
            }
            Some(())
        };
        let read = read_slots(first, image, put).ok_or(Malformed("it is no image of users"))?;
        self.users.took(first, read, position);
        Ok(())
    }

    /// Takes an image of groups in, likewise.
    pub(crate) fn groups(
        &mut self,
        first: u32,
        image: &[u8],
        position: u64,
    ) -> Result<(), Malformed> {
        let groups = &mut self.facts.groups;
        let put = |number, reader: &mut Reader<'_>| {
            let life = reader.byte()?;
            if life == 0 {
                return Some(());
            }
            let (kind, key) = (reader.kind()?, reader.key()?);
            let owner = match life {
                1 => None,
                2 => Some(reader.key()?),
                _ => return None,
            };
            let group = Group {
                key,
                owner,
                members: 0,
                kind,
            };
            groups.put(Slot::from_number(number), group, || no_group(kind));
            Some(())
        };
        let read = read_slots(first, image, put).ok_or(Malformed("it is no image of groups"))?;
        self.groups.took(first, read, position);
        Ok(())
    }

    /// Applies the records of an entry that ends at a position. Entries come in order.
    pub(crate) fn apply(&mut self, position: u64, mut records: &[u8]) -> Result<(), Malformed> {
        if position <= self.since {
            return Ok(());
        }
        let mut ahead = Ahead::of(records);
        while !records.is_empty() {
            ahead.look(&self.facts);
            let change =
                Change::read(&mut records).ok_or(Malformed("it is no record of a change"))?;
            self.count(&change);
            self.change(position, &change)?;
        }
        self.facts.metering.stamp(position);
        Ok(())
    }

    /// The app's part of a change: its day, and what is counted on it.
    fn count(&mut self, change: &Change<'_>) {
        let facts = &mut self.facts;
        match *change {
            Change::DayBegan { day } => facts.advance_to(day),
            Change::LoggedIn { day, .. } => facts.metering.user_counted(day),
            Change::GroupAdded { kind, owner, .. } => {
                match owner {
                    Some(_) => facts.counts.group_created(kind),
                    None => facts.counts.group_adopted(kind),
                }
                facts.meter_groups();
            }
            Change::GroupRemoved { kind, .. } => facts.counts.group_deleted(kind),
            Change::BandwidthReached {
                day,
                bits_per_second,
            } => facts.metering.bandwidth_reached(day, bits_per_second),
            Change::RoomTypesSet { rooms } => {
                facts.meter_rooms(rooms);
                facts.room_types = rooms;
                facts.meter_groups();
            }
            Change::UserAdded { .. }
            | Change::UserReturned { .. }
            | Change::UserRemoved { .. }
            | Change::EntryAdded { .. }
            | Change::EntryRemoved { .. }
            | Change::Joined { .. }
            | Change::Left { .. } => {}
        }
    }

    /// The part of the slot that a change belongs to, if its image is older.
    fn change(&mut self, position: u64, change: &Change<'_>) -> Result<(), Malformed> {
        match *change {
            Change::UserAdded { user, .. } | Change::UserReturned { user, .. } => {
                self.users.gave(user)?;
            }
            Change::GroupAdded { group, .. } => self.groups.gave(group)?,
            _ => {}
        }
        let user_is_older = |slot: Slot<User>| self.users.is_older(slot, position);
        let group_is_older = |slot: Slot<Group>| self.groups.is_older(slot, position);
        let Facts {
            users,
            groups,
            pool,
            ..
        } = &mut self.facts;
        match *change {
            Change::UserAdded { user, id } if user_is_older(user) => {
                free(users, user)?;
                users.put(user, User::new(id.key, Logins::default()), gone);
            }
            Change::UserReturned {
                user,
                former,
                logins,
                id,
            } => {
                if user_is_older(former) {
                    known(users, former)?.life = Life::Gone;
                }
                if user_is_older(user) {
                    free(users, user)?;
                    users.put(user, User::new(id.key, logins), gone);
                }
            }
            Change::UserRemoved { user, logins_kept } if user_is_older(user) => {
                let record = known(users, user)?;
                record.life = if logins_kept {
                    Life::Tombstone
                } else {
                    Life::Gone
                };
                record.groups.clear(pool);
                record.friends.clear(pool);
                users.mark_dead(user);
            }
            Change::LoggedIn { user, day } if user_is_older(user) => {
                let record = known(users, user)?;
                record.logins = record.logins.with(day);
            }
            Change::EntryAdded { user, friend } if user_is_older(user) => {
                known(users, user)?
                    .friends
                    .insert(pool, friend, NOT_LOOKED_FOR);
            }
            Change::EntryRemoved { user, friend } if user_is_older(user) => {
                known(users, user)?.friends.remove(pool, friend);
            }
            Change::GroupAdded {
                group,
                kind,
                owner,
                id,
            } if group_is_older(group) => {
                free(groups, group)?;
                let record = Group {
                    key: id.key,
                    owner,
                    members: 0,
                    kind,
                };
                groups.put(group, record, || no_group(kind));
            }
            Change::GroupRemoved { group, .. } if group_is_older(group) => {
                known(groups, group)?;
                groups.mark_dead(group);
            }
            Change::Joined { user, group } if user_is_older(user) => {
                known(users, user)?
                    .groups
                    .insert(pool, group, NOT_LOOKED_FOR);
            }
            Change::Left { user, group } if user_is_older(user) => {
                known(users, user)?.groups.remove(pool, group);
            }
            // The app's part is counted, or the image is younger and has it.
            Change::DayBegan { .. }
            | Change::BandwidthReached { .. }
            | Change::RoomTypesSet { .. }
            | Change::UserAdded { .. }
            | Change::UserRemoved { .. }
            | Change::LoggedIn { .. }
            | Change::EntryAdded { .. }
            | Change::EntryRemoved { .. }
            | Change::GroupAdded { .. }
            | Change::GroupRemoved { .. }
            | Change::Joined { .. }
            | Change::Left { .. } => {}
        }
        Ok(())
    }
}

/// Looks at changes before their turn: first for the user's record, then for the list in it.
struct Ahead<'a> {
    records: &'a [u8],
    lists: &'a [u8],
    turn: usize,
}

impl<'a> Ahead<'a> {
    /// Nothing of few changes: they would have had their turns.
    fn of(records: &'a [u8]) -> Self {
        let records = if records.len() < AHEAD_BYTES_MIN {
            &[]
        } else {
            records
        };
        Self {
            records,
            lists: records,
            turn: 0,
        }
    }

    /// Asks for what the changes after the next one need; at the first turn for what the first ones do, too.
    #[inline]
    fn look(&mut self, facts: &Facts) {
        while !self.lists.is_empty() {
            self.turn += 1;
            let user = next(&mut self.records).and_then(|change| change.list_of());
            if let Some(user) = user {
                facts.users.prefetch(user);
            }
            if self.turn > APART {
                next(&mut self.lists).inspect(|change| prefetch_list(facts, change));
            }
            if self.turn > 2 * APART {
                return;
            }
        }
    }
}

/// Asks for the list that a change is made in.
#[inline]
fn prefetch_list(facts: &Facts, change: &Change<'_>) {
    let user = change
        .list_of()
        .filter(|user| user.number() < facts.users.len());
    let Some(user) = user.map(|user| facts.users.get(user)) else {
        return;
    };
    match change {
        Change::EntryAdded { .. } | Change::EntryRemoved { .. } => {
            user.friends.prefetch(&facts.pool);
        }
        _ => user.groups.prefetch(&facts.pool),
    }
}

/// The change there, if it is one; what comes later is not looked at once something is none.
#[inline]
fn next<'a>(records: &mut &'a [u8]) -> Option<Change<'a>> {
    let change = Change::read(records);
    if change.is_none() {
        *records = &[];
    }
    change
}

/// A user that was never there.
fn gone() -> User {
    let mut user = User::new(Key { high: 0, low: 0 }, Logins::default());
    user.life = Life::Gone;
    user
}

/// A group that was never there; it is marked dead.
fn no_group(kind: GroupTypeId) -> Group {
    Group {
        key: Key { high: 0, low: 0 },
        owner: None,
        members: 0,
        kind,
    }
}

/// The record of a slot that must have been put.
fn known<T>(arena: &mut Arena<T>, slot: Slot<T>) -> Result<&mut T, Malformed> {
    if slot.number() < arena.len() {
        Ok(arena.get_mut(slot))
    } else {
        Err(NEVER_WAS)
    }
}

/// Whether a record can be put into a slot: nobody is there.
fn free<T>(arena: &Arena<T>, slot: Slot<T>) -> Result<(), Malformed> {
    if slot.number() < arena.len() && !arena.is_dead(slot) {
        return Err(Malformed("it gives a user or group a slot that is taken"));
    }
    Ok(())
}

impl Images {
    /// Whether the image of a slot was taken before a position; one without an image is the oldest.
    fn is_older<T>(&self, slot: Slot<T>, position: u64) -> bool {
        let taken = self.taken.get((slot.number() / UNIT) as usize);
        taken.is_none_or(|taken| *taken < position)
    }

    /// An image of slots was taken.
    fn took(&mut self, first: u32, slots: u32, position: u64) {
        let end = first.saturating_add(slots);
        let (from, to) = ((first / UNIT) as usize, end.div_ceil(UNIT) as usize);
        if self.taken.len() < to {
            self.taken.resize(to, 0);
        }
        if let Some(units) = self.taken.get_mut(from..to) {
            units.fill(position);
        }
        self.len = self.len.max(end);
    }

    /// A slot was given to a record.
    fn gave<T>(&mut self, slot: Slot<T>) -> Result<(), Malformed> {
        let number = slot.number();
        if u64::from(number) >= SLOTS_MAX || number.saturating_sub(self.len) > SKIPPED_MAX {
            return Err(Malformed(
                "it gives a user or group a slot far beyond the last",
            ));
        }
        self.len = self.len.max(number + 1);
        Ok(())
    }
}

mod finish;
#[cfg(test)]
mod tests;

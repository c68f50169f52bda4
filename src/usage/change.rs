//! The changes of an app's facts as records: what a journal keeps, and replaying applies.
//!
//! A record is a fact that has happened, with the slots that were given: applying it decides nothing and looks nothing up.
//! One byte says which change it is, then its fields follow, integers little-endian: a slot has 4 bytes, a day 2, a key 16
//! (high, low), a type of group 1, a set of types 2 (a bit for each code), logins 10 (bits, last day), bits per second 8, an
//! id its length in 1 byte and its text.
//!
//! | byte | change | fields |
//! |---|---|---|
//! | 1 | a day began | day |
//! | 2 | a user was added | user, key, id |
//! | 3 | a deleted user came back | user, the slot before, logins, key, id |
//! | 4 | a user was deleted | user |
//! | 5 | a user was deleted, whose logins are kept | user |
//! | 6 | a user logged in, the first time that day | user, day |
//! | 7, 8 | a friend was put on a user's list, taken off | user, friend |
//! | 9 | a group was created | group, type, key, owner's key, id |
//! | 10 | a group was taken in | group, type, key, id |
//! | 11 | a group was deleted | group, type |
//! | 12, 13 | a user joined a group, left | user, group |
//! | 14 | on-screen comments took more bandwidth than before on that day | day, bits per second |
//! | 15 | other types of groups than before are AVChatRooms, to be metered as such from now on | set of types |
//!
//! Version 1 of a data directory has no 14 and 15.
//!
//! Invariant: what is put can be read, and reads the same. Absent on purpose: which app, when, and checksums; see the journal.

use super::arena::Slot;
use super::record::{Group, Logins, User};
use crate::catalog::{GroupTypeId, GroupTypeSet};
use crate::id::{ID_BYTES_MAX, Key, Named};
use crate::time::Day;

/// A change of an app's facts.
#[derive(Debug, PartialEq)]
pub(super) enum Change<'a> {
    DayBegan {
        day: Day,
    },
    UserAdded {
        user: Slot<User>,
        id: Named<'a>,
    },
    UserReturned {
        user: Slot<User>,
        former: Slot<User>,
        logins: Logins,
        id: Named<'a>,
    },
    UserRemoved {
        user: Slot<User>,
        logins_kept: bool,
    },
    LoggedIn {
        user: Slot<User>,
        day: Day,
    },
    EntryAdded {
        user: Slot<User>,
        friend: Slot<User>,
    },
    EntryRemoved {
        user: Slot<User>,
        friend: Slot<User>,
    },
    /// Created if it has an owner, else taken in.
    GroupAdded {
        group: Slot<Group>,
        kind: GroupTypeId,
        owner: Option<Key>,
        id: Named<'a>,
    },
    GroupRemoved {
        group: Slot<Group>,
        kind: GroupTypeId,
    },
    Joined {
        user: Slot<User>,
        group: Slot<Group>,
    },
    Left {
        user: Slot<User>,
        group: Slot<Group>,
    },
    BandwidthReached {
        day: Day,
        bits_per_second: u64,
    },
    RoomTypesSet {
        rooms: GroupTypeSet,
    },
}

impl<'a> Change<'a> {
    /// Appends the change's record.
    #[inline]
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match *self {
            Self::DayBegan { day } => put(out, 1, &[&day.number().to_le_bytes()]),
            Self::UserAdded { user, id } => {
                put(out, 2, &[&slot(user), &key(id.key)]);
                put_text(out, id.text);
            }
            Self::UserReturned {
                user,
                former,
                logins,
                id,
            } => {
                let parts: [&[u8]; 4] =
                    [&slot(user), &slot(former), &logins.to_bytes(), &key(id.key)];
                put(out, 3, &parts);
                put_text(out, id.text);
            }
            Self::UserRemoved { user, logins_kept } => {
                put(out, if logins_kept { 5 } else { 4 }, &[&slot(user)]);
            }
            Self::LoggedIn { user, day } => {
                put(out, 6, &[&slot(user), &day.number().to_le_bytes()]);
            }
            Self::EntryAdded { user, friend } => put(out, 7, &[&slot(user), &slot(friend)]),
            Self::EntryRemoved { user, friend } => put(out, 8, &[&slot(user), &slot(friend)]),
            Self::GroupAdded {
                group,
                kind,
                owner,
                id,
            } => {
                let (slot, kind, own) = (slot(group), [kind.code()], key(id.key));
                match owner {
                    Some(owner) => put(out, 9, &[&slot, &kind, &own, &key(owner)]),
                    None => put(out, 10, &[&slot, &kind, &own]),
                }
                put_text(out, id.text);
            }
            Self::GroupRemoved { group, kind } => put(out, 11, &[&slot(group), &[kind.code()]]),
            Self::Joined { user, group } => put(out, 12, &[&slot(user), &slot(group)]),
            Self::Left { user, group } => put(out, 13, &[&slot(user), &slot(group)]),
            Self::BandwidthReached {
                day,
                bits_per_second,
            } => {
                let parts: [&[u8]; 2] =
                    [&day.number().to_le_bytes(), &bits_per_second.to_le_bytes()];
                put(out, 14, &parts);
            }
            Self::RoomTypesSet { rooms } => put(out, 15, &[&rooms.bits().to_le_bytes()]),
        }
    }

    /// The user whose list of groups or friends changes.
    #[inline]
    pub(super) const fn list_of(&self) -> Option<Slot<User>> {
        match *self {
            Self::EntryAdded { user, .. }
            | Self::EntryRemoved { user, .. }
            | Self::Joined { user, .. }
            | Self::Left { user, .. } => Some(user),
            Self::DayBegan { .. }
            | Self::UserAdded { .. }
            | Self::UserReturned { .. }
            | Self::UserRemoved { .. }
            | Self::LoggedIn { .. }
            | Self::GroupAdded { .. }
            | Self::GroupRemoved { .. }
            | Self::BandwidthReached { .. }
            | Self::RoomTypesSet { .. } => None,
        }
    }

    /// Reads the change at the head of `bytes` and moves on behind it; nothing if there is none.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let change = match rest.byte()? {
            1 => Self::DayBegan { day: rest.day()? },
            2 => Self::UserAdded {
                user: rest.slot()?,
                id: rest.id()?,
            },
            3 => Self::UserReturned {
                user: rest.slot()?,
                former: rest.slot()?,
                logins: rest.logins()?,
                id: rest.id()?,
            },
            removed @ (4 | 5) => Self::UserRemoved {
                user: rest.slot()?,
                logins_kept: removed == 5,
            },
            6 => Self::LoggedIn {
                user: rest.slot()?,
                day: rest.day()?,
            },
            7 => Self::EntryAdded {
                user: rest.slot()?,
                friend: rest.slot()?,
            },
            8 => Self::EntryRemoved {
                user: rest.slot()?,
                friend: rest.slot()?,
            },
            added @ (9 | 10) => {
                let (group, kind, key) = (rest.slot()?, rest.kind()?, rest.key()?);
                let owner = if added == 9 { Some(rest.key()?) } else { None };
                let id = Named {
                    key,
                    text: rest.text()?,
                };
                Self::GroupAdded {
                    group,
                    kind,
                    owner,
                    id,
                }
            }
            11 => Self::GroupRemoved {
                group: rest.slot()?,
                kind: rest.kind()?,
            },
            12 => Self::Joined {
                user: rest.slot()?,
                group: rest.slot()?,
            },
            13 => Self::Left {
                user: rest.slot()?,
                group: rest.slot()?,
            },
            14 => Self::BandwidthReached {
                day: rest.day()?,
                bits_per_second: rest.u64()?,
            },
            15 => Self::RoomTypesSet {
                rooms: rest.types()?,
            },
            _ => return None,
        };
        *bytes = rest.0;
        Some(change)
    }
}

#[inline]
fn slot<T>(slot: Slot<T>) -> [u8; 4] {
    slot.number().to_le_bytes()
}

/// A key's 16 bytes.
#[inline]
pub(super) fn key(key: Key) -> [u8; 16] {
    ((u128::from(key.low) << 64) | u128::from(key.high)).to_le_bytes()
}

#[inline]
fn put(out: &mut Vec<u8>, change: u8, parts: &[&[u8]]) {
    out.push(change);
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[inline]
fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).expect("an id has at most ID_BYTES_MAX bytes"));
    out.extend_from_slice(text.as_bytes());
}

/// Reads fields off the head of some bytes.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn day(&mut self) -> Option<Day> {
        self.u16().map(Day::from_number)
    }

    pub(super) fn slot<T>(&mut self) -> Option<Slot<T>> {
        self.u32().map(Slot::from_number)
    }

    pub(super) fn kind(&mut self) -> Option<GroupTypeId> {
        GroupTypeId::new(self.byte()?.into())
    }

    pub(super) fn types(&mut self) -> Option<GroupTypeSet> {
        self.u16().map(GroupTypeSet::from_bits)
    }

    pub(super) fn key(&mut self) -> Option<Key> {
        Some(Key {
            high: self.u64()?,
            low: self.u64()?,
        })
    }

    pub(super) fn logins(&mut self) -> Option<Logins> {
        self.array().map(Logins::from_bytes)
    }

    fn id(&mut self) -> Option<Named<'a>> {
        Some(Named {
            key: self.key()?,
            text: self.text()?,
        })
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let text = std::str::from_utf8(text).ok()?;
        (1..=ID_BYTES_MAX).contains(&length).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_read_as_they_were_put() {
        let (user, friend) = (Slot::from_number(7), Slot::from_number(u32::MAX));
        let (group, day) = (Slot::from_number(1 << 20), Day::from_number(20_000));
        let kind = GroupTypeId::new(15).expect("a code");
        let long = "é".repeat(64);
        let id = |text| Named {
            key: Key {
                high: 1,
                low: u64::MAX,
            },
            text,
        };
        let owner = Some(Key { high: 3, low: 4 });
        let changes = [
            Change::DayBegan { day },
            Change::UserAdded { user, id: id("u") },
            Change::UserReturned {
                user,
                former: friend,
                logins: Logins::default().with(day),
                id: id(&long),
            },
            Change::UserRemoved {
                user,
                logins_kept: true,
            },
            Change::UserRemoved {
                user,
                logins_kept: false,
            },
            Change::LoggedIn { user, day },
            Change::EntryAdded { user, friend },
            Change::EntryRemoved { user, friend },
            Change::GroupAdded {
                group,
                kind,
                owner,
                id: id("g"),
            },
            Change::GroupAdded {
                group,
                kind,
                owner: None,
                id: id("g"),
            },
            Change::GroupRemoved { group, kind },
            Change::Joined { user, group },
            Change::Left { user, group },
            Change::BandwidthReached {
                day,
                bits_per_second: u64::MAX - 1,
            },
            Change::RoomTypesSet {
                rooms: GroupTypeSet::from_bits(0x8001),
            },
        ];
        let mut bytes = Vec::new();
        for change in &changes {
            change.put(&mut bytes);
        }
        let mut rest = bytes.as_slice();
        for change in &changes {
            assert_eq!(Change::read(&mut rest).as_ref(), Some(change));
        }
        assert!(rest.is_empty());
        for length in 0..bytes.len() {
            // Cut anywhere, what is whole before reads the same, and then there is nothing.
            let mut rest = &bytes[..length];
            let whole = std::iter::from_fn(|| Change::read(&mut rest)).count();
            assert!(whole < changes.len());
        }
        assert_eq!(Change::read(&mut [0].as_slice()), None);
        assert_eq!(Change::read(&mut [16, 0, 0, 0, 0].as_slice()), None);
    }
}

//! The records of users and groups.
//!
//! Invariant: each record is 48 bytes; ids stand in them as keys, texts nowhere.

use super::edges::Edges;
use crate::catalog::GroupTypeId;
use crate::id::Key;
use crate::metering::DAYS_KEPT;
use crate::time::Day;

/// Days that a login is remembered at its user: 31 for late logins, the day itself, and a margin for clocks.
const LOGIN_DAYS: u16 = 64;
/// Days after the last one that a deleted user's logins are remembered: as long as a day is kept, so that registering again is
/// no new user of the day (RULES, trap 15), and a day's sketch has them for as long as it may be told.
pub(super) const TOMBSTONE_DAYS: u16 = DAYS_KEPT - 1;

/// Where a user's record stands in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    /// Registered.
    Live,
    /// Deleted; still in the index, for its logins.
    Tombstone,
    /// Deleted; nothing but edges can lead here.
    Gone,
}

/// A user. What a join looks at stands together, so that it is mostly in one cache line.
#[repr(C)]
pub(super) struct User {
    pub(super) key: Key,
    pub(super) groups: Edges<Group>,
    pub(super) life: Life,
    pub(super) logins: Logins,
    /// Entries of registered users' friend lists that point here.
    pub(super) listed_by: u32,
    pub(super) friends: Edges<User>,
}

/// A group. Its members are known at the users; here is their number.
pub(super) struct Group {
    pub(super) key: Key,
    /// The user that created it, for ever; nothing for a group that was taken in.
    pub(super) owner: Option<Key>,
    pub(super) members: u32,
    pub(super) kind: GroupTypeId,
}

const _: () = assert!(size_of::<User>() == 48 && size_of::<Group>() == 48);

/// The days on which a user logged in: bit `n` is `n` days before the last one. Packed to ten bytes, which keeps a user's
/// record in 48 instead of 56.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(Rust, packed(2))]
pub(super) struct Logins {
    bits: u64,
    last: u16,
}

impl Logins {
    /// Whether the user logged in on that day.
    #[inline]
    pub(super) fn on(self, day: Day) -> bool {
        match self.last.checked_sub(day.number()) {
            Some(ago) if ago < LOGIN_DAYS => self.bits >> ago & 1 == 1,
            _ => false,
        }
    }

    /// The same with a login on that day. Days out of reach are not kept.
    #[inline]
    pub(super) fn with(self, day: Day) -> Self {
        let (bits, last) = (self.bits, self.last);
        match day.number().checked_sub(last) {
            Some(later) => Self {
                bits: bits.checked_shl(u32::from(later)).unwrap_or(0) | 1,
                last: day.number(),
            },
            None => {
                let ago = u32::from(last - day.number());
                Self {
                    bits: bits | 1_u64.checked_shl(ago).unwrap_or(0),
                    last,
                }
            }
        }
    }

    /// Its ten bytes: the bits and the last day.
    pub(super) fn to_bytes(self) -> [u8; 10] {
        let (bits, last) = (self.bits, self.last);
        let mut bytes = [0; 10];
        let fields = bits.to_le_bytes().into_iter().chain(last.to_le_bytes());
        bytes
            .iter_mut()
            .zip(fields)
            .for_each(|(to, from)| *to = from);
        bytes
    }

    /// The logins of ten bytes.
    pub(super) fn from_bytes(bytes: [u8; 10]) -> Self {
        let number = |bytes: &[u8]| {
            let higher_first = bytes.iter().rev();
            higher_first.fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let (bits, last) = bytes.split_at(8);
        Self {
            bits: number(bits),
            last: u16::try_from(number(last)).expect("two bytes"),
        }
    }

    /// Whether a login within [`TOMBSTONE_DAYS`] before `today` is remembered.
    pub(super) fn any_recent(self, today: Day) -> bool {
        self.bits != 0 && today.number().saturating_sub(self.last) <= TOMBSTONE_DAYS
    }
}

impl User {
    /// A registered user with no edges.
    pub(super) fn new(key: Key, logins: Logins) -> Self {
        Self {
            key,
            groups: Edges::default(),
            friends: Edges::default(),
            listed_by: 0,
            life: Life::Live,
            logins,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_remember_days_in_any_order() {
        let day = Day::from_number;
        let mut logins = Logins::default();
        for number in [20_000, 20_001, 19_969, 20_003, 20_003] {
            assert!(number == 20_003 || !logins.on(day(number)));
            logins = logins.with(day(number));
            assert!(logins.on(day(number)));
        }
        let days: Vec<u16> = (19_900..20_100).filter(|n| logins.on(day(*n))).collect();
        assert_eq!(days, [19_969, 20_000, 20_001, 20_003]);
        assert!(logins.any_recent(day(20_042)) && !logins.any_recent(day(20_043)));
        assert!(!logins.with(day(20_200)).on(day(20_003)));
        assert!(!Logins::default().any_recent(day(0)));
    }
}

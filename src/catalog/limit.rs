//! The limits: what is bounded, and by how much.

use std::fmt;

/// What an edition, an add-on or an override bounds (RULES 6.2). The names serve in every file and command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LimitName {
    /// Registered users of the app (6.2, rule 7).
    MaxUsers,
    /// Distinct users that log in on one day; Trial only, or by an override (6.2, rule 18; B26).
    DailyUsers,
    /// Friends on one user's list (6.2, rule 8).
    Friends,
    /// Groups that one user is in, created or joined (6.2, rule 9).
    JoinedGroups,
    /// Members of one group, beneath the cap of its type (6.2, rules 10 and 11).
    GroupMembers,
    /// Audio-video chat rooms that exist in the app (6.2, rule 12; B33).
    AvChatRooms,
    /// Online broadcasting chat rooms that exist in the app; unlimited unless overridden (B32).
    BroadcastRooms,
    /// Groups of all types created less groups deleted on one day (6.2, rule 14; B31).
    DailyGroups,
    /// Online broadcasting chat rooms created less deleted on one day (6.2, rule 15; B32).
    DailyBroadcastRooms,
    /// Groups of all types that exist in the app; Trial only, or by an override (B27).
    Groups,
}

impl LimitName {
    /// Every limit, in the order of the declaration.
    pub const ALL: [Self; 10] = [
        Self::MaxUsers,
        Self::DailyUsers,
        Self::Friends,
        Self::JoinedGroups,
        Self::GroupMembers,
        Self::AvChatRooms,
        Self::BroadcastRooms,
        Self::DailyGroups,
        Self::DailyBroadcastRooms,
        Self::Groups,
    ];

    /// The name in files, commands and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxUsers => "max_users",
            Self::DailyUsers => "daily_users",
            Self::Friends => "friends",
            Self::JoinedGroups => "joined_groups",
            Self::GroupMembers => "group_members",
            Self::AvChatRooms => "av_chat_rooms",
            Self::BroadcastRooms => "broadcast_rooms",
            Self::DailyGroups => "daily_groups",
            Self::DailyBroadcastRooms => "daily_broadcast_rooms",
            Self::Groups => "groups",
        }
    }

    /// Whether it counts what happened on one day.
    pub const fn is_of_day(self) -> bool {
        match self {
            Self::DailyUsers | Self::DailyGroups | Self::DailyBroadcastRooms => true,
            Self::MaxUsers
            | Self::Friends
            | Self::JoinedGroups
            | Self::GroupMembers
            | Self::AvChatRooms
            | Self::BroadcastRooms
            | Self::Groups => false,
        }
    }

    /// The limit of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many there may be at most; possibly without bound.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Bound(u64);

impl Bound {
    /// No bound.
    pub const UNLIMITED: Self = Self(u64::MAX);
    /// The largest finite bound: 10^12, beyond what one deployment counts.
    pub const FINITE_MAX: u64 = 1_000_000_000_000;

    /// A bound of `count`, which must not be over [`Self::FINITE_MAX`].
    pub const fn at_most(count: u64) -> Option<Self> {
        if count <= Self::FINITE_MAX {
            Some(Self(count))
        } else {
            None
        }
    }

    /// Reads a number, or `unlimited`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "unlimited" => Some(Self::UNLIMITED),
            _ if text.bytes().all(|b| b.is_ascii_digit()) => Self::at_most(text.parse().ok()?),
            _ => None,
        }
    }

    /// The number; nothing when unlimited.
    pub const fn finite(self) -> Option<u64> {
        if self.0 == u64::MAX {
            None
        } else {
            Some(self.0)
        }
    }

    /// Whether `adds` more fit when there are `used`. Adding nothing always fits.
    #[inline]
    pub const fn has_room(self, used: u64, adds: u64) -> bool {
        adds == 0 || used.saturating_add(adds) <= self.0
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.finite() {
            Some(count) => count.fmt(f),
            None => f.write_str("unlimited"),
        }
    }
}

/// One value for each limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PerLimit<T>([T; LimitName::ALL.len()]);

impl<T> PerLimit<T> {
    /// A value for each limit, made from its name.
    pub fn from_fn(mut make: impl FnMut(LimitName) -> T) -> Self {
        Self(LimitName::ALL.map(&mut make))
    }

    /// The value of a limit.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "one element for each name, by construction"
    )]
    pub const fn get(&self, limit: LimitName) -> &T {
        &self.0[limit as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again_and_stand_in_order() {
        for (place, limit) in LimitName::ALL.into_iter().enumerate() {
            assert_eq!(LimitName::from_name(limit.name()), Some(limit));
            assert_eq!(limit as usize, place);
        }
        assert_eq!(LimitName::from_name("Friends"), None);
    }

    #[test]
    fn bounds_refuse_only_what_would_go_over() {
        let five = Bound::at_most(5).expect("finite");
        assert!(five.has_room(4, 1) && !five.has_room(4, 2) && !five.has_room(5, 1));
        assert!(five.has_room(9, 0), "over the limit, nothing added");
        assert!(Bound::UNLIMITED.has_room(u64::MAX - 1, 1));
        assert_eq!(Bound::parse("unlimited"), Some(Bound::UNLIMITED));
        for text in ["", "-1", "+1", "1e3", "1000000000001", "none"] {
            assert_eq!(Bound::parse(text), None, "{text}");
        }
    }
}

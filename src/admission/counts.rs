//! The counts of a whole app that limits look at, and the day they are counted on.
//!
//! Invariant: the day never goes back (RULES, trap 4; a clock that jumps back does not reopen a day).

use crate::catalog::{GROUP_TYPES_MAX, GroupTypeId, GroupTypeSet};
use crate::time::Day;

/// The counts of one app.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AppCounts {
    /// Registered users.
    pub(crate) users: u64,
    /// Groups that exist.
    pub(crate) groups: u64,
    /// Memberships in groups that exist.
    pub(crate) memberships: u64,
    /// Entries on friend lists; a two-way friendship is two.
    pub(crate) friend_entries: u64,
    by_type: [u32; GROUP_TYPES_MAX],
    day: Day,
    net: i64,
    net_by_type: [i32; GROUP_TYPES_MAX],
}

impl AppCounts {
    /// An empty app on a day.
    pub(crate) const fn new(day: Day) -> Self {
        Self {
            users: 0,
            groups: 0,
            memberships: 0,
            friend_entries: 0,
            by_type: [0; GROUP_TYPES_MAX],
            day,
            net: 0,
            net_by_type: [0; GROUP_TYPES_MAX],
        }
    }

    /// The counts of an app with groups of each type, on a day with a net; of users and edges there are none yet.
    pub(crate) fn restored(
        day: Day,
        by_type: [u32; GROUP_TYPES_MAX],
        net: i64,
        net_by_type: [i32; GROUP_TYPES_MAX],
    ) -> Self {
        Self {
            groups: by_type.iter().map(|count| u64::from(*count)).sum(),
            by_type,
            net,
            net_by_type,
            ..Self::new(day)
        }
    }

    /// The day that is counted on.
    #[inline]
    pub(crate) const fn day(&self) -> Day {
        self.day
    }

    /// Moves on to a later day, whose net is 0 (RULES B31); an earlier one is ignored.
    pub(crate) fn advance_to(&mut self, day: Day) {
        if day > self.day {
            self.day = day;
            self.net = 0;
            self.net_by_type = [0; GROUP_TYPES_MAX];
        }
    }

    /// Memberships and entries of friend lists.
    pub(crate) const fn edges(&self) -> u64 {
        self.memberships.saturating_add(self.friend_entries)
    }

    /// Groups of that type that exist.
    pub(crate) fn groups_of(&self, kind: GroupTypeId) -> u64 {
        self.by_type.get(kind.place()).copied().map_or(0, u64::from)
    }

    /// Groups of those types that exist.
    pub(crate) fn groups_of_all(&self, types: GroupTypeSet) -> u64 {
        types.types().map(|kind| self.groups_of(kind)).sum()
    }

    /// Groups created less groups deleted on the day.
    pub(crate) const fn net(&self) -> i64 {
        self.net
    }

    /// The day's net of one type.
    pub(crate) fn net_of(&self, kind: GroupTypeId) -> i64 {
        self.net_by_type
            .get(kind.place())
            .copied()
            .map_or(0, i64::from)
    }

    /// A group begins to exist, created today.
    pub(crate) fn group_created(&mut self, kind: GroupTypeId) {
        self.group_adopted(kind);
        self.net = self.net.saturating_add(1);
        if let Some(net) = self.net_by_type.get_mut(kind.place()) {
            *net = net.saturating_add(1);
        }
    }

    /// A group that existed before today is taken in: the day's net is not touched.
    pub(crate) fn group_adopted(&mut self, kind: GroupTypeId) {
        self.groups = self.groups.saturating_add(1);
        if let Some(count) = self.by_type.get_mut(kind.place()) {
            *count = count.saturating_add(1);
        }
    }

    /// A group of any age is deleted today.
    pub(crate) fn group_deleted(&mut self, kind: GroupTypeId) {
        self.groups = self.groups.saturating_sub(1);
        if let Some(count) = self.by_type.get_mut(kind.place()) {
            *count = count.saturating_sub(1);
        }
        self.net = self.net.saturating_sub(1);
        if let Some(net) = self.net_by_type.get_mut(kind.place()) {
            *net = net.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RULES B31 and the published day of RULES 5.4: +35,904 - 35,019 = +885.
    #[test]
    fn net_is_created_less_deleted_and_resets_with_the_day() {
        let kind = GroupTypeId::new(0).expect("valid");
        let mut counts = AppCounts::new(Day::from_number(100));
        for _ in 0..35_904 {
            counts.group_created(kind);
        }
        for _ in 0..35_019 {
            counts.group_deleted(kind);
        }
        assert_eq!(
            (counts.net(), counts.net_of(kind), counts.groups),
            (885, 885, 885)
        );
        counts.advance_to(Day::from_number(99));
        assert_eq!((counts.day(), counts.net()), (Day::from_number(100), 885));
        counts.advance_to(Day::from_number(101));
        counts.group_deleted(kind);
        assert_eq!(
            (counts.net(), counts.net_of(kind), counts.groups_of(kind)),
            (-1, -1, 884)
        );
    }
}

//! What apps, users and groups have, as told to those who ask. From running counters and at most one user's lists.

use super::facts::Facts;
use crate::catalog::{GroupType, GroupTypeId, LimitName};
use crate::entitlement::Entitlements;
use crate::id::Key;
use crate::metering::{DayUsage, MonthUsage};
use crate::time::Day;

/// What an app has, at an instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppUsage {
    /// Registered users.
    pub users: u64,
    /// Groups that exist.
    pub groups: u64,
    /// Memberships in groups that exist.
    pub memberships: u64,
    /// Entries on friend lists; a two-way friendship is two.
    pub friend_entries: u64,
    /// Groups that exist, by the type's name.
    pub groups_by_type: Vec<(Box<str>, u64)>,
    /// Distinct users that logged in today.
    pub daily_users: u64,
    /// Groups created less deleted today.
    pub daily_groups: i64,
    /// What counts to each limit of the whole app, as admissions count it.
    pub counted: Vec<(LimitName, i64)>,
    /// Pairs of a user and a day with a login; a user deleted since still counts.
    pub user_days: u64,
    /// The last days with an operation, in order.
    pub days: Vec<DayUsage>,
    /// Most bits per second of on-screen comments, of those days that had some, in order.
    pub bandwidths: Vec<(Day, u64)>,
    /// Peaks of every month, in order.
    pub months: Vec<MonthUsage>,
}

/// What a user has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserUsage {
    /// Groups that count to the user's `joined_groups`.
    pub joined_groups: u64,
    /// Friends on the user's own list.
    pub friends: u64,
    /// Whether the user is among today's distinct users.
    pub counted_today: bool,
}

/// What a group has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupUsage {
    /// The type.
    pub kind: GroupTypeId,
    /// Members.
    pub members: u64,
}

/// What an app has, without the terms that it is under.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Tally {
    pub(crate) users: u64,
    pub(crate) groups: u64,
    pub(crate) memberships: u64,
    pub(crate) friend_entries: u64,
}

impl Facts {
    /// What the app has, counted.
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            users: self.counts.users,
            groups: self.counts.groups,
            memberships: self.counts.memberships,
            friend_entries: self.counts.friend_entries,
        }
    }

    /// The last days with an operation, in order.
    pub(crate) fn days(&self) -> impl ExactSizeIterator<Item = &DayUsage> {
        self.metering.days()
    }

    /// Most bits per second of on-screen comments on a day.
    pub(crate) fn bandwidth(&self, day: Day) -> u64 {
        self.metering.bandwidth(day)
    }

    /// What the app has.
    pub(crate) fn app_usage(&self, entitlements: &Entitlements) -> AppUsage {
        let (counts, metering) = (&self.counts, &self.metering);
        let types = entitlements.catalog.group_types();
        AppUsage {
            users: counts.users,
            groups: counts.groups,
            memberships: counts.memberships,
            friend_entries: counts.friend_entries,
            groups_by_type: types
                .map(|kind| (kind.name.clone(), counts.groups_of(kind.id)))
                .collect(),
            daily_users: metering.day_users(counts.day()),
            daily_groups: counts.net(),
            counted: self.counted(entitlements),
            user_days: metering.user_days(),
            days: metering.days().copied().collect(),
            bandwidths: metering.bandwidths().to_vec(),
            months: metering.months().to_vec(),
        }
    }

    /// Limits of one user, list or group are not among them.
    fn counted(&self, entitlements: &Entitlements) -> Vec<(LimitName, i64)> {
        let counts = &self.counts;
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let most = |of: &dyn Fn(&GroupType) -> Option<i64>| {
            let types = entitlements.catalog.group_types();
            types.filter_map(of).max().unwrap_or(0)
        };
        let of_limit = |name: LimitName| match name {
            LimitName::MaxUsers => Some(signed(counts.users)),
            LimitName::DailyUsers => Some(signed(self.metering.day_users(counts.day()))),
            LimitName::AvChatRooms | LimitName::BroadcastRooms => Some(most(&|kind| {
                (kind.existing_limit == Some(name)).then(|| signed(counts.groups_of(kind.id)))
            })),
            LimitName::DailyGroups => Some(counts.net()),
            LimitName::DailyBroadcastRooms => Some(most(&|kind| {
                (kind.daily_limit == Some(name)).then(|| counts.net_of(kind.id))
            })),
            LimitName::Groups => Some(signed(counts.groups)),
            LimitName::Friends | LimitName::JoinedGroups | LimitName::GroupMembers => None,
        };
        let limits = LimitName::ALL.into_iter();
        limits
            .filter_map(|name| Some((name, of_limit(name)?)))
            .collect()
    }

    /// What a user has; nothing for an unknown one.
    pub(crate) fn user_usage(&self, entitlements: &Entitlements, key: Key) -> Option<UserUsage> {
        let slot = self.user(key)?;
        let user = self.users.get(slot);
        Some(UserUsage {
            joined_groups: self.counting_groups(entitlements, slot),
            friends: user.friends.count_live(&self.pool, &self.users),
            counted_today: user.logins.on(self.counts.day()),
        })
    }

    /// What a group has; nothing for an unknown one.
    pub(crate) fn group_usage(&self, key: Key) -> Option<GroupUsage> {
        let group = self.groups.get(self.group(key)?);
        Some(GroupUsage {
            kind: group.kind,
            members: u64::from(group.members),
        })
    }
}

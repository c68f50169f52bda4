//! Usage in memory (skeleton).

use crate::metering::MonthUsage;

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
    /// Pairs of a user and a day with a login; a user deleted since still counts.
    pub user_days: u64,
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
    pub kind: crate::catalog::GroupTypeId,
    /// Members.
    pub members: u64,
}

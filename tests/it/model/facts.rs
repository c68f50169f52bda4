//! What has happened in the app, as sets; every count is the size of one.

use std::collections::{BTreeMap, BTreeSet};

use quotagate::time::{Day, Month, Timestamp, Zone};

use super::Id;

/// Pairs of ids, found from both ends.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Pairs {
    forth: BTreeSet<(Id, Id)>,
    back: BTreeSet<(Id, Id)>,
}

impl Pairs {
    pub fn insert(&mut self, left: Id, right: Id) {
        self.forth.insert((left, right));
        self.back.insert((right, left));
    }

    /// Whether there was such a pair.
    pub fn remove(&mut self, left: Id, right: Id) -> bool {
        self.back.remove(&(right, left));
        self.forth.remove(&(left, right))
    }

    pub fn contains(&self, left: Id, right: Id) -> bool {
        self.forth.contains(&(left, right))
    }

    pub fn of_left(&self, left: Id) -> Vec<Id> {
        partners(&self.forth, left)
    }

    pub fn of_right(&self, right: Id) -> Vec<Id> {
        partners(&self.back, right)
    }

    pub fn len(&self) -> u64 {
        self.forth.len() as u64
    }

    pub fn forget_left(&mut self, left: Id) {
        for right in self.of_left(left) {
            self.remove(left, right);
        }
    }

    pub fn forget_right(&mut self, right: Id) {
        for left in self.of_right(right) {
            self.remove(left, right);
        }
    }
}

fn partners(pairs: &BTreeSet<(Id, Id)>, id: Id) -> Vec<Id> {
    let from_id = pairs.range((id, "")..);
    from_id
        .take_while(|(first, _)| *first == id)
        .map(|(_, second)| *second)
        .collect()
}

/// A group that exists.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Group {
    pub kind: Id,
    /// The id given at its creation, for ever; nobody if it was taken in.
    pub owner: Option<Id>,
}

/// Everything that is remembered of an app.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Facts {
    pub users: BTreeSet<Id>,
    pub groups: BTreeMap<Id, Group>,
    /// A user and a group they are in.
    pub memberships: Pairs,
    /// A user and somebody on their list.
    pub friends: Pairs,
    /// Who logged in on a day, whatever became of them since.
    pub logins: BTreeMap<Day, BTreeSet<Id>>,
    /// The day that the net numbers are of; it never goes back.
    pub day: Day,
    /// Types of the groups created on the day.
    pub created: Vec<Id>,
    /// Types of the groups deleted on the day.
    pub deleted: Vec<Id>,
    /// Most groups at once, and most AVChatRooms, by month; and by day, of days that had any and of the app's.
    pub peaks: BTreeMap<Month, Counts>,
    pub day_peaks: BTreeMap<Day, Counts>,
    /// Most bits per second, of days that had some.
    pub bandwidth: BTreeMap<Day, u64>,
}

/// Groups of all types, and AVChatRooms.
pub type Counts = (u64, u64);

/// What is metered of a day: users, groups, AVChatRooms, bits per second.
pub type Metered = (u64, u64, u64, u64);

pub fn day_of(at: Timestamp) -> Day {
    Zone::UTC_PLUS_8.day(at)
}

impl Facts {
    pub fn new(now: Timestamp) -> Self {
        let day = day_of(now);
        Self {
            users: BTreeSet::new(),
            groups: BTreeMap::new(),
            memberships: Pairs::default(),
            friends: Pairs::default(),
            logins: BTreeMap::new(),
            day,
            created: Vec::new(),
            deleted: Vec::new(),
            peaks: BTreeMap::from([(day.month(), (0, 0))]),
            day_peaks: BTreeMap::from([(day, (0, 0))]),
            bandwidth: BTreeMap::new(),
        }
    }

    /// A later day begins: its net is 0, and what exists is carried into it and into the months between (B29, B31).
    pub fn advance(&mut self, now: Timestamp) {
        let day = day_of(now);
        if day <= self.day {
            return;
        }
        while self.day < day {
            self.day = self.day.next();
            if !self.groups.is_empty() || self.day == day {
                self.meter_groups();
            }
            self.peaks.entry(self.day.month()).or_default();
        }
        self.created.clear();
        self.deleted.clear();
    }

    pub fn create(&mut self, id: Id, kind: Id, owner: Id) {
        self.created.push(kind);
        self.adopt_group(id, kind, Some(owner));
    }

    /// A group begins to exist; one that is taken in was not created today.
    pub fn adopt_group(&mut self, id: Id, kind: Id, owner: Option<Id>) {
        self.groups.insert(id, Group { kind, owner });
        self.meter_groups();
    }

    fn meter_groups(&mut self) {
        let (groups, rooms) = (self.groups.len() as u64, self.groups_of("AVChatRoom"));
        let month = self.peaks.entry(self.day.month()).or_default();
        for peak in [month, self.day_peaks.entry(self.day).or_default()] {
            *peak = (peak.0.max(groups), peak.1.max(rooms));
        }
    }

    pub fn report(&mut self, day: Day, bits_per_second: u64) {
        if bits_per_second > 0 {
            let peak = self.bandwidth.entry(day).or_default();
            *peak = (*peak).max(bits_per_second);
        }
    }

    pub fn metered_on(&self, day: Day) -> Metered {
        let (groups, rooms) = self.day_peaks.get(&day).copied().unwrap_or_default();
        let bits = self.bandwidth.get(&day).copied().unwrap_or_default();
        (self.day_users(day), groups, rooms, bits)
    }

    /// Every day on which something is metered.
    pub fn metered(&self) -> BTreeMap<Day, Metered> {
        let days = self.day_peaks.keys().chain(self.logins.keys());
        let days = days.chain(self.bandwidth.keys());
        let of = |day: &Day| (*day, self.metered_on(*day));
        days.map(of)
            .filter(|(_, metered)| *metered != (0, 0, 0, 0))
            .collect()
    }

    /// Whether there was such a group.
    pub fn disband(&mut self, id: Id) -> bool {
        let Some(group) = self.groups.remove(id) else {
            return false;
        };
        self.deleted.push(group.kind);
        self.memberships.forget_right(id);
        true
    }

    /// Whether there was such a user.
    pub fn delete_user(&mut self, id: Id) -> bool {
        self.memberships.forget_left(id);
        self.friends.forget_left(id);
        self.friends.forget_right(id);
        self.users.remove(id)
    }

    pub fn log_in(&mut self, id: Id, day: Day) {
        self.users.insert(id);
        self.logins.entry(day).or_default().insert(id);
    }

    pub fn logged_in(&self, id: Id, day: Day) -> bool {
        self.logins
            .get(&day)
            .is_some_and(|users| users.contains(id))
    }

    pub fn day_users(&self, day: Day) -> u64 {
        self.logins.get(&day).map_or(0, |users| users.len() as u64)
    }

    /// Everybody whose last login is at most 39 days back.
    pub fn logged_in_lately(&self) -> impl Iterator<Item = Id> {
        let first = Day::from_number(self.day.number().saturating_sub(39));
        self.logins
            .range(first..)
            .flat_map(|(_, users)| users.iter().copied())
    }

    pub fn groups_of(&self, kind: Id) -> u64 {
        self.groups
            .values()
            .filter(|group| group.kind == kind)
            .count() as u64
    }

    pub fn net(&self) -> i64 {
        difference(self.created.len(), self.deleted.len())
    }

    pub fn net_of(&self, kind: Id) -> i64 {
        let of_kind = |kinds: &[Id]| kinds.iter().filter(|one| **one == kind).count();
        difference(of_kind(&self.created), of_kind(&self.deleted))
    }

    /// Every month with its peaks of users of a day, of groups and of AVChatRooms.
    pub fn months(&self) -> Vec<(Month, u64, Counts)> {
        let mut months: BTreeMap<Month, (u64, Counts)> = BTreeMap::new();
        for (month, counts) in &self.peaks {
            months.entry(*month).or_default().1 = *counts;
        }
        for (day, users) in &self.logins {
            let peak = &mut months.entry(day.month()).or_default().0;
            *peak = (*peak).max(users.len() as u64);
        }
        let flat = |(month, (users, groups))| (month, users, groups);
        months.into_iter().map(flat).collect()
    }
}

fn difference(more: usize, less: usize) -> i64 {
    i64::try_from(more).expect("small") - i64::try_from(less).expect("small")
}

//! Random lives of an app, with snapshots taken piece by piece while it goes on, restored again and again.

use super::finish::slots;
use super::*;
use crate::admission::AppCounts;
use crate::catalog::{GroupTypeId, GroupTypeSet};
use crate::id::Named;
use crate::metering::Metering;
use crate::sketch::Sketch;
use crate::usage::Totals;
use crate::usage::image::Image;
use crate::usage::live::number;
use crate::usage::locate::Found;
use crate::usage::walk::Walk;
use std::collections::{BTreeMap, BTreeSet};

/// A user's logins, groups, friends, and on how many lists they are.
type Told = (Vec<u8>, BTreeSet<Key>, BTreeSet<Key>, u32);

/// Everything that can be asked about an app, by keys.
#[derive(Debug, PartialEq)]
struct Dump {
    users: BTreeMap<Key, Told>,
    tombstones: BTreeMap<Key, Vec<u8>>,
    groups: BTreeMap<Key, (u8, Option<Key>, u32)>,
    counts: AppCounts,
    metering: Metering,
    rooms: GroupTypeSet,
    /// Of the app's day and of the next one.
    live: [Vec<u8>; 2],
}

fn dump(facts: &Facts) -> Dump {
    let (mut users, mut tombstones) = (BTreeMap::new(), BTreeMap::new());
    for slot in slots(&facts.users) {
        let user = facts.users.get(slot);
        match user.life {
            Life::Live => {
                assert_eq!(facts.user(user.key), Some(slot));
                let groups = user.groups.live(&facts.pool, &facts.groups);
                let friends = user.friends.live(&facts.pool, &facts.users);
                let lists = (
                    groups.map(|group| facts.groups.get(group).key).collect(),
                    friends.map(|friend| facts.users.get(friend).key).collect(),
                );
                let logins = user.logins.to_bytes().to_vec();
                users.insert(user.key, (logins, lists.0, lists.1, user.listed_by));
            }
            Life::Tombstone if user.logins.any_recent(facts.counts.day()) => {
                assert_eq!(facts.record_of(user.key), Some(slot));
                tombstones.insert(user.key, user.logins.to_bytes().to_vec());
            }
            Life::Tombstone | Life::Gone => {}
        }
    }
    let live = slots(&facts.groups).filter(|slot| !facts.groups.is_dead(*slot));
    let groups = live.map(|slot| {
        let group = facts.groups.get(slot);
        assert_eq!(facts.group(group.key), Some(slot));
        (group.key, (group.kind.code(), group.owner, group.members))
    });
    Dump {
        users,
        tombstones,
        groups: groups.collect(),
        counts: facts.counts.clone(),
        metering: facts.metering.clone(),
        rooms: facts.room_types,
        live: [facts.counts.day(), facts.counts.day().next()].map(|day| {
            let sketch = facts.live_sketch(day);
            sketch.expect("it is kept").to_bytes()
        }),
    }
}

/// A snapshot, whole or on its way: where it began, and its parts with their positions.
#[derive(Clone, Default)]
struct Snapshot {
    head: (u64, Vec<u8>),
    users: Vec<(u64, u32, Vec<u8>)>,
    groups: Vec<(u64, u32, Vec<u8>)>,
    next_user: Option<u32>,
    next_group: Option<u32>,
}

/// Who logged in on which day, whatever became of them.
type Logged = BTreeMap<Day, BTreeSet<Key>>;

struct Story {
    facts: Facts,
    logged: Logged,
    /// A walk under way, and who had logged in when it began.
    walk: Option<(Walk, Logged)>,
    walked: usize,
    totals: Totals,
    journal: Vec<(u64, Vec<u8>)>,
    whole: Option<Snapshot>,
    under_way: Option<Snapshot>,
    random: u64,
    first_day: Day,
}

impl Story {
    fn new(seed: u64) -> Self {
        let first_day = Day::from_number(20_000);
        Self {
            facts: Facts::new(first_day, Reuse::AfterSnapshot),
            logged: Logged::new(),
            walk: None,
            walked: 0,
            totals: Totals::default(),
            journal: Vec::new(),
            whole: None,
            under_way: None,
            random: seed,
            first_day,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    fn position(&self) -> u64 {
        self.journal.last().map_or(0, |(position, _)| *position)
    }

    fn key(&mut self, bound: u64) -> Key {
        let n = self.below(bound);
        Key {
            high: n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            low: n,
        }
    }

    fn user(&mut self) -> Slot<User> {
        let key = self.key(150);
        let found = match self.facts.record_of(key) {
            Some(slot) if self.facts.users.get(slot).life == Life::Live => Found::User(slot),
            Some(slot) => Found::Tombstone(slot),
            None => Found::Nobody,
        };
        self.facts.register(Named { key, text: "user" }, found)
    }

    fn change(&mut self) {
        let kind = GroupTypeId::new(self.below(5)).expect("a code");
        let user = self.user();
        let group_key = self.key(60);
        let group = self.facts.group(group_key);
        match self.below(21) {
            20 => {
                let day = Day::from_number(self.facts.counts.day().number() - 1);
                let bits = self.below(1_000_000);
                self.facts.bandwidth_reached(day, bits);
            }
            0..=5 => {
                let owner = Some(group_key).filter(|_| !group_key.low.is_multiple_of(3));
                let id = Named {
                    key: group_key,
                    text: "group",
                };
                let group = group.unwrap_or_else(|| self.facts.add_group(id, kind, owner));
                if !self
                    .facts
                    .users
                    .get(user)
                    .groups
                    .contains(&self.facts.pool, group)
                {
                    self.facts.add_membership(user, group, NOT_LOOKED_FOR);
                }
            }
            6..=9 => {
                let friend = self.user();
                let listed = self.facts.has_friend(Some(user), Some(friend));
                if friend != user && !listed {
                    self.facts.add_friend_entry(user, friend);
                }
            }
            10 | 11 => {
                let friend = self.user();
                self.facts.remove_friend_entry(user, friend);
            }
            12 | 13 => {
                if let Some(group) = group {
                    self.facts.remove_membership(user, group);
                }
            }
            14 => {
                if let Some(group) = group {
                    self.facts.remove_group(group);
                }
            }
            15 => self.facts.remove_user(user),
            _ => {
                let late = u16::try_from(self.below(4)).expect("small");
                let day = Day::from_number(self.facts.counts.day().number() + 1 - late);
                if !self.facts.users.get(user).logins.on(day) {
                    self.facts.count_login(user, day);
                    let key = self.facts.users.get(user).key;
                    assert!(self.logged.entry(day).or_default().insert(key));
                }
            }
        }
    }

    /// A lock hold: some changes, perhaps taken back, and some steps of the sweep.
    fn hold(&mut self) {
        self.facts.keep_changes(Vec::new());
        if self.below(150) == 0 {
            let ahead = u16::try_from(1 + self.below(3) * self.below(6)).expect("small");
            let day = self.facts.counts.day().plus(ahead);
            self.facts.advance_to(day);
        }
        for _ in 0..self.below(30) {
            self.facts.sweep_step();
        }
        if self.below(60) == 0 {
            let types = u16::try_from(self.below(32)).expect("small");
            self.facts.meter_rooms(GroupTypeSet::from_bits(types));
        }
        let before = (self.below(3) == 0).then(|| (self.facts.open_batch(), self.logged.clone()));
        for _ in 0..=self.below(4) {
            self.change();
        }
        if let Some((before, logged)) = before {
            if self.below(2) == 0 {
                self.facts.keep_batch();
            } else {
                self.facts.undo_batch(before);
                self.logged = logged;
            }
        }
        let changes = self.facts.take_changes().expect("kept");
        if !changes.is_empty() {
            let position = self.position() + changes.len() as u64;
            self.facts.stamp(position);
            self.journal.push((position, changes));
        }
        assert!(!self.facts.is_unstamped());
    }

    /// A step of a walk: begins one, goes on, or ends it. Between its steps the app goes on.
    fn walk(&mut self) {
        let Some((walk, before)) = self.walk.take() else {
            let today = self.facts.counts.day().number();
            let ago = [40, 39, 38, 5, 2, 1, 0];
            let days = ago.map(|ago| Day::from_number(today - ago).next()).into();
            let (kept, walk) = self.facts.begin_walk(days);
            for (day, sketch) in kept {
                let same = sketch_of(self.logged.get(&day)).to_bytes();
                assert_eq!(sketch.to_bytes(), same, "{day}, which is kept");
            }
            self.walk = walk.map(|walk| (walk, self.logged.clone()));
            return;
        };
        match self.facts.walk_on(walk) {
            Err(walk) => self.walk = Some((walk, before)),
            Ok(sketches) => {
                for (day, sketch) in &sketches {
                    let has =
                        |others| Sketch::union([sketch, others]).to_bytes() == sketch.to_bytes();
                    assert!(has(&sketch_of(before.get(day))), "{day} lacks somebody");
                    let all = sketch_of(self.logged.get(day));
                    let within = Sketch::union([sketch, &all]).to_bytes();
                    assert_eq!(within, all.to_bytes(), "{day} has somebody else");
                }
                self.walked += sketches.len();
                assert!(self.facts.live.walks.is_none());
            }
        }
    }

    /// A step of a snapshot: begins one, takes a part, or ends it.
    fn snapshot(&mut self) {
        let position = self.position();
        let Some(mut snapshot) = self.under_way.take() else {
            let mut head = Vec::new();
            self.facts.begin_snapshot(&mut head);
            self.under_way = Some(Snapshot {
                head: (position, head),
                next_user: Some(0),
                next_group: Some(0),
                ..Snapshot::default()
            });
            return;
        };
        let mut part = Image::default();
        if let Some(from) = snapshot.next_user {
            snapshot.next_user = self.facts.put_users(from, &mut part);
            snapshot.users.push((position, from, part.bytes));
        } else if let Some(from) = snapshot.next_group {
            snapshot.next_group = self.facts.put_groups(from, &mut part);
            snapshot.groups.push((position, from, part.bytes));
        } else {
            self.facts.end_snapshot();
            self.whole = Some(snapshot);
            return;
        }
        self.under_way = Some(snapshot);
    }

    fn restored(&self) -> Facts {
        let mut restoring = match &self.whole {
            None => Restoring::empty(self.first_day),
            Some(snapshot) => {
                let (position, head) = &snapshot.head;
                let mut restoring = Restoring::begin(2, head, *position).expect("a head");
                for (position, from, part) in &snapshot.groups {
                    restoring.groups(*from, part, *position).expect("an image");
                }
                for (position, from, part) in &snapshot.users {
                    restoring.users(*from, part, *position).expect("an image");
                }
                restoring
            }
        };
        for (position, records) in &self.journal {
            restoring.apply(*position, records).expect("records");
        }
        restoring.finish(&self.totals).expect("consistent")
    }
}

fn sketch_of(users: Option<&BTreeSet<Key>>) -> Sketch {
    let mut sketch = Sketch::new();
    for key in users.into_iter().flatten() {
        sketch.add(number(*key));
    }
    sketch
}

#[test]
fn restored_facts_are_the_facts() {
    let (mut passes, mut walked) = (0, 0);
    for seed in 0..60 {
        let mut life = Story::new(seed);
        for _ in 0..400 {
            for _ in 0..life.below(12) {
                life.hold();
            }
            if life.below(3) > 0 {
                life.snapshot();
            }
            if life.below(4) == 0 {
                life.walk();
            }
            if life.below(25) == 0 {
                let restored = life.restored();
                assert_eq!(dump(&restored), dump(&life.facts), "seed {seed}");
                // On with the restored ones, as after a crash; what snapshot was under way is lost.
                life.facts = restored;
                (life.under_way, life.walk) = (None, None);
            }
        }
        passes += usize::from(life.whole.is_some());
        walked += life.walked;
    }
    assert_eq!(passes, 60, "snapshots are part of the test");
    assert!(
        walked > 500,
        "walks are part of the test: {walked} sketches"
    );
}

#[test]
fn any_bytes_are_refused_or_restored_without_a_panic() {
    let mut life = Story::new(7);
    (0..300).for_each(|_| life.hold());
    let mut head = Vec::new();
    life.facts.begin_snapshot(&mut head);
    let (mut users, mut groups) = (Image::default(), Image::default());
    life.facts.put_users(0, &mut users);
    life.facts.put_groups(0, &mut groups);
    let (users, groups) = (users.bytes, groups.bytes);
    let (mut refused, entries) = (0, life.journal.len());
    for _ in 0..4_000 {
        let [mut head, mut users, mut groups] = [head.clone(), users.clone(), groups.clone()];
        let mut journal = life.journal.clone();
        let at = usize::try_from(life.below(1 << 20)).expect("small");
        let bit = 1 << life.below(8);
        let records = journal.get_mut(at % entries).map(|(_, records)| records);
        let damaged = match life.below(4) {
            0 => &mut head,
            1 => &mut users,
            2 => &mut groups,
            _ => records.expect("some"),
        };
        let length = damaged.len();
        damaged[at % length] ^= bit;
        let restored = Restoring::begin(2, &head, 0).and_then(|mut restoring| {
            restoring.groups(0, &groups, 1)?;
            restoring.users(0, &users, 1)?;
            for (position, records) in &journal {
                restoring.apply(*position, records)?;
            }
            restoring.finish(&Totals::default())
        });
        refused += u32::from(restored.is_err());
    }
    assert!(refused > 400, "{refused}");
}

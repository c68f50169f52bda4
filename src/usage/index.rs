//! Extendible hashing from keys to slots: a directory over small tables, each split in two when it is full.
//!
//! A table is an array of buckets, a bucket is one cache line: a lookup costs one miss, and the record's. An entry that finds
//! its home bucket full goes to the next with a place; the buckets it passes count it, so that a lookup knows when to stop.
//! Invariant: no insertion moves more than one small table, whatever the number of keys. The keys stand in the records.
//! Absent on purpose: one large table, whose growth would rehash every key inside one admission; and `hashbrown`, whose tags
//! and entries lie apart: two misses, one after the other (a decision among a million users took a quarter longer).

use prefetch_index::prefetch_index;

use super::arena::Slot;
use crate::id::Key;

/// Places in a bucket.
const PLACES: usize = 12;
/// Entries a bucket on the average, beyond which a table grows or splits.
const LOAD_MAX: usize = 10;
/// Most buckets of a table: 8 KiB.
const BUCKETS_MAX: usize = 128;
/// Most bits of a key that the directory uses: 2^22 tables hold some 5 billion keys.
const BITS_MAX: u32 = 22;

/// A cache line of entries.
#[derive(Clone, Default)]
#[repr(align(64))]
struct Bucket {
    slots: [u32; PLACES],
    /// Eight bits of each entry's key; 0 where there is none.
    tags: [u8; PLACES],
    /// Entries at home here that stand further on.
    passed: u16,
}

const _: () = assert!(size_of::<Bucket>() == 64);

/// The first `bits` bits of a key: its place in the directory.
#[inline]
fn prefix(key: Key, bits: u32) -> usize {
    // A shift by 64 is none: no bits, the only place.
    let shifted = key.high.checked_shr(u64::BITS - bits).unwrap_or(0);
    usize::try_from(shifted).expect("at most BITS_MAX bits")
}

/// Eight bits of a key that neither the directory nor a table places it by; never 0.
#[inline]
fn tag(key: Key) -> u8 {
    let [.., last] = key.low.to_le_bytes();
    last.max(1)
}

impl Bucket {
    /// The places where a tag may be: the first one in each eight bytes is one for sure, a later one may be empty.
    #[inline]
    fn places_of(&self, tag: u8) -> impl Iterator<Item = usize> {
        // A byte is zero where the tags agree; the classic trick finds zero bytes, and now and then one after the first.
        let (head, tail) = self.tags.split_at(8);
        let head = head.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let tail = tail.first_chunk().copied().map_or(0, u32::from_le_bytes);
        let (head, tail) = (
            head ^ u64::from_le_bytes([tag; 8]),
            tail ^ u32::from_le_bytes([tag; 4]),
        );
        let head = head.wrapping_sub(0x0101_0101_0101_0101) & !head & 0x8080_8080_8080_8080;
        let tail = tail.wrapping_sub(0x0101_0101) & !tail & 0x8080_8080;
        let mut found = u128::from(head) | u128::from(tail) << 64;
        std::iter::from_fn(move || {
            let place = found.trailing_zeros() / 8;
            found &= found.wrapping_sub(1);
            (place < 16).then_some(place as usize)
        })
    }

    #[inline]
    fn has(&self, place: usize, tag: u8) -> bool {
        self.tags.get(place) == Some(&tag)
    }

    fn free_place(&self) -> Option<usize> {
        self.tags.iter().position(|tag| *tag == 0)
    }

    #[inline]
    fn slot<T>(&self, place: usize) -> Slot<T> {
        Slot::from_number(*self.slots.get(place).expect("a place of the bucket"))
    }

    fn put(&mut self, place: usize, tag: u8, number: u32) {
        *self.tags.get_mut(place).expect("a place of the bucket") = tag;
        *self.slots.get_mut(place).expect("a place of the bucket") = number;
    }
}

/// A small hash table, and the number of leading bits that all its keys share.
struct Table {
    buckets: Box<[Bucket]>,
    len: usize,
    depth: u32,
}

impl Table {
    fn new(buckets: usize, depth: u32) -> Self {
        Self {
            buckets: vec![Bucket::default(); buckets].into_boxed_slice(),
            len: 0,
            depth,
        }
    }

    fn is_full(&self) -> bool {
        self.len >= self.buckets.len() * LOAD_MAX
    }

    #[inline]
    fn home(&self, key: Key) -> usize {
        let [a, b, ..] = key.low.to_le_bytes();
        usize::from(u16::from_le_bytes([a, b])) & (self.buckets.len() - 1)
    }

    #[inline]
    fn bucket(&self, number: usize) -> &Bucket {
        self.buckets.get(number).expect("a bucket of the table")
    }

    #[inline]
    fn bucket_mut(&mut self, number: usize) -> &mut Bucket {
        self.buckets.get_mut(number).expect("a bucket of the table")
    }

    /// The bucket and place of the entry for which `is` holds, among those whose keys look like this one.
    #[inline]
    fn find<T>(&self, key: Key, mut is: impl FnMut(Slot<T>) -> bool) -> Option<(usize, usize)> {
        let (tag, mut number) = (tag(key), self.home(key));
        loop {
            let bucket = self.bucket(number);
            let found = bucket
                .places_of(tag)
                .find(|place| bucket.has(*place, tag) && is(bucket.slot(*place)));
            if let Some(place) = found {
                return Some((number, place));
            }
            if bucket.passed == 0 {
                return None;
            }
            number = (number + 1) & (self.buckets.len() - 1);
        }
    }

    /// Adds an entry; the table is not full.
    fn insert<T>(&mut self, key: Key, slot: Slot<T>) {
        let mut number = self.home(key);
        loop {
            let after = (number + 1) & (self.buckets.len() - 1);
            let bucket = self.bucket_mut(number);
            if let Some(place) = bucket.free_place() {
                bucket.put(place, tag(key), slot.number());
                break;
            }
            bucket.passed += 1;
            number = after;
        }
        self.len += 1;
    }

    /// Takes an entry out, and off the counts of the buckets that it passed.
    fn remove(&mut self, key: Key, (at, place): (usize, usize)) {
        self.bucket_mut(at).put(place, 0, 0);
        let mut number = self.home(key);
        while number != at {
            self.bucket_mut(number).passed -= 1;
            number = (number + 1) & (self.buckets.len() - 1);
        }
        self.len -= 1;
    }

    fn slots<T>(&self) -> impl Iterator<Item = Slot<T>> {
        let entries = self
            .buckets
            .iter()
            .flat_map(|bucket| bucket.tags.iter().zip(&bucket.slots));
        entries
            .filter(|(tag, _)| **tag != 0)
            .map(|(_, number)| Slot::from_number(*number))
    }
}

/// The slots of the records with given keys.
pub(super) struct Index {
    /// The table of each prefix of `bits` bits.
    directory: Vec<u32>,
    bits: u32,
    tables: Vec<Table>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            directory: vec![0],
            bits: 0,
            tables: vec![Table::new(1, 0)],
        }
    }
}

impl Index {
    /// An index with room for so many keys, as it would have grown with them.
    pub(super) fn with_room(keys: usize) -> Self {
        let buckets = keys.max(1).div_ceil(LOAD_MAX).next_power_of_two();
        let tables = buckets.div_ceil(BUCKETS_MAX).min(1 << BITS_MAX);
        let bits = tables.trailing_zeros();
        let numbers = 0..u32::try_from(tables).expect("at most 2^BITS_MAX");
        Self {
            directory: numbers.collect(),
            bits,
            tables: (0..tables)
                .map(|_| Table::new(buckets.min(BUCKETS_MAX), bits))
                .collect(),
        }
    }

    #[inline]
    fn table_number(&self, key: Key) -> usize {
        *self
            .directory
            .get(prefix(key, self.bits))
            .expect("the directory has every prefix") as usize
    }

    #[inline]
    fn table(&self, key: Key) -> &Table {
        self.tables
            .get(self.table_number(key))
            .expect("the directory names tables")
    }

    fn table_mut(&mut self, key: Key) -> &mut Table {
        let number = self.table_number(key);
        self.tables
            .get_mut(number)
            .expect("the directory names tables")
    }

    /// The slot for which `is` holds, among those whose keys look like this one.
    #[inline]
    pub(super) fn find<T>(&self, key: Key, is: impl FnMut(Slot<T>) -> bool) -> Option<Slot<T>> {
        let table = self.table(key);
        table
            .find(key, is)
            .map(|(bucket, place)| table.bucket(bucket).slot(place))
    }

    /// Asks for the bucket where a key is at home.
    #[inline]
    pub(super) fn prefetch(&self, key: Key) {
        let table = self.table(key);
        prefetch_index(&table.buckets, table.home(key));
    }

    /// A slot that probably has the key, without a look at any record.
    #[inline]
    pub(super) fn candidate<T>(&self, key: Key) -> Option<Slot<T>> {
        let table = self.table(key);
        let home = table.bucket(table.home(key));
        home.places_of(tag(key))
            .next()
            .map(|place| home.slot(place))
    }

    /// Adds the slot of a key that is not there. `key_of` tells the keys of slots that move.
    pub(super) fn insert<T>(&mut self, key: Key, slot: Slot<T>, key_of: impl Fn(Slot<T>) -> Key) {
        while self.table(key).is_full() {
            self.make_room(key, &key_of);
        }
        self.table_mut(key).insert(key, slot);
    }

    /// Puts `new` in the place of `old`, which has the same key.
    pub(super) fn replace<T>(&mut self, key: Key, old: Slot<T>, new: Slot<T>) {
        let table = self.table_mut(key);
        let (bucket, place) = table
            .find(key, |slot| slot == old)
            .expect("the old slot is there");
        table.bucket_mut(bucket).put(place, tag(key), new.number());
    }

    /// Takes a slot out.
    pub(super) fn remove<T>(&mut self, key: Key, slot: Slot<T>) {
        let table = self.table_mut(key);
        let found = table
            .find(key, |other| other == slot)
            .expect("the slot is there");
        table.remove(key, found);
    }

    /// Grows the table of a key, or splits it in two by the next bit when it has its full size.
    #[cold]
    #[inline(never)]
    fn make_room<T>(&mut self, key: Key, key_of: &impl Fn(Slot<T>) -> Key) {
        let table = self.table_mut(key);
        let (buckets, depth) = (table.buckets.len(), table.depth);
        if buckets < BUCKETS_MAX || depth == BITS_MAX {
            let mut larger = Table::new(buckets * 2, depth);
            table
                .slots()
                .for_each(|slot| larger.insert(key_of(slot), slot));
            *table = larger;
            return;
        }
        let depth = depth + 1;
        let (mut zeros, mut ones) = (Table::new(buckets, depth), Table::new(buckets, depth));
        for slot in table.slots() {
            let key = key_of(slot);
            let half = if prefix(key, depth) & 1 == 0 {
                &mut zeros
            } else {
                &mut ones
            };
            half.insert(key, slot);
        }
        *table = zeros;
        let number = u32::try_from(self.tables.len()).expect("fewer tables than 2^BITS_MAX");
        self.tables.push(ones);
        if depth > self.bits {
            self.directory = self
                .directory
                .iter()
                .flat_map(|table| [*table, *table])
                .collect();
            self.bits = depth;
        }
        let width = self.bits - depth;
        let first = (prefix(key, depth) | 1) << width;
        let places = self.directory.get_mut(first..first + (1 << width));
        places.expect("the directory has every prefix").fill(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{IdKey, UserId};
    use std::collections::BTreeMap;

    /// Random insertions, replacements and removals, growing and shrinking, against a map.
    #[test]
    fn keys_are_found_through_growth_splits_replacements_and_removals() {
        let hasher = IdKey::new([3; 16]).hasher();
        let keys: Vec<Key> = (0..20_000)
            .map(|n| hasher.user(UserId::new(&format!("u{n}")).expect("valid")))
            .collect();
        let key_of = |slot: Slot<()>| keys[slot.number() as usize % keys.len()];
        let (mut index, mut model) = (Index::default(), BTreeMap::new());
        let (mut state, mut fresh) = (1_u32, 0_u32);
        for step in 0..200_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let n = (state >> 8) % 20_000;
            let key = keys[n as usize];
            match (model.get(&n).copied(), state >> 28) {
                (None, kind) if kind < if step < 100_000 { 12 } else { 4 } => {
                    fresh += 20_000;
                    index.insert(key, Slot::from_number(fresh + n), key_of);
                    model.insert(n, fresh + n);
                }
                (Some(old), 0) => {
                    fresh += 20_000;
                    index.replace(
                        key,
                        Slot::<()>::from_number(old),
                        Slot::from_number(fresh + n),
                    );
                    model.insert(n, fresh + n);
                }
                (Some(old), kind) if kind > 8 => {
                    index.remove(key, Slot::<()>::from_number(old));
                    model.remove(&n);
                }
                _ => {}
            }
            let found = index
                .find(key, |slot| key_of(slot) == key)
                .map(Slot::number);
            assert_eq!(found, model.get(&n).copied());
        }
        assert!(index.tables.len() > 8 && index.bits >= 3);
        assert_eq!(
            index.tables.iter().map(|table| table.len).sum::<usize>(),
            model.len()
        );
        let passed: u32 = index
            .tables
            .iter()
            .flat_map(|t| &t.buckets)
            .map(|b| u32::from(b.passed))
            .sum();
        assert!(
            passed > 0,
            "entries that stand away from home are part of the test"
        );
    }

    #[test]
    fn an_index_with_room_has_what_is_put_in() {
        let hasher = IdKey::new([3; 16]).hasher();
        for all in [0, 1, 10, 11, 1_280, 1_281, 30_000] {
            let mut index = Index::with_room(all);
            let tables = index.tables.len();
            assert_eq!(index.directory.len(), tables);
            let key = |n: u32| hasher.user(UserId::new(&format!("u{n}")).expect("valid"));
            let all = u32::try_from(all).expect("small");
            for n in 0..all {
                index.insert(
                    key(n),
                    Slot::<()>::from_number(n),
                    |slot| key(slot.number()),
                );
            }
            for n in 0..all {
                let found = index.find(key(n), |slot: Slot<()>| slot.number() == n);
                assert_eq!(found.map(Slot::number), Some(n));
            }
            assert!(index.tables.len() <= tables * 2, "it has hardly grown");
        }
    }

    /// An empty place next to one with tag 1 looks like another at first sight, and an empty place says slot 0.
    #[test]
    fn a_removed_key_is_not_found_again_in_an_empty_place() {
        let hasher = IdKey::new([3; 16]).hasher();
        let key =
            |kind: char, n: u32| hasher.user(UserId::new(&format!("{kind}{n}")).expect("valid"));
        let no_growth = |_: Slot<()>| unreachable!("two keys fit");
        let mut both_tags_one = 0;
        for n in 0..100_000 {
            let (gone, stays) = (key('a', n), key('b', n));
            both_tags_one += u32::from(tag(gone) == 1 && tag(stays) == 1);
            let mut index = Index::default();
            index.insert(gone, Slot::<()>::from_number(0), no_growth);
            index.insert(stays, Slot::<()>::from_number(1), no_growth);
            index.remove(gone, Slot::<()>::from_number(0));
            assert_eq!(
                index.find(gone, |slot: Slot<()>| slot.number() == 0),
                None,
                "{n}"
            );
        }
        assert!(both_tags_one > 0, "the case is among them");
    }
}

//! Extendible hashing from keys to slots: a directory over small tables, each split in two when it is full.
//!
//! Invariant: no insertion moves more than one small table, whatever the number of keys. The keys stand in the records.
//! Absent on purpose: one large table, whose growth would rehash every key inside one admission.

use hashbrown::HashTable;
use hashbrown::hash_table::OccupiedEntry;

use super::arena::Slot;
use crate::id::Key;

/// Entries at which a table splits: 7/8 of 2,048 places, where it would otherwise grow.
const TABLE_MAX: usize = 1_792;
/// Most bits of a key that the directory uses: 2^22 tables hold some 5 billion keys.
const BITS_MAX: u32 = 22;

struct Table<T> {
    slots: HashTable<Slot<T>>,
    /// Leading bits of a key that all keys of the table share.
    depth: u32,
}

/// The slots of the records with given keys.
pub(super) struct Index<T> {
    /// The table of each prefix of `bits` bits.
    directory: Vec<u32>,
    bits: u32,
    tables: Vec<Table<T>>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self {
            directory: vec![0],
            bits: 0,
            tables: vec![Table {
                slots: HashTable::new(),
                depth: 0,
            }],
        }
    }
}

/// The first `bits` bits of a key.
#[inline]
fn prefix(key: Key, bits: u32) -> usize {
    // A shift by 64 is none: no bits, the only place.
    let shifted = key.high.checked_shr(u64::BITS - bits).unwrap_or(0);
    usize::try_from(shifted).expect("at most BITS_MAX bits")
}

impl<T> Index<T> {
    #[inline]
    fn table_number(&self, key: Key) -> usize {
        *self
            .directory
            .get(prefix(key, self.bits))
            .expect("the directory has every prefix") as usize
    }

    #[inline]
    fn table(&self, key: Key) -> &HashTable<Slot<T>> {
        &self
            .tables
            .get(self.table_number(key))
            .expect("the directory names tables")
            .slots
    }

    #[inline]
    fn table_mut(&mut self, key: Key) -> &mut Table<T> {
        let number = self.table_number(key);
        self.tables
            .get_mut(number)
            .expect("the directory names tables")
    }

    /// The slot for which `is` holds, among those whose keys look like this one.
    #[inline]
    pub(super) fn find(&self, key: Key, mut is: impl FnMut(Slot<T>) -> bool) -> Option<Slot<T>> {
        self.table(key).find(key.low, |slot| is(*slot)).copied()
    }

    /// A slot that probably has the key, without a look at any record.
    #[inline]
    pub(super) fn candidate(&self, key: Key) -> Option<Slot<T>> {
        self.table(key).find(key.low, |_| true).copied()
    }

    /// Adds the slot of a key that is not there. `key_of` tells the keys of slots that move.
    pub(super) fn insert(&mut self, key: Key, slot: Slot<T>, key_of: impl Fn(Slot<T>) -> Key) {
        while self.table(key).len() >= TABLE_MAX && self.split(key, &key_of) {}
        self.table_mut(key)
            .slots
            .insert_unique(key.low, slot, |slot| key_of(*slot).low);
    }

    /// Puts `new` in the place of `old`, which has the same key.
    pub(super) fn replace(&mut self, key: Key, old: Slot<T>, new: Slot<T>) {
        let found = self
            .table_mut(key)
            .slots
            .find_mut(key.low, |slot| *slot == old);
        *found.expect("the old slot is there") = new;
    }

    /// Takes a slot out.
    pub(super) fn remove(&mut self, key: Key, slot: Slot<T>) {
        let found = self
            .table_mut(key)
            .slots
            .find_entry(key.low, |other| *other == slot);
        let _ = found.map(OccupiedEntry::remove).expect("the slot is there");
    }

    /// Splits the table of a key in two by the next bit. Nothing is left to split by when it answers false.
    #[cold]
    #[inline(never)]
    fn split(&mut self, key: Key, key_of: &impl Fn(Slot<T>) -> Key) -> bool {
        let number = self.table_number(key);
        let new_number = u32::try_from(self.tables.len()).expect("fewer tables than 2^BITS_MAX");
        let table = self
            .tables
            .get_mut(number)
            .expect("the directory names tables");
        let depth = table.depth + 1;
        if depth > BITS_MAX {
            return false;
        }
        let (mut zeros, mut ones) = (
            HashTable::with_capacity(TABLE_MAX),
            HashTable::with_capacity(TABLE_MAX),
        );
        for slot in table.slots.drain() {
            let key = key_of(slot);
            let half = if prefix(key, depth) & 1 == 0 {
                &mut zeros
            } else {
                &mut ones
            };
            half.insert_unique(key.low, slot, |slot| key_of(*slot).low);
        }
        *table = Table {
            slots: zeros,
            depth,
        };
        self.tables.push(Table { slots: ones, depth });
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
        places
            .expect("the directory has every prefix")
            .fill(new_number);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{IdKey, UserId};

    #[test]
    fn keys_are_found_through_splits_replacements_and_removals() {
        let hasher = IdKey::new([3; 16]).hasher();
        let keys: Vec<Key> = (0..50_000)
            .map(|n| hasher.user(UserId::new(&format!("u{n}")).expect("valid")))
            .collect();
        let mut index = Index::<()>::default();
        let key_of = |slot: Slot<()>| keys[slot.number() as usize % 50_000];
        let find =
            |index: &Index<()>, n: usize| index.find(keys[n], |slot| key_of(slot) == keys[n]);
        for (number, key) in (0..).zip(&keys) {
            index.insert(*key, Slot::from_number(number), key_of);
        }
        assert!(index.tables.len() > 20 && index.tables.iter().all(|t| t.slots.len() <= TABLE_MAX));
        assert!(
            (0..50_000)
                .all(|n| find(&index, n)
                    == Some(Slot::from_number(u32::try_from(n).expect("small"))))
        );
        index.replace(keys[7], Slot::from_number(7), Slot::from_number(50_007));
        index.remove(keys[8], Slot::from_number(8));
        assert_eq!(find(&index, 7), Some(Slot::from_number(50_007)));
        assert_eq!(find(&index, 8), None);
    }
}

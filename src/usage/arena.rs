//! Records in chunks: a slot is a record's place for its life, and growth moves at most the records of the first chunk.
//!
//! Invariant: a slot is given out again only after it was released, and it is released only when nothing points to it, and no
//! snapshot and journal together could mistake the next record for the last one.
//! Absent on purpose: `Vec<T>` for all records, whose growth would copy them all inside one admission.

use std::fmt;
use std::marker::PhantomData;

use prefetch_index::prefetch_index;

/// Records in a chunk.
const CHUNK: usize = 1024;
/// Records that the first chunk starts with: an app with few users costs little.
const FIRST: usize = 2;
/// Most records that an arena holds.
pub(super) const SLOTS_MAX: u64 = 1 << 31;

/// A record's place in its arena.
pub(super) struct Slot<T>(u32, PhantomData<fn() -> T>);

impl<T> Slot<T> {
    /// A slot from its number, which came from [`Self::number`].
    pub(super) const fn from_number(number: u32) -> Self {
        Self(number, PhantomData)
    }

    /// The number, for a list of edges.
    pub(super) const fn number(self) -> u32 {
        self.0
    }

    const fn place(self) -> usize {
        self.0 as usize
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

impl<T> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({})", self.0)
    }
}

/// Slots in a pile that grows by small chunks: no push copies more than one.
pub(super) struct Pile<T> {
    /// None is empty.
    chunks: Vec<Vec<Slot<T>>>,
    len: usize,
}

impl<T> Default for Pile<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Pile<T> {
    pub(super) fn push(&mut self, slot: Slot<T>) {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::new());
        }
        self.chunks.last_mut().expect("there is one now").push(slot);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<Slot<T>> {
        let slot = self.chunks.last_mut()?.pop();
        if self.chunks.last().is_some_and(Vec::is_empty) {
            self.chunks.pop();
        }
        self.len -= usize::from(slot.is_some());
        slot
    }

    /// Takes over all slots of another pile; chunks move, slots do not.
    fn append(&mut self, other: &mut Self) {
        self.len += std::mem::take(&mut other.len);
        self.chunks.append(&mut other.chunks);
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

/// Records of one kind, each marked dead or not. A dead record keeps its slot until it is released.
pub(super) struct Arena<T> {
    chunks: Vec<Vec<T>>,
    /// Made when something dies: most small apps do without.
    dead: Option<Box<Dead<T>>>,
}

struct Dead<T> {
    /// One bit a slot, as far as anything ever died: scans of a list look here, not at the records.
    marks: Vec<u64>,
    count: usize,
    /// To be given out again.
    released: Pile<T>,
    /// To be released after the next snapshot, and after the one that is being written.
    retired: Pile<T>,
    settling: Pile<T>,
}

impl<T> Default for Dead<T> {
    fn default() -> Self {
        Self {
            marks: Vec::new(),
            count: 0,
            released: Pile::default(),
            retired: Pile::default(),
            settling: Pile::default(),
        }
    }
}

impl<T> Dead<T> {
    /// Slots that nothing points to.
    fn free(&self) -> usize {
        self.released.len() + self.retired.len() + self.settling.len()
    }
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::with_capacity(1),
            dead: None,
        }
    }
}

impl<T> Arena<T> {
    /// The record in a slot.
    #[inline]
    pub(super) fn get(&self, slot: Slot<T>) -> &T {
        let chunk = self.chunks.get(slot.place() / CHUNK);
        chunk
            .and_then(|chunk| chunk.get(slot.place() % CHUNK))
            .expect("slots are given out by this arena")
    }

    /// Asks for the record in a slot. It may lie across two lines: the second is the one where the next record begins.
    #[inline]
    pub(super) fn prefetch(&self, slot: Slot<T>) {
        if let Some(chunk) = self.chunks.get(slot.place() / CHUNK) {
            prefetch_index(chunk, slot.place() % CHUNK);
            prefetch_index(chunk, slot.place() % CHUNK + 1);
        }
    }

    /// The record in a slot, to change.
    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot<T>) -> &mut T {
        let chunk = self.chunks.get_mut(slot.place() / CHUNK);
        chunk
            .and_then(|chunk| chunk.get_mut(slot.place() % CHUNK))
            .expect("slots are given out by this arena")
    }

    /// Slots ever used: every slot's number is below.
    pub(super) fn len(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        let last = self.chunks.last().map_or(0, Vec::len);
        u32::try_from(full + last).expect("at most SLOTS_MAX")
    }

    /// Puts a record in a slot: a released one if there is one.
    pub(super) fn insert(&mut self, record: T) -> Slot<T> {
        if let Some(slot) = self.dead.as_mut().and_then(|dead| dead.released.pop()) {
            self.revive(slot);
            *self.get_mut(slot) = record;
            return slot;
        }
        self.insert_last(record)
    }

    fn insert_last(&mut self, record: T) -> Slot<T> {
        let slot = Slot::from_number(self.len());
        assert!(
            u64::from(slot.0) < SLOTS_MAX,
            "budgets keep an arena below {SLOTS_MAX} records"
        );
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            let capacity = if self.chunks.is_empty() { FIRST } else { CHUNK };
            self.chunks.push(Vec::with_capacity(capacity));
        }
        let chunk = self.chunks.last_mut().expect("there is one now");
        if chunk.len() == chunk.capacity() {
            // Only the first chunk grows: by half, so that little is wasted in small apps.
            chunk.reserve_exact((chunk.len() / 2).max(FIRST).min(CHUNK - chunk.len()));
        }
        chunk.push(record);
        slot
    }

    /// Gives a slot back that nothing points to.
    pub(super) fn release(&mut self, slot: Slot<T>) {
        self.mark_dead(slot);
        self.dead.get_or_insert_default().released.push(slot);
    }

    /// Gives a slot back that nothing points to, to be given out again after a snapshot that is begun from now on: between two
    /// snapshots a slot has one record, so that changes written down between them need not say which they mean.
    pub(super) fn retire(&mut self, slot: Slot<T>) {
        self.mark_dead(slot);
        self.dead.get_or_insert_default().retired.push(slot);
    }

    /// A snapshot begins: what was retired before waits for its end.
    pub(super) fn begin_snapshot(&mut self) {
        if let Some(dead) = &mut self.dead {
            dead.settling.append(&mut dead.retired);
        }
    }

    /// The snapshot has replaced the one before.
    pub(super) fn end_snapshot(&mut self) {
        if let Some(dead) = &mut self.dead {
            dead.released.append(&mut dead.settling);
        }
    }

    /// Makes it at least so long, with dead `filler`s.
    pub(super) fn extend(&mut self, len: u32, filler: impl Fn() -> T) {
        while self.len() < len {
            let skipped = self.insert_last(filler());
            self.mark_dead(skipped);
        }
    }

    /// Puts a record that is not dead in a certain slot; slots that are skipped get `filler`, dead.
    pub(super) fn put(&mut self, slot: Slot<T>, record: T, filler: impl Fn() -> T) {
        self.extend(slot.0, filler);
        if slot.0 == self.len() {
            self.insert_last(record);
        } else {
            self.revive(slot);
            *self.get_mut(slot) = record;
        }
    }

    /// Marks the record of a slot dead.
    pub(super) fn mark_dead(&mut self, slot: Slot<T>) {
        let dead = self.dead.get_or_insert_default();
        let (word, bit) = (slot.place() / 64, 1 << (slot.place() % 64));
        if word >= dead.marks.len() {
            dead.marks.resize(word + 1, 0);
        }
        if let Some(marks) = dead.marks.get_mut(word)
            && *marks & bit == 0
        {
            *marks |= bit;
            dead.count += 1;
        }
    }

    /// Takes the mark off again.
    pub(super) fn revive(&mut self, slot: Slot<T>) {
        let bit = 1 << (slot.place() % 64);
        if let Some(dead) = &mut self.dead
            && let Some(marks) = dead.marks.get_mut(slot.place() / 64)
            && *marks & bit != 0
        {
            *marks &= !bit;
            dead.count -= 1;
        }
    }

    /// Whether the record of a slot is marked dead.
    #[inline]
    pub(super) fn is_dead(&self, slot: Slot<T>) -> bool {
        let marks = self
            .dead
            .as_ref()
            .and_then(|dead| dead.marks.get(slot.place() / 64));
        marks.is_some_and(|marks| marks >> (slot.place() % 64) & 1 == 1)
    }

    /// Whether a list can point to something dead: there are dead records that are not released.
    #[inline]
    pub(super) fn has_dead(&self) -> bool {
        self.dead
            .as_ref()
            .is_some_and(|dead| dead.count > dead.free())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_reused_after_release_only() {
        let mut arena = Arena::default();
        let slots: Vec<_> = (0..3000).map(|n| arena.insert(n)).collect();
        assert!(
            slots
                .iter()
                .zip(0..)
                .all(|(slot, n)| *arena.get(*slot) == n)
        );
        arena.mark_dead(slots[1500]);
        assert!(arena.is_dead(slots[1500]) && !arena.is_dead(slots[1501]) && arena.has_dead());
        assert_eq!(arena.insert(-1).number(), 3000);
        arena.release(slots[1500]);
        assert!(!arena.has_dead());
        assert_eq!(arena.insert(-2), slots[1500]);
        assert!(!arena.is_dead(slots[1500]));
        assert_eq!((*arena.get(slots[1500]), arena.len()), (-2, 3001));
    }

    #[test]
    fn retired_slots_are_reused_after_a_snapshot_that_began_later() {
        let mut arena = Arena::default();
        let slots: Vec<_> = (0..10).map(|n| arena.insert(n)).collect();
        arena.retire(slots[3]);
        arena.begin_snapshot();
        arena.retire(slots[4]);
        assert!(!arena.has_dead());
        assert_eq!(arena.insert(10).number(), 10);
        arena.end_snapshot();
        assert_eq!(
            (arena.insert(11), arena.insert(12).number()),
            (slots[3], 11)
        );
        arena.begin_snapshot();
        arena.end_snapshot();
        assert_eq!(arena.insert(13), slots[4]);
    }

    #[test]
    fn records_are_put_in_any_order() {
        let mut arena = Arena::default();
        arena.put(Slot::from_number(2000), 1, || 0);
        arena.put(Slot::from_number(5), 2, || 0);
        arena.put(Slot::from_number(2001), 3, || 0);
        let at = |n| {
            (
                *arena.get(Slot::from_number(n)),
                arena.is_dead(Slot::from_number(n)),
            )
        };
        assert_eq!(
            [at(4), at(5), at(2000), at(2001)],
            [(0, true), (2, false), (1, false), (3, false)]
        );
        assert_eq!(arena.len(), 2002);
    }
}

//! A list of edges in eight bytes of its owner's record: slots in ascending order, each once.
//!
//! Invariant: ascending, no slot twice. Entries may point to something dead; they count as gone.
//! Absent on purpose: the other side. Each edge stands once, at the user.

use std::marker::PhantomData;

use thin_vec::ThinVec;

use super::arena::{Arena, Slot};

/// Bytes that `ThinVec` puts before its elements.
const HEADER: usize = 16;
/// Up to this many entries are counted through, without a branch on each; longer lists are halved.
const SCAN_MAX: usize = 64;

/// Edges to records of one kind.
pub(super) struct Edges<T> {
    slots: ThinVec<u32>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Default for Edges<T> {
    fn default() -> Self {
        Self {
            slots: ThinVec::new(),
            kind: PhantomData,
        }
    }
}

/// The capacity to give to a list of `len`: what fits into the allocator's next size (steps of 16 bytes up to 128, then
/// four an octave).
fn capacity_for(len: usize) -> usize {
    let bytes = HEADER + 4 * len;
    let step = if bytes <= 128 {
        16
    } else {
        bytes.next_power_of_two() / 8
    };
    (bytes.next_multiple_of(step) - HEADER) / 4
}

impl<T> Edges<T> {
    /// Entries, dead ones too.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The place of an edge, or where it would be.
    #[inline]
    fn find(&self, slot: Slot<T>) -> Result<usize, usize> {
        let (slots, number) = (self.slots.as_slice(), slot.number());
        let place = if slots.len() <= SCAN_MAX {
            slots.iter().filter(|other| **other < number).count()
        } else {
            slots.partition_point(|other| *other < number)
        };
        if slots.get(place) == Some(&number) {
            Ok(place)
        } else {
            Err(place)
        }
    }

    /// Whether there is an edge to the slot.
    #[inline]
    pub(super) fn contains(&self, slot: Slot<T>) -> bool {
        self.find(slot).is_ok()
    }

    /// Adds an edge that is not there.
    #[inline]
    pub(super) fn insert(&mut self, slot: Slot<T>) {
        let Err(place) = self.find(slot) else { return };
        if self.slots.len() == self.slots.capacity() {
            let len = self.slots.len();
            self.slots.reserve_exact(capacity_for(len + 1) - len);
        }
        self.slots.insert(place, slot.number());
    }

    /// Takes an edge out; whether it was there.
    pub(super) fn remove(&mut self, slot: Slot<T>) -> bool {
        let Ok(place) = self.find(slot) else {
            return false;
        };
        self.slots.remove(place);
        self.shrink();
        true
    }

    /// Takes out the edges to what is dead.
    pub(super) fn drop_dead(&mut self, arena: &Arena<T>) {
        self.slots
            .retain(|number| !arena.is_dead(Slot::from_number(*number)));
        self.shrink();
    }

    /// Every edge, to what is dead too.
    pub(super) fn all(&self) -> impl Iterator<Item = Slot<T>> {
        self.slots.iter().map(|number| Slot::from_number(*number))
    }

    /// The edges to what is not dead.
    pub(super) fn live(&self, arena: &Arena<T>) -> impl Iterator<Item = Slot<T>> {
        self.all().filter(|slot| !arena.is_dead(*slot))
    }

    /// Gives memory back when three quarters of it are unused.
    fn shrink(&mut self) {
        if self.slots.is_empty() {
            self.slots = ThinVec::new();
        } else if self.slots.len() * 4 <= self.slots.capacity() {
            let mut smaller = ThinVec::with_capacity(capacity_for(self.slots.len()));
            smaller.extend_from_slice(&self.slots);
            self.slots = smaller;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_list_is_a_sorted_set_of_any_length() {
        let mut edges = Edges::<()>::default();
        let mut model = BTreeSet::new();
        let mut state = 1_u32;
        for step in 0..20_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let slot = Slot::from_number(state >> 22);
            if state >> 8 & 7 < if step / 2_000 % 2 == 0 { 6 } else { 1 } {
                edges.insert(slot);
                model.insert(slot.number());
            } else {
                assert_eq!(edges.remove(slot), model.remove(&slot.number()));
            }
            assert_eq!(edges.contains(slot), model.contains(&slot.number()));
            assert_eq!(edges.len(), model.len());
            assert!(edges.slots.capacity() <= 4 * edges.len().max(4));
        }
        assert!(edges.slots.iter().eq(model.iter()));
    }

    #[test]
    fn capacities_fill_the_sizes_of_the_allocator() {
        for (len, bytes) in [
            (1, 32),
            (4, 32),
            (5, 48),
            (10, 64),
            (28, 128),
            (29, 160),
            (61, 320),
            (3_000, 12_288),
        ] {
            assert_eq!(HEADER + 4 * capacity_for(len), bytes, "{len}");
        }
    }
}

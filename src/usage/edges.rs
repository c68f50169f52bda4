//! A list of edges in eight bytes of its owner's record: slots in ascending order, each once.
//!
//! A single edge stands in the record itself, more in a block of the app's [`Pool`].
//! Invariant: ascending, no slot twice. Entries may point to something dead; they count as gone.
//! Absent on purpose: the other side. Each edge stands once, at the user.

use std::marker::PhantomData;

use super::arena::{Arena, Slot};
use super::pool::{Pool, Start, capacity};

/// Up to this many entries are counted through, without a branch on each; longer lists are halved.
const SCAN_MAX: usize = 64;
/// Bits of [`Edges::size`] for the block's order; the length stands above.
const ORDER_BITS: u32 = 5;

/// Orders of blocks: the last holds [`EDGES_MAX`] entries.
const ORDERS: u8 = 25;
/// Most edges on a list.
pub(super) const EDGES_MAX: u64 = 1 << 26;

/// Where an edge is, or else where it belongs.
pub(super) type Place = Result<usize, usize>;

/// For an edge that has not been looked for.
pub(super) const NOT_LOOKED_FOR: Place = Ok(0);

/// Edges to records of one kind. Not to be dropped with edges in it: their block would be lost to the pool.
pub(super) struct Edges<T> {
    /// The one edge, or the block of more than one.
    start: Start,
    size: u32,
    kind: PhantomData<fn() -> T>,
}

impl<T> Default for Edges<T> {
    fn default() -> Self {
        Self {
            start: 0,
            size: 0,
            kind: PhantomData,
        }
    }
}

impl<T> Edges<T> {
    /// Entries, dead ones too.
    #[inline]
    pub(super) fn len(&self) -> usize {
        (self.size >> ORDER_BITS) as usize
    }

    /// The order of the block, where there is one.
    fn order(&self) -> u8 {
        u8::try_from(self.size & ((1 << ORDER_BITS) - 1)).expect("five bits")
    }

    fn set_size(&mut self, len: usize, order: u8) {
        let len = u32::try_from(len)
            .ok()
            .filter(|len| *len < 1 << (u32::BITS - ORDER_BITS));
        self.size =
            (len.expect("budgets keep a list below 2^27 edges") << ORDER_BITS) | u32::from(order);
    }

    #[inline]
    fn slots<'a>(&'a self, pool: &'a Pool) -> &'a [u32] {
        match self.len() {
            0 => &[],
            1 => std::slice::from_ref(&self.start),
            len => pool
                .block(self.start)
                .get(..len)
                .expect("the block holds the list"),
        }
    }

    /// The place of an edge, or where it would be.
    #[inline]
    pub(super) fn find(&self, pool: &Pool, slot: Slot<T>) -> Place {
        let (slots, number) = (self.slots(pool), slot.number());
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

    #[inline]
    fn belongs_at(&self, pool: &Pool, slot: Slot<T>, place: usize) -> bool {
        let (slots, number) = (self.slots(pool), slot.number());
        let after = slots.get(place).is_none_or(|after| *after > number);
        let before = place
            .checked_sub(1)
            .is_none_or(|at| slots.get(at).is_some_and(|one| *one < number));
        after && before
    }

    /// Whether there is an edge to the slot.
    #[inline]
    pub(super) fn contains(&self, pool: &Pool, slot: Slot<T>) -> bool {
        self.find(pool, slot).is_ok()
    }

    /// Asks for the list.
    #[inline]
    pub(super) fn prefetch(&self, pool: &Pool) {
        let len = self.len();
        if len > 1 {
            pool.prefetch(self.start, len);
        }
    }

    /// Adds an edge that is not there; `near` is where it belongs, if the list is still what it was when that was found.
    #[inline]
    pub(super) fn insert(&mut self, pool: &mut Pool, slot: Slot<T>, near: Place) {
        let place = match near {
            Err(place) if self.belongs_at(pool, slot, place) => place,
            _ => match self.find(pool, slot) {
                Err(place) => place,
                Ok(_) => return,
            },
        };
        let len = self.len();
        if len == 0 {
            self.start = slot.number();
            self.set_size(1, 0);
            return;
        }
        if len == 1 {
            let block = pool.take(0);
            if let Some(first) = pool.block_mut(block).first_mut() {
                *first = self.start;
            }
            self.start = block;
            self.set_size(1, 0);
        } else if len == capacity(self.order()) {
            self.move_to(pool, self.order() + 1);
        }
        let block = pool.block_mut(self.start);
        block.copy_within(place..len, place + 1);
        *block.get_mut(place).expect("the block has room") = slot.number();
        self.set_size(len + 1, self.order());
    }

    /// Makes an empty list one of these slots, ascending and each once.
    pub(super) fn fill(&mut self, pool: &mut Pool, slots: impl ExactSizeIterator<Item = u32>) {
        let (len, mut slots) = (slots.len(), slots);
        if len < 2 {
            self.start = slots.next().unwrap_or(0);
            self.set_size(len, 0);
            return;
        }
        let order = (0..ORDERS)
            .find(|order| capacity(*order) >= len)
            .expect("EDGES_MAX entries fit in a block");
        self.start = pool.take(order);
        self.set_size(len, order);
        pool.block_mut(self.start)
            .iter_mut()
            .zip(slots)
            .for_each(|(to, slot)| *to = slot);
    }

    /// Takes an edge out; whether it was there.
    pub(super) fn remove(&mut self, pool: &mut Pool, slot: Slot<T>) -> bool {
        let Ok(place) = self.find(pool, slot) else {
            return false;
        };
        let len = self.len();
        if len > 1 {
            pool.block_mut(self.start)
                .copy_within(place + 1..len, place);
        }
        self.shorten(pool, len - 1);
        true
    }

    /// Takes out the edges to what is dead.
    pub(super) fn drop_dead(&mut self, pool: &mut Pool, arena: &Arena<T>) {
        let alive = |number: &u32| !arena.is_dead(Slot::from_number(*number));
        let live = match self.len() {
            0 => 0,
            1 => usize::from(alive(&self.start)),
            len => {
                let slots = pool
                    .block_mut(self.start)
                    .get_mut(..len)
                    .expect("the block holds the list");
                let mut live = 0;
                for at in 0..len {
                    if slots.get(at).is_some_and(alive) {
                        slots.swap(live, at);
                        live += 1;
                    }
                }
                live
            }
        };
        self.shorten(pool, live);
    }

    /// Every edge, to what is dead too.
    pub(super) fn all<'a>(&'a self, pool: &'a Pool) -> impl Iterator<Item = Slot<T>> + use<'a, T> {
        self.slots(pool)
            .iter()
            .map(|number| Slot::from_number(*number))
    }

    /// The edges to what is not dead.
    pub(super) fn live<'a>(
        &'a self,
        pool: &'a Pool,
        arena: &'a Arena<T>,
    ) -> impl Iterator<Item = Slot<T>> + use<'a, T> {
        self.all(pool).filter(|slot| !arena.is_dead(*slot))
    }

    /// How many edges lead to what is not dead. While nothing is dead that is the length.
    pub(super) fn count_live(&self, pool: &Pool, arena: &Arena<T>) -> u64 {
        if arena.has_dead() {
            self.live(pool, arena).count() as u64
        } else {
            self.len() as u64
        }
    }

    /// Empties the list, and gives its block back.
    pub(super) fn clear(&mut self, pool: &mut Pool) {
        self.shorten(pool, 0);
    }

    /// Keeps the first `len` edges; a block of which a quarter or less is used is given back for a smaller one.
    fn shorten(&mut self, pool: &mut Pool, len: usize) {
        let (before, order) = (self.len(), self.order());
        if len >= 2 {
            self.set_size(len, order);
            if order > 0 && len * 4 <= capacity(order) {
                self.move_to(pool, order - 1);
            }
            return;
        }
        if before >= 2 {
            let only = pool.block(self.start).first().copied().unwrap_or(0);
            pool.give(self.start, order);
            self.start = only;
        }
        self.set_size(len, 0);
    }

    /// Moves the list to a block of another order.
    fn move_to(&mut self, pool: &mut Pool, order: u8) {
        let block = pool.take(order);
        pool.copy(self.start, block, self.len());
        pool.give(self.start, self.order());
        self.start = block;
        self.set_size(self.len(), order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn lists_are_sorted_sets_of_any_length() {
        let (mut pool, mut arena) = (Pool::default(), Arena::<()>::default());
        for _ in 0..1024 {
            arena.insert(());
        }
        let mut lists: [(Edges<()>, BTreeSet<u32>); 5] = Default::default();
        let mut state = 1_u32;
        for step in 0..60_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (edges, model) = &mut lists[(state >> 4) as usize % 5];
            let slot = Slot::from_number(state >> 22);
            if state >> 8 & 7 < if step / 10_000 % 2 == 0 { 6 } else { 1 } {
                edges.insert(&mut pool, slot, Err((state >> 16) as usize % 9));
                model.insert(slot.number());
            } else {
                assert_eq!(edges.remove(&mut pool, slot), model.remove(&slot.number()));
            }
            if step % 7_000 == 6_999 {
                arena.mark_dead(slot);
                edges.drop_dead(&mut pool, &arena);
                model.retain(|number| !arena.is_dead(Slot::from_number(*number)));
            }
            assert_eq!(edges.contains(&pool, slot), model.contains(&slot.number()));
            assert_eq!(edges.len(), model.len());
        }
        for (edges, model) in &mut lists {
            assert!(edges.all(&pool).map(Slot::number).eq(model.iter().copied()));
            edges.clear(&mut pool);
            assert_eq!(edges.len(), 0);
        }
        let largest = pool.take(9);
        assert_eq!(largest, 0, "cleared lists leave one free block");
    }

    #[test]
    fn a_list_moves_to_smaller_blocks_as_it_shrinks() {
        let mut pool = Pool::default();
        let mut edges = Edges::<()>::default();
        (0..1000).for_each(|n| edges.insert(&mut pool, Slot::from_number(n), NOT_LOOKED_FOR));
        assert_eq!((edges.len(), capacity(edges.order())), (1000, 1024));
        (2..1000).for_each(|n| assert!(edges.remove(&mut pool, Slot::from_number(n))));
        assert_eq!((edges.len(), capacity(edges.order())), (2, 4));
        assert!(edges.remove(&mut pool, Slot::from_number(0)));
        assert_eq!(
            (edges.len(), edges.start),
            (1, 1),
            "a single edge stands in the record"
        );
    }
}

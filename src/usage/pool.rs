//! Memory for lists of edges: blocks of 4, 8, 16 … entries in large chunks, by the buddy method.
//!
//! A block that is given back merges with its neighbour of the same size, so that what small lists leave behind when all of
//! them grow serves the larger ones: with an allocator's separate sizes it stays unused (measured: 9.8 bytes a membership
//! against 6.4 here). Invariant: blocks of one chunk never overlap; a free block's neighbour of its size is not free.
//! Absent on purpose: who owns a block, and any pointer. A list that forgets its block leaks it until the app goes.

use prefetch_index::prefetch_index;

/// Entries in the smallest block.
const UNIT: usize = 4;
/// Entries in a cache line.
const LINE: usize = 16;
/// Entries that are asked for ahead: four lines. In longer lists a search jumps.
const PREFETCHED_MAX: usize = 64;
/// A chunk has this many units as a power of two: 1 MiB.
const CHUNK_ORDER: u8 = 16;
/// The first chunk begins with that many, 512 bytes, and doubles: an app with few edges costs little.
const FIRST_ORDER: u8 = 5;
/// Marks the first unit of a free block, beside its order.
const FREE: u8 = 0x80;
/// No block.
const NONE: u32 = u32::MAX;

/// A block's place: chunk and unit.
pub(super) type Start = u32;

struct Chunk {
    entries: Vec<u32>,
    /// Of the first unit of each block: its order, and whether it is free.
    blocks: Vec<u8>,
}

/// Blocks of entries.
pub(super) struct Pool {
    chunks: Vec<Chunk>,
    /// The first free block of each order. In a free block stand the next one and the one before.
    free: [Start; CHUNK_ORDER as usize + 1],
    /// Chunks that held a block larger than a chunk and hold nothing now.
    unused: Vec<usize>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            chunks: Vec::with_capacity(1),
            free: [NONE; CHUNK_ORDER as usize + 1],
            unused: Vec::new(),
        }
    }
}

/// Entries in a block of that order.
pub(super) const fn capacity(order: u8) -> usize {
    UNIT << order
}

const fn split(start: Start) -> (usize, usize) {
    (
        (start >> CHUNK_ORDER) as usize,
        (start & ((1 << CHUNK_ORDER) - 1)) as usize,
    )
}

fn join(chunk: usize, unit: usize) -> Start {
    let chunk = u32::try_from(chunk)
        .ok()
        .filter(|chunk| *chunk < 1 << (32 - CHUNK_ORDER));
    let unit = u32::try_from(unit).expect("a unit of a chunk");
    (chunk.expect("budgets keep a pool below 64 GiB") << CHUNK_ORDER) | unit
}

impl Chunk {
    fn new(order: u8) -> Self {
        Self {
            entries: vec![0; capacity(order)],
            blocks: vec![0; 1 << order],
        }
    }

    fn order(&self) -> u8 {
        u8::try_from(self.blocks.len().trailing_zeros()).expect("a power of two")
    }
}

impl Pool {
    /// The entries from a block's first one on; the caller knows its length.
    #[inline]
    pub(super) fn block(&self, start: Start) -> &[u32] {
        let (chunk, unit) = split(start);
        let entries = self
            .chunks
            .get(chunk)
            .and_then(|chunk| chunk.entries.get(unit * UNIT..));
        entries.expect("a block of this pool")
    }

    /// Asks for the first `len` entries of a block, as far as a short list goes.
    #[inline]
    pub(super) fn prefetch(&self, start: Start, len: usize) {
        let (chunk, unit) = split(start);
        if let Some(chunk) = self.chunks.get(chunk) {
            let first = unit * UNIT;
            for entry in (0..len.min(PREFETCHED_MAX)).step_by(LINE) {
                prefetch_index(&chunk.entries, first + entry);
            }
        }
    }

    /// The entries from a block's first one on, to change.
    #[inline]
    pub(super) fn block_mut(&mut self, start: Start) -> &mut [u32] {
        let (chunk, unit) = split(start);
        let entries = self
            .chunks
            .get_mut(chunk)
            .and_then(|chunk| chunk.entries.get_mut(unit * UNIT..));
        entries.expect("a block of this pool")
    }

    /// Takes a block of that order; its entries are anything.
    pub(super) fn take(&mut self, order: u8) -> Start {
        if order > CHUNK_ORDER {
            return join(self.add_chunk(order), 0);
        }
        loop {
            let found = (order..=CHUNK_ORDER).find(|order| self.first_free(*order) != NONE);
            let Some(mut larger) = found else {
                self.grow();
                continue;
            };
            let start = self.first_free(larger);
            self.unlink(start, larger);
            while larger > order {
                larger -= 1;
                self.link(start + (1 << larger), larger);
            }
            self.mark(start, order);
            return start;
        }
    }

    /// Gives a block back; with its neighbour, if that is free, it becomes a larger one.
    pub(super) fn give(&mut self, start: Start, mut order: u8) {
        let (chunk, mut unit) = split(start);
        if order > CHUNK_ORDER {
            if let Some(place) = self.chunks.get_mut(chunk) {
                *place = Chunk {
                    entries: Vec::new(),
                    blocks: Vec::new(),
                };
            }
            self.unused.push(chunk);
            return;
        }
        let whole = self
            .chunks
            .get(chunk)
            .expect("a chunk of this pool")
            .order();
        while order < whole {
            let neighbour = join(chunk, unit ^ (1 << order));
            if self.state(neighbour) != FREE | order {
                break;
            }
            self.unlink(neighbour, order);
            unit &= !(1 << order);
            order += 1;
        }
        self.link(join(chunk, unit), order);
    }

    /// Copies entries from one block to another.
    pub(super) fn copy(&mut self, from: Start, to: Start, len: usize) {
        let ((from, from_unit), (to, to_unit)) = (split(from), split(to));
        let (first, last) = (from_unit * UNIT, to_unit * UNIT);
        if from == to {
            let chunk = self.chunks.get_mut(from).expect("a chunk of this pool");
            chunk.entries.copy_within(first..first + len, last);
            return;
        }
        let [from, to] = self
            .chunks
            .get_disjoint_mut([from, to])
            .expect("two chunks of this pool");
        let entries = from
            .entries
            .get(first..first + len)
            .zip(to.entries.get_mut(last..last + len));
        let (from, to) = entries.expect("blocks of that length");
        to.copy_from_slice(from);
    }

    /// Adds free memory: the only chunk doubles until it has its full size, then there is another.
    #[cold]
    fn grow(&mut self) {
        let chunks = self.chunks.len();
        match self.chunks.first_mut() {
            Some(first) if chunks == 1 && first.order() < CHUNK_ORDER => {
                let order = first.order();
                first.entries.resize(capacity(order + 1), 0);
                first.blocks.resize(2 << order, 0);
                self.give(join(0, 1 << order), order);
            }
            Some(_) => {
                let chunk = self.add_chunk(CHUNK_ORDER);
                self.link(join(chunk, 0), CHUNK_ORDER);
            }
            None => {
                let chunk = self.add_chunk(FIRST_ORDER);
                self.link(join(chunk, 0), FIRST_ORDER);
            }
        }
    }

    fn add_chunk(&mut self, order: u8) -> usize {
        let number = self.unused.pop().unwrap_or_else(|| {
            self.chunks.push(Chunk {
                entries: Vec::new(),
                blocks: Vec::new(),
            });
            self.chunks.len() - 1
        });
        if let Some(place) = self.chunks.get_mut(number) {
            *place = Chunk::new(order);
        }
        number
    }

    fn first_free(&self, order: u8) -> Start {
        *self
            .free
            .get(usize::from(order))
            .expect("an order of blocks")
    }

    fn state(&self, start: Start) -> u8 {
        let (chunk, unit) = split(start);
        let chunk = self.chunks.get(chunk).expect("a chunk of this pool");
        *chunk.blocks.get(unit).expect("a unit of the chunk")
    }

    fn mark(&mut self, start: Start, state: u8) {
        let (chunk, unit) = split(start);
        let chunk = self.chunks.get_mut(chunk).expect("a chunk of this pool");
        *chunk.blocks.get_mut(unit).expect("a unit of the chunk") = state;
    }

    /// Puts a block before the others that are free.
    fn link(&mut self, start: Start, order: u8) {
        self.mark(start, FREE | order);
        let next = self.first_free(order);
        self.set_links(start, Some(next), Some(NONE));
        if next != NONE {
            self.set_links(next, None, Some(start));
        }
        self.set_first(order, start);
    }

    /// Takes a block out from among those that are free.
    fn unlink(&mut self, start: Start, order: u8) {
        let &[next, before, ..] = self.block(start) else {
            return;
        };
        if before == NONE {
            self.set_first(order, next);
        } else {
            self.set_links(before, Some(next), None);
        }
        if next != NONE {
            self.set_links(next, None, Some(before));
        }
        self.mark(start, order);
    }

    fn set_links(&mut self, start: Start, next: Option<Start>, before: Option<Start>) {
        if let [to_next, to_before, ..] = self.block_mut(start) {
            *to_next = next.unwrap_or(*to_next);
            *to_before = before.unwrap_or(*to_before);
        }
    }

    /// Whether no block is taken: each chunk is one free block.
    #[cfg(test)]
    pub(super) fn is_unused(&self) -> bool {
        let free = |chunk: &Chunk| chunk.blocks.first() == Some(&(FREE | chunk.order()));
        self.chunks.iter().all(free)
    }

    fn set_first(&mut self, order: u8, start: Start) {
        *self
            .free
            .get_mut(usize::from(order))
            .expect("an order of blocks") = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every unit is in one block; free neighbours are merged; the lists of free blocks are whole.
    fn check(pool: &Pool, taken: &[(Start, u8)]) {
        let mut units: Vec<Vec<u8>> = pool
            .chunks
            .iter()
            .map(|c| vec![0; c.blocks.len()])
            .collect();
        let mut cover = |start: Start, order: u8| {
            let (chunk, unit) = split(start);
            assert_eq!(unit % (1 << order), 0);
            units[chunk][unit..unit + (1 << order)]
                .iter_mut()
                .for_each(|covered| *covered += 1);
        };
        for (start, order) in taken {
            cover(*start, *order);
        }
        for order in 0..=CHUNK_ORDER {
            let (mut before, mut start) = (NONE, pool.first_free(order));
            while start != NONE {
                cover(start, order);
                assert_eq!(
                    (pool.state(start), pool.block(start)[1]),
                    (FREE | order, before)
                );
                let (chunk, unit) = split(start);
                let neighbour = unit ^ (1 << order);
                assert!(pool.chunks[chunk].blocks.get(neighbour) != Some(&(FREE | order)));
                (before, start) = (start, pool.block(start)[0]);
            }
        }
        assert!(units.iter().flatten().all(|covered| *covered == 1));
    }

    #[test]
    fn blocks_never_overlap_and_neighbours_merge() {
        let mut pool = Pool::default();
        let mut taken = Vec::new();
        let mut state = 7_u32;
        for step in 0..20_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let growing = step / 4_000 % 2 == 0;
            if taken.is_empty() || (state >> 8) % 8 < if growing { 6 } else { 2 } {
                let order = u8::try_from((state >> 16).leading_zeros() - 16).expect("small") / 2;
                taken.push((pool.take(order), order));
            } else {
                let at = (state >> 12) as usize % taken.len();
                let (start, order) = taken.swap_remove(at);
                pool.give(start, order);
            }
            if step % 500 == 0 {
                check(&pool, &taken);
            }
        }
        taken
            .drain(..)
            .for_each(|(start, order)| pool.give(start, order));
        check(&pool, &[]);
        assert!(pool.is_unused(), "all is one block again");
    }

    #[test]
    fn a_block_larger_than_a_chunk_has_its_own() {
        let mut pool = Pool::default();
        let small = pool.take(0);
        let large = pool.take(CHUNK_ORDER + 1);
        pool.block_mut(large)[capacity(CHUNK_ORDER + 1) - 1] = 9;
        pool.block_mut(small)[..4].copy_from_slice(&[1, 2, 3, 4]);
        pool.copy(small, large, 4);
        assert_eq!(pool.block(large)[..4], [1, 2, 3, 4]);
        pool.give(large, CHUNK_ORDER + 1);
        assert_eq!(
            pool.take(CHUNK_ORDER + 2) >> CHUNK_ORDER,
            large >> CHUNK_ORDER,
            "its place is used again"
        );
    }
}

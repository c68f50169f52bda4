//! Snapshots: the facts of every app in a file, from which the journal goes on.
//!
//! A snapshot is taken while admissions go on, a few hundred users or groups under an app's lock at a time; each part says
//! at which position of the journal it was taken, and restoring applies to it what came later.
//! Invariants: a snapshot counts once it is whole, durable and named; what it replaces goes only then. One that is not
//! finished has no effect. One that is in force has its names file. Absent on purpose: when to take one; see `gateway`.
//!
//! # Files, version 2
//!
//! `snapshot-<position>.qgs` holds facts, `names-<position>.qgn` the texts of ids, both of the state that the journal goes on
//! from at that position (16 hexadecimal digits). While they are written they are called `snapshot-next.tmp` and
//! `names-next.tmp`. Numbers are little-endian, checksums CRC-32C.
//!
//! | byte | length | a file's header |
//! |---|---|---|
//! | 0 | 8 | `QGSNAPSH` or `QGNAMES1` |
//! | 8 | 4 | version of the format: 2. Those of version 1 differ in the bodies of heads, and are read, too |
//! | 12 | 4 | 0 |
//! | 16 | 8 | the data set that it belongs to, as in the journal |
//! | 24 | 8 | the position that the journal goes on from |
//! | 32 | 28 | 0 |
//! | 60 | 4 | checksum of the 60 bytes before |
//!
//! | byte | length | a block |
//! |---|---|---|
//! | 0 | 4 | bytes of its body |
//! | 4 | 4 | checksum of the 8 bytes of the data set's number, then of the block but for these four bytes |
//! | 8 | 1 | kind: 0 end; of a snapshot 1 head, 2 users, 3 groups; of names 1 names of users, 2 names of groups |
//! | 9 | 3 | 0 |
//! | 12 | 4 | SDKAppID |
//! | 16 | 8 | the position at which it was taken |
//! | 24 | 4 | the first slot in it |
//! | 28 | 4 | 0 |
//! | 32 | | body: of head, users and groups as in `usage/image.rs`; of names see below; of the end the number of blocks before it, 8 bytes |
//!
//! In a snapshot the blocks of an app follow each other, its head first.
//!
//! | byte | length | a name, in the body of names |
//! |---|---|---|
//! | 0 | 4 | the slot of the user or group |
//! | 4 | 1 | bytes of its id, 1 to 128 |
//! | 5 | | its id, UTF-8 |
//!
//! Names are ascending: by SDKAppID, users before groups, by slot, no slot twice; a block is of one app and of users or of
//! groups, and some 64 KiB long. The position of such a block is the file's own. A names file has the name of each filled slot
//! of its snapshot (that of a deleted user too, as long as its logins are kept) that was born before the position; those born
//! later have theirs in the journal from there on. Only those born in a part of the journal that was lost in a failure have none.

mod births;
mod block;
mod files;
mod load;
mod names;
mod take;

pub(crate) use births::{Births, Span};

pub use block::SnapshotError;
pub(crate) use files::{Files, forget_others, names as names_file, snapshot as snapshot_file};
pub(crate) use load::{load, seen_by, set_of};
pub(crate) use names::{Names, NamesReader};
pub use take::Taken;
pub(crate) use take::{Journal, Since, take};

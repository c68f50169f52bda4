//! The journal: what was decided, on disk before it is answered, as entries in segments.
//!
//! An entry is what one app's lock was held for: the app, the time and records, which are opaque here. Invariants: entries
//! are read back in the order in which they were appended, and what is read back is a prefix of them that holds everything
//! whose level was reached; a failed write or sync is never papered over, and never tried again on the same file.
//! Absent on purpose: what records mean, and when a snapshot is made.
//!
//! # Positions
//!
//! A [`Position`] counts the bytes of entries since the data set began. Headers and room that is allocated ahead do not
//! count, so that the position of an entry does not depend on how it was written.
//!
//! # The data directory
//!
//! | file | holds |
//! |---|---|
//! | `journal-<position>.qgj` | a segment; the name has the position of its first entry, 16 hexadecimal digits |
//! | `journal-next.tmp` | room for the segment to come, which is named when it is begun; of no meaning after a start |
//! | `*.damaged`, `*.damaged-2`, … | what [`salvage`] has set aside |
//!
//! # A segment, version 1
//!
//! Numbers are little-endian. A checksum is CRC-32C (Castagnoli).
//!
//! | byte | length | a segment's header |
//! |---|---|---|
//! | 0 | 8 | `QGJOURNL` |
//! | 8 | 4 | version of the format: 1. Magic, version and checksum stay where they are in every version |
//! | 12 | 4 | 0 |
//! | 16 | 8 | the data set that the file belongs to: a number drawn at random when the directory was founded |
//! | 24 | 8 | position of the first entry |
//! | 32 | 8 | durable: as in a frame, when the segment was begun |
//! | 40 | 20 | 0 |
//! | 60 | 4 | checksum of the 60 bytes before |
//!
//! Frames follow without gaps, each what one write has brought; none crosses into another segment.
//!
//! | byte | length | a frame |
//! |---|---|---|
//! | 0 | 4 | bytes of the entries, at most 32 MiB; 0: nothing more (room allocated ahead is zeros); 0xFFFFFFFF: a closing frame, without entries |
//! | 4 | 4 | checksum of the 8 bytes of the data set's number, then of the frame but for these four bytes |
//! | 8 | 8 | position of the first entry |
//! | 16 | 8 | durable: when this was written, everything before that position was known to survive a loss of power; never more than the position |
//! | 24 | | entries |
//!
//! The data set's number is part of the checksum, though not of the frame, so that no name that a user has chosen can ever
//! be taken for a frame, and no frame of another directory for one of this.
//!
//! | byte | length | an entry |
//! |---|---|---|
//! | 0 | 4 | SDKAppID, not 0 |
//! | 4 | 8 | milliseconds since 1970, signed; never less than in the entry before |
//! | 12 | 4 | bytes of the records |
//! | 16 | | records |
//!
//! A segment that was finished ends with a closing frame and is cut to its length; its entries were durable before. So does
//! the last segment of a journal that was closed in good order.
//!
//! # Reading: end, torn tail, damage
//!
//! Segments are read in order of their positions, each going on where the one before ended. Reading ends at the first frame
//! that is not valid (or that is not there) unless a segment begins at just the position reached. What lies behind, in this
//! segment and in all later ones, is then searched byte by byte. A valid frame, or a segment's header, whose *durable* is
//! beyond the position reached proves that entries are missing which had been durable: that is **damage**, and nothing is touched. Otherwise what
//! lies behind was never durable, and only a loss of power, or of the process in the middle of a write, can have left it so:
//! that is a **torn tail**, which [`cut`] takes off. Nothing but zeros behind is an open **end**. A later segment alone
//! proves nothing: at level `process` a segment is begun before the one before it is synced. Only the segment that reading
//! begins with is always whole in its header: it was made durable before a snapshot could go on from it.

mod entry;
mod frame;
mod lifecycle;
mod log;
mod pending;
mod read;
mod salvage;
mod scribe;
mod search;
mod segment;
mod status;
mod storage;
mod upkeep;
mod waiting;
mod window;
mod write;

pub use entry::{Entry, Position, RECORDS_BYTES_MAX, SetId};
pub use log::{Log, Options};
pub use read::{Ending, Found, ReadError, Tear, cut, read, read_until};
pub use salvage::{Salvaged, salvage};
pub use scribe::Scribe;
pub use segment::Segment;
pub use status::{Change, Counts, Level, Reason, State, Unavailable};
pub use storage::{Directory, Storage, Stored, StoredFile};

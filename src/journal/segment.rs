//! Segments as files: their names, and which there are.
//!
//! Invariant: a name says where the segment begins, so names sort as the segments do. Absent on purpose: what is in them.

use std::io;

use super::entry::Position;
use super::storage::Storage;

/// Room for the segment to come.
pub(super) const NEXT: &str = "journal-next.tmp";

/// A segment of the journal, as its directory lists it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Segment {
    /// Where its first entry begins.
    pub first: Position,
    /// How long the file is.
    pub bytes: u64,
}

impl Segment {
    /// The name of its file.
    pub fn name(&self) -> String {
        name(self.first)
    }
}

/// The name of the segment that begins there.
pub(super) fn name(first: Position) -> String {
    format!("journal-{first}.qgj")
}

/// Every segment, from the first on.
pub(super) fn list(storage: &dyn Storage) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for file in storage.list()? {
        let Some(first) = first(&file.name) else {
            continue;
        };
        let bytes = file.bytes;
        segments.push(Segment { first, bytes });
    }
    segments.sort_unstable();
    Ok(segments)
}

fn first(name: &str) -> Option<Position> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(".qgj")?;
    let is_ours = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if digits.len() != 16 || !digits.bytes().all(is_ours) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok().map(Position::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_name_is_a_segments() {
        let name = name(Position::new(0x1f));
        assert_eq!(name, "journal-000000000000001f.qgj");
        assert_eq!(first(&name), Some(Position::new(0x1f)));
        for other in [
            NEXT,
            "journal-000000000000001F.qgj",
            "journal-000000000000001f.qgj.damaged",
            "journal-1f.qgj",
            "journal-+00000000000001f.qgj",
        ] {
            assert_eq!(first(other), None, "{other}");
        }
    }
}

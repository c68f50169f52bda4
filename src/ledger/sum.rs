//! Checksums of rows: SQLite has none, and a bit that flips in a cell would go unseen.
//!
//! Invariant: the sum of the same values never changes; it is part of the ledger's format. Absent on purpose: secrets. It finds
//! damage, not forgery.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

/// A value of a row.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    Nothing,
    Number(i64),
    Text(&'a str),
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

/// The sum of a table's row: of its name and its values in the order of the columns.
pub(super) fn sum(table: &str, cells: &[Cell<'_>]) -> i64 {
    let mut hasher = SipHasher13::new();
    for cell in [Cell::Text(table)].iter().chain(cells) {
        match cell {
            Cell::Nothing => hasher.write(&[0]),
            Cell::Number(number) => {
                hasher.write(&[1]);
                hasher.write(&number.to_le_bytes());
            }
            Cell::Text(text) => {
                hasher.write(&[2]);
                let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
                hasher.write(&bytes.to_le_bytes());
                hasher.write(text.as_bytes());
            }
        }
    }
    hasher.finish().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_tell_rows_apart_and_stay_as_they_are() {
        let rows: [&[Cell<'_>]; 6] = [
            &[],
            &[Cell::Nothing],
            &[Cell::Number(0)],
            &[Cell::Text("")],
            &[Cell::Text("ab"), Cell::Text("c")],
            &[Cell::Text("a"), Cell::Text("bc")],
        ];
        let mut sums: Vec<_> = rows.iter().map(|cells| sum("t", cells)).collect();
        sums.push(sum("tt", &[]));
        let known = sum("apps", &[Cell::Number(7), Cell::Nothing, Cell::Text("pro")]);
        assert_eq!(known, KNOWN);
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(sums.len(), 7);
    }

    const KNOWN: i64 = -9_109_804_902_926_717_688;
}

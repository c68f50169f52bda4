//! Hints for misspelt keys and names.
//!
//! Invariant: a hint names what is known; nothing is ever corrected silently.
//! Absent on purpose: which names are known.

/// Most characters of a word that is compared: what is longer is no slip.
const WORD_CHARS_MAX: usize = 64;

/// What was meant, or else what is known.
pub(super) fn hint(meant: Option<&str>, names: &[&str]) -> String {
    if let Some(meant) = meant {
        return format!("; did you mean `{meant}`?");
    }
    let known: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    if known.is_empty() {
        String::new()
    } else {
        format!("; known: {}", known.join(", "))
    }
}

/// The name that a misspelt one is near to: at most a third of its letters, rounded up, differ.
pub(super) fn nearest<'n>(misspelt: &str, names: &[&'n str]) -> Option<&'n str> {
    let letters = misspelt.chars().count();
    if letters > WORD_CHARS_MAX {
        return None;
    }
    names
        .iter()
        .map(|name| (edits(misspelt, name), *name))
        .filter(|(edits, _)| *edits <= letters.div_ceil(3))
        .min()
        .map(|(_, name)| name)
}

/// Letters to insert, delete or replace to turn one word into the other, whatever their case (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.to_lowercase().chars().collect();
    // row[j]: edits from what was walked of `from` to the first j letters of `to`.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (walked, letter) in from.to_lowercase().chars().enumerate() {
        let mut left = walked + 1;
        let mut next = vec![left];
        for ((above_left, above), other) in row.iter().zip(row.iter().skip(1)).zip(&to) {
            let replaced = above_left + usize::from(letter != *other);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

//! The births in a window of the journal: which id a user's or group's slot was given.
//!
//! Invariant: of several births in one slot the last one counts. Memory is bounded by the births of the window, 24 bytes and
//! the id for each. Absent on purpose: whether they are still there; see `names`.

use super::names::Place;
use crate::id::SdkAppId;
use crate::journal::{self, Entry, Position, ReadError, SetId, Storage};
use crate::usage::{Malformed, told};

/// Births, by their places.
#[derive(Default)]
pub(crate) struct Births {
    /// A byte of length before each id.
    texts: Vec<u8>,
    /// Each place, and where its id stands.
    places: Vec<(Place, usize)>,
}

/// What was found in a window.
pub(crate) struct Window {
    pub(crate) births: Births,
    /// Why it ended before its end, if it did.
    pub(crate) gap: Option<ReadError>,
}

/// A part of the journal.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: Position,
    /// Entries that end beyond are not looked at; they may be being written.
    pub(crate) to: Position,
}

impl Births {
    /// Reads the births of a window, of one app or of all.
    pub(crate) fn collect(
        storage: &dyn Storage,
        set: SetId,
        span: Span,
        app: Option<SdkAppId>,
    ) -> Window {
        let mut births = Self::default();
        let mut reached = span.from;
        let mut is_done = span.from >= span.to;
        let mut visit = |entry: &Entry<'_>| {
            is_done = is_done || entry.end > span.to;
            if is_done {
                return Err("beyond the window".into());
            }
            reached = entry.end;
            if app.is_none_or(|app| app == entry.app) {
                births.take_in(entry)?;
            }
            is_done = reached == span.to;
            Ok(())
        };
        let read = if span.from < span.to {
            journal::read(storage, span.from, Some(set), &mut visit, &mut |_, _| {}).map(drop)
        } else {
            Ok(())
        };
        let gap = match read {
            // What is wrong behind the window is none of its business.
            _ if is_done => None,
            Err(error) => Some(error),
            Ok(()) => Some(ReadError::Damaged {
                file: "the journal".to_owned(),
                offset: 0,
                position: reached,
                proof: format!("a snapshot begins at {}", span.to),
            }),
        };
        births.sort();
        Window { births, gap }
    }

    fn take_in(&mut self, entry: &Entry<'_>) -> Result<(), Malformed> {
        for told in told(entry.records) {
            let Some(birth) = told?.birth else { continue };
            let place = Place {
                app: entry.app,
                bearer: birth.bearer,
                slot: birth.slot,
            };
            self.places.push((place, self.texts.len()));
            let length = u8::try_from(birth.text.len());
            self.texts
                .push(length.map_err(|_| Malformed::of("an id is too long"))?);
            self.texts.extend_from_slice(birth.text.as_bytes());
        }
        Ok(())
    }

    /// By place, the last birth of each.
    fn sort(&mut self) {
        self.places.sort_unstable();
        self.places.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                earlier.1 = later.1;
            }
            is_same
        });
    }

    /// The birth of that place in their order, from 0 on.
    pub(super) fn get(&self, at: usize) -> Option<(Place, &str)> {
        let (place, start) = *self.places.get(at)?;
        let (length, rest) = self.texts.get(start..)?.split_first()?;
        let text = rest.get(..usize::from(*length))?;
        Some((place, std::str::from_utf8(text).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Bearer;

    #[test]
    fn the_last_birth_in_a_slot_counts() {
        let place = |app, bearer, slot| Place {
            app: SdkAppId::new(app).unwrap(),
            bearer,
            slot,
        };
        let mut births = Births::default();
        for (place, text) in [
            (place(2, Bearer::User, 0), "b"),
            (place(1, Bearer::Group, 5), "room"),
            (place(1, Bearer::User, 7), "first"),
            (place(1, Bearer::User, 7), "second"),
        ] {
            births.places.push((place, births.texts.len()));
            births.texts.push(u8::try_from(text.len()).unwrap());
            births.texts.extend(text.as_bytes());
        }
        births.sort();
        let found: Vec<_> = (0..).map_while(|at| births.get(at)).collect();
        let expected = [
            (place(1, Bearer::User, 7), "second"),
            (place(1, Bearer::Group, 5), "room"),
            (place(2, Bearer::User, 0), "b"),
        ];
        assert_eq!(found, expected);
    }
}

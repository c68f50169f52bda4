//! The ids of the users and groups of a directory that no process has, which memory does not hold.
//!
//! Invariant: each that exists is told once, in the order of the names file, and none that was deleted. Absent on purpose:
//! the ids of those whose births were lost when a journal failed; they are counted.

use super::{Examined, RecoverError};
use crate::id::SdkAppId;
use crate::journal::{Position, Storage};
use crate::snapshot::{Births, Names, NamesReader, Span};
use crate::usage::Bearer;

/// How many ids were told.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Named {
    pub(crate) users: u64,
    pub(crate) groups: u64,
}

impl Examined {
    /// Tells the id of every user and group that exists, by app, users first; of one app's, if it is named.
    pub(crate) fn names<E: From<RecoverError>>(
        &self,
        storage: &dyn Storage,
        only: Option<SdkAppId>,
        mut tell: impl FnMut(SdkAppId, Bearer, &str) -> Result<(), E>,
    ) -> Result<Named, E> {
        let mut told = Named::default();
        let Some(set) = self.found.set else {
            return Ok(told);
        };
        let base = self.snapshot.map(|(base, _)| base);
        let file = base.map(|base| NamesReader::open(storage, base, set));
        let span = Span {
            from: base.unwrap_or(Position::START),
            to: self.found.end,
        };
        let window = Births::collect(storage, set, span, only);
        if let Some(gap) = window.gap {
            return Err(RecoverError::from(gap).into());
        }
        let of_names = |error| E::from(RecoverError::from(error));
        let file = file.transpose().map_err(of_names)?;
        let mut names = Names::new(file, window.births).map_err(of_names)?;
        let mut text = String::new();
        while let Some(place) = names.next(&mut text).map_err(of_names)? {
            if only.is_some_and(|only| only != place.app) {
                continue;
            }
            let facts = self.facts.get(&place.app);
            if facts.is_some_and(|facts| facts.has(place.bearer, place.slot)) {
                match place.bearer {
                    Bearer::User => told.users += 1,
                    Bearer::Group => told.groups += 1,
                }
                tell(place.app, place.bearer, &text)?;
            }
        }
        Ok(told)
    }
}

//! Plays a scenario: line by line into the books, by the virtual clock of the lines themselves.
//!
//! Invariant: refused lines are told and have no effect; a malformed one ends the play. Absent on purpose: rules, which are
//! `subscription`'s and `rating`'s, and printing.

use std::sync::Arc;

use super::fault::{Fault, ScenarioError};
use super::line::{Fields, Said};
use crate::catalog::Catalog;
use crate::rating::{Books, Keep, PushDay, Rejected, Tariff};
use crate::subscription::Refusal;
use crate::time::{Timestamp, Zone};
use crate::trace::{Reader, fields};

/// A line whose change was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The line, from 1.
    pub line: u64,
    /// Why.
    pub reason: Refusal,
}

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Played {
    /// The books at the end.
    pub books: Books,
    /// The refused lines, in order.
    pub refused: Vec<Refused>,
}

/// Plays a whole scenario.
pub fn play(reader: &mut Reader, catalog: Arc<Catalog>) -> Result<Played, ScenarioError> {
    let file = reader.file().to_owned();
    let mut player = Player {
        played: Played {
            books: Books::new(
                Tariff {
                    catalog,
                    zone: Zone::default(),
                    push_day: PushDay::default(),
                },
                Keep::All,
            ),
            refused: Vec::new(),
        },
        is_first: true,
        is_over: false,
        last_text: String::new(),
        last: Timestamp::MIN,
    };
    while let Some((number, bytes)) = reader.next_bytes()? {
        let taken = player.take(number, bytes);
        taken.map_err(|fault| fault.on(&file, number))?;
    }
    Ok(player.played)
}

struct Player {
    played: Played,
    is_first: bool,
    is_over: bool,
    /// The last line's time: most lines of a scenario share theirs with the one before.
    last_text: String,
    last: Timestamp,
}

impl Player {
    fn take(&mut self, number: u64, bytes: &[u8]) -> Result<(), Fault> {
        let fields: Fields<'_> = fields(bytes)?;
        let catalog = Arc::clone(&self.played.books.tariff().catalog);
        let said = fields.said(&catalog)?;
        let is_first = std::mem::replace(&mut self.is_first, false);
        if self.is_over {
            return Err(Fault::AfterEnd);
        }
        let at = match (fields.at(), &said) {
            (Some(text), _) => self.time(text)?,
            (None, Said::Configure { .. }) => self.last,
            (None, Said::Command(_) | Said::Usage { .. } | Said::End) => {
                let (op, field) = ("every line but configure", "at");
                return Err(Fault::Missing { op, field });
            }
        };
        let books = &mut self.played.books;
        let applied = match said {
            Said::Command(command) => books.apply(at, &command).map(drop),
            Said::Usage { app, day, report } => {
                let advanced = books.advance(at);
                advanced.and_then(|_| Ok(books.report(app, day, &report)?))
            }
            Said::End => {
                self.is_over = true;
                books.advance(at).map(drop)
            }
            Said::Configure { push_day, zone } if is_first => {
                let tariff = Tariff {
                    catalog,
                    zone,
                    push_day,
                };
                *books = Books::new(tariff, Keep::All);
                books.advance(at).map(drop)
            }
            Said::Configure { .. } => return Err(Fault::ConfiguredLate),
        };
        match applied {
            Ok(()) => Ok(()),
            Err(Rejected::Refused(reason)) => {
                let line = number;
                self.played.refused.push(Refused { line, reason });
                Ok(())
            }
            Err(rejected @ (Rejected::AppExists | Rejected::BeforeTheLast)) => {
                Err(Fault::Rejected(rejected))
            }
        }
    }

    fn time(&mut self, text: &str) -> Result<Timestamp, Fault> {
        if text != self.last_text {
            let field = "at";
            let parsed = Timestamp::parse(text);
            self.last = parsed.map_err(|problem| Fault::Time { field, problem })?;
            text.clone_into(&mut self.last_text);
        }
        Ok(self.last)
    }
}

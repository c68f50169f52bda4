//! The rules of change: what an upgrade or a change of configuration makes of an app's edition and add-ons, and how often each
//! may change (RULES 6.6, 6.7, B3, B4).
//!
//! Invariant: a refused change changes nothing, not even the part of it that would be allowed; the reason told is the first in
//! rank of all that hold. Deciding needs a catalog, taking what was decided needs none. Absent on purpose: the app's state, which is asked before, and fees.

use super::choice::{Choice, Choices, Settings, chosen, price};
use super::refusal::Refusal;
use crate::catalog::{AddOn, Catalog, EditionId};
use crate::money::Money;
use crate::time::Month;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// From the free edition to a paid one, with add-ons (RULES 6.6).
    Upgrade {
        /// The paid edition.
        edition: EditionId,
        /// The add-ons.
        settings: Settings,
    },
    /// Of a paid edition's configuration; the edition is applied before the settings (RULES 6.7).
    Configuration {
        /// Another edition, the free one among them; the present one if not named.
        edition: Option<EditionId>,
        /// The add-ons.
        settings: Settings,
    },
}

/// A change that was decided. Whatever the catalog comes to be, it stays what it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// The edition from now on; the present one where it stays.
    pub edition: EditionId,
    /// What the edition has of the add-ons that were there: before what was set, after what has lapsed (RULES B9 to B11).
    pub carried: Choices,
    /// The add-ons that were set to another value, in their order.
    pub set: Vec<(AddOn, Choice)>,
    /// What was bought by that.
    pub bought: Vec<Bought>,
    /// Whether it leads off the free edition (RULES B5).
    pub activates: bool,
    /// Whether an operator has done it by hand: it uses up no change of the month.
    pub by_operator: bool,
}

/// An add-on switched on, or set to another value above the edition's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bought {
    /// What.
    pub add_on: AddOn,
    /// The price it was bought at; later changes of edition or catalog do not touch it (RULES B2).
    pub price: Money,
    /// From when on it is billed.
    pub charge: Charge,
}

/// From when on what was bought is billed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charge {
    /// For the month it was bought in, in full (RULES 6.7, rule 47).
    ThisMonth,
    /// From the first of the next month: the edition was adjusted in the same month, or in the same call (rule 46, B2).
    NextMonth,
}

/// The change of an item in a month, and the value it had before: the one to which it may be restored once (RULES B3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Turn {
    month: Month,
    before: Choice,
    is_restored: bool,
}

/// Edition and add-ons of an app, with the changes of the month that have been made.
#[derive(Clone, Debug)]
pub(super) struct Configuration {
    pub(super) edition: EditionId,
    pub(super) choices: Choices,
    /// The last month in which the edition was changed, but by an operator (RULES B4).
    version_changed: Option<Month>,
    /// The last month in which the edition was adjusted, by whomever: what is bought in it is free in it (rule 46).
    version_adjusted: Option<Month>,
    turns: [Option<Turn>; AddOn::ALL.len()],
}

impl Configuration {
    /// A new app's, with no add-on; `adjusted` is the month of its activation, if there is one.
    pub(super) fn new(edition: EditionId, adjusted: Option<Month>) -> Self {
        Self {
            edition,
            choices: Choices::default(),
            version_changed: None,
            version_adjusted: adjusted,
            turns: [None; AddOn::ALL.len()],
        }
    }

    /// What a change in that month comes to.
    pub(super) fn decide(
        &self,
        catalog: &Catalog,
        month: Month,
        change: &Change,
    ) -> Result<Changed, Refusal> {
        let is_free = self.edition == catalog.first_edition();
        let (edition, settings) = match change {
            Change::Upgrade { edition, settings } => {
                if !is_free || *edition == self.edition {
                    return Err(Refusal::NotUpgradable);
                }
                (*edition, settings)
            }
            Change::Configuration { edition, settings } => {
                if is_free {
                    return Err(Refusal::NotAvailableInEdition);
                }
                (edition.unwrap_or(self.edition), settings)
            }
        };
        let mut decided = self.moved_to(catalog, edition);
        let is_adjusted = edition != self.edition;
        let mut refusals = Vec::new();
        // It may change once a month and has no way back (RULES B4). The settings are judged by it all the same.
        if is_adjusted && self.version_changed == Some(month) {
            refusals.push(Refusal::OnceAMonth);
        }
        let due = if is_adjusted || self.version_adjusted == Some(month) {
            Charge::NextMonth
        } else {
            Charge::ThisMonth
        };
        for (add_on, wish) in settings.wishes() {
            let present = decided.carried.get(add_on);
            let choice = match chosen(catalog, edition, add_on, wish) {
                // To its present value is no change.
                Ok(choice) if choice == present => continue,
                Ok(choice) => choice,
                Err(refusal) => {
                    refusals.push(refusal);
                    continue;
                }
            };
            if !self.may_turn(month, add_on, choice) {
                refusals.push(Refusal::OnceAMonth);
            }
            decided.set.push((add_on, choice));
            let price = price(catalog, edition, add_on, choice);
            decided.bought.extend(price.map(|price| Bought {
                add_on,
                price,
                charge: due,
            }));
        }
        refusals.into_iter().min().map_or(Ok(decided), Err)
    }

    /// What an operator comes to who puts it on an edition.
    pub(super) fn by_operator(&self, catalog: &Catalog, edition: EditionId) -> Changed {
        Changed {
            by_operator: true,
            ..self.moved_to(catalog, edition)
        }
    }

    /// Another edition and nothing else. What is carried over is not bought, and what lapses uses up no item's change (B3).
    fn moved_to(&self, catalog: &Catalog, edition: EditionId) -> Changed {
        let is_adjusted = edition != self.edition;
        Changed {
            edition,
            carried: if is_adjusted {
                self.choices.carried_to(catalog, edition)
            } else {
                self.choices
            },
            set: Vec::new(),
            bought: Vec::new(),
            activates: is_adjusted && self.edition == catalog.first_edition(),
            by_operator: false,
        }
    }

    /// Whether an item may be set to another value: forward once a month, and once back to the value it had before that (RULES B3).
    fn may_turn(&self, month: Month, add_on: AddOn, choice: Choice) -> bool {
        let turn = self.turn(add_on).filter(|turn| turn.month == month);
        turn.is_none_or(|turn| !turn.is_restored && turn.before == choice)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "one element for each add-on, by construction"
    )]
    fn turn(&self, add_on: AddOn) -> Option<Turn> {
        self.turns[add_on as usize]
    }

    /// Takes a change that was made in that month.
    #[expect(
        clippy::indexing_slicing,
        reason = "one element for each add-on, by construction"
    )]
    pub(super) fn take(&mut self, month: Month, changed: &Changed) {
        if changed.edition != self.edition {
            self.version_adjusted = Some(month);
            if !changed.by_operator {
                self.version_changed = Some(month);
            }
        }
        self.edition = changed.edition;
        self.choices = changed.carried;
        for (add_on, choice) in &changed.set {
            let turned = self.turn(*add_on).filter(|turn| turn.month == month);
            self.turns[*add_on as usize] = Some(Turn {
                month,
                before: turned.map_or(self.choices.get(*add_on), |turn| turn.before),
                is_restored: turned.is_some(),
            });
            self.choices.set(*add_on, *choice);
        }
    }
}

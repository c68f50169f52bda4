//! The rules of change: what an upgrade or a change of configuration makes of an app's edition and add-ons, and how often each
//! may change (RULES 6.6, 6.7, B3, B4).
//!
//! Invariant: a refused change changes nothing, not even the part of it that would be allowed; the reason told is the first in
//! rank of all that hold. Absent on purpose: the app's state, which is asked before, and fees.

use super::choice::{Choice, Choices, Settings, chosen};
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
    /// The last month in which the edition was changed (RULES B4).
    pub(super) version_changed: Option<Month>,
    turns: [Option<Turn>; AddOn::ALL.len()],
}

impl Configuration {
    /// A new app's: the first edition and no add-on.
    pub(super) fn new(catalog: &Catalog) -> Self {
        Self {
            edition: catalog.first_edition(),
            choices: Choices::default(),
            version_changed: None,
            turns: [None; AddOn::ALL.len()],
        }
    }

    /// What a change in that month makes of it.
    pub(super) fn changed(
        &self,
        catalog: &Catalog,
        month: Month,
        change: &Change,
    ) -> Result<Self, Refusal> {
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
        let mut next = self.clone();
        let mut refusals = Vec::new();
        refusals.extend(next.turn_version(catalog, month, edition).err());
        for (add_on, wish) in settings.wishes() {
            let turned = chosen(catalog, edition, add_on, wish)
                .and_then(|choice| next.turn(month, add_on, choice));
            refusals.extend(turned.err());
        }
        refusals.into_iter().min().map_or(Ok(next), Err)
    }

    /// Puts it on an edition, which may change once a month and has no way back (RULES B4). What lapses uses up no item's
    /// change (B3). Where the change is refused the edition is there all the same, to judge the settings by.
    fn turn_version(
        &mut self,
        catalog: &Catalog,
        month: Month,
        edition: EditionId,
    ) -> Result<(), Refusal> {
        if edition == self.edition {
            return Ok(());
        }
        let is_used = self.version_changed == Some(month);
        self.edition = edition;
        self.choices = self.choices.carried_to(catalog, edition);
        self.version_changed = Some(month);
        if is_used {
            Err(Refusal::OnceAMonth)
        } else {
            Ok(())
        }
    }

    /// Sets an item: forward once a month, and once back to the value it had before that (RULES B3). To its present value is no
    /// change.
    #[expect(
        clippy::indexing_slicing,
        reason = "one element for each add-on, by construction"
    )]
    fn turn(&mut self, month: Month, add_on: AddOn, choice: Choice) -> Result<(), Refusal> {
        let present = self.choices.get(add_on);
        if choice == present {
            return Ok(());
        }
        let turn = &mut self.turns[add_on as usize];
        match turn.as_mut().filter(|turn| turn.month == month) {
            None => {
                let (before, is_restored) = (present, false);
                *turn = Some(Turn {
                    month,
                    before,
                    is_restored,
                });
            }
            Some(turn) if !turn.is_restored && turn.before == choice => turn.is_restored = true,
            Some(_) => return Err(Refusal::OnceAMonth),
        }
        self.choices.set(add_on, choice);
        Ok(())
    }
}

//! What an app has chosen of each add-on, what may be chosen on an edition, and for how much (RULES 6.5, 6.10, B12).
//!
//! Invariant: a [`Choice`] other than the default is above what the edition has by itself and sold there; so every one has a
//! price. Absent on purpose: when it may be changed and what is due when; see `change` and `rating`.

use super::Refusal;
use crate::catalog::{AddOn, Bound, Catalog, EditionId};
use crate::money::Money;

/// What an app has of an add-on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Choice {
    /// Nothing beyond what the edition has by itself.
    #[default]
    Default,
    /// It has it, for add-ons without a value.
    On,
    /// It has that much, for add-ons with a value; billed by the smallest tier that holds it (RULES B12).
    Value(u64),
}

/// What an app has of every add-on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Choices([Choice; AddOn::ALL.len()]);

/// A desired configuration of add-ons; what is not named stays as it is (RULES B9).
///
/// Numbers are signed, as any may be asked for: what is out of range is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Unlimited audio-video chat rooms (6.5, rule 31).
    pub av_chat_rooms_unlimited: Option<bool>,
    /// Members of a group (rule 32).
    pub group_members: Option<i64>,
    /// Groups of a user (rule 33).
    pub joined_groups: Option<i64>,
    /// Filtering of content (rule 34).
    pub content_filtering: Option<bool>,
    /// Days for which messages are kept (rule 35).
    pub history_days: Option<i64>,
    /// Bandwidth of on-screen comments (rule 36).
    pub comment_bandwidth: Option<bool>,
}

/// What is wished for one add-on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Switch(bool),
    Value(i64),
}

impl Settings {
    /// What is named.
    pub(super) fn wishes(&self) -> impl Iterator<Item = (AddOn, Wish)> {
        let named = |add_on| match add_on {
            AddOn::AvChatRooms => self.av_chat_rooms_unlimited.map(Wish::Switch),
            AddOn::GroupMembers => self.group_members.map(Wish::Value),
            AddOn::JoinedGroups => self.joined_groups.map(Wish::Value),
            AddOn::ContentFiltering => self.content_filtering.map(Wish::Switch),
            AddOn::History => self.history_days.map(Wish::Value),
            AddOn::CommentBandwidth => self.comment_bandwidth.map(Wish::Switch),
        };
        AddOn::ALL
            .into_iter()
            .filter_map(move |add_on| Some((add_on, named(add_on)?)))
    }
}

impl Choices {
    /// What is chosen of an add-on.
    #[expect(
        clippy::indexing_slicing,
        reason = "one element for each add-on, by construction"
    )]
    pub const fn get(&self, add_on: AddOn) -> Choice {
        self.0[add_on as usize]
    }

    /// Sets what is chosen of an add-on.
    #[expect(
        clippy::indexing_slicing,
        reason = "one element for each add-on, by construction"
    )]
    pub const fn set(&mut self, add_on: AddOn, choice: Choice) {
        self.0[add_on as usize] = choice;
    }

    /// What is carried over to an edition: what is above the edition's own and sold there. The rest lapses, and does not come
    /// back (RULES B9, B10, B11).
    pub(super) fn carried_to(mut self, catalog: &Catalog, edition: EditionId) -> Self {
        for add_on in AddOn::ALL {
            if price(catalog, edition, add_on, self.get(add_on)).is_none() {
                self.set(add_on, Choice::Default);
            }
        }
        self
    }
}

/// What the edition has of an add-on by itself, for those with a value.
pub fn own_value(catalog: &Catalog, edition: EditionId, add_on: AddOn) -> Option<Bound> {
    let edition = catalog.edition(edition);
    match add_on {
        AddOn::GroupMembers | AddOn::JoinedGroups => {
            add_on.raises().map(|limit| *edition.limits.get(limit))
        }
        AddOn::History => Bound::at_most(edition.history_days.into()),
        AddOn::AvChatRooms | AddOn::ContentFiltering | AddOn::CommentBandwidth => None,
    }
}

/// The price of a choice on an edition: of a month, or of a Mbps and day for the bandwidth. Nothing for the default, and for
/// what the edition has anyway or does not sell (RULES 6.10, B12).
pub fn price(
    catalog: &Catalog,
    edition: EditionId,
    add_on: AddOn,
    choice: Choice,
) -> Option<Money> {
    let mut tiers = catalog.tiers(add_on, edition);
    let tier = match choice {
        Choice::Default => None,
        Choice::On => tiers.next(),
        Choice::Value(value) => {
            let value = Bound::at_most(value)?;
            let above = own_value(catalog, edition, add_on).is_some_and(|own| value > own);
            tiers.find(|tier| above && tier.up_to.is_none_or(|top| value <= top))
        }
    };
    tier.map(|tier| tier.price)
}

/// The choice that a wish comes to on an edition, or why it cannot be had there.
pub(super) fn chosen(
    catalog: &Catalog,
    edition: EditionId,
    add_on: AddOn,
    wish: Wish,
) -> Result<Choice, Refusal> {
    let is_sold = catalog.tiers(add_on, edition).next().is_some();
    let wished = match wish {
        Wish::Switch(false) => return Ok(Choice::Default),
        Wish::Switch(true) => Choice::On,
        Wish::Value(value) => {
            let value = u64::try_from(value).ok().and_then(Bound::at_most);
            if value.is_some() && value == own_value(catalog, edition, add_on) {
                return Ok(Choice::Default);
            }
            match value.and_then(Bound::finite) {
                Some(value) => Choice::Value(value),
                None if is_sold => return Err(Refusal::OutOfRange),
                None => return Err(Refusal::NotAvailableInEdition),
            }
        }
    };
    if !is_sold {
        return Err(Refusal::NotAvailableInEdition);
    }
    match price(catalog, edition, add_on, wished) {
        Some(_) => Ok(wished),
        None => Err(Refusal::OutOfRange),
    }
}

//! The add-ons of the catalog file: which edition may buy what, in which tiers (RULES 6.5, 6.10).
//!
//! Invariant: the tiers of an add-on and edition ascend, and each is above what the edition has by itself.
//! Absent on purpose: what an app has bought; see `subscription`.

use crate::catalog::{AddOn, Bound, EditionId, Tier};

use super::catalog_file::{Draft, HISTORY_DAYS_MAX};
use super::document::{Section, Value};
use super::values::{bound, number, price};

/// The tiers of every add-on, as far as they could be read.
pub(super) fn tiers(section: &Section<'_>, editions: Option<&[Draft<'_>]>) -> Vec<Tier> {
    let mut tiers = Vec::new();
    for add_on in AddOn::ALL {
        let Some(value) = section.get(add_on.name()) else {
            continue;
        };
        value.table("the add-on", |section| {
            for value in section.entries() {
                let sold_to = editions.and_then(|editions| sold_to(value, editions));
                tiers.extend(tiers_for(value, add_on, sold_to).unwrap_or_default());
            }
            Some(())
        });
    }
    tiers
}

/// The edition that a key of an add-on names.
fn sold_to<'e, 'd>(
    value: Value<'_>,
    editions: &'e [Draft<'d>],
) -> Option<(EditionId, &'e Draft<'d>)> {
    let place = editions.iter().position(|e| e.name == Some(value.key));
    // Where an edition's own name is at fault, it may be the one that is meant.
    if place.is_none() && editions.iter().all(|edition| edition.name.is_some()) {
        let names: Vec<_> = editions.iter().filter_map(|edition| edition.name).collect();
        value.unknown_key("edition", &names);
    }
    let place = place?;
    Some((EditionId::at(place)?, editions.get(place)?))
}

fn tiers_for(
    value: Value<'_>,
    add_on: AddOn,
    sold_to: Option<(EditionId, &Draft<'_>)>,
) -> Option<Vec<Tier>> {
    let own = sold_to.and_then(|(_, draft)| own_bound(add_on, draft));
    if own == Some(Bound::UNLIMITED) {
        let (edition, name) = (value.key, add_on.name());
        value.fault(format!(
            "`{edition}` has unlimited `{name}` already: there is nothing to sell"
        ));
        return None;
    }
    let mut above = own.map(|own| (own, "what the edition has"));
    let mut sold = 0;
    let tiers = value.list("a list of tiers, like [{ price = \"149.99\" }]", |item| {
        item.table("the tier", |section| {
            sold += 1;
            let up_to = if has_value(add_on) {
                section.required("up_to", |value| ascending(value, add_on, &mut above))
            } else {
                check_plain(section, add_on, sold);
                None
            };
            let price = section.required("price", price);
            if has_value(add_on) && up_to.is_none() {
                return None;
            }
            Some(Tier {
                add_on,
                edition: sold_to?.0,
                up_to,
                price: price?,
            })
        })
    })?;
    if sold == 0 {
        value.fault("there is no tier here: add one, or remove the key");
    }
    Some(tiers)
}

/// Whether an app chooses a value of the add-on, beyond having it or not (B12).
const fn has_value(add_on: AddOn) -> bool {
    match add_on {
        AddOn::GroupMembers | AddOn::JoinedGroups | AddOn::History => true,
        AddOn::AvChatRooms | AddOn::ContentFiltering | AddOn::CommentBandwidth => false,
    }
}

/// What the edition has without the add-on.
fn own_bound(add_on: AddOn, edition: &Draft<'_>) -> Option<Bound> {
    match add_on {
        AddOn::History => Bound::at_most(edition.history_days?),
        _ => *edition.limits.get(add_on.raises()?),
    }
}

/// The value of a tier, which must be above the edition's own and the tier's before.
fn ascending(
    value: Value<'_>,
    add_on: AddOn,
    above: &mut Option<(Bound, &'static str)>,
) -> Option<Bound> {
    let up_to = match add_on {
        AddOn::History => {
            let days = i128::from(HISTORY_DAYS_MAX);
            number(value, 1..=days).and_then(Bound::at_most)
        }
        _ => bound(value),
    }?;
    if let Some((below, whose)) = *above
        && up_to <= below
    {
        value.fault(format!("`up_to` must be above {below}, {whose}"));
        return None;
    }
    *above = Some((up_to, "that of the tier before"));
    Some(up_to)
}

/// An add-on that an app has or has not takes one tier, with no value.
fn check_plain(section: &Section<'_>, add_on: AddOn, sold: usize) {
    let name = add_on.name();
    if sold > 1 {
        section.fault(format!("`{name}` has one price: remove this tier"));
    }
    if let Some(value) = section.get("up_to") {
        value.fault(format!("`{name}` has no value: remove `up_to`"));
    }
}

//! The short texts in which rows hold what has no column of its own: add-ons, what a line was made from, why something is free.
//!
//! Invariant: what is written is read again as it was; editions stand in them by name, as a catalog's ids mean nothing beside
//! another one. Absent on purpose: words for people.

use std::fmt::Write as _;

use super::fault::Fault;
use crate::catalog::{AddOn, Catalog, EditionId};
use crate::id::SdkAppId;
use crate::metering::Counted;
use crate::money::Money;
use crate::rating::{Basis, FreeReason, Item};
use crate::subscription::{Bought, Charge, Choice, Choices};
use crate::time::{Day, Month};

/// Names of editions in place of ids, and back.
#[derive(Clone, Copy)]
pub(super) struct Names<'a>(pub(super) &'a Catalog);

impl<'a> Names<'a> {
    pub(super) fn edition(self, id: EditionId) -> &'a str {
        &self.0.edition(id).name
    }

    /// The edition of that name, on which an app was.
    pub(super) fn edition_id(self, app: SdkAppId, name: &str) -> Result<EditionId, Fault> {
        let known = || {
            let names: Vec<_> = self.0.editions().map(|(_, one)| &*one.name).collect();
            names.join(", ")
        };
        self.0.edition_id(name).ok_or_else(|| Fault::NoEdition {
            app,
            edition: name.to_owned(),
            known: known(),
        })
    }

    /// What a line's quantity was made from.
    pub(super) fn basis(self, basis: &Basis) -> String {
        match basis {
            Basis::Plan(edition) => format!("plan {}", self.edition(*edition)),
            Basis::Month => "month".to_owned(),
            Basis::Peak { peak, free, block } => {
                let peak = counted(*peak);
                format!("peak {peak} free {free} block {block}")
            }
            Basis::Bandwidth { days } => format!("bandwidth days {days}"),
            Basis::Late { month, item } => format!("late {month} {}", item.name()),
        }
    }

    /// What that text says; nothing if it is none.
    pub(super) fn basis_of(self, app: SdkAppId, text: &str) -> Result<Option<Basis>, Fault> {
        let words: Vec<_> = text.split(' ').collect();
        let plain = || match *words.as_slice() {
            ["month"] => Some(Basis::Month),
            ["peak", peak, "free", free, "block", block] => Some(Basis::Peak {
                peak: counted_of(peak)?,
                free: free.parse().ok()?,
                block: block.parse().ok()?,
            }),
            ["bandwidth", "days", days] => Some(Basis::Bandwidth {
                days: days.parse().ok()?,
            }),
            ["late", month, item] => Some(Basis::Late {
                month: Month::parse(month).ok()?,
                item: Item::from_name(item)?,
            }),
            _ => None,
        };
        match *words.as_slice() {
            ["plan", name] => Ok(Some(Basis::Plan(self.edition_id(app, name)?))),
            _ => Ok(plain()),
        }
    }
}

/// Why something is free.
pub(super) fn why(why: &FreeReason) -> String {
    match why {
        FreeReason::ActivationMonth { number } => format!("activation_month {number}"),
        FreeReason::EditionAdjusted => "edition_adjusted".to_owned(),
        FreeReason::Prepaid { until } => format!("prepaid {until}"),
        FreeReason::Suspended => "suspended".to_owned(),
        FreeReason::WithinQuota { peak, free } => {
            format!("within_quota {} free {free}", counted(*peak))
        }
    }
}

/// A count; of an estimate its lower bound, what it most likely is, and its upper bound.
fn counted(count: Counted) -> String {
    match count {
        Counted::Exact(count) => count.to_string(),
        Counted::Estimated {
            lower,
            estimate,
            upper,
        } => format!("{lower}..{estimate}..{upper}"),
    }
}

/// The count of that text.
fn counted_of(text: &str) -> Option<Counted> {
    let parts: Option<Vec<u64>> = text.split("..").map(|part| part.parse().ok()).collect();
    match *parts? {
        [count] => Some(Counted::Exact(count)),
        [lower, estimate, upper] => Some(Counted::Estimated {
            lower,
            estimate,
            upper,
        }),
        _ => None,
    }
}

/// What that text says; nothing if it is none.
pub(super) fn why_of(text: &str) -> Option<FreeReason> {
    let words: Vec<_> = text.split(' ').collect();
    match *words.as_slice() {
        ["activation_month", number] => Some(FreeReason::ActivationMonth {
            number: number.parse().ok()?,
        }),
        ["edition_adjusted"] => Some(FreeReason::EditionAdjusted),
        ["prepaid", until] => Some(FreeReason::Prepaid {
            until: Day::parse(until).ok()?,
        }),
        ["suspended"] => Some(FreeReason::Suspended),
        ["within_quota", peak, "free", free] => Some(FreeReason::WithinQuota {
            peak: counted_of(peak)?,
            free: free.parse().ok()?,
        }),
        _ => None,
    }
}

/// The add-ons that are chosen: `history=180,content_filtering=on`.
pub(super) fn choices(choices: &Choices) -> String {
    let all = AddOn::ALL.map(|add_on| (add_on, choices.get(add_on)));
    let chosen = all.into_iter();
    listed(chosen.filter(|(_, choice)| *choice != Choice::Default))
}

/// What that text says; nothing if it is none.
pub(super) fn choices_of(text: &str) -> Option<Choices> {
    let mut choices = Choices::default();
    for (add_on, choice) in set_of(text)? {
        choices.set(add_on, choice);
    }
    Some(choices)
}

/// The add-ons that were set, in their order.
pub(super) fn set(set: &[(AddOn, Choice)]) -> String {
    listed(set.iter().copied())
}

fn listed(choices: impl Iterator<Item = (AddOn, Choice)>) -> String {
    let word = |(add_on, choice): (AddOn, Choice)| match choice {
        Choice::Default => format!("{add_on}=default"),
        Choice::On => format!("{add_on}=on"),
        Choice::Value(value) => format!("{add_on}={value}"),
    };
    choices.map(word).collect::<Vec<_>>().join(",")
}

/// What that text says; nothing if it is none.
pub(super) fn set_of(text: &str) -> Option<Vec<(AddOn, Choice)>> {
    let one = |word: &str| {
        let (add_on, choice) = word.split_once('=')?;
        let choice = match choice {
            "default" => Choice::Default,
            "on" => Choice::On,
            value => Choice::Value(value.parse().ok()?),
        };
        Some((AddOn::from_name(add_on)?, choice))
    };
    items(text).map(one).collect()
}

/// What was bought, with prices in millionths: `history=229990000 this_month`. Nothing if a price is more than that holds.
pub(super) fn bought(all: &[Bought]) -> Option<String> {
    let mut text = String::new();
    for bought in all {
        let comma = if text.is_empty() { "" } else { "," };
        let charge = match bought.charge {
            Charge::ThisMonth => THIS_MONTH,
            Charge::NextMonth => NEXT_MONTH,
        };
        let (add_on, price) = (bought.add_on, bought.price.micros()?);
        // Writing to a String does not fail.
        let _ = write!(text, "{comma}{add_on}={price} {charge}");
    }
    Some(text)
}

/// What that text says; nothing if it is none.
pub(super) fn bought_of(text: &str) -> Option<Vec<Bought>> {
    let one = |word: &str| {
        let (add_on, rest) = word.split_once('=')?;
        let (price, charge) = rest.split_once(' ')?;
        Some(Bought {
            add_on: AddOn::from_name(add_on)?,
            price: Money::from_micros(price.parse().ok()?)?,
            charge: match charge {
                THIS_MONTH => Charge::ThisMonth,
                NEXT_MONTH => Charge::NextMonth,
                _ => return None,
            },
        })
    };
    items(text).map(one).collect()
}

const THIS_MONTH: &str = "this_month";
const NEXT_MONTH: &str = "next_month";

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(micros: i64) -> Money {
        Money::from_micros(micros).unwrap()
    }

    #[test]
    fn lists_are_read_as_they_were_written() {
        let mut chosen = Choices::default();
        assert_eq!(choices_of(&choices(&chosen)), Some(chosen));
        chosen.set(AddOn::History, Choice::Value(180));
        chosen.set(AddOn::ContentFiltering, Choice::On);
        assert_eq!(choices(&chosen), "content_filtering=on,history=180");
        assert_eq!(choices_of(&choices(&chosen)), Some(chosen));
        let turned = vec![
            (AddOn::History, Choice::Default),
            (AddOn::AvChatRooms, Choice::On),
        ];
        assert_eq!(set(&turned), "history=default,av_chat_rooms=on");
        assert_eq!(set_of(&set(&turned)), Some(turned));
        assert_eq!(set_of(""), Some(Vec::new()));
        let one = |add_on, price, charge| Bought {
            add_on,
            price,
            charge,
        };
        let all = vec![
            one(AddOn::History, micros(229_990_000), Charge::NextMonth),
            one(AddOn::CommentBandwidth, micros(687_500), Charge::ThisMonth),
        ];
        let text = bought(&all).unwrap();
        assert_eq!(
            text,
            "history=229990000 next_month,comment_bandwidth=687500 this_month"
        );
        assert_eq!(bought_of(&text), Some(all));
        for wrong in ["history", "history=", "story=1", "history=1,", "history=-1"] {
            assert_eq!(set_of(wrong), None, "{wrong}");
        }
        for wrong in [
            "history=1",
            "history=1 some_month",
            "history=1.5 this_month",
        ] {
            assert_eq!(bought_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn reasons_are_read_as_they_were_written() {
        let until = Day::parse("2026-03-01").unwrap();
        for reason in [
            FreeReason::ActivationMonth { number: 2 },
            FreeReason::EditionAdjusted,
            FreeReason::Prepaid { until },
            FreeReason::Suspended,
            FreeReason::WithinQuota {
                peak: Counted::Exact(7),
                free: 9,
            },
            FreeReason::WithinQuota {
                peak: Counted::Estimated {
                    lower: 7,
                    estimate: 8,
                    upper: 10,
                },
                free: 9,
            },
        ] {
            assert_eq!(why_of(&why(&reason)), Some(reason));
        }
        for wrong in ["", "suspended 1", "activation_month", "prepaid 2026-02-30"] {
            assert_eq!(why_of(wrong), None, "{wrong}");
        }
    }
}

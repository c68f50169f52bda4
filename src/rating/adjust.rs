//! Adjustments: what usage that arrived late adds to a month that had closed (RULES B49).
//!
//! Invariant: line by line, the difference of what the month comes to now and what was billed and adjusted until now; so after
//! any number of late reports the sum is what it would have been, had they come in time. Absent on purpose: the bill that they
//! are put on, which is the next one.

use super::bill::{Basis, Item, Line};
use crate::money::Money;
use crate::money::Quantity;
use crate::time::Month;

/// The adjustments of a month, in the order of its items. Usage only grows, and so does every line.
pub(super) fn adjustments(month: Month, billed: &[Line], now: &[Line]) -> Vec<Line> {
    let adjusted = now.iter().filter_map(|now| {
        let before = billed.iter().find(|line| line.item == now.item);
        let had = before.map_or(Money::ZERO, |line| line.amount);
        let amount = now.amount.minus_or_zero(had);
        let is_same_price = before.is_none_or(|line| line.unit_price == now.unit_price);
        let (quantity, unit_price) = if is_same_price {
            let had = before.map_or(Quantity::ZERO, |line| line.quantity);
            (now.quantity.minus_or_zero(had), now.unit_price)
        } else {
            (Quantity::ONE, amount)
        };
        (!amount.is_zero()).then_some(Line {
            app: now.app,
            item: Item::Adjustment,
            quantity,
            unit_price,
            amount,
            basis: Basis::Late {
                month,
                item: now.item,
            },
        })
    });
    adjusted.collect()
}

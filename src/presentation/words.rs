//! The words of a bill: why a line is what it is, and why something is free.

use crate::catalog::Catalog;
use crate::rating::{Basis, FreeReason, Line};

/// What a line's quantity was made from.
pub fn because(line: &Line, catalog: &Catalog) -> String {
    match line.basis {
        Basis::Plan(edition) => format!("{}, calendar month", catalog.edition(edition).title),
        Basis::Month => "calendar month".into(),
        Basis::Peak { peak, free, block } => {
            format!("peak {peak}, {free} free, blocks of {block}")
        }
        Basis::Bandwidth { days } => {
            let days_of = if days == 1 { "day" } else { "days" };
            format!("Mbps, summed over the peaks of {days} {days_of}")
        }
        Basis::Late { month, item } => {
            format!("{month} {}: usage that arrived late", item.name())
        }
    }
}

/// Why something is free.
pub fn why(reason: FreeReason) -> String {
    match reason {
        FreeReason::ActivationMonth { number: 1 } => "month of activation".into(),
        FreeReason::ActivationMonth { number } => {
            format!("month of activation no. {number}, back from the free edition")
        }
        FreeReason::EditionAdjusted => "bought in the month of the edition's change".into(),
        FreeReason::Prepaid { until } => format!("paid ahead until {until}"),
        FreeReason::Suspended => "suspended at the month's start, and not restored in it".into(),
        FreeReason::WithinQuota { peak, free } => format!("peak {peak}, within the free {free}"),
    }
}

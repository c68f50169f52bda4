//! The kinds of values that both files have: bounds, prices, names, instants.
//!
//! Invariant: what is handed out is in range; what is not is recorded with what it should have been.
//! Absent on purpose: keys, and what depends on more than one value.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::catalog::{Bound, LimitName};
use crate::money::Money;
use crate::time::Timestamp;

use super::document::Value;

/// A whole number of a range.
pub(super) fn number<T: TryFrom<i128>>(value: Value<'_>, range: RangeInclusive<i128>) -> Option<T> {
    let number = value
        .as_number()
        .filter(|n| range.contains(n))
        .and_then(|n| T::try_from(n).ok());
    if number.is_none() {
        let (low, high) = range.into_inner();
        value.wrong(&format!("a whole number from {low} to {high}"));
    }
    number
}

/// A count of at least `low`.
pub(super) fn count(value: Value<'_>, low: u64) -> Option<u64> {
    number(value, i128::from(low)..=i128::from(Bound::FINITE_MAX))
}

/// A bound: a count, or `"unlimited"`.
pub(super) fn bound(value: Value<'_>) -> Option<Bound> {
    let bound = match value.as_str() {
        Some(text) => (text == "unlimited").then_some(Bound::UNLIMITED),
        None => value
            .as_number()
            .and_then(|n| u64::try_from(n).ok())
            .and_then(Bound::at_most),
    };
    if bound.is_none() {
        let most = Bound::FINITE_MAX;
        value.wrong(&format!(
            "a whole number from 0 to {most}, or \"unlimited\""
        ));
    }
    bound
}

/// An amount of money. Only strings: a TOML float is not exact.
pub(super) fn price(value: Value<'_>) -> Option<Money> {
    let Some(text) = value.as_str() else {
        value.wrong("a decimal in quotes like \"149.99\"");
        return None;
    };
    Money::parse(text)
        .map_err(|error| value.fault(error.to_string()))
        .ok()
}

/// The name of one of a closed set of things.
pub(super) fn one_of<T: Copy>(
    value: Value<'_>,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Option<T> {
    let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
    let Some(text) = value.as_str() else {
        let known: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        value.wrong(&known.join(" or "));
        return None;
    };
    let found = all.iter().copied().find(|one| name(*one) == text);
    if found.is_none() {
        value.wrong_name(text, &names);
    }
    found
}

/// The name of a limit.
pub(super) fn limit(value: Value<'_>) -> Option<LimitName> {
    one_of(value, &LimitName::ALL, LimitName::name)
}

/// An instant: RFC 3339 with an offset, in quotes or not.
pub(super) fn instant(value: Value<'_>) -> Option<Timestamp> {
    let Some(text) = value
        .as_str()
        .map(str::to_owned)
        .or_else(|| value.as_time())
    else {
        value.wrong("a time like 2026-03-01T08:00:00+08:00");
        return None;
    };
    Timestamp::parse(&text)
        .map_err(|error| value.fault(error.to_string()))
        .ok()
}

/// Whether a name stands for the first time. `lines` holds where.
pub(super) fn named_once<'d>(
    value: Value<'d>,
    what: &str,
    name: &'d str,
    lines: &mut BTreeMap<&'d str, usize>,
) -> bool {
    let first = lines.insert(name, value.line());
    if let Some(line) = first {
        value.fault(format!(
            "another {what} is named \"{name}\" already, on line {line}: choose another name"
        ));
        lines.insert(name, line);
    }
    first.is_none()
}

//! The catalog file as a whole, its editions and its codes (RULES 3, 6).
//!
//! Invariant: every number of the catalog comes from the file; there are no defaults for limits, prices or codes.
//! Absent on purpose: add-ons and types of groups, which have files of their own, and what the numbers do.

use std::collections::BTreeMap;

use crate::catalog::{
    Blocks, Bound, Catalog, Edition, FreeActivationMonth, LimitName, Overage, PerLimit, Reason,
    ReasonCodes,
};

use super::add_ons::tiers;
use super::document::{Section, Value};
use super::group_types::{assumed_type, group_types};
use super::values::{bound, count, named_once, number, one_of, price};

/// Most editions that a catalog may have.
const EDITIONS_MAX: usize = 255;
/// Most days of retention: some ten years.
pub(super) const HISTORY_DAYS_MAX: u64 = 3600;

/// Reads the whole file. Nothing, or an incomplete catalog, only when a fault is recorded.
pub(super) fn catalog(root: &Section<'_>) -> Option<Catalog> {
    let currency = root.required("currency", currency);
    let every = FreeActivationMonth::default();
    let free_activation_month = root.optional("free_activation_month", every, |value| {
        one_of(value, &FreeActivationMonth::ALL, FreeActivationMonth::name)
    });
    let editions = root.required("editions", editions);
    let tiers = root.optional("add_ons", Vec::new(), |value| {
        value.table("[add_ons]", |section| {
            Some(tiers(section, editions.as_deref()))
        })
    });
    let types = root.required("group_types", group_types);
    let assumed = root.required("assumed_group_type", |value| {
        assumed_type(value, types.as_deref()?)
    });
    let codes = root.required("codes", |value| value.table("[codes]", codes));
    let editions = editions?.into_iter().map(|draft| draft.edition);
    let mut catalog = Catalog::new(
        currency?.into(),
        editions.collect::<Option<_>>()?,
        tiers?,
        types?,
        assumed?,
        codes?,
    )?;
    catalog.free_activation_month = free_activation_month?;
    Some(catalog)
}

fn currency(value: Value<'_>) -> Option<&str> {
    let three = |text: &&str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    let text = value.as_str().filter(three);
    if text.is_none() {
        value.wrong("three capital letters like \"USD\"");
    }
    text
}

/// An edition as far as it could be read: add-ons are checked against what is known of it.
pub(super) struct Draft<'d> {
    pub(super) name: Option<&'d str>,
    pub(super) limits: PerLimit<Option<Bound>>,
    pub(super) history_days: Option<u64>,
    edition: Option<Edition>,
}

fn editions(value: Value<'_>) -> Option<Vec<Draft<'_>>> {
    let mut lines = BTreeMap::new();
    let drafts = value.list("a list, each edition under [[editions]]", |item| {
        item.table("the edition", |section| Some(edition(section, &mut lines)))
    })?;
    if drafts.is_empty() {
        value.fault("there must be an edition: the first is every new app's");
    }
    if drafts.len() > EDITIONS_MAX {
        value.fault(format!("there may be {EDITIONS_MAX} editions at most"));
    }
    Some(drafts)
}

fn edition<'d>(section: &Section<'d>, lines: &mut BTreeMap<&'d str, usize>) -> Draft<'d> {
    let name = section.required("name", |value| {
        let name = edition_name(value)?;
        named_once(value, "edition", name, lines).then_some(name)
    });
    let title = section.required("title", Value::text);
    let monthly_price = section.required("monthly_price", price);
    let days = i128::from(HISTORY_DAYS_MAX);
    let history_days = section.required("history_days", |value| number::<u32>(value, 1..=days));
    let mut limits = PerLimit::from_fn(|_| None);
    let limits_read = section.required("limits", |value| {
        value.table("[editions.limits]", |section| {
            limits = PerLimit::from_fn(|limit| section.required(limit.name(), bound));
            complete(&limits)
        })
    });
    let overage = section.optional("overage", None, |value| {
        value.table("[editions.overage]", overage).map(Some)
    });
    let edition = || {
        Some(Edition {
            name: name?.into(),
            title: title?.into(),
            monthly_price: monthly_price?,
            limits: limits_read?,
            history_days: history_days?,
            overage: overage?,
        })
    };
    Draft {
        name,
        edition: edition(),
        limits,
        history_days: history_days.map(u64::from),
    }
}

fn edition_name(value: Value<'_>) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let fits = |text: &&str| (1..=64).contains(&text.len()) && text.bytes().all(plain);
    let name = value.as_str().filter(fits);
    if name.is_none() {
        value.wrong("a name of 1 to 64 lower-case letters, digits, `_` or `-`");
    }
    name
}

fn complete(limits: &PerLimit<Option<Bound>>) -> Option<PerLimit<Bound>> {
    let all_there = LimitName::ALL.iter().all(|l| limits.get(*l).is_some());
    // Zero stands for no value here: it is never seen, as all are there.
    let zero = Bound::at_most(0)?;
    all_there.then(|| PerLimit::from_fn(|limit| limits.get(limit).unwrap_or(zero)))
}

fn overage(section: &Section<'_>) -> Option<Overage> {
    let daily_users = section.required("daily_users", blocks);
    let groups = section.required("groups", blocks);
    Some(Overage {
        daily_users: daily_users?,
        groups: groups?,
    })
}

fn blocks(value: Value<'_>) -> Option<Blocks> {
    value.table("the overage", |section| {
        let free = section.required("free", |value| count(value, 0));
        let block = section.required("block", |value| count(value, 1));
        let price = section.required("price", price);
        Some(Blocks {
            free: free?,
            block: block?,
            price: price?,
        })
    })
}

fn codes(section: &Section<'_>) -> Option<ReasonCodes> {
    let mut all_there = true;
    let codes = ReasonCodes::from_fn(|reason: Reason| {
        let code = section.required(reason.name(), code);
        all_there &= code.is_some();
        code.unwrap_or_default()
    });
    all_there.then_some(codes)
}

fn code(value: Value<'_>) -> Option<i32> {
    let code = value.as_number().and_then(|n| i32::try_from(n).ok());
    let code = code.filter(|code| *code != 0);
    if code.is_none() {
        value.wrong("a whole number of 32 bits, not 0");
    }
    code
}

//! Bills, costs and previews of changes as the messages of the proto files have them.
//!
//! Invariant: amounts are decimal texts, with their currency beside them; the words of a bill are those of `presentation`. Absent on
//! purpose: how a bill comes about.

use super::convert::timestamp;
use crate::catalog::{AddOn, Catalog};
use crate::ledger::BillHead;
use crate::presentation::{because, why};
use crate::proto;
use crate::proto::bill::State;
use crate::rating::{Bill, Free, LimitChange, Line, Over, Preview};
use crate::subscription::{Choice, Choices, Cost};
use crate::time::{Day, Timestamp, Zone};

/// What every message of a deployment's bills needs.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) zone: Zone,
}

impl<'a> Terms<'a> {
    pub(super) fn of(terms: &'a crate::entitlement::Terms) -> Self {
        Self {
            catalog: &terms.catalog,
            zone: terms.zone,
        }
    }
}

/// Until when a draft knows, and when its month closes.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) as_of: Timestamp,
    pub(super) closes_at: Timestamp,
}

/// A bill that is made.
pub(super) fn made(bill: &Bill, is_unpaid: bool, terms: Terms<'_>) -> proto::Bill {
    proto::Bill {
        state: state(bill.pushed, is_unpaid).into(),
        ..whole(bill, terms)
    }
}

/// A bill that is made, without its lines.
pub(super) fn head(head: &BillHead, is_unpaid: bool, terms: Terms<'_>) -> proto::Bill {
    proto::Bill {
        account: head.account.as_str().to_owned(),
        month: head.month.to_string(),
        state: state(head.pushed, is_unpaid).into(),
        pushed: head.pushed.map(|day| day.to_string()).unwrap_or_default(),
        total: head.total.to_string(),
        currency: terms.catalog.currency.to_string(),
        time_zone: terms.zone.to_string(),
        ..proto::Bill::default()
    }
}

fn state(pushed: Option<Day>, is_unpaid: bool) -> State {
    match pushed {
        None => State::NothingDue,
        Some(_) if is_unpaid => State::Unpaid,
        Some(_) => State::Paid,
    }
}

/// A bill that is not made yet.
pub(super) fn draft(bill: &Bill, draft: Draft, terms: Terms<'_>) -> proto::Bill {
    proto::Bill {
        state: State::Draft.into(),
        as_of: Some(timestamp(draft.as_of)),
        closes_at: Some(timestamp(draft.closes_at)),
        ..whole(bill, terms)
    }
}

fn whole(bill: &Bill, terms: Terms<'_>) -> proto::Bill {
    let lines = bill.lines.iter();
    proto::Bill {
        account: bill.account.as_str().to_owned(),
        month: bill.month.to_string(),
        pushed: bill.pushed.map(|day| day.to_string()).unwrap_or_default(),
        total: bill.total.to_string(),
        currency: terms.catalog.currency.to_string(),
        lines: lines.map(|it| line(it, terms.catalog)).collect(),
        free: bill.free.iter().map(free).collect(),
        time_zone: terms.zone.to_string(),
        ..proto::Bill::default()
    }
}

fn line(line: &Line, catalog: &Catalog) -> proto::BillLine {
    proto::BillLine {
        sdk_app_id: line.app.get(),
        item: line.item.name().to_owned(),
        quantity: line.quantity.to_string(),
        unit_price: line.unit_price.to_string(),
        amount: line.amount.to_string(),
        because: because(line, catalog),
    }
}

fn free(free: &Free) -> proto::FreeItem {
    proto::FreeItem {
        sdk_app_id: free.app.get(),
        item: free.item.name().to_owned(),
        because: why(free.why),
    }
}

/// What something costs.
pub(super) fn cost(cost: &Cost, catalog: &Catalog) -> proto::Cost {
    proto::Cost {
        item: cost.add_on.map_or("plan", AddOn::name).to_owned(),
        price: cost.price.to_string(),
        currency: catalog.currency.to_string(),
        from: Some(timestamp(cost.from)),
    }
}

/// What an app has chosen: every switch, and each value that is not the edition's own.
pub(super) fn chosen(choices: &Choices) -> proto::AddOns {
    let is_on = |add_on| Some(choices.get(add_on) == Choice::On);
    let value = |add_on| match choices.get(add_on) {
        Choice::Value(value) => i64::try_from(value).ok(),
        Choice::Default | Choice::On => None,
    };
    proto::AddOns {
        av_chat_rooms_unlimited: is_on(AddOn::AvChatRooms),
        group_members: value(AddOn::GroupMembers),
        joined_groups: value(AddOn::JoinedGroups),
        content_filtering: is_on(AddOn::ContentFiltering),
        history_days: value(AddOn::History),
        comment_bandwidth: is_on(AddOn::CommentBandwidth),
    }
}

/// What a change would do. `closes_at` says when the months of its bills close.
pub(super) fn preview(
    preview: &Preview,
    as_of: Timestamp,
    closes_at: &[Timestamp],
    terms: Terms<'_>,
) -> proto::PreviewChangeResponse {
    let [history_days_before, history_days_after] = preview.history_days;
    let bills = preview.bills.iter().zip(closes_at);
    let bills = bills.map(|(change, closes_at)| {
        let closes_at = *closes_at;
        let draft = |bill| draft(bill, Draft { as_of, closes_at }, terms);
        proto::BillChange {
            before: Some(draft(&change.before)),
            after: Some(draft(&change.after)),
        }
    });
    let costs = preview.costs.iter();
    proto::PreviewChangeResponse {
        limits: preview.limits.iter().map(limit).collect(),
        history_days_before,
        history_days_after,
        over: preview.over.iter().map(over).collect(),
        bills: bills.collect(),
        costs: costs.map(|it| cost(it, terms.catalog)).collect(),
        as_of: Some(timestamp(as_of)),
        time_zone: terms.zone.to_string(),
        ..proto::PreviewChangeResponse::default()
    }
}

fn limit(change: &LimitChange) -> proto::LimitChange {
    proto::LimitChange {
        limit: change.limit.name().to_owned(),
        before: change.before.finite(),
        after: change.after.finite(),
    }
}

fn over(over: &Over) -> proto::OverLimit {
    proto::OverLimit {
        limit: over.limit.name().to_owned(),
        used: over.used,
        at_most: over.bound.finite().unwrap_or(u64::MAX),
    }
}

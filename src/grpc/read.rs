//! Operators' requests in the domain's types: ids, months, amounts, add-ons, pages.
//!
//! Invariant: what is wrong is refused with its field named. Absent on purpose: admissions, which `request` reads in place.

use tonic::Status;

use super::fault::Fault;
use super::request::id_fault;
use crate::id::{AccountId, SdkAppId};
use crate::money::Money;
use crate::proto;
use crate::subscription::Settings;
use crate::time::{Day, Month};

/// Most apps, accounts, bills or entries on a page.
pub(super) const PAGE_MAX: u32 = 1_000;
/// How many are on a page when nothing is asked for.
const PAGE: u32 = 100;
/// Most characters of a reference.
const REFERENCE_CHARS_MAX: usize = 128;
/// Most characters of a reason.
const REASON_CHARS_MAX: usize = 500;

pub(super) fn app_id(number: u32) -> Result<SdkAppId, Status> {
    SdkAppId::new(number).map_err(|error| id_fault("sdk_app_id", error).status())
}

pub(super) fn account(text: &str) -> Result<AccountId, Status> {
    AccountId::new(text).map_err(|error| id_fault("account", error).status())
}

/// An account; nothing where none is named.
pub(super) fn maybe_account(text: &str) -> Result<Option<AccountId>, Status> {
    match text {
        "" => Ok(None),
        text => account(text).map(Some),
    }
}

pub(super) fn month(text: &str) -> Result<Month, Status> {
    Month::parse(text).map_err(|error| Fault::of("month", error.to_string()).status())
}

/// A month; nothing where none is named.
pub(super) fn maybe_month(text: &str) -> Result<Option<Month>, Status> {
    match text {
        "" => Ok(None),
        text => month(text).map(Some),
    }
}

pub(super) fn day(field: &'static str, text: &str) -> Result<Day, Status> {
    Day::parse(text).map_err(|error| Fault::of(field, error.to_string()).status())
}

/// An amount of more than nothing.
pub(super) fn amount(text: &str) -> Result<Money, Status> {
    let wrong = |problem: String| Fault::of("amount", problem).status();
    let amount = Money::parse(text).map_err(|error| wrong(error.to_string()))?;
    if amount.is_zero() {
        return Err(wrong("is nothing: give more".to_owned()));
    }
    Ok(amount)
}

/// What money came by.
pub(super) fn reference(text: &str) -> Result<&str, Status> {
    let problem = "must have 1 to 128 characters: what the money came by, like a payment's number";
    words("reference", text, REFERENCE_CHARS_MAX, problem)
}

/// Why something is done.
pub(super) fn reason(text: &str) -> Result<&str, Status> {
    let problem = "must have 1 to 500 characters: say why";
    words("reason", text, REASON_CHARS_MAX, problem)
}

fn words<'a>(
    field: &'static str,
    text: &'a str,
    most: usize,
    problem: &'static str,
) -> Result<&'a str, Status> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most {
        return Err(Fault::of(field, problem).status());
    }
    Ok(text)
}

/// A name; nothing where none is given.
pub(super) fn named(name: String) -> Option<String> {
    (!name.is_empty()).then_some(name)
}

/// What is wanted of the add-ons.
pub(super) fn settings(add_ons: Option<proto::AddOns>) -> Settings {
    let add_ons = add_ons.unwrap_or_default();
    Settings {
        av_chat_rooms_unlimited: add_ons.av_chat_rooms_unlimited,
        group_members: add_ons.group_members,
        joined_groups: add_ons.joined_groups,
        content_filtering: add_ons.content_filtering,
        history_days: add_ons.history_days,
        comment_bandwidth: add_ons.comment_bandwidth,
    }
}

/// How many are wanted on a page.
pub(super) fn page_size(asked: u32) -> Result<u32, Status> {
    match asked {
        0 => Ok(PAGE),
        1..=PAGE_MAX => Ok(asked),
        _ => Err(Fault::of("page_size", "must be at most 1,000").status()),
    }
}

/// Where the page before ended; nothing for the first page.
pub(super) fn page_token<T: std::str::FromStr>(token: &str) -> Result<Option<T>, Status> {
    match token {
        "" => Ok(None),
        token => token.parse().map(Some).map_err(|_| no_token()),
    }
}

pub(super) fn no_token() -> Status {
    Fault::of("page_token", "is no `next_page_token` of this call").status()
}

//! States of an app as JSON, for the audit trail.
//!
//! Invariant: what is written is valid JSON, whatever the names and reasons hold. Absent on purpose: reading it.

use std::fmt::Write as _;

use crate::catalog::LimitName;
use crate::entitlement::{Override, Terms};
use crate::id::AccountId;
use crate::money::Money;
use crate::subscription::{AppState, Plan};
use crate::time::{Day, Month, Timestamp};

/// What an app subscribes to.
pub(super) fn plan(plan: &Plan) -> String {
    let mut object = Object::default();
    object.text("edition", &plan.edition);
    if plan.av_chat_rooms_unlimited {
        object.plain("av_chat_rooms_unlimited", "true");
    }
    if let Some(members) = plan.group_members {
        object.plain("group_members", &members.to_string());
    }
    if let Some(joined) = plan.joined_groups {
        object.plain("joined_groups", &joined.to_string());
    }
    if plan.content_filtering {
        object.plain("content_filtering", "true");
    }
    if let Some(days) = plan.history_days {
        object.plain("history_days", &days.to_string());
    }
    if plan.comment_bandwidth {
        object.plain("comment_bandwidth", "true");
    }
    object.done()
}

/// A new app's account and edition.
pub(super) fn created(account: &AccountId, edition: &str) -> String {
    let mut object = Object::default();
    object.text("edition", edition);
    object.text("account", account.as_str());
    object.done()
}

/// The state of an app.
pub(super) fn state(state: AppState) -> String {
    let mut object = Object::default();
    object.text("state", state.name());
    object.done()
}

/// A plan that is paid ahead.
pub(super) fn prepaid(until: Day) -> String {
    let mut object = Object::default();
    object.text("prepaid_until", &until.to_string());
    object.done()
}

/// What an account has to spend.
pub(super) fn balance(account: &AccountId, balance: Money) -> String {
    let mut object = Object::default();
    object.text("account", account.as_str());
    object.text("balance", &balance.to_string());
    object.done()
}

/// What an account was given.
pub(super) fn received(
    account: &AccountId,
    amount: Money,
    reason: Option<&str>,
    reference: Option<&str>,
) -> String {
    let mut object = Object::default();
    object.text("account", account.as_str());
    object.text("amount", &amount.to_string());
    if let Some(reason) = reason {
        object.text("reason", reason);
    }
    if let Some(reference) = reference {
        object.text("reference", reference);
    }
    object.done()
}

/// A call that was a repetition.
pub(super) fn repeated(account: &AccountId, reference: &str) -> String {
    let mut object = Object::default();
    object.text("account", account.as_str());
    object.text("reference", reference);
    object.plain("repeated", "true");
    object.done()
}

/// A month that is closed.
pub(super) fn closed(month: Month, bills: u64, total: Money) -> String {
    let mut object = Object::default();
    object.text("month", &month.to_string());
    object.plain("bills", &bills.to_string());
    object.text("total", &total.to_string());
    object.done()
}

/// What is set for one limit.
pub(super) fn override_of(limit: LimitName, one: &Override) -> String {
    let mut object = Object::default();
    object.text("limit", limit.name());
    if let Some(bound) = one.bound {
        match bound.finite() {
            Some(count) => object.plain("value", &count.to_string()),
            None => object.text("value", "unlimited"),
        }
    }
    if let Some(enforcement) = one.enforcement {
        object.text("enforcement", enforcement.name());
    }
    object.text("reason", &one.reason);
    if one.expires != Timestamp::MAX {
        object.text("expires", &one.expires.to_string());
    }
    object.done()
}

/// What the files say, in short: the editions, and how many rules there are.
pub(super) fn files(terms: &Terms) -> String {
    let mut list = String::from("[");
    for (_, edition) in terms.catalog.editions() {
        if list.len() > 1 {
            list.push(',');
        }
        put_text(&mut list, &edition.name);
    }
    list.push(']');
    let mut object = Object::default();
    object.plain("editions", &list);
    object.plain("rules", &terms.policy.rules().count().to_string());
    object.done()
}

/// An object that grows.
#[derive(Default)]
struct Object(String);

impl Object {
    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        put_text(&mut self.0, value);
    }

    /// A number, a truth, or JSON that is there already.
    fn plain(&mut self, key: &str, value: &str) {
        self.key(key);
        self.0.push_str(value);
    }

    fn key(&mut self, key: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        put_text(&mut self.0, key);
        self.0.push(':');
    }

    fn done(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn put_text(to: &mut String, text: &str) {
    to.push('"');
    for one in text.chars() {
        match one {
            '"' | '\\' => to.extend(['\\', one]),
            one if one.is_control() => {
                let mut units = [0; 2];
                for unit in one.encode_utf16(&mut units) {
                    // Writing to a String does not fail.
                    let _ = write!(to, "\\u{unit:04x}");
                }
            }
            one => to.push(one),
        }
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Bound;
    use crate::entitlement::Enforcement;

    #[test]
    fn states_are_json_whatever_stands_in_them() {
        let chosen = Plan {
            av_chat_rooms_unlimited: true,
            group_members: Some(500),
            joined_groups: Some(100),
            history_days: Some(90),
            content_filtering: true,
            ..Plan::of("a \"b\" \\ \n\u{7f}é")
        };
        let one = Override {
            bound: Some(Bound::UNLIMITED),
            enforcement: Some(Enforcement::Shadow),
            reason: "why".into(),
            expires: Timestamp::from_unix_ms_saturating(0),
        };
        assert_eq!(
            plan(&chosen),
            r#"{"edition":"a \"b\" \\ \u000a\u007fé","av_chat_rooms_unlimited":true,"group_members":500,"joined_groups":100,"content_filtering":true,"history_days":90}"#
        );
        assert_eq!(
            override_of(LimitName::Friends, &one),
            r#"{"limit":"friends","value":"unlimited","enforcement":"shadow","reason":"why","expires":"1970-01-01T00:00:00Z"}"#
        );
    }
}

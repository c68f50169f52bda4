//! An answer for people: what was decided, and why.
//!
//! Absent on purpose: fields that say nothing; `--json` has them all.

use super::table::{finished, origin, shown, table, together};
use crate::proto::{AdmitResponse, Outcome, Subject};

/// The answer as a table, and another for the initial members of a group, given in the order of the request.
pub(super) fn of(response: &AdmitResponse, named: &[String]) -> String {
    together([main(response), members(response, named)])
}

fn main(response: &AdmitResponse) -> Option<String> {
    let mut rows = table(&[name(response), ""]);
    let mut add = |what: &str, said: String| {
        if !said.is_empty() {
            rows.add_row([what, &said]);
        }
    };
    add("", note(response).into());
    if response.reason != 0 {
        add("reason", response.reason().as_str_name().into());
        add("IM error code", response.im_error_code.to_string());
        add("who", subject(response).into());
        add("limit", limit(response));
        let anew = response.resets_at.map(|at| at.to_string());
        add("begins anew", anew.unwrap_or_default());
        add("", response.message.clone());
    }
    let remedy = response.remedy.as_ref();
    add(
        "would help",
        remedy.map(|it| it.description.clone()).unwrap_or_default(),
    );
    add("revision of the limits", response.revision.to_string());
    finished(rows, 2)
}

fn name(response: &AdmitResponse) -> &'static str {
    match response.outcome() {
        Outcome::Allowed => "ALLOWED",
        Outcome::Denied => "DENIED",
        Outcome::Unspecified => "UNDECIDED",
    }
}

fn note(response: &AdmitResponse) -> &'static str {
    match response {
        it if it.would_deny => "only because the limit that it reached is in shadow",
        it if it.over_limit => "a count is now above its limit",
        it if it.outcome() == Outcome::Allowed && !it.changed => "it was so already",
        _ => "",
    }
}

fn subject(response: &AdmitResponse) -> &'static str {
    match response.subject() {
        Subject::Unspecified => "",
        Subject::App => "the app",
        Subject::User => "the user",
        Subject::Friend => "the friend",
        Subject::Group => "the group",
    }
}

/// Like `group_members: 20 of 20, by edition trial`.
fn limit(response: &AdmitResponse) -> String {
    if response.limit_name.is_empty() {
        return String::new();
    }
    let (used, limit) = (shown(response.used), shown(response.limit));
    let origin = origin(response.source.as_ref());
    format!("{}: {used} of {limit}, by {origin}", response.limit_name)
}

fn members(response: &AdmitResponse, named: &[String]) -> Option<String> {
    let mut rows = table(&["member", "verdict", "", "IM error code"]);
    for (member, id) in response.members.iter().zip(named) {
        let (mut reason, mut code) = ("", String::new());
        if member.reason != 0 {
            reason = member.reason().as_str_name();
            code = member.im_error_code.to_string();
        }
        rows.add_row([id, name(member), reason, &code]);
    }
    finished(rows, 3)
}

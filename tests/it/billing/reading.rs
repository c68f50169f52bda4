//! The format of a scenario: every kind of bad line ends the play with its place, and what may stand where.

use super::script::{play_text, report};
use crate::support::catalog;

const START: &str = r#"{"at":"2026-01-10T09:00:00+08:00","op":"create_app","app":1,"account":"acme"}
"#;

/// What follows `{"at":"2026-01-10T09:00:00+08:00",` in the second line, and how the complaint begins.
const FIELDS: &str = r#"
"op":"buy"}  =>  op: there is no operation "buy"; there are create_app, upgrade, change, disable, usage, top_up, prepaid, configure, end
"app":1}  =>  missing field `op`
"op":"disable","app":1,"appp":1}  =>  unknown field `appp`, expected one of `at`, `op`, `app`
"op":"disable"}  =>  disable needs the field "app"; add it
"op":"disable","app":0}  =>  app: an id that is 0
"op":"disable","app":"1"}  =>  invalid type: string "1", expected u32
"op":"disable","app":1,"day":"2026-01-01"}  =>  disable takes no field "day"; remove it
"op":"create_app","app":1,"account":"beta"}  =>  the app exists already; name another
"op":"create_app","app":2}  =>  create_app needs the field "account"; add it
"op":"create_app","app":2,"account":""}  =>  account: an id that is empty
"op":"create_app","app":2,"account":null}  =>  invalid type: null, expected a string
"op":"upgrade","app":1}  =>  upgrade needs the field "edition"; add it
"op":"upgrade","app":1,"edition":"gold"}  =>  edition: the catalog has no "gold"; it has trial, pro, flagship
"op":"change","app":1,"settings":{"history":90}}  =>  unknown field `history`, expected one of `av_chat_rooms_unlimited`
"op":"change","app":1,"settings":{"history_days":"90"}}  =>  invalid type: string "90", expected i64
"op":"change","app":1,"settings":{"history_days":null}}  =>  invalid type: null, expected i64
"op":"change","app":1,"settings":{"history_days":1.5}}  =>  invalid type: floating point `1.5`, expected i64
"op":"usage","app":1,"dau":1}  =>  usage needs the field "day"; add it
"op":"usage","app":1,"day":"2026-02-29","dau":1}  =>  day: "2026-02-29" is no day: write it like 2026-03-01
"op":"usage","app":1,"day":"2026-02-28","dau":-1}  =>  invalid value: integer `-1`, expected u64
"op":"usage","app":1,"day":"2026-02-28","groups":1000000000001}  =>  groups: 1000000000001 is more than 1000000000000
"op":"usage","app":1,"day":"2026-02-28","bandwidth_mbps":12.5}  =>  invalid type: floating point `12.5`, expected a string
"op":"usage","app":1,"day":"2026-02-28","bandwidth_mbps":"-1"}  =>  bandwidth_mbps: "-1" is no quantity: write a decimal like "12.5"
"op":"usage","app":1,"day":"2026-02-28","dau_estimate":{"lower":2,"estimate":1,"upper":3}}  =>  dau_estimate: lower, estimate and upper must not fall
"op":"usage","app":1,"day":"2026-02-28","dau_estimate":{"lower":1,"estimate":1}}  =>  missing field `upper`
"op":"usage","app":1,"day":"2026-02-28","dau":1,"dau_estimate":{"lower":1,"estimate":1,"upper":3}}  =>  usage takes dau or dau_estimate, not both
"op":"top_up","account":"acme","amount":"-1"}  =>  amount: "-1" is no amount: write a decimal like "149.99"
"op":"top_up","account":"acme","amount":100}  =>  invalid type: integer `100`, expected a string
"op":"top_up","account":"acme"}  =>  top_up needs the field "amount"; add it
"op":"prepaid","app":1,"expires":"soon"}  =>  expires: "soon" is no day
"op":"configure","push_day":1}  =>  configure stands on the first line or nowhere; move it there
"op":"end","app":1}  =>  end takes no field "app"; remove it
"op":"end"  =>  EOF while parsing an object
"#;

#[test]
fn a_malformed_line_ends_the_play_with_its_place() {
    for row in FIELDS.lines().skip(1) {
        let (fields, expected) = row.split_once("  =>  ").expect("two columns");
        let text = format!("{START}{{\"at\":\"2026-01-10T09:00:00+08:00\",{fields}\n");
        let error = play_text(&text, catalog()).expect_err(row).to_string();
        let said = error.strip_prefix("s:2: ");
        assert!(
            said.is_some_and(|it| it.starts_with(expected)),
            "{row}: {error}"
        );
    }
    for (line, expected) in [
        ("disable 1", "is no JSON object"),
        ("[1]", "is no JSON object"),
        ("\n{}", "is empty, and more lines follow; remove it"),
        (
            r#"{"op":"disable","app":1}"#,
            "every line but configure needs the field \"at\"; add it",
        ),
        (r#"{"at":"today","op":"end"}"#, "at: \"today\" is no time"),
        (
            r#"{"at":"2026-01-10T08:59:59+08:00","op":"end"}"#,
            "is earlier than what came before; put the commands in the order of their time",
        ),
    ] {
        let error = play_text(&format!("{START}{line}\n"), catalog())
            .expect_err(line)
            .to_string();
        let said = error.strip_prefix("s:2: ");
        assert!(
            said.is_some_and(|it| it.starts_with(expected)),
            "{line}: {error}"
        );
    }
    let after = format!(
        "{START}{}\n{}\n",
        r#"{"at":"2026-01-11T00:00:00Z","op":"end"}"#,
        r#"{"at":"2026-01-11T00:00:00Z","op":"end"}"#
    );
    let error = play_text(&after, catalog())
        .expect_err("after the end")
        .to_string();
    assert_eq!(error, "s:3: stands after end; move end to the last line");
}

#[test]
fn the_deployment_is_configured_on_the_first_line() {
    for (configure, pushed) in [
        (r#"{"op":"configure"}"#, "2026-03-01"),
        (r#"{"op":"configure","push_day":3}"#, "2026-03-03"),
        (
            r#"{"at":"2026-01-01T00:00:00Z","op":"configure","push_day":2,"time_zone":"Z"}"#,
            "2026-03-02",
        ),
    ] {
        let text = format!(
            "{configure}\n{START}{}\n{}\n",
            r#"{"at":"2026-01-10T09:00:00+08:00","op":"upgrade","app":1,"edition":"pro"}"#,
            r#"{"at":"2026-03-03T09:00:00+08:00","op":"end"}"#
        );
        assert!(
            report(&text).contains(&format!("\"pushed\":\"{pushed}\"")),
            "{configure}"
        );
    }
    for (configure, expected) in [
        (
            r#"{"op":"configure","push_day":4}"#,
            "s:1: push_day: 4 is none; write 1, 2 or 3",
        ),
        (
            r#"{"op":"configure","time_zone":"CST"}"#,
            "s:1: time_zone: \"CST\" is no zone",
        ),
    ] {
        let error = play_text(configure, catalog())
            .expect_err(configure)
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn nothing_comes_of_nothing() {
    let nothing = r#"{"bills":[],"states":[],"refused":[]}"#;
    assert_eq!(report(""), nothing);
    let paid = r#"{"at":"2026-01-10T09:00:00+08:00","op":"top_up","account":"acme","amount":"1"}"#;
    let end = r#"{"at":"2027-01-10T09:00:00+08:00","op":"end"}"#;
    assert_eq!(
        report(&format!("{paid}\n{end}\n")),
        nothing,
        "an account without an app has no bill"
    );
    let last = r#"{"at":"2148-12-30T00:00:00Z","op":"end"}"#;
    assert!(report(&format!("{START}{last}\n")).contains("\"month\":\"2148-11\""));
}

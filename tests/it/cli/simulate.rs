//! `simulate` as a user runs it: what it prints in which format, and its exit status.

use super::{file, path, run};

const SCENARIO: &str = "tests/data/scenario-2.ndjson";
const REPORT: &str = r#"{"bills":[{"account":"acme","month":"2019-02","pushed":null,"total":"0.00","lines":[]},{"account":"acme","month":"2019-03","pushed":"2019-04-01","total":"299.98","lines":[{"app":1,"item":"plan","quantity":"1","unit_price":"149.99","amount":"149.99"},{"app":1,"item":"av_chat_rooms","quantity":"1","unit_price":"149.99","amount":"149.99"}]},{"account":"acme","month":"2019-04","pushed":"2019-05-01","total":"299.98","lines":[{"app":1,"item":"plan","quantity":"1","unit_price":"149.99","amount":"149.99"},{"app":1,"item":"av_chat_rooms","quantity":"1","unit_price":"149.99","amount":"149.99"}]},{"account":"acme","month":"2019-05","pushed":null,"total":"0.00","lines":[]},{"account":"acme","month":"2019-06","pushed":null,"total":"0.00","lines":[]}],"states":[{"at":"2019-04-08T00:00:00+08:00","account":"acme","app":1,"state":"SUSPENDED"},{"at":"2019-07-07T00:00:00+08:00","account":"acme","app":1,"state":"REPOSSESSED"}],"refused":[]}"#;

/// RULES 6.7, rule 49; 8, C11.
#[test]
fn json_is_one_object_on_the_last_line() {
    let (status, stdout, stderr) = run(&["simulate", SCENARIO, "--json"]);
    assert_eq!(
        (status, stdout.as_str(), stderr.as_str()),
        (0, &*format!("{REPORT}\n"), "")
    );
    for format in ["table", "json", "csv", "html"] {
        let (status, stdout, _) = run(&["simulate", SCENARIO, "--format", format, "--json"]);
        assert_eq!(status, 0);
        assert!(stdout.lines().count() > 1, "{format} comes first");
        assert_eq!(stdout.lines().last(), Some(REPORT), "{format}");
    }
}

#[test]
fn every_format_is_printed() {
    for (arguments, start, part) in [
        (
            &["simulate", SCENARIO][..],
            "acme 2019-02: 0.00 USD, not pushed",
            "SUSPENDED",
        ),
        (
            &["simulate", SCENARIO, "--format", "table"],
            "acme 2019-02",
            "REPOSSESSED",
        ),
        (
            &["simulate", SCENARIO, "--format", "json"],
            "{\"bills\":[",
            "\"because\":",
        ),
        (
            &["simulate", SCENARIO, "--format", "csv"],
            "account,month,",
            "acme,2019-03,2019-04-01,1,plan",
        ),
        (
            &["simulate", SCENARIO, "--format", "html"],
            "<!DOCTYPE html>",
            "<h1>Bill <span>2019-03",
        ),
        (
            &["simulate", SCENARIO, "--config", "config"],
            "acme",
            "Prices by catalog",
        ),
    ] {
        let (status, stdout, stderr) = run(arguments);
        assert_eq!((status, stderr.as_str()), (0, ""));
        assert!(
            stdout.starts_with(start) && stdout.contains(part),
            "{arguments:?}: {stdout}"
        );
    }
}

#[test]
fn refused_lines_are_told_and_malformed_ones_end_it() {
    let create = r#"{"at":"2026-01-10T09:00:00+08:00","op":"create_app","app":1,"account":"acme"}"#;
    let change = r#"{"at":"2026-01-10T09:00:00+08:00","op":"change","app":1}"#;
    let scenario = file(format!("{create}\n{change}\n"));
    let (status, stdout, _) = run(&["simulate", path(&scenario)]);
    assert_eq!(status, 0);
    assert!(stdout.contains("NOT_AVAILABLE_IN_EDITION"), "{stdout}");
    let (_, stdout, _) = run(&["simulate", path(&scenario), "--json"]);
    let refused = r#""refused":[{"line":2,"reason":"NOT_AVAILABLE_IN_EDITION"}]}"#;
    assert!(stdout.trim_end().ends_with(refused), "{stdout}");

    let scenario = file(format!("{create}\nnonsense\n"));
    let (status, stdout, stderr) = run(&["simulate", path(&scenario), "--json"]);
    assert_eq!((status, stdout.as_str()), (2, ""));
    let expected = format!("quotagate: {}:2: is no JSON object", path(&scenario));
    assert!(stderr.starts_with(&expected), "{stderr}");

    let (status, _, stderr) = run(&["simulate", "/no/such/file"]);
    assert_eq!(status, 2);
    assert!(
        stderr.starts_with("quotagate: cannot open /no/such/file"),
        "{stderr}"
    );
    let (status, _, stderr) = run(&["simulate", SCENARIO, "--format", "pdf"]);
    assert_eq!(status, 2);
    assert!(
        stderr.contains("[possible values: table, json, csv, html]"),
        "{stderr}"
    );
}

#[test]
fn help_teaches_the_format() {
    let (status, help, _) = run(&["simulate", "--help"]);
    assert_eq!(status, 0);
    for part in [
        "create_app",
        "upgrade",
        "change",
        "disable",
        "usage",
        "top_up",
        "prepaid",
        "configure",
        "end",
        "settings",
        "history_days",
        "--format",
        "--json",
        "--config",
        "Examples:",
        "Exit status:",
    ] {
        assert!(help.contains(part), "{part}");
    }
}

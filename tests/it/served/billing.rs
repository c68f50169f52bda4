//! The commands about subscriptions, bills and accounts: what they print, for people and for scripts, and what they refuse.

use serde_json::{Value, json};

use super::{Served, run_at};

fn json(text: &str) -> Value {
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(text).expect("JSON")
}

/// Runs a command that is refused; what it says.
fn refused(served: &Served, arguments: &[&str]) -> String {
    let (status, stdout, stderr) = served.run(arguments);
    assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
    stderr
}

#[test]
fn subscriptions_are_upgraded_previewed_changed_and_ended() {
    let served = Served::start();
    let created = served.done(&["app", "create", "7", "--account", "acme", "--json"]);
    assert_eq!(json(&created)["account"], "acme");
    let previewed = served.done(&["app", "preview", "7", "--edition", "pro"]);
    for part in [
        "app 7 from trial to pro",
        "nothing has been changed",
        "max_users",
        "149.99 USD",
    ] {
        assert!(previewed.contains(part), "{previewed}");
    }
    let upgraded = served.done(&[
        "app",
        "upgrade",
        "7",
        "pro",
        "--history-days",
        "90",
        "--json",
    ]);
    let upgraded = json(&upgraded);
    assert_eq!(upgraded["edition"], "pro");
    assert_eq!(upgraded["published"]["history_days"], 90);
    assert_eq!(upgraded["costs"][0]["item"], "plan");
    let shown = served.done(&["app", "show", "7"]);
    for part in ["acme", "days of history", "90", "149.99 USD", "+08:00"] {
        assert!(shown.contains(part), "{shown}");
    }
    let said = refused(&served, &["app", "change", "7", "--edition", "flagship"]);
    assert_eq!(
        said,
        "quotagate: app 7: ONCE_A_MONTH: the edition and each add-on change once in a calendar month; wait for the first day \
         of the next month, or restore the value from before\n"
    );
    let changed = served.done(&["app", "change", "7", "--content-filtering", "on", "--json"]);
    assert_eq!(json(&changed)["add_ons"]["content_filtering"], true);
    served.done(&["app", "prepaid", "7", "2140-12-31"]);
    let said = refused(&served, &["app", "disable", "7"]);
    assert!(
        said.contains("nothing was done") && said.contains("--confirm 7"),
        "{said}"
    );
    let said = refused(&served, &["app", "disable", "7", "--confirm", "8"]);
    assert!(said.contains("confirm_sdk_app_id"), "{said}");
    assert_eq!(
        json(&served.done(&["app", "show", "7", "--json"]))["state"],
        "ACTIVE"
    );
    let ended = served.done(&["app", "disable", "7", "--confirm", "7"]);
    assert!(ended.contains("disabled"), "{ended}");
}

#[test]
fn accounts_and_bills_are_shown_to_people_and_scripts() {
    let served = Served::start();
    served.done(&[
        "app",
        "create",
        "7",
        "--account",
        "acme",
        "--edition",
        "pro",
    ]);
    let top_up = [
        "account",
        "top-up",
        "acme",
        "299.98",
        "--reference",
        "wire 9",
    ];
    let booked = served.done(&top_up);
    assert!(
        booked.starts_with("booked at ") && booked.contains("299.98 USD"),
        "{booked}"
    );
    let again = served.done(&top_up);
    assert!(
        again.contains("already") && again.contains("nothing has changed"),
        "{again}"
    );
    let receipt = json(&served.done(&[&top_up[..], &["--json"]].concat()));
    assert_eq!(
        (&receipt["is_repeated"], &receipt["account"]["balance"]),
        (&json!(true), &json!("299.98"))
    );
    let credit = [
        "account",
        "credit",
        "acme",
        "5",
        "--reference",
        "case 1",
        "--reason",
        "an outage",
    ];
    served.done(&credit);
    let shown = served.done(&["account", "show", "acme"]);
    for part in [
        "304.98 USD",
        "top-up",
        "wire 9",
        "credit",
        "an outage",
        "came in, USD",
        "7",
        "pro",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let shown = json(&served.done(&["account", "show", "acme", "--last", "1", "--json"]));
    assert_eq!(shown["statement"].as_array().map(Vec::len), Some(1));
    assert_ne!(shown["next_page_token"], "");
    assert!(served.done(&["account", "list"]).contains("acme"));
    assert_eq!(
        served.done(&["account", "list", "--in-arrears"]),
        "no account owes anything\n"
    );
    let draft = served.done(&["bill", "preview", "acme"]);
    for part in [
        "0.00 USD so far, a draft: usage and changes until",
        "month of activation",
    ] {
        assert!(draft.contains(part), "{draft}");
    }
    assert_eq!(
        json(&served.done(&["bill", "preview", "acme", "--json"]))["state"],
        "DRAFT"
    );
    assert!(served.done(&["bill", "list"]).starts_with("no bills"));
}

#[test]
fn refusals_of_billing_calls_are_trouble_in_a_sentence() {
    let served = Served::start();
    served.done(&["app", "create", "7", "--account", "acme"]);
    let top_up = ["account", "top-up", "acme", "299.98"];
    served.done(&[&top_up[..], &["--reference", "wire 9"]].concat());
    for (arguments, said) in [
        (
            &["account", "top-up", "acme", "1", "--reference", "wire 9"][..],
            "it was used for 299.98 USD at ",
        ),
        (
            &["account", "top-up", "acme", "-1", "--reference", "r"],
            "'-1'",
        ),
        (
            &["account", "top-up", "acme", "much", "--reference", "r"],
            "amount: \"much\" is no amount",
        ),
        (
            &["account", "top-up", "none", "1", "--reference", "r"],
            "no account none",
        ),
        (&["account", "show", "none"], "no account none"),
        (
            &["bill", "show", "acme", "2020-01"],
            "acme has no bill of 2020-01",
        ),
        (
            &["bill", "show", "acme", "January"],
            "\"January\" is no month",
        ),
        (&["bill", "preview", "none"], "no account none"),
        (&["bill", "close"], ", not before"),
    ] {
        let stderr = refused(&served, arguments);
        assert!(stderr.contains(said), "{arguments:?} says {stderr}");
    }
}

#[test]
fn wrong_arguments_are_named_before_anything_is_sent() {
    for (arguments, said) in [
        (&["app", "change", "7"][..], "what is to change?"),
        (&["app", "preview", "7"], "what is to change?"),
        (&["app", "upgrade", "7"], "<EDITION>"),
        (
            &["app", "change", "7", "--comment-bandwidth", "yes"],
            "[possible values: on, off]",
        ),
        (&["account", "top-up", "acme", "5"], "--reference <TEXT>"),
        (
            &["account", "credit", "acme", "5", "--reference", "r"],
            "--reason <TEXT>",
        ),
        (&["bill", "show", "acme"], "<MONTH>"),
    ] {
        let (status, stdout, stderr) = run_at("unix:///no/such/socket", arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(said), "{arguments:?} says {stderr}");
    }
}

//! Traces replayed to a served gateway come to the known answers of `tests/data/README.md`.

use std::fs;

use serde_json::{Value, json};

use super::{Served, path};

/// What a replay to an app prints, without how long it took.
fn replay(served: &Served, address: &str, app: &str, trace: &str) -> Value {
    let file = format!("tests/data/{trace}.ndjson.gz");
    let replay = ["replay", &file, "--server", address, "--app", app, "--json"];
    let mut report: Value = serde_json::from_str(&served.done(&replay)).expect("JSON");
    let keys = report.as_object_mut().expect("an object");
    assert!(keys.remove("seconds").is_some());
    report
}

#[test]
fn real_traces_on_pro_over_tcp() {
    let served = Served::start();
    served.done(&["app", "create", "1", "--edition", "pro"]);
    served.done(&["app", "create", "2", "--edition", "pro"]);
    assert_eq!(
        replay(&served, &served.address, "1", "nashville"),
        json!({
            "operations": 70_291,
            "verdicts": {
                "register_user": {"ALLOWED": 24_660},
                "create_group": {"ALLOWED": 602},
                "join_group": {"ALLOWED": 33_248, "GROUP_MEMBER_LIMIT": 11_781},
            },
            "usage": {"users": 24_660, "groups": 602, "memberships": 33_850, "friend_entries": 0},
            "user_days": null,
            "months": [],
        })
    );
    assert_eq!(
        replay(&served, &served.address, "2", "collegemsg"),
        json!({
            "operations": 75_572,
            "verdicts": {
                "register_user": {"ALLOWED": 1_899},
                "login": {"ALLOWED": 59_835},
                "add_friend": {"ALLOWED": 13_838},
            },
            "usage": {"users": 1_899, "groups": 0, "memberships": 0, "friend_entries": 27_676},
            "user_days": null,
            "months": [],
        })
    );
}

#[test]
fn real_traces_on_trial_over_a_unix_socket() {
    let served = Served::start();
    served.done(&["app", "create", "1"]);
    served.done(&["app", "create", "2"]);
    assert_eq!(
        replay(&served, &served.socket(), "1", "nashville")["verdicts"],
        json!({
            "register_user": {"ALLOWED": 100, "USER_LIMIT": 24_560},
            "create_group": {"ALLOWED": 9, "USER_NOT_FOUND": 593},
            "join_group": {
                "ALLOWED": 46, "GROUP_MEMBER_LIMIT": 80, "GROUP_NOT_FOUND": 397, "USER_NOT_FOUND": 44_506,
            },
        })
    );
    assert_eq!(
        replay(&served, &served.socket(), "2", "collegemsg")["verdicts"],
        json!({
            "register_user": {"ALLOWED": 100, "USER_LIMIT": 1_799},
            "login": {"ALLOWED": 8_524, "USER_LIMIT": 51_311},
            "add_friend": {
                "ALLOWED": 258, "FRIEND_LIMIT": 16, "PEER_FRIEND_LIMIT": 6, "USER_NOT_FOUND": 13_558,
            },
        })
    );
}

fn line(fields: &str) -> String {
    format!("{{\"at\":\"2026-03-01T00:00:00Z\",{fields}}}\n")
}

/// A hundred users are all that Trial takes: the hundred and first needs the change to be in its place.
#[test]
fn a_change_of_edition_comes_between_the_operations_around_it() {
    let served = Served::start();
    served.done(&["app", "create", "1"]);
    let register = |id: u32| line(&format!("\"op\":\"register_user\",\"user\":\"u{id}\""));
    let mut trace: String = (0..101).map(register).collect();
    trace += &line("\"op\":\"set_edition\",\"edition\":\"pro\"");
    trace.extend((200..500).map(register));
    trace += &line("\"op\":\"set_edition\",\"edition\":\"trial\"");
    trace += &register(900);
    let file = served.dir.path().join("trace");
    fs::write(&file, trace).expect("written");
    let to = ["--server", &served.address, "--app", "1", "--json"];
    let printed = served.done(&[&["replay", path(&file)], &to[..]].concat());
    let report: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(report["operations"], 404);
    assert_eq!(
        report["verdicts"],
        json!({"register_user": {"ALLOWED": 400, "USER_LIMIT": 2}})
    );
}

#[test]
fn what_is_wrong_is_told_at_its_line() {
    let served = Served::start();
    served.done(&["app", "create", "1"]);
    let login = line("\"op\":\"login\",\"user\":\"ann\"").repeat(200);
    let rows = [
        (
            "\"op\":\"create_group\",\"group\":\"g\",\"type\":\"Community\",\"owner\":\"a\"",
            "type: ",
        ),
        (
            "\"op\":\"create_group\",\"group\":\"g\",\"type\":\"AVChatRoom\",\"owner\":\"a\",\"members\":[\"b\"]",
            "members",
        ),
        ("\"op\":\"set_edition\",\"edition\":\"gold\"", ""),
        ("\"op\":\"login\"", "login needs the field \"user\"; add it"),
    ];
    let file = served.dir.path().join("trace");
    for (wrong, said) in rows {
        fs::write(&file, format!("{login}{}{login}", line(wrong))).expect("written");
        let replay = [
            "replay",
            path(&file),
            "--server",
            &served.address,
            "--app",
            "1",
        ];
        let (status, stdout, stderr) = served.run(&replay);
        assert_eq!((status, stdout.as_str()), (2, ""));
        let place = format!("quotagate: {}:201: {said}", path(&file));
        assert!(stderr.starts_with(&place), "{wrong} says {stderr}");
    }
}

#[test]
fn the_app_must_be_there() {
    let served = Served::start();
    let trace = "tests/data/nashville.ndjson.gz";
    let (status, stdout, stderr) =
        served.run(&["replay", trace, "--server", &served.address, "--app", "9"]);
    assert_eq!((status, stdout.as_str()), (2, ""));
    let said = format!(
        "quotagate: {0}: there is no app 9; create it: quotagate app create 9 --edition pro --server {0}\n",
        served.address
    );
    assert_eq!(stderr, said);
}

//! Each command that asks a gateway: what it prints, for people and for scripts, and its exit status.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Served, path, run_at};

fn json(text: &str) -> Value {
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn apps_are_created_shown_listed_and_changed() {
    let served = Served::start();
    let created = json(&served.done(&["app", "create", "7", "--json"]));
    assert_eq!(
        (&created["sdk_app_id"], &created["edition"]),
        (&json!(7), &json!("trial"))
    );
    served.done(&["app", "create", "--app", "8", "--edition", "pro"]);
    for arguments in [
        &["app", "set-edition", "7", "flagship"][..],
        &["app", "set-edition", "--app", "7", "pro"],
        &["app", "set-edition", "7", "--edition", "pro"],
        &["app", "set-edition", "--app", "7", "--edition", "pro"],
    ] {
        served.done(arguments);
    }
    let shown = json(&served.done(&["app", "show", "7", "--json"]));
    assert_eq!(
        (&shown["edition"], &shown["state"]),
        (&json!("pro"), &json!("ACTIVE"))
    );
    let friends = shown["limits"].as_array().expect("limits");
    let friends = friends.iter().find(|it| it["name"] == "friends");
    assert_eq!(
        friends,
        Some(&json!({
            "name": "friends", "value": 3000, "enforcement": "ENFORCE",
            "source": {"kind": "EDITION", "name": "pro"},
        }))
    );
    let listed = json(&served.done(&["app", "list", "--json"]));
    assert_eq!(listed["apps"][0]["sdk_app_id"], 7);
    assert_eq!(listed["apps"][1]["sdk_app_id"], 8);
    assert_eq!(listed["next_page_token"], "");
    let table = served.done(&["app", "show", "--app", "8"]);
    for part in [
        "pro",
        "active",
        "joined_groups",
        "edition pro",
        "enforced",
        "500",
        "unlimited",
    ] {
        assert!(table.contains(part), "{table}");
    }
    assert!(served.done(&["app", "list"]).matches("pro  ").count() >= 2);
}

#[test]
fn refusals_of_operators_calls_are_trouble_in_a_sentence() {
    let served = Served::start();
    served.done(&["app", "create", "7"]);
    for (arguments, said) in [
        (&["app", "create", "7"][..], "app 7 exists already"),
        (&["app", "create", "9", "--edition", "gold"], "edition"),
        (&["app", "show", "9"], "app 9"),
        (&["app", "set-edition", "9", "pro"], "app 9"),
        (&["app", "set-edition", "7", "gold"], "gold"),
        (&["usage", "9"], "app 9"),
        (&["usage", "7", "user", "ann"], "\"ann\""),
        (&["usage", "7", "group", "g"], "\"g\""),
    ] {
        let (status, stdout, stderr) = served.run(arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.starts_with("quotagate: "), "{stderr}");
        assert!(stderr.contains(said), "{arguments:?} says {stderr}");
    }
}

#[test]
fn an_operation_is_allowed_or_denied_for_people_and_scripts() {
    let served = Served::start();
    served.done(&["app", "create", "7"]);
    let admit = |operation: &str, flags: &[&str]| {
        let (status, stdout, stderr) =
            served.run(&[&["admit", operation, "--app", "7"], flags].concat());
        assert_eq!(stderr, "");
        (status, stdout)
    };
    assert_eq!(admit("register_user", &["--user", "ann"]).0, 0);
    let late = ["--user", "ann", "--at", "2020-01-01T00:00:00Z"];
    let (status, stdout, stderr) =
        served.run(&[&["admit", "login", "--app", "7"], &late[..]].concat());
    assert_eq!((status, stdout.as_str()), (2, ""));
    assert!(
        stderr.starts_with("quotagate: invalid request: at: "),
        "{stderr}"
    );
    let dry = ["--user", "zoe", "--mode", "dry-run"];
    assert_eq!(admit("register_user", &dry).0, 0);
    assert_eq!(
        served.run(&["usage", "7", "user", "zoe"]).0,
        2,
        "a dry run registers nobody"
    );
    let group = ["--group", "g", "--type", "Public", "--owner", "ann"];
    let (status, table) = admit("create_group", &[&group[..], &["--member", "eve"]].concat());
    assert_eq!(status, 0);
    insta::assert_snapshot!(table, @r"
    ┌────────────────────────────┐
    │ ALLOWED                    │
    ╞════════════════════════════╡
    │ revision of the limits   2 │
    └────────────────────────────┘

    ┌───────────────────────────────────────────────────┐
    │ member   verdict                    IM error code │
    ╞═══════════════════════════════════════════════════╡
    │ eve      DENIED    USER_NOT_FOUND           70107 │
    └───────────────────────────────────────────────────┘
    ");
    let (status, table) = admit("join_group", &["--group", "g", "--user", "eve"]);
    assert_eq!(status, 1);
    insta::assert_snapshot!(table, @r#"
    ┌──────────────────────────────────────────────────┐
    │ DENIED                                           │
    ╞══════════════════════════════════════════════════╡
    │ reason                   USER_NOT_FOUND          │
    │ IM error code            70107                   │
    │ who                      the user                │
    │                          There is no user "eve". │
    │ revision of the limits   2                       │
    └──────────────────────────────────────────────────┘
    "#);
    let (status, line) = admit(
        "add_friend",
        &["--user", "ann", "--friend", "eve", "--one-way", "--json"],
    );
    assert_eq!(status, 1);
    insta::assert_snapshot!(line, @r#"{"outcome":"DENIED","changed":false,"over_limit":false,"would_deny":false,"revision":2,"reason":"USER_NOT_FOUND","im_error_code":70107,"subject":"FRIEND","limit_name":"","limit":0,"used":0,"message":"There is no user \"eve\".","members":[]}"#);
}

#[test]
fn usage_stands_beside_the_limits() {
    let served = Served::start();
    served.done(&["app", "create", "7"]);
    served.done(&["admit", "register_user", "--app", "7", "--user", "ann"]);
    let create = [
        "admit",
        "create_group",
        "--app",
        "7",
        "--group",
        "g",
        "--type",
        "Public",
    ];
    served.done(&[&create[..], &["--owner", "ann"]].concat());
    insta::assert_snapshot!(served.done(&["usage", "7", "user", "ann"]), @r"
    ┌─────────────────────────────────────┐
    │                               count │
    ╞═════════════════════════════════════╡
    │ groups joined                     1 │
    │ friends                           0 │
    │ counted among today's users      no │
    └─────────────────────────────────────┘

    ┌────────────────────────────────────────────────────────────────────┐
    │ limit           from                       begins anew   used   of │
    ╞════════════════════════════════════════════════════════════════════╡
    │ friends         edition trial   enforced                    0   20 │
    │ joined_groups   edition trial   enforced                    1   50 │
    └────────────────────────────────────────────────────────────────────┘
    ");
    insta::assert_snapshot!(served.done(&["usage", "7", "group", "g"]), @r"
    ┌──────────────────┐
    │            count │
    ╞══════════════════╡
    │ type      Public │
    │ members        1 │
    └──────────────────┘

    ┌────────────────────────────────────────────────────────────────────┐
    │ limit           from                       begins anew   used   of │
    ╞════════════════════════════════════════════════════════════════════╡
    │ group_members   edition trial   enforced                    1   20 │
    └────────────────────────────────────────────────────────────────────┘
    ");
    let app = json(&served.done(&["usage", "7", "--json"]));
    assert_eq!(app["app"]["groups_by_type"], json!({"Public": 1}));
    let table = served.done(&["usage", "7"]);
    for part in ["users", "  Public", "max_users", "edition trial", "100"] {
        assert!(table.contains(part), "{table}");
    }
}

#[test]
fn a_reload_says_its_revision_or_every_fault() {
    let dir = TempDir::new().expect("a temporary directory");
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for file in ["gateway.toml", "catalog.toml", "limits.toml"] {
        fs::copy(config.join(file), dir.path().join(file)).expect("copied");
    }
    let served = Served::start_with(dir, &["--config", "gateway.toml"]);
    let revision = served.done(&["reload"]);
    assert!(revision.starts_with("revision "), "{revision}");
    assert!(json(&served.done(&["reload", "--json"]))["revision"].is_u64());
    let limits = served.dir.path().join("limits.toml");
    fs::write(&limits, "colour = 1\nsize = 2\n").expect("written");
    let (status, stdout, stderr) = served.run(&["reload"]);
    assert_eq!(status, 2);
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
    for (line, number) in stdout.lines().zip(1..) {
        assert!(
            line.contains(&format!("limits.toml:{number}:1: ")),
            "{line}"
        );
    }
    assert_eq!(
        stderr,
        "quotagate: 2 faults; what was in force goes on serving\n"
    );
}

/// Nothing is sent: there is nobody at the address.
#[test]
fn a_wrong_flag_is_named_before_anything_is_sent() {
    let app = ["--app", "7"];
    for (operation, flags, said) in [
        (
            "login",
            &["--user", "a", "--group", "g"][..],
            "login takes no --group: leave it out; it takes --user, --at",
        ),
        (
            "register_user",
            &["--user", "a", "--at", "2026-03-01T00:00:00Z"],
            "register_user takes no --at",
        ),
        (
            "leave_group",
            &["--user", "a", "--group", "g", "--type", "Public"],
            "leave_group takes no --type",
        ),
        (
            "delete_group",
            &["--group", "g", "--one-way"],
            "delete_group takes no --one-way",
        ),
        (
            "join_group",
            &["--group", "g", "--user", "u", "--member", "m"],
            "join_group takes no --member",
        ),
        (
            "join_group",
            &["--group", "g"],
            "join_group needs --user: give it",
        ),
        (
            "create_group",
            &["--group", "g", "--owner", "o"],
            "create_group needs --type",
        ),
        (
            "create_group",
            &["--group", "g", "--type", "Public"],
            "create_group needs --owner",
        ),
        ("add_friend", &["--user", "a"], "add_friend needs --friend"),
    ] {
        let (status, stdout, stderr) = run_at(
            "unix:///no/such/socket",
            &[&["admit", operation], &app[..], flags].concat(),
        );
        assert_eq!((status, stdout.as_str()), (2, ""));
        assert!(
            stderr.starts_with(&format!("quotagate: {said}")),
            "{stderr}"
        );
    }
}

#[test]
fn a_wrong_argument_says_what_is_right() {
    for (arguments, said) in [
        (
            &["admit", "log_in", "--app", "7"][..],
            "[possible values: register_user, delete_user, login,",
        ),
        (&["admit", "login", "--user", "a"], "--app <APP>"),
        (
            &["admit", "login", "--app", "0", "--user", "a"],
            "an SDKAppID is a number from 1 to 4294967295",
        ),
        (
            &[
                "admit", "login", "--app", "7", "--user", "a", "--at", "today",
            ],
            "\"today\" is no time",
        ),
        (&["app", "show"], "<APP>"),
        (&["app", "show", "1", "--app", "1"], "cannot be used with"),
        (&["app", "set-edition"], "which app?"),
        (&["app", "set-edition", "7"], "which edition?"),
        (
            &["app", "set-edition", "pro", "7"],
            "\"pro\": an SDKAppID is a number",
        ),
        (
            &["app", "set-edition", "--app", "7", "pro", "x"],
            "\"x\" is one too many",
        ),
        (&["usage", "7", "user"], "<ID>"),
        (&["replay", "t", "--server", "http://h:1"], "--app <APP>"),
        (&["replay", "t", "--app", "1"], "--server <ADDR>"),
        (
            &[
                "replay",
                "t",
                "--server",
                "http://h:1",
                "--app",
                "1",
                "--edition",
                "pro",
            ],
            "cannot be used with",
        ),
        (
            &[
                "replay",
                "t",
                "--server",
                "http://h:1",
                "--app",
                "1",
                "--set",
                "friends=1",
            ],
            "cannot be used with",
        ),
        (
            &[
                "replay",
                "t",
                "--server",
                "http://h:1",
                "--app",
                "1",
                "--config",
                ".",
            ],
            "cannot be used with",
        ),
    ] {
        let (status, stdout, stderr) = run_at("unix:///no/such/socket", arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(said), "{arguments:?} says {stderr}");
    }
}

#[test]
fn a_gateway_that_is_not_there_is_trouble_with_a_remedy() {
    let trace = path(Path::new("tests/data/nashville.ndjson.gz"));
    let socket = "unix:///no/such/socket";
    for arguments in [
        &["app", "list"][..],
        &["app", "create", "7"],
        &["admit", "login", "--app", "7", "--user", "ann"],
        &["admit", "login", "--app", "7", "--user", "ann", "--json"],
        &["usage", "7"],
        &["reload"],
        &["replay", trace, "--server", socket, "--app", "7"],
    ] {
        let (status, stdout, stderr) = run_at(socket, arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        let said = format!(
            "quotagate: {socket}: the gateway cannot be reached: No such file or directory (os error 2); start one with `quotagate serve`, or name another with --server\n"
        );
        assert_eq!(stderr, said, "{arguments:?}");
    }
    let (status, _, stderr) = run_at("gateway", &["reload"]);
    assert_eq!(status, 2);
    assert!(
        stderr.ends_with("write http://HOST:PORT or unix:///PATH\n"),
        "{stderr}"
    );
}

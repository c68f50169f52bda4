//! The program as a user runs it: what it prints, where, and its exit status.

mod faults;
mod simulate;

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use assert_cmd::Command;
use assert_cmd::cargo::{cargo_bin, cargo_bin_cmd};
use quotagate::admission::OperationKind;
use quotagate::catalog::LimitName;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

const SMALL: &str = r#"{"at":"2026-03-31T15:59:58Z","op":"register_user","user":"ann"}
{"at":"2026-03-31T15:59:59Z","op":"login","user":"ann"}
{"at":"2026-03-31T16:00:00Z","op":"login","user":"bob"}
{"at":"2026-04-01T00:00:00Z","op":"add_friend","user":"ann","friend":"bob"}
{"at":"2026-04-01T00:00:01Z","op":"add_friend","user":"ann","friend":"eve"}
{"at":"2026-04-01T00:00:02Z","op":"create_group","group":"g","type":"Work","owner":"ann","members":["bob","eve"]}
{"at":"2026-04-01T00:00:03Z","op":"set_edition","edition":"pro"}
{"at":"2026-04-01T00:00:04Z","op":"join_group","group":"h","user":"bob"}
"#;

fn quotagate(arguments: &[&str]) -> Command {
    let mut command = cargo_bin_cmd!();
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments);
    command
}

/// Exit status, stdout and stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = quotagate(arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let status = output.status.code().expect("it ends by itself");
    (status, text(output.stdout), text(output.stderr))
}

fn file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a temporary file");
    fs::write(&file, content).expect("written");
    file
}

fn path(path: &impl AsRef<Path>) -> &str {
    path.as_ref().to_str().expect("UTF-8")
}

#[test]
fn help_teaches() {
    let (status, help, _) = run(&["--help"]);
    assert_eq!(status, 0);
    for part in [
        "serve",
        "app",
        "admit",
        "usage",
        "reload",
        "config",
        "replay",
        "simulate",
        "Examples:",
        "Exit status:",
    ] {
        assert!(help.contains(part), "{part}");
    }
    let (status, help, _) = run(&["replay", "--help"]);
    assert_eq!(status, 0);
    let limits = LimitName::ALL.map(LimitName::name);
    let options = ["--edition", "--set", "--config", "--json"];
    let others = ["set_edition", "Examples:", "Exit status:"];
    for part in limits
        .iter()
        .chain(&OperationKind::ALL.map(OperationKind::name))
        .chain(&options)
        .chain(&others)
    {
        assert!(help.contains(part), "{part}");
    }
    for command in [
        "app create",
        "app show",
        "app list",
        "app set-edition",
        "admit",
        "usage",
        "reload",
    ] {
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let (status, help, _) = run(&words);
        assert_eq!(status, 0);
        for part in [
            "--server",
            "--json",
            "QUOTAGATE_SERVER",
            "Examples:",
            "Exit status:",
        ] {
            assert!(help.contains(part), "{command}: {part}");
        }
    }
    let (status, help, _) = run(&["config", "check", "--help"]);
    assert_eq!(status, 0);
    for part in [
        "limits.toml",
        "FILE:LINE:COLUMN",
        "Examples:",
        "Exit status:",
    ] {
        assert!(help.contains(part), "{part}");
    }
}

#[test]
fn wrong_arguments_are_trouble_and_name_what_is_right() {
    let trace = file(SMALL);
    let trace = path(&trace);
    let rows: [(&[&str], &str); 9] = [
        (&[], "Usage: quotagate <COMMAND>"),
        (&["config"], "Usage: quotagate config <COMMAND>"),
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (&["replay"], "<FILE>"),
        (
            &["replay", "/no/such/file"],
            "quotagate: cannot open /no/such/file: No such file",
        ),
        (
            &["replay", "/"],
            "quotagate: / is a directory; name a trace file",
        ),
        (
            &["replay", trace, "--set", "friend=5"],
            "there is no limit \"friend\"; there are max_users, daily",
        ),
        (
            &["replay", trace, "--set", "friends=many"],
            "\"many\" is no bound; write a number from 0",
        ),
        (
            &["replay", trace, "--edition", "gold"],
            "the catalog has no \"gold\"; it has trial, pro, flagship",
        ),
    ];
    for (arguments, expected) in rows {
        let (status, stdout, stderr) = run(arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(expected), "{arguments:?} says {stderr}");
    }
}

#[test]
fn json_is_the_one_line_on_stdout_with_its_keys_in_order() {
    let (status, stdout, stderr) = run(&["replay", path(&file(SMALL)), "--json"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let line = stdout.strip_suffix('\n').expect("a whole line");
    let expected = r#"{"operations":8,"verdicts":{"add_friend":{"ALLOWED":1,"USER_NOT_FOUND":1},"create_group":{"ALLOWED":1},"join_group":{"GROUP_NOT_FOUND":1},"login":{"ALLOWED":2},"register_user":{"ALLOWED":1}},"usage":{"users":2,"groups":1,"memberships":2,"friend_entries":2},"user_days":2,"months":[{"month":"2026-03","peak_dau":1,"peak_groups":0},{"month":"2026-04","peak_dau":1,"peak_groups":1}],"seconds":"#;
    let seconds = line
        .strip_prefix(expected)
        .unwrap_or_else(|| panic!("{line}"));
    let seconds: f64 = seconds.trim_end_matches('}').parse().expect("a number");
    assert!(seconds > 0.0 && seconds < 60.0);
}

#[test]
fn tables_are_for_people() {
    let (status, stdout, stderr) = run(&["replay", path(&file(SMALL))]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let (tables, rate) = stdout.trim_end().rsplit_once('\n').expect("several lines");
    assert!(
        rate.starts_with("8 operations in 0.") && rate.ends_with(" a second"),
        "{rate}"
    );
    insta::assert_snapshot!(tables, @r"
    ┌─────────────────────────────────────────┐
    │ operation       verdict           count │
    ╞═════════════════════════════════════════╡
    │ register_user   ALLOWED               1 │
    │ login           ALLOWED               2 │
    │ add_friend      ALLOWED               1 │
    │ add_friend      USER_NOT_FOUND        1 │
    │ create_group    ALLOWED               1 │
    │ join_group      GROUP_NOT_FOUND       1 │
    └─────────────────────────────────────────┘

    ┌────────────────────────────────┐
    │ in the end               count │
    ╞════════════════════════════════╡
    │ users                        2 │
    │ groups                       1 │
    │ memberships                  2 │
    │ friend-list entries          2 │
    │ user-days with a login       2 │
    └────────────────────────────────┘

    ┌──────────────────────────────────┐
    │ month     peak DAU   peak groups │
    ╞══════════════════════════════════╡
    │ 2026-03          1             0 │
    │ 2026-04          1             1 │
    └──────────────────────────────────┘
    ");
}

#[test]
fn set_limits_hold_through_a_change_of_edition() {
    let trace = file(format!("{SMALL}{}", SMALL.replace("2026-0", "2027-0")));
    let replay = ["replay", path(&trace), "--json"];
    let set = ["--set", "max_users=unlimited", "--set", "max_users=1"];
    let (status, stdout, _) = run(&[&replay[..], &set].concat());
    assert_eq!(status, 0);
    assert!(
        stdout.contains(r#""usage":{"users":1,"#),
        "the last of two values counts: {stdout}"
    );
    assert!(
        stdout.contains(r#""login":{"ALLOWED":2,"USER_LIMIT":2}"#),
        "{stdout}"
    );
}

/// The runs of `every-reason.expected.json` that need a limits file or a budget.
#[test]
fn another_configuration_is_read_from_its_directory() {
    let expected = fs::read("tests/data/every-reason.expected.json").expect("in tests/data");
    let runs: Vec<Value> = serde_json::from_slice(&expected).expect("JSON");
    let rooms = "[[override]]\nlimit = \"broadcast_rooms\"\nvalue = 4\nreason = \"a test\"\n";
    let budget = "[budgets.per_app]\ngroups = 30\n";
    for (limits, pointer) in [(rooms, "/set/broadcast_rooms"), (budget, "/groups_budget")] {
        let dir = TempDir::new().expect("a temporary directory");
        fs::copy("config/catalog.toml", dir.path().join("catalog.toml")).expect("copied");
        fs::write(dir.path().join("limits.toml"), limits).expect("written");
        let trace = "tests/data/every-reason.ndjson";
        let (status, stdout, _) = run(&["replay", trace, "--json", "--config", path(&dir)]);
        let report: Value = serde_json::from_str(&stdout).expect("JSON");
        let expected = runs.iter().find(|run| run.pointer(pointer).is_some());
        let verdicts = expected.and_then(|run| run.pointer("/report/verdicts"));
        assert_eq!((status, report.get("verdicts")), (0, verdicts), "{limits}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_trouble() {
    let trace = file(SMALL);
    for arguments in [
        &["replay", path(&trace)][..],
        &["replay", "--help"],
        &["config", "check"],
    ] {
        let mut child = std::process::Command::new(cargo_bin!())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        drop(child.stdout.take());
        let mut stderr = String::new();
        let pipe = child.stderr.as_mut().expect("piped");
        pipe.read_to_string(&mut stderr).expect("UTF-8");
        assert_eq!(stderr, "", "{arguments:?}");
        assert_eq!(
            child.wait().expect("it ends").code(),
            Some(0),
            "{arguments:?}"
        );
    }
}

#[test]
fn good_files_are_summed_up() {
    let (status, stdout, stderr) = run(&["config", "check"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    insta::assert_snapshot!(stdout, @"config: 3 editions, 5 group types, 16 add-on prices, 0 rules");
    assert_eq!(run(&["config", "check", "config"]).1, stdout);
}

#[test]
fn every_fault_of_the_files_is_printed_with_its_place() {
    let dir = TempDir::new().expect("a temporary directory");
    fs::copy("config/catalog.toml", dir.path().join("catalog.toml")).expect("copied");
    fs::write(dir.path().join("limits.toml"), "colour = 1\nsize = 2\n").expect("written");
    let (status, stdout, stderr) = run(&["config", "check", path(&dir)]);
    assert_eq!(status, 2);
    for (line, number) in stdout.lines().zip(1..) {
        let place = format!("{}:{number}:1: ", path(&dir.path().join("limits.toml")));
        assert!(line.starts_with(&place), "{line}");
    }
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
    assert_eq!(stderr, format!("quotagate: {}: 2 faults\n", path(&dir)));

    let (status, stdout, stderr) = run(&["replay", path(&file(SMALL)), "--config", path(&dir)]);
    assert_eq!((status, stdout.as_str()), (2, ""));
    assert!(
        stderr.starts_with(&format!("quotagate: {}: 2 faults\n", path(&dir))),
        "{stderr}"
    );
}

#[test]
fn a_directory_without_files_is_trouble() {
    let (status, stdout, stderr) = run(&["config", "check", "/no/such/directory"]);
    assert_eq!(status, 2);
    assert!(
        stdout.starts_with("/no/such/directory/catalog.toml:1:1: "),
        "{stdout}"
    );
    assert!(
        stderr.starts_with("quotagate: /no/such/directory: "),
        "{stderr}"
    );
}

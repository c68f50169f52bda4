//! The examples, as a stranger runs them.

use std::process::Command;

use serde_json::{Value, json};

use super::{Served, output, python};

const SAID: &str = "carol may not join: USER_NOT_FOUND (70107): There is no user \"carol\".\n";

fn python_example(script: &str) -> Command {
    let mut command = python();
    command.arg(format!("examples/python/{script}"));
    command
}

#[test]
fn rust_over_tcp_and_a_unix_socket() {
    let served = Served::start();
    for (address, app) in [(served.address.clone(), "1"), (served.socket(), "2")] {
        served.done(&["app", "create", app]);
        let mut example = Command::new(env!("CARGO"));
        example.current_dir(env!("CARGO_MANIFEST_DIR")).args([
            "run",
            "--quiet",
            "--locked",
            "--example",
            "admit",
            "--",
            &address,
            app,
        ]);
        let (status, stdout, stderr) = output(&mut example);
        assert_eq!(status, 0, "{stderr}");
        assert_eq!(stdout, format!("bob may join, says Gateway\n{SAID}"));
    }
}

#[test]
fn python_over_tcp_and_a_unix_socket() {
    let served = Served::start();
    for (address, app) in [(served.address.clone(), "1"), (served.socket(), "2")] {
        served.done(&["app", "create", app]);
        let (status, stdout, stderr) = output(python_example("admit.py").args([&address, app]));
        assert_eq!(status, 0, "{stderr}");
        assert_eq!(stdout, format!("bob may join, says the gateway\n{SAID}"));
    }
}

/// Another implementation of gRPC comes to the same known answers.
#[test]
fn python_replays_a_real_trace() {
    let served = Served::start();
    served.done(&["app", "create", "1", "--edition", "pro"]);
    let mut replay = python_example("replay.py");
    replay.args(["tests/data/nashville.ndjson.gz", "--app", "1"]);
    let (status, stdout, stderr) = output(replay.args(["--server", &served.address]));
    assert_eq!(status, 0, "{stderr}");
    let verdicts: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        verdicts,
        json!({
            "register_user": {"ALLOWED": 24_660},
            "create_group": {"ALLOWED": 602},
            "join_group": {"ALLOWED": 33_248, "GROUP_MEMBER_LIMIT": 11_781},
        })
    );
}

//! `quotagate load` against `quotagate serve`, both as a user runs them.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use tempfile::TempDir;

/// A gateway on a free port, which ends with the test.
struct Served {
    child: Child,
    address: String,
    _dir: TempDir,
    /// What it prints later has a reader.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Served {
    fn start() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let mut child = quotagate(&["serve", "--listen", "127.0.0.1:0"])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines.find_map(|line| {
            let line = line.expect("UTF-8");
            line.strip_prefix("listening on ").map(str::to_owned)
        });
        Self {
            child,
            _dir: dir,
            address: address.expect("it says where it listens"),
            _lines: lines,
        }
    }

    fn load(&self, arguments: &[&str]) -> Output {
        let all = [&["load", "--server", &self.address], SMALL, arguments].concat();
        quotagate(&all).output().expect("it runs")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SMALL: &[&str] = &["--users", "2000", "--groups", "200", "--duration", "2"];

fn quotagate(arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin("quotagate"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("QUOTAGATE_SERVER")
        .args(arguments);
    command
}

fn json(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[test]
fn every_mode_is_answered_without_errors() {
    let served = Served::start();
    for mode in ["unary", "batch", "stream"] {
        let output = served.load(&["--mode", mode, "--json"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let keys = [
            "operations",
            "denied",
            "errors",
            "unsent",
            "seconds",
            "rate",
            "latency_us",
            "p50",
            "p90",
            "p99",
            "p999",
            "p9999",
            "max",
        ];
        let places = keys.map(|key| text.find(&format!("\"{key}\":")));
        assert!(places.iter().all(Option::is_some), "{text}");
        assert!(places.is_sorted(), "{text}");

        let report = json(&output);
        let count = |key: &str| report[key].as_u64().expect("a number");
        assert!(count("operations") > 0, "{mode}: {text}");
        assert_eq!((count("denied"), count("errors")), (0, 0), "{mode}: {text}");
        assert_eq!(report["seconds"], 2.0);
        let at = |key: &str| report["latency_us"][key].as_f64().expect("a number");
        assert!(at("p50") > 0.0 && at("p50") <= at("p99") && at("p99") <= at("max"));
    }
}

#[test]
fn an_open_loop_sends_no_more_than_it_is_told() {
    let served = Served::start();
    let report = json(&served.load(&["--rate", "500", "--json"]));
    let operations = report["operations"].as_u64().expect("a number");
    assert!((1..=1_100).contains(&operations), "{report}");
    assert_eq!(report["errors"], 0, "{report}");
}

#[test]
fn people_get_a_table() {
    let served = Served::start();
    let output = served.load(&[]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for part in ["operations a second", "p99.99", "measured for 2 s"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_server_that_goes_away_ends_the_run() {
    let mut served = Served::start();
    let load = ["load", "--server", &served.address, "--users", "2000"];
    let rest = ["--groups", "200", "--duration", "60"];
    let mut command = quotagate(&[&load[..], &rest].concat());
    let running = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let running = running.spawn().expect("it runs");
    thread::sleep(Duration::from_millis(1_500));
    served.child.kill().expect("it runs");
    let output = running.wait_with_output().expect("it ends by itself");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("has answered nothing for 3 s"), "{errors}");
}

#[test]
fn help_says_what_is_asked_and_printed() {
    let output = quotagate(&["load", "--help"]).output().expect("it runs");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let options = "--server --app --mode --batch --connections --in-flight --rate --duration --users --groups --json";
    let others = "join_group leave_group login QUOTAGATE_SERVER latency_us p9999 Examples: status:";
    for part in options.split(' ').chain(others.split(' ')) {
        assert!(help.contains(part), "{part}");
    }
}

#[test]
fn no_server_and_wrong_arguments_are_trouble_with_advice() {
    for (arguments, advice) in [
        (&["--server", "http://127.0.0.1:1"][..], "quotagate serve"),
        (&["--server", "127.0.0.1:7600"], "write http://HOST:PORT"),
        (&["--groups", "10001"], "10000 new groups a day"),
        (&["--users", "1"], "2..=10000000"),
        (&["--mode", "burst"], "stream"),
    ] {
        let output = quotagate(&[&["load"], arguments].concat()).output();
        let output = output.expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(errors.contains(advice), "{arguments:?}: {errors}");
    }
}

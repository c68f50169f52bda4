//! `usage export` as a user runs it: to a file and to an endpoint, in trouble and killed.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use quotagate::proto::UsageRecord;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::endpoint::{Deed, Endpoint, Request};
use super::merge::{line, record};
use crate::served::output;

/// Records in a file, and the state of their export.
struct Export {
    dir: TempDir,
}

impl Export {
    /// Of three apps, on a day that is long over.
    fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let export = Self { dir };
        export.records(&[7, 8, 9].map(|app| record("east", app, "2020-01-05", 0..u64::from(app))));
        export
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn records(&self, records: &[UsageRecord]) {
        let lines: String = records.iter().map(line).collect();
        fs::write(self.at("records"), lines).expect("written");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!());
        command.current_dir(self.dir.path());
        command.args(["usage", "export", "records", "--state", "state"]);
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        output(&mut self.command(arguments))
    }

    /// To an endpoint, with pauses that a test can wait for.
    fn post(&self, endpoint: &Endpoint, more: &[&str]) -> (i32, String, String) {
        let arguments = ["--to", &endpoint.url, "--pause", "10", "--timeout", "1"];
        self.run(&[&arguments, more].concat())
    }

    fn write(&self) -> (i32, String, String) {
        self.run(&["--to-file", "events"])
    }

    fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.at("events")).expect("events");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

fn id(request: &Request) -> String {
    let event: Value = serde_json::from_str(&request.body).expect("JSON");
    event["id"].as_str().expect("a text").to_owned()
}

const IDS: [&str; 3] = [
    "east/7/2020-01-05",
    "east/8/2020-01-05",
    "east/9/2020-01-05",
];

#[test]
fn a_day_is_one_event_and_what_changes_later_a_correction() {
    let export = Export::new();
    assert_eq!(
        export.write(),
        (
            0,
            "3 events sent, 0 days not over yet\n".into(),
            String::new()
        )
    );
    let first = json!({
        "specversion": "1.0", "id": "east/7/2020-01-05", "source": "urn:quotagate:east", "type": "quotagate.usage.day",
        "subject": "7", "time": "2020-01-05T00:00:00+08:00", "datacontenttype": "application/json",
        "data": {
            "gateway": "east", "sdk_app_id": 7, "day": "2020-01-05", "users": 7, "peak_groups": 5, "peak_av_chat_rooms": 1,
            "bandwidth_bps": 0,
        },
    });
    assert_eq!(export.events()[0], first);
    let late = UsageRecord {
        sequence: 12,
        ..record("east", 7, "2020-01-05", 0..9)
    };
    let today = record("east", 7, "2140-01-01", 0..2);
    let again = UsageRecord {
        is_final: true,
        ..record("east", 8, "2020-01-05", 0..8)
    };
    export.records(&[late, today, again]);
    assert_eq!(export.write().1, "1 event sent, 1 day not over yet\n");
    let mut corrected = first;
    corrected["id"] = json!("east/7/2020-01-05/2");
    corrected["type"] = json!("quotagate.usage.day.corrected");
    corrected["data"]["users"] = json!(9);
    assert_eq!(export.events()[3..], [corrected]);
    assert_eq!(export.write().1, "0 events sent, 1 day not over yet\n");
    assert_eq!(export.events().len(), 4);
}

/// The disk as a crash at any point may leave it: lines of the state missing at its end, and of the file as much as may have been
/// written by then.
#[test]
fn a_crash_at_any_point_leaves_each_event_once_in_the_file() {
    let whole = Export::new();
    whole.write();
    let (state, events) = (
        fs::read(whole.at("state")).expect("state"),
        fs::read(whole.at("events")).expect("events"),
    );
    let ends: Vec<_> = (1..=state.len())
        .filter(|end| state[end - 1] == b'\n')
        .collect();
    let lines = |end: usize| {
        String::from_utf8_lossy(&state[..end])
            .matches("\"queued\"")
            .count()
    };
    for (state_end, torn) in ends
        .iter()
        .flat_map(|end| [(*end, 0), (*end, 5)])
        .chain([(0, 0)])
    {
        let is_last = state_end == state.len();
        let may_have_begun = lines(state_end) == 3;
        let third = events.len() / 3;
        let file_ends = match (may_have_begun, is_last) {
            (true, true) => vec![events.len()],
            (true, false) => vec![
                0,
                1,
                third - 1,
                third,
                third + 1,
                third * 2 + 9,
                events.len() - 1,
                events.len(),
            ],
            (false, _) => vec![0],
        };
        for file_end in file_ends {
            let export = Export::new();
            let state_end = (state_end + torn).min(state.len());
            fs::write(export.at("state"), &state[..state_end]).expect("written");
            fs::write(export.at("events"), &events[..file_end]).expect("written");
            let (status, _, stderr) = export.write();
            assert_eq!(
                (status, stderr.as_str()),
                (0, ""),
                "state {state_end}, file {file_end}"
            );
            let after = fs::read(export.at("events")).expect("events");
            assert!(
                after == events,
                "state {state_end}, file {file_end}: {}",
                String::from_utf8_lossy(&after)
            );
        }
    }
}

#[test]
fn a_file_that_somebody_else_writes_is_left_alone() {
    let export = Export::new();
    export.write();
    let mut text = fs::read_to_string(export.at("events")).expect("events");
    text += "something else\n";
    fs::write(export.at("events"), &text).expect("written");
    let (status, _, stderr) = export.write();
    assert_eq!(status, 2);
    assert!(
        stderr.contains("something else has been written to it since byte"),
        "{stderr}"
    );
    assert_eq!(
        fs::read_to_string(export.at("events")).expect("events"),
        text
    );
    // Moved away, it is begun anew.
    fs::rename(export.at("events"), export.at("events.1")).expect("moved");
    export.records(&[UsageRecord {
        sequence: 12,
        ..record("east", 7, "2020-01-05", 0..9)
    }]);
    assert_eq!(export.write().1, "1 event sent, 0 days not over yet\n");
    assert_eq!(export.events().len(), 1);
}

#[test]
fn an_endpoint_in_trouble_is_asked_again() {
    let endpoint = Endpoint::start(&[
        Deed::Answer("503 Service Unavailable", ""),
        Deed::Answer("429 Too Many Requests", "Retry-After: 1\r\n"),
        Deed::Answer(
            "500 Internal Server Error",
            "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        ),
        Deed::Hang,
        Deed::CutOff,
        Deed::Answer("408 Request Timeout", ""),
    ]);
    let export = Export::new();
    fs::write(export.at("token"), "Bearer s3cret\n").expect("written");
    let (status, stdout, stderr) = export.post(&endpoint, &["--authorization-file", "token"]);
    assert_eq!(
        (status, stdout.as_str()),
        (0, "3 events sent, 0 days not over yet\n"),
        "{stderr}"
    );
    for part in [
        "answered 503 Service Unavailable; again in",
        "answered 429 Too Many Requests; again in 1.0 s",
        "answered 500 Internal Server Error; again in 0.0 s",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    let seen = endpoint.seen();
    let ids: Vec<_> = seen.iter().map(id).collect();
    assert_eq!(ids, [[IDS[0]; 7].as_slice(), &IDS[1..]].concat());
    assert!(
        seen[..7].iter().all(|request| request == &seen[0]),
        "the same each time"
    );
    for part in [
        "post /events http/1.1",
        "content-type: application/cloudevents+json\r\n",
        "authorization: bearer s3cret\r\n",
    ] {
        assert!(seen[0].head.contains(part), "{part}: {}", seen[0].head);
    }
}

#[test]
fn batches_are_in_the_batch_format() {
    let endpoint = Endpoint::start(&[]);
    let export = Export::new();
    assert_eq!(export.post(&endpoint, &["--batch", "2"]).0, 0);
    let seen = endpoint.seen();
    let lengths = seen.iter().map(|request| {
        assert!(
            request
                .head
                .contains("content-type: application/cloudevents-batch+json\r\n")
        );
        let events: Vec<Value> = serde_json::from_str(&request.body).expect("a list");
        events.len()
    });
    assert_eq!(lengths.collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn a_refusal_is_told_and_what_was_refused_stays_the_next() {
    let endpoint = Endpoint::start(&[
        Deed::Answer("202 Accepted", ""),
        Deed::Answer("404 Not Found", ""),
    ]);
    let export = Export::new();
    let (status, _, stderr) = export.post(&endpoint, &[]);
    assert_eq!(status, 2);
    assert!(
        stderr.contains("answered 404 Not Found to event east/8/2020-01-05 and is not asked again: no such meter"),
        "{stderr}"
    );
    assert_eq!(endpoint.seen().len(), 2);
    assert_eq!(
        export.post(&endpoint, &[]).1,
        "2 events sent, 0 days not over yet\n"
    );
    let ids: Vec<_> = endpoint.seen().iter().map(id).collect();
    assert_eq!(ids, [IDS[0], IDS[1], IDS[1], IDS[2]]);
}

#[test]
fn killed_and_started_again_nothing_is_missing_or_has_two_ids() {
    let endpoint = Endpoint::start(&[Deed::Answer("202 Accepted", ""), Deed::Hang]);
    let export = Export::new();
    let mut command = export.command(&["--to", &endpoint.url, "--timeout", "600"]);
    let mut killed = command.stdout(Stdio::null()).spawn().expect("it runs");
    endpoint.wait_for(2);
    // Another one may not have its state meanwhile.
    let (status, _, stderr) = export.post(&endpoint, &[]);
    assert_eq!(status, 2);
    assert!(stderr.contains("another export has it"), "{stderr}");
    killed.kill().expect("it runs");
    killed.wait().expect("it has ended");

    // What has changed since does not change what was on its way.
    export.records(&[UsageRecord {
        sequence: 12,
        ..record("east", 8, "2020-01-05", 0..20)
    }]);
    assert_eq!(
        export.post(&endpoint, &[]).1,
        "3 events sent, 0 days not over yet\n"
    );
    let seen = endpoint.seen();
    let ids: Vec<_> = seen.iter().map(id).collect();
    assert_eq!(ids, [IDS[0], IDS[1], IDS[1], IDS[2], "east/8/2020-01-05/2"]);
    assert_eq!(seen[1].body, seen[2].body);
}

/// A server without TLS, and an argument that is no address.
#[test]
fn addresses_that_cannot_be_are_trouble() {
    let endpoint = Endpoint::start(&[]);
    let export = Export::new();
    let url = endpoint.url.replace("http:", "https:");
    let patience = ["--pause", "10", "--timeout", "1", "--give-up-after", "0"];
    let (status, _, stderr) = export.run(&[&["--to", &url][..], &patience].concat());
    assert_eq!(status, 2);
    assert!(
        stderr.contains("given up after 0 s. Nothing is lost: run it again"),
        "{stderr}"
    );
    assert!(endpoint.seen().is_empty());
    let (status, _, stderr) = export.run(&["--to", "meter.example"]);
    assert_eq!(status, 2);
    assert!(
        stderr.contains("--to meter.example: write http://… or https://…"),
        "{stderr}"
    );
}

//! `usage merge` as a user runs it.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use quotagate::proto::{DESCRIPTORS, UsageRecord};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::sketch_of;
use crate::served::{output, path};

/// A record's line, as `usage watch --json` prints it.
pub fn line(record: &UsageRecord) -> String {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("our own");
    let descriptor = pool.get_message_by_name("quotagate.v1.UsageRecord");
    let bytes = record.encode_to_vec();
    let message = DynamicMessage::decode(descriptor.expect("a message"), bytes.as_slice());
    serde_json::to_string(&message.expect("its own")).expect("JSON") + "\n"
}

/// What a gateway says of an app on a day on which these users came.
pub fn record(gateway: &str, app: u32, day: &str, users: std::ops::Range<u64>) -> UsageRecord {
    UsageRecord {
        gateway: gateway.into(),
        sdk_app_id: app,
        day: day.into(),
        sequence: 10,
        users: users.end - users.start,
        sketch: sketch_of(users).to_bytes(),
        peak_groups: 5,
        peak_av_chat_rooms: 1,
        bandwidth_bps: 0,
        is_final: false,
    }
}

fn merge(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(cargo_bin!());
    output(command.args(["usage", "merge"]).args(arguments))
}

/// Two gateways: one as text, one as gzip, with records that come twice and out of order.
fn two_gateways(dir: &TempDir) -> [String; 2] {
    let older = UsageRecord {
        sequence: 4,
        ..record("east", 7, "2026-11-23", 0..60)
    };
    let east = [
        record("east", 7, "2026-11-23", 0..100),
        older,
        record("east", 7, "2026-11-24", 0..20),
        record("east", 7, "2026-11-23", 0..100),
    ];
    let west = [
        UsageRecord {
            bandwidth_bps: 12_500_000,
            is_final: true,
            ..record("west", 9, "2026-11-23", 0..3)
        },
        UsageRecord {
            peak_groups: 8,
            ..record("west", 7, "2026-11-23", 60..160)
        },
    ];
    let (east, west) = (
        east.each_ref().map(line).concat(),
        west.each_ref().map(line).concat(),
    );
    let (plain, packed) = (
        dir.path().join("east.ndjson"),
        dir.path().join("west.ndjson.gz"),
    );
    fs::write(&plain, east).expect("written");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(west.as_bytes()).expect("packed");
    fs::write(&packed, encoder.finish().expect("packed")).expect("written");
    [path(&plain).into(), path(&packed).into()]
}

#[test]
fn json_has_each_app_and_day_once() {
    let dir = TempDir::new().expect("a temporary directory");
    let [east, west] = two_gateways(&dir);
    let (status, stdout, stderr) = merge(&[&east, &west, &west, "--json"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let objects: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let users = |exact, lower, estimate, upper| json!({"exact": exact, "lower": lower, "estimate": estimate, "upper": upper});
    assert_eq!(
        objects,
        [
            json!({
                "sdk_app_id": 7, "day": "2026-11-23", "gateways": ["east", "west"], "users": users(false, 160, 160, 160),
                "peak_groups": 8, "peak_av_chat_rooms": 1, "bandwidth_bps": 0, "is_final": false,
            }),
            json!({
                "sdk_app_id": 7, "day": "2026-11-24", "gateways": ["east"], "users": users(true, 20, 20, 20),
                "peak_groups": 5, "peak_av_chat_rooms": 1, "bandwidth_bps": 0, "is_final": false,
            }),
            json!({
                "sdk_app_id": 9, "day": "2026-11-23", "gateways": ["west"], "users": users(true, 3, 3, 3),
                "peak_groups": 5, "peak_av_chat_rooms": 1, "bandwidth_bps": 12_500_000, "is_final": true,
            }),
        ]
    );
    assert_eq!(
        merge(&[&west, &east, "--json"]).1,
        stdout,
        "in another order"
    );
}

#[test]
fn a_table_is_for_people_and_lines_for_a_scenario() {
    let dir = TempDir::new().expect("a temporary directory");
    let [east, west] = two_gateways(&dir);
    let (status, stdout, _) = merge(&[&east, &west]);
    assert_eq!(status, 0);
    for part in [
        "95 % within",
        "160 to 160",
        "exact",
        "east, west",
        "12.5 Mbps",
        "final",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    let (status, stdout, _) = merge(&[&east, &west, "--scenario"]);
    assert_eq!(status, 0);
    let lines: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        lines,
        [
            json!({
                "at": "2026-11-24T00:00:00+08:00", "op": "usage", "app": 7, "day": "2026-11-23", "groups": 8,
                "dau_estimate": {"lower": 160, "estimate": 160, "upper": 160},
            }),
            json!({
                "at": "2026-11-24T00:00:00+08:00", "op": "usage", "app": 9, "day": "2026-11-23", "groups": 5, "dau": 3,
                "bandwidth_mbps": "12.500000",
            }),
            json!({"at": "2026-11-25T00:00:00+08:00", "op": "usage", "app": 7, "day": "2026-11-24", "groups": 5, "dau": 20}),
        ]
    );
}

#[test]
fn faults_name_file_and_line() {
    let dir = TempDir::new().expect("a temporary directory");
    let file = dir.path().join("records.ndjson");
    let good = line(&record("east", 7, "2026-11-23", 0..100));
    let damaged = UsageRecord {
        sketch: vec![1, 2, 3],
        ..record("east", 7, "2026-11-23", 0..3)
    };
    let lowered = UsageRecord {
        sequence: 11,
        ..record("east", 7, "2026-11-23", 0..99)
    };
    let twin = record("east", 7, "2026-11-23", 0..101);
    let apart = UsageRecord {
        users: 300,
        ..record("east", 7, "2026-11-23", 0..100)
    };
    for (wrong, said) in [
        (
            line(&damaged),
            "2: sketch: it has 3 bytes and should have 8",
        ),
        (
            line(&lowered),
            "2: sequence 11 has 99 users, and the older 10 had 100",
        ),
        (
            line(&twin),
            "2: sequence 10 has 101 users here and 100 in an earlier record",
        ),
        (line(&apart), "2: it counts 300 users, and its sketch 100"),
        (
            line(&record("", 7, "2026-11-23", 0..1)),
            "2: gateway: a name has 1 to 128 characters",
        ),
        (
            line(&record("east", 0, "2026-11-23", 0..1)),
            "2: sdk_app_id: an id that",
        ),
        (
            line(&record("east", 7, "2026-11-31", 0..1)),
            "2: day: \"2026-11-31\" is no day",
        ),
        (
            good.replace("\"day\"", "\"dai\""),
            "2: no usage record; write one a line, as",
        ),
        (good[..40].to_owned(), "2: no usage record"),
        ("{}\n".to_owned(), "2: gateway: a name"),
    ] {
        fs::write(&file, good.clone() + &wrong).expect("written");
        let (status, stdout, stderr) = merge(&[path(&file)]);
        assert_eq!((status, stdout.as_str()), (2, ""), "{said}");
        let start = format!("quotagate: {}:{said}", file.display());
        assert!(stderr.starts_with(&start), "{stderr} for {start}");
    }
    let (status, _, stderr) = merge(&[path(dir.path())]);
    assert_eq!(status, 2);
    assert!(
        stderr.contains("is a directory; name a file of usage records"),
        "{stderr}"
    );
}

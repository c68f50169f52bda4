//! Traces replayed in process: every number of the known answers in `tests/data/README.md`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use quotagate::catalog::{Bound, LimitName, Reason};
use quotagate::entitlement::{Policy, Rule, Setting, Target, Terms, Topic};
use quotagate::time::Timestamp;
use quotagate::trace::{LINE_BYTES_MAX, Reader, Report, replay};
use serde_json::{Value, json};

use crate::support::{app, terms};

fn data(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/data", file]
        .iter()
        .collect()
}

fn replay_file(file: &str, edition: &str) -> Value {
    let opened = File::open(data(file)).expect("a trace of tests/data");
    let mut reader = Reader::new(file, opened).expect("readable");
    let report = replay(&mut reader, &terms(""), app(1), edition);
    shown(&report.expect("valid trace"))
}

fn replay_bytes(trace: impl Into<Vec<u8>>) -> Result<Report, String> {
    let mut reader = Reader::new("t", Cursor::new(trace.into())).expect("readable");
    replay(&mut reader, &terms(""), app(1), "trial").map_err(|error| error.to_string())
}

/// A report as JSON, without how long it took.
fn shown(report: &Report) -> Value {
    let mut shown = serde_json::to_value(report).expect("a report is JSON");
    let keys = shown.as_object_mut().expect("an object");
    assert!(keys.remove("seconds").is_some());
    shown
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

fn months(peaks: &[(&str, u64, u64)]) -> Value {
    let shown =
        |&(month, dau, groups)| json!({"month": month, "peak_dau": dau, "peak_groups": groups});
    peaks.iter().map(shown).collect()
}

#[test]
fn nashville_on_pro() {
    assert_eq!(
        replay_file("nashville.ndjson.gz", "pro"),
        json!({
            "operations": 70_291,
            "verdicts": {
                "register_user": {"ALLOWED": 24_660},
                "create_group": {"ALLOWED": 602},
                "join_group": {"ALLOWED": 33_248, "GROUP_MEMBER_LIMIT": 11_781},
            },
            "usage": {"users": 24_660, "groups": 602, "memberships": 33_850, "friend_entries": 0},
            "user_days": 0,
            "months": months(&[("2026-03", 0, 602)]),
        })
    );
}

#[test]
fn nashville_on_trial() {
    assert_eq!(
        replay_file("nashville.ndjson.gz", "trial"),
        json!({
            "operations": 70_291,
            "verdicts": {
                "register_user": {"ALLOWED": 100, "USER_LIMIT": 24_560},
                "create_group": {"ALLOWED": 9, "USER_NOT_FOUND": 593},
                "join_group": {
                    "ALLOWED": 46,
                    "GROUP_MEMBER_LIMIT": 80,
                    "GROUP_NOT_FOUND": 397,
                    "USER_NOT_FOUND": 44_506,
                },
            },
            "usage": {"users": 100, "groups": 9, "memberships": 55, "friend_entries": 0},
            "user_days": 0,
            "months": months(&[("2026-03", 0, 9)]),
        })
    );
}

#[test]
fn collegemsg_on_pro() {
    assert_eq!(
        replay_file("collegemsg.ndjson.gz", "pro"),
        json!({
            "operations": 75_572,
            "verdicts": {
                "register_user": {"ALLOWED": 1_899},
                "login": {"ALLOWED": 59_835},
                "add_friend": {"ALLOWED": 13_838},
            },
            "usage": {"users": 1_899, "groups": 0, "memberships": 0, "friend_entries": 27_676},
            "user_days": 14_620,
            "months": months(&[
                ("2004-04", 144, 0),
                ("2004-05", 365, 0),
                ("2004-06", 242, 0),
                ("2004-07", 78, 0),
                ("2004-08", 57, 0),
                ("2004-09", 47, 0),
                ("2004-10", 32, 0),
            ]),
        })
    );
}

#[test]
fn collegemsg_on_trial() {
    assert_eq!(
        replay_file("collegemsg.ndjson.gz", "trial"),
        json!({
            "operations": 75_572,
            "verdicts": {
                "register_user": {"ALLOWED": 100, "USER_LIMIT": 1_799},
                "login": {"ALLOWED": 8_524, "USER_LIMIT": 51_311},
                "add_friend": {
                    "ALLOWED": 258,
                    "FRIEND_LIMIT": 16,
                    "PEER_FRIEND_LIMIT": 6,
                    "USER_NOT_FOUND": 13_558,
                },
            },
            "usage": {"users": 100, "groups": 0, "memberships": 0, "friend_entries": 516},
            "user_days": 1_620,
            "months": months(&[
                ("2004-04", 40, 0),
                ("2004-05", 34, 0),
                ("2004-06", 17, 0),
                ("2004-07", 11, 0),
                ("2004-08", 10, 0),
                ("2004-09", 8, 0),
                ("2004-10", 4, 0),
            ]),
        })
    );
}

/// The runs of `every-reason.expected.json`, each with its options.
#[test]
fn every_reason_is_answered_as_the_model_answers() {
    let expected = fs::read(data("every-reason.expected.json")).expect("in tests/data");
    let runs: Vec<Value> = serde_json::from_slice(&expected).expect("JSON");
    let mut reached = Vec::new();
    for run in &runs {
        let trace = File::open(data("every-reason.ndjson")).expect("in tests/data");
        let mut reader = Reader::new("every-reason.ndjson", trace).expect("readable");
        let edition = run["edition"].as_str().expect("an edition");
        let report = replay(&mut reader, &options(run), app(1), edition).expect("valid trace");
        assert_eq!(
            shown(&report),
            run["report"],
            "{} {}",
            run["edition"],
            run["set"]
        );
        reached.extend(report.verdicts.into_values().flat_map(BTreeMap::into_keys));
    }
    let no_service = [
        Reason::AppNotFound,
        Reason::AppSuspended,
        Reason::AppDisabled,
        Reason::AppRepossessed,
    ];
    for reason in Reason::ALL {
        let is_reached = reached.contains(&reason.name());
        assert_eq!(is_reached, !no_service.contains(&reason), "{reason}");
    }
}

fn options(run: &Value) -> Terms {
    let mut policy = Policy::default();
    for (name, value) in run["set"].as_object().expect("limits") {
        let limit = LimitName::from_name(name).expect("a limit");
        let bound = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let rule = Rule {
            setting: Setting::Bound(Bound::parse(&bound).expect("a bound")),
            reason: "a test".into(),
            expires: Timestamp::MAX,
        };
        policy.set(Target::App(app(1)), Topic::Override(limit), rule);
    }
    if let Some(groups) = run["groups_budget"].as_u64() {
        policy.budgets.per_app.groups = groups;
    }
    Terms {
        policy: policy.into(),
        ..terms("")
    }
}

#[test]
fn gzip_in_one_member_or_several_is_the_same_as_plain() {
    let plain = fs::read(data("every-reason.ndjson")).expect("in tests/data");
    let (start, end) = plain.split_at(plain.len() / 3);
    let several = [gzip(start), gzip(b""), gzip(end)].concat();
    let report = shown(&replay_bytes(plain.clone()).expect("valid"));
    assert_eq!(shown(&replay_bytes(gzip(&plain)).expect("valid")), report);
    assert_eq!(shown(&replay_bytes(several).expect("valid")), report);
}

#[test]
fn gzip_that_is_cut_off_is_told_from_its_end() {
    let mut cut = gzip(&fs::read(data("every-reason.ndjson")).expect("in tests/data"));
    cut.truncate(cut.len() - 20);
    let error = replay_bytes(cut).expect_err("cut off");
    assert!(
        error.contains("the gzip stream ends early or is damaged"),
        "{error}"
    );
    let error = replay_bytes([gzip(b"\n").as_slice(), b"more"].concat()).expect_err("damaged");
    assert!(error.starts_with("t:2: the gzip stream"), "{error}");
}

#[test]
fn an_empty_trace_is_a_report_of_nothing() {
    for nothing in [Vec::new(), b"\n \r\n".to_vec(), gzip(b"")] {
        assert_eq!(
            shown(&replay_bytes(nothing).expect("valid")),
            json!({
                "operations": 0,
                "verdicts": {},
                "usage": {"users": 0, "groups": 0, "memberships": 0, "friend_entries": 0},
                "user_days": 0,
                "months": [],
            })
        );
    }
}

/// The months are those of the lines, whatever their order; the gateway's day does not go back.
#[test]
fn months_reach_from_the_earliest_line_to_the_latest() {
    let trace = r#"
{"at":"2026-05-02T00:00:00Z","op":"register_user","user":"a"}
{"at":"2026-02-28T16:00:00Z","op":"create_group","group":"g","type":"Public","owner":"a"}
{"at":"2026-06-30T15:59:59Z","op":"delete_group","group":"g"}"#;
    let report = replay_bytes(trace.trim_start()).expect("valid");
    let expected = months(&[
        ("2026-03", 0, 0),
        ("2026-04", 0, 0),
        ("2026-05", 0, 1),
        ("2026-06", 0, 1),
    ]);
    assert_eq!(shown(&report).get("months"), Some(&expected));
}

#[test]
fn a_line_has_a_longest_length() {
    let padded = |bytes: usize| {
        let mut line = br#"{"at":"2026-03-01T00:00:00Z","op":"login","user":"a"}"#.to_vec();
        line.resize(bytes, b' ');
        line.push(b'\n');
        line
    };
    let longest = replay_bytes(padded(LINE_BYTES_MAX)).expect("valid");
    assert_eq!(longest.operations, 1);
    let error = replay_bytes([padded(60), padded(LINE_BYTES_MAX + 1)].concat());
    let expected = "t:2: has more than 1048576 bytes; write one operation a line";
    assert_eq!(error.expect_err("too long"), expected);
}

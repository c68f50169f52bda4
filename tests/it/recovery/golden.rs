//! Data directories that each version of the format has written, and what every later version must find in them.
//!
//! `make_golden_directories` has written those of the last version, and writes the same bytes again as long as it is that.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quotagate::admission::Mode;
use quotagate::data_dir::DataDir;
use quotagate::entitlement::Overrides;
use quotagate::gateway::{Commit, Control, DayRecord, Gateway, Reported, Sketches};
use quotagate::id::IdKey;
use quotagate::journal::{Directory, Entry, Level, Log, Position, read};
use quotagate::recovery::recover;
use quotagate::subscription::{Plan, Standing};
use quotagate::time::{Day, Zone};
use tempfile::TempDir;

use super::world::{log, options};
use crate::script::operation;
use crate::support::{MORNING, app, at, catalog, group, terms, user};

const KEY: &str = "00112233445566778899aabbccddeeff\n";
const ADOPT: &str =
    "[[adopt_unknown]]\nvalue = true\nreason = \"a test\"\nexpires = \"2099-01-01T00:00:00Z\"\n";
const USERS: [&str; 6] = ["u1", "u2", "u3", "u4", "ü5", "u6"];
const GROUPS: [&str; 5] = ["g1", "g2", "g3", "g4", "room"];

/// Every kind of record: first what comes before a snapshot, where there is one.
const BEFORE: &str = "
    at 2026-03-02T09:00:00+08:00
    1 register u1 | register u2 | register u3 | login u1
    1 befriend u1 u2 | befriend u3 u1 one-way
    2 register ü5 | login ü5 at 2026-02-20T09:00:00+08:00
    1 create g1 Public u1 with u2 | create room AVChatRoom u2 | join room u1
    1 delete u3 | login u4 | delete u4
    at 2026-03-03T00:00:00+08:00
    1 unfriend u1 u2 | befriend u1 u2
    1 unfriend u1 u2 | befriend u1 u2
";
const AFTER: &str = "
    at 2026-03-03T09:00:00+08:00
    1 register u4 | login u4 | unfriend u1 u2
    at 2026-04-30T23:59:59+08:00
    2 create g2 Private ü5 | join g3 ü5 as ChatRoom | login ü5
    1 register u6 | join g4 u6 as Public | leave g1 u2 | disband g1
    at 2026-05-01T00:00:00+08:00
    1 login u2 | befriend u2 u6 | create g1 Private u6 with u2 u1 | login u1 | delete u1
    2 register u1 | befriend u1 ü5 | login u1
";

/// What version 2 knows besides; app, day and megabits per second.
const BANDWIDTH: [(u32, &str, u64); 4] = [
    (1, "2026-05-01", 12),
    (1, "2026-04-29", 3),
    (1, "2026-05-01", 15),
    (2, "2026-04-30", 7),
];
/// The versions, and what each has written.
const VERSIONS: [u32; 2] = [1, 2];
/// The last one.
const PRESENT: u32 = 2;

/// How a directory came to be.
struct Golden {
    name: &'static str,
    /// Whether a snapshot was taken after the first part, by which slots are used again.
    snapshot: bool,
    /// Bytes that its last segment lacks.
    torn_bytes: usize,
    ending: &'static str,
}

const GOLDEN: [Golden; 3] = [
    Golden {
        name: "journal",
        snapshot: false,
        torn_bytes: 0,
        ending: "closed",
    },
    Golden {
        name: "snapshot",
        snapshot: true,
        torn_bytes: 0,
        ending: "closed",
    },
    Golden {
        name: "torn",
        snapshot: true,
        torn_bytes: 5,
        ending: "torn",
    },
];

fn home(version: u32) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    data.join(format!("golden-{version}"))
}

/// The gateway of a directory, and how its journal ended.
fn open(dir: &Path) -> (DataDir, Gateway, String) {
    let opened = DataDir::open(dir, None, "that is tested", at(MORNING));
    let (held, key) = opened.expect("a directory of this format");
    let (gateway, ending) = recovered(dir, key);
    (held, gateway, ending)
}

fn recovered(dir: &Path, key: IdKey) -> (Gateway, String) {
    let storage = Arc::new(Directory::new(dir));
    let created = |_| Some(Zone::UTC_PLUS_8.day(at(MORNING)));
    let recovered = recover(storage, options(Level::Process), &created, &mut |_| {});
    let recovered = recovered.expect("what a version has written");
    let ending = format!("{:?}", recovered.summary().ending);
    let gateway = Gateway::durable(terms(ADOPT), key, recovered);
    for n in [1, 2] {
        let control = Control {
            plan: Plan::of("pro"),
            standing: Standing::GOOD,
            overrides: Overrides::new(),
        };
        let added = gateway.add_app(app(n), control, at(MORNING), at(MORNING));
        added.expect("an app");
    }
    (gateway, ending)
}

/// All that can be asked about the apps, as text: of version 1 without what that did not know.
fn told(version: u32, gateway: &Gateway) -> String {
    let mut text = String::new();
    for n in [1, 2] {
        let now = at(MORNING);
        let usage = gateway.app_usage(app(n), now).expect("an app");
        writeln!(
            text,
            "app {n}: {} users, {} groups, {} memberships, {} friend entries, {} user days, {} today, net {}",
            usage.users,
            usage.groups,
            usage.memberships,
            usage.friend_entries,
            usage.user_days,
            usage.daily_users,
            usage.daily_groups,
        )
        .expect("a text");
        for (kind, count) in &usage.groups_by_type {
            writeln!(text, "  {kind}: {count}").expect("a text");
        }
        for day in &usage.days {
            if version > 1 || is_an_operations_day(day.day) {
                let (users, groups) = (day.users, day.peak_groups);
                write!(text, "  {}: {users} users, {groups} groups", day.day).expect("a text");
                text += &rooms(version, day.peak_av_chat_rooms);
            }
        }
        for month in &usage.months {
            let (users, groups) = (month.peak_dau, month.peak_groups);
            let name = month.month;
            write!(text, "  {name}: {users} users, {groups} groups at most").expect("a text");
            text += &rooms(version, month.peak_av_chat_rooms);
        }
        if version > 1 {
            write_records(&mut text, gateway, n);
        }
        for id in USERS {
            if let Some(usage) = gateway.user_usage(app(n), user(id), now) {
                let (groups, friends) = (usage.joined_groups, usage.friends);
                let today = if usage.counted_today { ", today" } else { "" };
                writeln!(text, "  {id}: {groups} groups, {friends} friends{today}")
                    .expect("a text");
            }
        }
        for id in GROUPS {
            if let Some(usage) = gateway.group_usage(app(n), group(id)) {
                let catalog = catalog();
                let kind = &catalog.group_type(usage.kind).expect("a type").name;
                writeln!(text, "  {id}: {kind}, {} members", usage.members).expect("a text");
            }
        }
    }
    text
}

/// Days that version 1 kept had an operation; since then those between have the groups that were there.
fn is_an_operations_day(day: Day) -> bool {
    let days = ["02-20", "03-02", "03-03", "04-30", "05-01", "05-02"];
    days.iter().any(|of| day.to_string().ends_with(of))
}

/// What is expected, but for days that version 1 kept for longer: others have been carried into their place since.
fn still_kept(version: u32, expected: &str, found: &str) -> String {
    let is_day = |line: &str| line.starts_with("  2026-") && line.get(9..10) == Some("-");
    let is_old = |line: &str| version == 1 && is_day(line) && line < "  2026-03-23: ";
    let is_there = |line: &&str| found.lines().any(|it| it == *line) || !is_old(line);
    expected
        .lines()
        .filter(is_there)
        .fold(String::new(), |text, line| text + line + "\n")
}

fn rooms(version: u32, rooms: u32) -> String {
    match version {
        1 => "\n".to_owned(),
        _ => format!(", {rooms} AVChatRooms\n"),
    }
}

/// What is told of an app's days.
fn write_records(text: &mut String, gateway: &Gateway, n: u32) {
    for record in gateway.usage_since(app(n), None, at(MORNING), Sketches::Wanted) {
        let DayRecord {
            usage,
            bandwidth_bps,
            sketch,
            ..
        } = record;
        let users = sketch.map_or("?".to_owned(), |it| it.count().estimate.to_string());
        let (day, stamp) = (usage.day, usage.changed_at);
        writeln!(
            text,
            "  {day} as of {stamp}: {users} in the sketch, {bandwidth_bps} bps"
        )
        .expect("a text");
    }
}

/// Files of a directory as they are kept: without those that are of no meaning when nobody works with it.
fn kept(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let listed = fs::read_dir(dir).expect("a directory");
    let mut files: Vec<_> = listed
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            (name.expect("a name").to_owned(), path)
        })
        .filter(|(name, _)| name != "LOCK" && name != "journal-next.tmp")
        .map(|(name, path)| (name, fs::read(path).expect("readable")))
        .collect();
    files.sort();
    files
}

#[test]
fn a_directory_of_each_version_is_opened_with_all_that_is_in_it_and_becomes_one_of_the_last() {
    for (version, golden) in VERSIONS
        .iter()
        .flat_map(|n| GOLDEN.iter().map(move |it| (*n, it)))
    {
        let told = |gateway: &Gateway| told(version, gateway);
        let copy = TempDir::new().expect("a directory");
        for (name, content) in kept(&home(version).join(golden.name)) {
            fs::write(copy.path().join(name), content).expect("written");
        }
        let (held, gateway, ending) = open(copy.path());
        let expected = fs::read_to_string(home(version).join(format!("{}.txt", golden.name)));
        let expected = expected.expect("a text");
        let found = told(&gateway);
        assert_eq!(
            found,
            still_kept(version, &expected, &found),
            "{}",
            golden.name
        );
        assert!(ending.to_lowercase().starts_with(golden.ending), "{ending}");
        let format = fs::read_to_string(copy.path().join("format")).expect("a text");
        assert_eq!(format, "quotagate data 2\n");
        // It is gone on with, by this version's snapshot, and is the same again.
        play(
            &gateway,
            "at 2026-05-02T09:00:00+08:00\n 2 login u6 | join g3 u6",
        );
        gateway.take_snapshot().expect("a snapshot");
        let after = told(&gateway);
        assert_ne!(after, expected);
        drop((gateway, held));
        assert_eq!(
            told(&open(copy.path()).1),
            after,
            "{version}, {}",
            golden.name
        );
    }
}

#[test]
fn every_kind_of_record_and_a_slot_that_is_used_again_is_in_them() {
    for (version, last) in [(1, 13), (2, 15)] {
        let records = records(version, "journal").into_iter();
        let kinds: BTreeSet<_> = records.map(|(_, kind, _)| kind).collect();
        assert_eq!(kinds, (1..=last).collect());
    }
    // Users of app 1 that are given the slots 0 to 3: four at first, and after a snapshot another.
    let is_given =
        |(app, kind, slot): &&(u32, u8, u32)| *app == 1 && [2, 3].contains(kind) && *slot < 4;
    let given = |name| records(PRESENT, name).iter().filter(is_given).count();
    assert_eq!((given("journal"), given("snapshot")), (4, 1));
}

/// The records of a directory's journal: of which app, which kind, and the first slot in each that has one.
fn records(version: u32, name: &str) -> Vec<(u32, u8, u32)> {
    let storage = Directory::new(home(version).join(name));
    let segments = kept(storage.path()).into_iter();
    let mut names = segments.map(|(name, _)| name);
    let first = names.find_map(|name| {
        let digits = name.strip_prefix("journal-")?.strip_suffix(".qgj")?;
        u64::from_str_radix(digits, 16).ok()
    });
    let first = Position::new(first.expect("a segment"));
    let mut found = Vec::new();
    let mut visit = |entry: &Entry<'_>| {
        let mut rest = entry.records;
        while let Some((kind, bytes)) = rest.split_first() {
            // As in the table of records: fixed fields, then in some an id with its length.
            let (fields, has_id) = match kind {
                1 | 15 => (2, false),
                2 => (20, true),
                3 => (34, true),
                4 | 5 => (4, false),
                6 => (6, false),
                9 => (37, true),
                10 => (21, true),
                11 => (5, false),
                14 => (10, false),
                _ => (8, false),
            };
            let slot = bytes.first_chunk().map(|slot| u32::from_le_bytes(*slot));
            found.push((entry.app.get(), *kind, slot.unwrap_or(u32::MAX)));
            let id = if has_id {
                1 + usize::from(bytes[fields])
            } else {
                0
            };
            rest = &bytes[fields + id..];
        }
        Ok(())
    };
    read(&storage, first, None, &mut visit, &mut |_, _| {}).expect("a journal");
    found
}

/// Plays lines: a time, or an app and what is admitted to it under one lock.
fn play(gateway: &Gateway, script: &str) {
    let mut now = at(MORNING);
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (first, rest) = line.split_once(' ').expect("two words");
        if first == "at" {
            now = at(rest);
            continue;
        }
        let words = |one: &'static str| one.split_whitespace().collect::<Vec<_>>();
        let rest: &'static str = rest.to_owned().leak();
        let ops = rest.split('|').map(|one| operation(&words(one), now));
        let requests: Vec<_> = ops.map(|op| op.request(&catalog(), now)).collect();
        let id = app(first.parse().expect("a number"));
        let answer = gateway.admit_batch(id, &requests, Mode::Enforce, Commit::Each, now);
        for decision in &answer.decisions {
            assert!(decision.outcome.is_allowed() && decision.changed, "{line}");
        }
        settle(log(gateway));
    }
}

fn settle(log: &Log) {
    log.commit();
    log.step();
}

/// An empty first segment of the data set 0x51.
fn first_segment() -> Vec<u8> {
    let mut header = b"QGJOURNL\x01\0\0\0\0\0\0\0\x51\0\0\0\0\0\0\0".to_vec();
    header.resize(60, 0);
    let checksum = crc32c::crc32c(&header);
    header.extend(checksum.to_le_bytes());
    header
}

fn make(golden: &Golden, dir: &Path) {
    fs::write(dir.join("format"), format!("quotagate data {PRESENT}\n")).expect("written");
    fs::write(dir.join("id_key"), KEY).expect("written");
    fs::write(dir.join("journal-0000000000000000.qgj"), first_segment()).expect("written");
    let key = IdKey::parse(KEY.trim()).expect("a key");
    let (gateway, _) = recovered(dir, key);
    play(&gateway, BEFORE);
    if golden.snapshot {
        gateway.take_snapshot().expect("a snapshot");
    }
    play(&gateway, AFTER);
    for (n, day, megabits) in BANDWIDTH {
        let now = at("2026-05-01T00:00:00+08:00");
        let (day, bits) = (Day::parse(day).expect("a day"), megabits * 1_000_000);
        let reported = gateway.report_bandwidth(app(n), day, bits, now);
        assert_eq!(reported, Reported::Taken);
        settle(log(&gateway));
    }
    if golden.torn_bytes == 0 {
        log(&gateway).close().expect("closed");
        return;
    }
    // The last write, cut short by a loss of power.
    play(&gateway, "at 2026-05-01T12:00:00+08:00\n1 register u3");
    drop(gateway);
    let names = kept(dir).into_iter().map(|(name, _)| name);
    let last = names.filter(|name| name.starts_with("journal-")).max();
    let last = dir.join(last.expect("a segment"));
    let mut content = fs::read(&last).expect("readable");
    let end = content.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    content.truncate(end - golden.torn_bytes);
    fs::write(last, content).expect("written");
}

#[test]
#[ignore = "writes tests/data/golden-2 anew, which stays as it is once published: \
            cargo test --test it make_golden_directories -- --ignored"]
fn make_golden_directories() {
    for golden in &GOLDEN {
        let made = TempDir::new().expect("a directory");
        make(golden, made.path());
        let dir = home(PRESENT).join(golden.name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("created");
        for (name, content) in kept(made.path()) {
            fs::write(dir.join(name), content).expect("written");
        }
        let text = told(PRESENT, &open(made.path()).1);
        fs::write(home(PRESENT).join(format!("{}.txt", golden.name)), text).expect("written");
    }
}

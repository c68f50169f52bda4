//! The commands of `journal` on directories that are whole, torn, damaged, foreign, newer, or in use.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use tempfile::TempDir;

use super::{Kept, every, journal, names, only};
use crate::data_dir::contents;
use crate::support::{MORNING, at, catalog, create, login, register};

/// Three users and a group; a snapshot of two of them, the others in the journal.
fn directory() -> (TempDir, std::path::PathBuf) {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let (kept, now) = (Kept::open(&dir), at(MORNING));
    kept.allowed(1, &register("ann"), now);
    kept.allowed(1, &login("ann"), now);
    kept.allowed(2, &register("eve"), now);
    kept.snapshot();
    kept.allowed(1, &register("bob"), now);
    kept.allowed(1, &create(&catalog(), "room", "Public", "ann", &[]), now);
    kept.close();
    (home, dir)
}

/// What a directory holds, but for who had it last.
fn files(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let all = contents(dir).into_iter();
    all.filter(|(path, _)| !path.ends_with("LOCK")).collect()
}

#[test]
fn a_whole_directory_is_fine() {
    let (_home, dir) = directory();
    let before = files(&dir);
    let (status, text) = journal("verify", &dir, &[]);
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(text, @r"
    DIR: fine
    2 apps: 3 users, 1 group, 1 membership, 0 friend-list entries
    a snapshot of 698 bytes
    a journal in 1 file, with 2 entries from there on; closed in good order
    ");
    let (_, text) = journal("verify", &dir, &["--json"]);
    insta::assert_snapshot!(text, @r#"{"fine":true,"apps":2,"users":3,"groups":1,"memberships":1,"friend_entries":0,"unnamed":0,"snapshot_bytes":698,"entries":2,"segments":1,"position":217,"ending":"closed in good order","torn_bytes":0}"#);
    let (_, text) = journal("stats", &dir, &["--app", "1"]);
    // How long SQLite's file is is its own affair.
    let lines = text.lines().filter(|line| !line.contains("ledger.sqlite"));
    let text = lines.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(text, @r"
    ┌────────────────────────────────────────┐
    │ file                             bytes │
    ╞════════════════════════════════════════╡
    │ format                              17 │
    │ id_key                              33 │
    │ journal-0000000000000069.qgj       248 │
    │ names-0000000000000069.qgn         184 │
    │ snapshot-0000000000000069.qgs      698 │
    └────────────────────────────────────────┘
    
    ┌──────────────────────────────────────────────────────────┐
    │ app   users   groups   memberships   friend-list entries │
    ╞══════════════════════════════════════════════════════════╡
    │ 1         2        1             1                     0 │
    └──────────────────────────────────────────────────────────┘
    
    ┌────────────────────────────────────────────────────────────────┐
    │ day          users   peak groups   peak AVChatRooms   peak bps │
    ╞════════════════════════════════════════════════════════════════╡
    │ 2026-03-02       1             1                  0          0 │
    └────────────────────────────────────────────────────────────────┘
    
    ┌───────────────────────────────────┐
    │ change since the snapshot   count │
    ╞═══════════════════════════════════╡
    │ group created                   1 │
    │ member joined                   1 │
    │ types of AVChatRooms set        1 │
    │ user added                      1 │
    └───────────────────────────────────┘
    
    positions 0000000000000069 to 00000000000000d9, 2 entries; the journal is closed in good order
    ");
    let (_, text) = journal("stats", &dir, &["--json"]);
    let counted: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(counted["apps"][1]["users"], 1);
    assert_eq!(counted["changes"]["user added"], 1);
    let (status, text) = journal("salvage", &dir, &["--yes"]);
    assert_eq!(
        (status, text.as_str()),
        (0, "nothing to do: the journal is whole\n")
    );
    assert_eq!(files(&dir), before, "nothing was changed");
}

#[test]
fn a_snapshot_of_a_directory_that_nobody_has_is_taken_here() {
    let (_home, dir) = directory();
    let before = only(&dir, ".qgs");
    let (status, text) = journal("snapshot", &dir, &[]);
    assert_eq!(status, 0, "{text}");
    assert!(text.starts_with("a snapshot of "), "{text}");
    assert_ne!(only(&dir, ".qgs"), before);
    let (_, text) = journal("stats", &dir, &["--json"]);
    let counted: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&counted["entries"], &counted["apps"][0]["groups"]),
        (&0.into(), &1.into())
    );
    assert_eq!(names(&dir, 1, &[]), ["ann", "bob"]);
    assert_eq!(names(&dir, 1, &["--groups"]), ["room"]);
    assert_eq!(names(&dir, 2, &[]), ["eve"]);
}

#[test]
fn a_torn_tail_is_told_and_cut_when_asked() {
    let (_home, dir) = directory();
    let last = every(&dir, ".qgj").pop().expect("a segment");
    let mut file = OpenOptions::new()
        .append(true)
        .open(&last)
        .expect("it is there");
    file.write_all(b"half a fra").expect("there is room");
    let before = files(&dir);
    let (status, text) = journal("verify", &dir, &[]);
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(text.lines().last().expect("a line"), @"a journal in 1 file, with 2 entries from there on; torn: journal-0000000000000069.qgj has 10 bytes from byte 248 on that were never durable; a start cuts that off");
    let (status, text) = journal("salvage", &dir, &[]);
    assert_eq!(status, 1);
    insta::assert_snapshot!(text, @r"
    journal-0000000000000069.qgj has 10 bytes from byte 248 on that were never durable: that would be cut off, as the next start does
    nothing was changed: say --yes to have it done
    ");
    assert_eq!(files(&dir), before, "nothing was changed");
    let (status, text) = journal("salvage", &dir, &["--yes"]);
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(text, @"cut off: journal-0000000000000069.qgj has 10 bytes from byte 248 on that were never durable");
    assert_eq!(journal("salvage", &dir, &[]).0, 0);
    assert_eq!(names(&dir, 1, &[]), ["ann", "bob"]);
}

#[test]
fn damage_is_named_and_salvage_keeps_what_lies_before() {
    let (_home, dir) = directory();
    let last = every(&dir, ".qgj").pop().expect("a segment");
    let mut bytes = fs::read(&last).expect("it is there");
    let at = bytes
        .windows(4)
        .position(|part| part == b"room")
        .expect("it is there");
    bytes[at] ^= 1;
    fs::write(&last, &bytes).expect("there is room");
    let before = files(&dir);
    let (status, text) = journal("verify", &dir, &[]);
    assert_eq!(status, 2);
    insta::assert_snapshot!(text, @"quotagate: journal-0000000000000069.qgj: damaged at byte 129: entries from position 0000000000000092 on are missing, though journal-0000000000000069.qgj, byte 224, says that all was durable up to 00000000000000d9: restore a backup, or run `quotagate journal salvage DIR`, which keeps what lies before");
    let (status, text) = journal("verify", &dir, &["--json"]);
    assert_eq!(status, 2);
    assert!(
        text.starts_with(r#"{"fine":false,"problem":"journal-"#),
        "{text}"
    );
    for command in ["stats", "snapshot"] {
        assert_eq!(journal(command, &dir, &[]).0, 2, "{command}");
    }
    let (status, text) = journal("salvage", &dir, &[]);
    assert_eq!(status, 1);
    insta::assert_snapshot!(text, @r"
    journal-0000000000000069.qgj is damaged at byte 129: journal-0000000000000069.qgj, byte 224, says that all was durable up to 00000000000000d9
    the journal would end there, at position 0000000000000092; what was admitted after that would be lost, and the files kept aside
    nothing was changed: say --yes to have it done
    ");
    assert_eq!(files(&dir), before, "nothing was changed");
    let (status, text) = journal("salvage", &dir, &["--yes"]);
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(text, @r"
    the journal ends at position 0000000000000092 now, where journal-0000000000000069.qgj is damaged at byte 129
    lost: what the damage hit, and 0 entries in 1 write behind it that could be read
    kept aside: journal-0000000000000069.qgj.damaged
    ");
    let aside = only(&dir, ".damaged");
    assert_eq!(fs::read(aside).expect("it is kept"), bytes);
    assert_eq!(journal("verify", &dir, &[]).0, 0);
    assert_eq!(names(&dir, 1, &[]), ["ann", "bob"]);
    assert_eq!(names(&dir, 1, &["--groups"]), [""; 0]);
}

#[test]
fn damaged_or_missing_snapshots_and_names_are_named() {
    for end in [".qgs", ".qgn"] {
        let (_home, dir) = directory();
        let file = only(&dir, end);
        let whole = fs::read(&file).expect("it is there");
        // A process for each would take long.
        for at in (0..whole.len()).step_by(23) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&file, bytes).expect("there is room");
            let (status, text) = journal("verify", &dir, &[]);
            assert_eq!(status, 2, "{end} at {at}: {text}");
            assert!(text.contains(end), "{text}");
        }
        fs::remove_file(&file).expect("it is there");
        let (status, text) = journal("verify", &dir, &[]);
        assert_eq!(status, 2, "{end}: {text}");
    }
    let (_home, dir) = directory();
    fs::remove_file(only(&dir, ".qgn")).expect("it is there");
    let (_, text) = journal("verify", &dir, &[]);
    insta::assert_snapshot!(text, @"quotagate: names-0000000000000069.qgn: damaged at byte 0: it is not there, though its snapshot is: restore a backup of the directory");
}

#[test]
fn what_is_foreign_newer_or_no_data_directory_is_left_alone() {
    let (_home, dir) = directory();
    let (_other_home, other) = directory();
    let segment = only(&dir, ".qgj");
    fs::copy(only(&other, ".qgj"), &segment).expect("there is room");
    let before = files(&dir);
    for command in ["verify", "salvage", "snapshot", "stats"] {
        let (status, text) = journal(command, &dir, &[]);
        assert_eq!(status, 2, "{command}: {text}");
        assert!(text.contains("is of another data set"), "{text}");
    }
    assert_eq!(files(&dir), before, "nothing was changed");

    fs::write(other.join("format"), "quotagate data 3\n").expect("there is room");
    let before = contents(&other);
    for command in ["verify", "salvage", "snapshot", "stats"] {
        let (status, text) = journal(command, &other, &[]);
        assert_eq!(status, 2, "{command}: {text}");
        assert!(text.contains("DIR is of format 3"), "{text}");
    }
    assert_eq!(contents(&other), before, "not a byte was touched");

    let empty = TempDir::new().expect("a directory");
    let (status, text) = journal("verify", empty.path(), &[]);
    assert_eq!(status, 2);
    insta::assert_snapshot!(text, @"quotagate: DIR is no data directory yet: name the one that `serve` has used");
    assert_eq!(contents(empty.path()).len(), 0);
}

#[test]
fn a_directory_in_use_is_refused_by_its_holders_name() {
    let (_home, dir) = directory();
    let kept = Kept::open(&dir);
    let process = std::process::id();
    for command in ["verify", "salvage", "snapshot", "stats", "names"] {
        let flags: &[&str] = if command == "names" {
            &["--app", "1"]
        } else {
            &[]
        };
        let (status, text) = journal(command, &dir, flags);
        assert_eq!(status, 2, "{command}: {text}");
        let holder = format!("DIR is in use by process {process} that is tested");
        assert!(text.contains(&holder), "{text}");
    }
    kept.close();
}

//! The data directory: whose it is, what is refused and left as it is, and the key that goes with it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use quotagate::data_dir::{DataDir, DataDirError};
use quotagate::id::IdKey;
use quotagate::time::Timestamp;
use tempfile::TempDir;

use super::support::{MORNING, at};

fn now() -> Timestamp {
    at(MORNING)
}

fn open(path: &Path, configured: Option<IdKey>) -> Result<IdKey, String> {
    let opened = DataDir::open(path, configured, "that is tested", now());
    opened
        .map(|(_, key)| key)
        .map_err(|error| error.to_string())
}

/// Its complaint, with the directory called DIR.
fn refused(path: &Path, configured: Option<IdKey>) -> String {
    let error = open(path, configured).expect_err("it is refused");
    error.replace(&path.display().to_string(), "DIR")
}

/// Every file with its bytes.
pub fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("readable"));
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    let found = fs::metadata(path).expect("it is there");
    found.permissions().mode() & 0o777
}

#[test]
fn a_key_is_drawn_once_and_kept_out_of_sight() {
    let home = TempDir::new().expect("a directory");
    let (one, other) = (home.path().join("one"), home.path().join("other"));
    let key = open(&one, None).expect("it is created");
    assert_ne!(open(&other, None), Ok(key), "each has its own");
    assert_eq!(mode(&one), 0o700);
    assert_eq!(mode(&one.join("id_key")), 0o600);
    let before = contents(&one);
    assert_eq!(open(&one, None), Ok(key));
    assert_eq!(open(&one, Some(key)), Ok(key), "the same may be configured");
    assert_eq!(contents(&one), before);
    let format = fs::read_to_string(one.join("format")).expect("it is there");
    assert_eq!(format, "quotagate data 2\n");
}

#[test]
fn another_key_than_the_first_is_refused() {
    let home = TempDir::new().expect("a directory");
    let drawn = home.path().join("drawn");
    let key = open(&drawn, None).expect("it is created");
    let (mine, theirs) = (IdKey::new([1; 16]), IdKey::new([2; 16]));
    let said = refused(&drawn, Some(mine));
    insta::assert_snapshot!(said, @"the ids in DIR are hashed with another `id_key` than that of gateway.toml: put back the one it was begun with (or none, if it had none), or name another --data-dir");
    assert_eq!(open(&drawn, None), Ok(key));

    let configured = home.path().join("configured");
    assert_eq!(open(&configured, Some(mine)), Ok(mine));
    assert!(!configured.join("id_key").exists(), "it is not copied");
    assert_eq!(open(&configured, Some(mine)), Ok(mine));
    assert_eq!(refused(&configured, Some(theirs)), said);
    insta::assert_snapshot!(refused(&configured, None), @"the ids in DIR are hashed with an `id_key` that gateway.toml had and lacks now: put it back");
    let hex = |byte: u8| format!("{byte:02x}").repeat(16);
    for (path, bytes) in contents(home.path()) {
        let text = String::from_utf8(bytes).expect("text");
        assert!(!text.contains(&hex(1)), "{} has the key", path.display());
    }
}

#[test]
fn a_lost_or_damaged_key_is_told() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    open(&dir, None).expect("it is created");
    for damaged in ["", "0011\n", "no key", &"0".repeat(300)] {
        fs::write(dir.join("id_key"), damaged).expect("written");
        let said = refused(&dir, None);
        assert_eq!(
            said,
            "DIR/id_key is damaged, or not by quotagate: restore it from a backup, or name another --data-dir"
        );
    }
    fs::remove_file(dir.join("id_key")).expect("it was there");
    insta::assert_snapshot!(refused(&dir, None), @"DIR has lost its `id_key`, without which nothing in it is found: restore that file from a backup");
    assert!(!dir.join("id_key").exists(), "none is drawn for old data");
}

#[test]
fn a_second_is_refused_and_told_who_has_it() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let opened = DataDir::open(&dir, None, "that is starting", now());
    let (first, key) = opened.expect("it is created");
    let process = std::process::id();
    let with = |doing| {
        format!("DIR is in use by process {process} {doing}: stop it, or name another --data-dir")
    };
    assert_eq!(refused(&dir, None), with("that is starting"));
    first.says("serving on 127.0.0.1:7600").expect("written");
    assert_eq!(refused(&dir, None), with("serving on 127.0.0.1:7600"));
    let offline = DataDir::open_existing(&dir, "that looks", now());
    assert!(matches!(offline, Err(DataDirError::InUse { .. })));
    // Whatever the text has become, and by whatever other name it is reached.
    fs::write(dir.join("LOCK"), "\u{1b}[2J\n\u{7}").expect("written");
    let link = home.path().join("link");
    symlink(&dir, &link).expect("a link");
    let said = refused(&link, None);
    assert_eq!(
        said,
        "DIR is in use by another process \\u{7}: stop it, or name another --data-dir"
    );
    drop(first);
    let offline = DataDir::open_existing(&dir, "that looks", now()).expect("it is free");
    assert_eq!(offline.key(None).expect("it has one"), key);
}

#[test]
fn what_is_newer_or_not_ours_is_left_as_it_is() {
    let home = TempDir::new().expect("a directory");
    let newer = home.path().join("newer");
    open(&newer, None).expect("it is created");
    fs::write(newer.join("format"), "quotagate data 3\n").expect("written");
    let foreign = home.path().join("foreign");
    fs::create_dir(&foreign).expect("created");
    fs::write(foreign.join("photo.jpg"), "holidays").expect("written");
    let before = contents(home.path());
    insta::assert_snapshot!(refused(&newer, None), @"DIR is of format 3, and this quotagate knows none after 2: start the newer one that wrote it, or name another --data-dir; nothing was changed");
    insta::assert_snapshot!(refused(&foreign, None), @r#"DIR is no data directory of quotagate: it has no `format`, and yet holds "photo.jpg"; name another --data-dir, or an empty one"#);
    for dir in [&newer, &foreign] {
        assert!(DataDir::open_existing(dir, "that looks", now()).is_err());
    }
    assert_eq!(contents(home.path()), before);

    for damaged in [
        "",
        "quotagate data\n",
        "quotagate data 0\n",
        "quotagate data 1",
        "\u{0}",
    ] {
        fs::write(newer.join("format"), damaged).expect("written");
        let said = refused(&newer, None);
        assert!(
            said.starts_with("DIR/format is damaged"),
            "{damaged:?}: {said}"
        );
    }
}

#[test]
fn a_founding_that_broke_off_goes_on() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let key = open(&dir, None).expect("it is created");
    // As it is before each step: the format comes last, the key before it.
    fs::rename(dir.join("format"), dir.join("format.new")).expect("renamed");
    let offline = DataDir::open_existing(&dir, "that looks", now());
    assert!(matches!(offline, Err(DataDirError::NotThere(_))));
    assert_eq!(open(&dir, None), Ok(key), "a key that is there is kept");
    fs::remove_file(dir.join("format")).expect("it was there");
    fs::rename(dir.join("id_key"), dir.join("id_key.new")).expect("renamed");
    fs::create_dir(dir.join("lost+found")).expect("as a fresh ext4 has it");
    assert_ne!(
        open(&dir, None),
        Ok(key),
        "one that nothing was hashed with is not"
    );
    assert!(!dir.join("id_key.new").exists());
}

#[test]
fn a_place_that_cannot_be_used_is_named_with_a_remedy() {
    let home = TempDir::new().expect("a directory");
    let file = home.path().join("file");
    fs::write(&file, "a file").expect("written");
    insta::assert_snapshot!(refused(&file, None), @"DIR is no directory: move it away, or name another --data-dir");
    let orphan = home.path().join("not").join("there");
    let said = refused(&orphan, None).replace(&home.path().display().to_string(), "HOME");
    insta::assert_snapshot!(said, @"cannot create DIR: HOME/not is not there; create that first, or name another --data-dir");
    let below = refused(&file.join("data"), None);
    assert!(
        below.starts_with("cannot open DIR: Not a directory"),
        "{below}"
    );
    let offline = DataDir::open_existing(&home.path().join("none"), "that looks", now());
    assert!(matches!(offline, Err(DataDirError::NotThere(_))));
    assert_eq!(contents(home.path()).len(), 1, "nothing was made");
}

/// Runs `serve` as a user who may not write there, also when the tests run as root.
#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let home = TempDir::new().expect("a directory");
    let program = home.path().join("quotagate");
    if fs::hard_link(cargo_bin!("quotagate"), &program).is_err() {
        fs::copy(cargo_bin!("quotagate"), &program).expect("a copy");
    }
    let dir = home.path().join("data");
    fs::create_dir(&dir).expect("created");
    for (path, mode) in [
        (&program, 0o755),
        (&dir, 0o555),
        (&home.path().to_owned(), 0o755),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    }
    let mut command = Command::new(&program);
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let output = command
        .current_dir(home.path())
        .args(["serve", "--listen", "127.0.0.1:0"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).expect("text");
    insta::assert_snapshot!(said, @"quotagate: cannot write data/LOCK: Permission denied (os error 13); let the user that quotagate runs as write there, or name another --data-dir");
    assert!(contents(&dir).is_empty());
}

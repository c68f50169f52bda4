//! What a gateway keeps in its data directory, seen from outside: restarts, trouble with the ledger, a second process.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Served, output};
use crate::data_dir::contents;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// `serve` in a directory, which is refused; what it says.
fn refused(dir: &TempDir, arguments: &[&str]) -> String {
    let (status, stdout, stderr) = output(
        Command::new(cargo_bin!())
            .current_dir(dir.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments),
    );
    assert_eq!((status, stdout.as_str()), (2, ""), "{stderr}");
    stderr
}

/// A gateway with something of everything; its directory when it has stopped.
fn stopped() -> TempDir {
    let served = Served::start();
    served.done(&["app", "create", "7", "--edition", "pro"]);
    let dir = served.stop();
    for left in ["ledger.sqlite-wal", "ledger.sqlite-shm"] {
        assert!(!dir.path().join("data").join(left).exists(), "{left}");
    }
    dir
}

#[test]
fn a_second_gateway_on_the_same_data_is_refused() {
    let served = Served::start();
    let said = refused(&served.dir, &[]);
    let id = served.process.id();
    let address = served.address.trim_start_matches("http://");
    assert_eq!(
        said,
        format!(
            "quotagate: data is in use by process {id} serving on {address}: stop it, or name another --data-dir\n"
        )
    );
    // The directory is free as soon as the process has ended.
    let dir = served.stop();
    Served::start_with(dir, &[]).done(&["usage", "1400000001"]);
}

#[test]
fn a_restart_and_a_kill_keep_apps_editions_overrides_and_the_trail() {
    let mut served = Served::start();
    served.done(&["app", "create", "7"]);
    served.done(&["app", "create", "8", "--edition", "trial"]);
    served.done(&["app", "set-edition", "8", "flagship"]);
    let set = [
        "app",
        "set-override",
        "7",
        "friends",
        "12",
        "--reason",
        "a contract",
    ];
    served.done(&set);
    let later = [
        "--expires",
        "2100-01-01T00:00:00+08:00",
        "--enforcement",
        "shadow",
    ];
    let set = [
        "app",
        "set-override",
        "8",
        "groups",
        "unlimited",
        "--reason",
        "a test",
    ];
    served.done(&[&set[..], &later].concat());
    served.done(&[
        "app",
        "set-override",
        "8",
        "friends",
        "--enforcement",
        "off",
        "--reason",
        "x",
    ]);
    served.done(&["app", "remove-override", "8", "friends"]);
    let seen = |served: &Served| {
        let mut apps = json(&served.done(&["app", "list", "--json"]))["apps"].take();
        for app in apps.as_array_mut().expect("apps") {
            app["revision"] = json!("of this process");
        }
        let trail = json(&served.done(&["audit", "--json"]));
        (apps, trail)
    };
    let before = seen(&served);
    let limits = before.0[1]["limits"].as_array().expect("limits").clone();
    let groups = limits.iter().find(|it| it["name"] == "groups");
    assert_eq!(
        groups,
        Some(&json!({
            "name": "groups", "enforcement": "SHADOW",
            "source": {"kind": "OVERRIDE", "name": "call"},
        }))
    );
    assert_eq!(before.1["entries"].as_array().map(Vec::len), Some(8));

    // As it is when it is told to stop, and when it is killed.
    for round in 0..2 {
        let dir = if round == 0 {
            served.stop()
        } else {
            served.process.kill().expect("it runs");
            served.process.wait().expect("it ends");
            std::mem::replace(&mut served.dir, TempDir::new().expect("a directory"))
        };
        served = Served::start_with(dir, &[]);
        assert_eq!(seen(&served), before, "round {round}");
    }
    served.done(&["app", "set-edition", "7", "pro"]);
    let trail = json(&served.done(&["audit", "--app", "7", "--last", "1", "--json"]));
    assert_eq!(trail["entries"][0]["sequence"], 9, "it goes on");
    assert_eq!(trail["entries"][0]["before"], r#"{"edition":"trial"}"#);
}

#[test]
fn people_see_overrides_and_who_changed_what() {
    let served = Served::start();
    served.done(&["app", "create", "7"]);
    let shown = served.done(&[
        "app",
        "set-override",
        "7",
        "friends",
        "1200",
        "--reason",
        "why not",
    ]);
    for part in ["override call", "override by a call", "why not", "1,200"] {
        assert!(shown.contains(part), "{shown}");
    }
    let (status, _, stderr) = served.run(&["app", "set-edition", "7", "gold"]);
    assert_eq!(status, 2, "{stderr}");
    let mut command = Command::new(cargo_bin!());
    command
        .env("USER", "ann")
        .env("QUOTAGATE_SERVER", &served.address);
    output(command.args(["app", "remove-override", "7", "friends"]));
    let table = served.done(&["audit", "--app", "7"]);
    let lines: Vec<_> = table.lines().collect();
    let parts = [
        (3, "RemoveOverride"),
        (3, "ann@"),
        (3, "127.0.0.1:"),
        (4, "refused: there is no edition \"gold\""),
        (
            5,
            "{\"limit\":\"friends\",\"value\":1200,\"reason\":\"why not\"}",
        ),
        (6, "CreateApp"),
    ];
    for (line, part) in parts {
        assert!(lines[line].contains(part), "{part}: {table}");
    }
    assert_eq!(lines.len(), 8, "{table}");
    let (status, _, stderr) = served.run(&["app", "set-override", "7", "friends", "--reason", "x"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("VALUE"), "{stderr}");
}

#[test]
fn an_edition_that_the_catalog_lacks_is_named_with_its_app() {
    let dir = stopped();
    let config = dir.path().join("config");
    fs::create_dir(&config).expect("created");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let catalog = fs::read_to_string(root.join("catalog.toml")).expect("readable");
    let catalog = catalog.replace("name = \"pro\"", "name = \"gold\"");
    let catalog = catalog.replace("\npro = [", "\ngold = [");
    fs::write(config.join("catalog.toml"), catalog).expect("written");
    fs::write(config.join("limits.toml"), "").expect("written");
    fs::write(config.join("gateway.toml"), "").expect("written");
    let said = refused(&dir, &["--config", "config/gateway.toml"]);
    insta::assert_snapshot!(said, @r#"quotagate: app 1400000001 was on edition "pro", and catalog.toml has only trial, gold, flagship: put that edition back: what has happened is billed by it"#);
}

#[test]
fn a_newer_ledger_or_format_is_refused_and_left_as_it_is() {
    let dir = stopped();
    let ledger = dir.path().join("data").join("ledger.sqlite");
    let whole = fs::read(&ledger).expect("it is one file when it is closed");
    let mut newer = whole.clone();
    // The schema's number in the header of the file.
    newer[60..64].copy_from_slice(&99u32.to_be_bytes());
    fs::write(&ledger, newer).expect("written");
    let without_lock = || {
        let mut found = contents(&dir.path().join("data"));
        found.remove(&dir.path().join("data").join("LOCK"));
        found
    };
    let before = without_lock();
    let said = refused(&dir, &[]);
    assert_eq!(
        said,
        "quotagate: data/ledger.sqlite has schema 99, and this quotagate knows none after 2: start the newer one that wrote it; \
         nothing was changed\n"
    );
    assert_eq!(without_lock(), before);

    fs::write(&ledger, whole).expect("written");
    fs::write(dir.path().join("data").join("format"), "quotagate data 3\n").expect("written");
    let before = contents(&dir.path().join("data"));
    assert!(refused(&dir, &[]).contains("is of format 3"));
    assert_eq!(contents(&dir.path().join("data")), before);
}

#[test]
fn a_damaged_ledger_is_refused_with_what_to_do() {
    type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);
    let dir = stopped();
    let ledger = dir.path().join("data").join("ledger.sqlite");
    let whole = fs::read(&ledger).expect("it is one file when it is closed");
    let edition = whole.windows(3).position(|three| three == b"pro");
    let cell = edition.expect("the edition of app 7");
    let page = usize::from(u16::from_be_bytes([whole[16], whole[17]]));
    let damages: [(&str, Damage<'_>); 4] = [
        ("no database", &|bytes| bytes[..16].fill(b'x')),
        ("cut short", &|bytes| bytes.truncate(page * 2)),
        ("a page of noise", &|bytes| bytes[page..page * 2].fill(0xa5)),
        ("a letter of an edition", &|bytes| bytes[cell] = b'q'),
    ];
    for (what, damage) in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&ledger, bytes).expect("written");
        let said = refused(&dir, &[]);
        let begins = said.starts_with("quotagate: the ledger data/ledger.sqlite is damaged (");
        let remedy = "): stop the gateway and restore its data directory from a backup\n";
        assert!(begins && said.ends_with(remedy), "{what}: {said}");
    }
    fs::write(&ledger, whole).expect("written");
    Served::start_with(dir, &[]).done(&["app", "show", "7"]);
}

/// Another program has the ledger: operators' calls wait a while and fail, admissions go on, and all is well when it lets go.
#[test]
fn without_its_ledger_it_admits_and_changes_nothing() {
    let served = Served::start();
    let path = served.dir.path().join("data").join("ledger.sqlite");
    let lock = "import sqlite3, sys\n\
                held = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                held.execute('BEGIN EXCLUSIVE')\n\
                print('held', flush=True)\n\
                sys.stdin.read()\n";
    let mut holder = Command::new("python3")
        .args(["-c", lock, path.to_str().expect("UTF-8")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("Python");
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("text");
    assert_eq!(line, "held\n");
    for arguments in [
        &["app", "create", "7"][..],
        &["app", "set-edition", "1400000001", "trial"],
    ] {
        let begun = Instant::now();
        let (status, _, stderr) = served.run(arguments);
        assert_eq!(status, 2);
        assert!(
            stderr.contains("nothing was changed: the ledger data/ledger.sqlite is locked"),
            "{stderr}"
        );
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
    let user = [
        "admit",
        "register_user",
        "--app",
        "1400000001",
        "--user",
        "ann",
    ];
    served.done(&user);
    let shown = json(&served.done(&["app", "show", "1400000001", "--json"]));
    assert_eq!(shown["edition"], "pro");
    // It ends when its input does.
    drop(holder.stdin.take());
    holder.wait().expect("it ends");
    served.done(&["app", "create", "7"]);
}

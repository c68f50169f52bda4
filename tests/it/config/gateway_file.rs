//! The gateway file: what the bundled one says is what holds without it, and every kind of fault with its place.

use std::fs;
use std::path::Path;

use quotagate::config::{Settings, Storage, builtin_settings, load_settings, read_settings};
use quotagate::id::{IdKey, SdkAppId};
use quotagate::journal::Level;
use quotagate::rating::PushDay;

fn faults(text: &str) -> String {
    let faults = read_settings("g", text).expect_err("faults");
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn what_the_bundled_file_says_is_what_holds_without_it() {
    let bundled = builtin_settings();
    assert_eq!(bundled.apps.len(), 1, "an app to try");
    let with_no_app = Settings {
        apps: Vec::new(),
        ..bundled
    };
    assert_eq!(with_no_app, Settings::default());
    assert_eq!(
        read_settings("g", "").expect("an empty file"),
        Settings::default()
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/gateway.toml");
    assert_eq!(load_settings(&file).expect("no fault"), builtin_settings());
}

#[test]
fn keys_that_are_commented_out_in_the_bundled_file_are_valid() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/gateway.toml");
    let text = fs::read_to_string(file).expect("readable");
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.contains(" = ") => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let settings = read_settings("g", &uncommented).expect("no fault");
    assert!(settings.uds.is_some() && settings.workers == Some(2));
    let key = IdKey::new(std::array::from_fn(|byte| {
        u8::try_from(byte).expect("small")
    }));
    assert_eq!(settings.id_key, Some(key));
}

#[test]
fn apps_may_name_an_edition() {
    let text = "[[apps]]\nsdk_app_id = 7\n[[apps]]\nsdk_app_id = 8\nedition = \"pro\"\n";
    let apps = read_settings("g", text).expect("no fault").apps;
    let app = |number| SdkAppId::new(number).expect("not 0");
    assert_eq!(apps, [(app(7), None), (app(8), Some("pro".into()))]);
}

#[test]
fn where_data_is_and_how_well_it_is_kept_can_be_said() {
    let storage = |text: &str| read_settings("g", text).expect("no fault").storage;
    assert_eq!(storage("[storage]\n"), Storage::default());
    for (name, level) in [
        ("power", Level::Power),
        ("process", Level::Process),
        ("memory", Level::Memory),
    ] {
        let text = format!(
            "[storage]\ndata_dir = \"/var/lib/quotagate\"\nlevel = \"{name}\"\nsnapshot_mib = 7\n"
        );
        let expected = Storage {
            data_dir: "/var/lib/quotagate".into(),
            level,
            snapshot_mib: 7,
        };
        assert_eq!(storage(&text), expected);
    }
}

#[test]
fn the_day_on_which_bills_are_pushed_can_be_said() {
    for day in 1..=3 {
        let text = format!("[billing]\npush_day = {day}\n");
        let settings = read_settings("g", &text).expect("no fault");
        assert_eq!(Some(settings.push_day), PushDay::new(day));
    }
    let default = read_settings("g", "[billing]\n").expect("no fault");
    assert_eq!(default.push_day, PushDay::default());
    insta::assert_snapshot!(faults("[billing]\npush_day = 4\nday = 1\n"), @r#"
    g:2:12: `push_day` must be a whole number from 1 to 3; found 4
    g:3:1: [billing] has no key "day"; known: `push_day`
    "#);
}

#[test]
fn a_gateway_may_have_a_name_in_records() {
    let name = |text: &str| read_settings("g", text).map(|it| it.metered_as);
    assert_eq!(name("[metering]\n"), Ok(None));
    for good in ["gate-1", "A.b_c:7", &"x".repeat(64)] {
        let text = format!("[metering]\ngateway = \"{good}\"\n");
        assert_eq!(name(&text), Ok(Some(good.into())));
    }
    for wrong in ["", "gate 1", "gäte", "a/b", &"x".repeat(65)] {
        let text = format!("[metering]\ngateway = \"{wrong}\"\n");
        let said = faults(&text);
        let expected = "g:2:11: `gateway` must be 1 to 64 letters, digits, dashes, underscores, dots and colons; found";
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn every_fault_is_named_with_its_place() {
    let text = r#"listen = "localhost:7600"
http = 7601
time_zone = "Asia/Shanghai"
id_key = "00112233445566778899aabbccddeefg"
workers = 0
drain_secs = 10
uds = ""
[connections]
max = "many"
streams_max = 65537
idle_seconds = 0.5
[storage]
data_dir = 5
level = "disk"
snapshot_mib = 0
dir = "x"
[[apps]]
sdk_app_id = 0
[[apps]]
sdk_app_id = 5
[[apps]]
sdk_app_id = 5
[[apps]]
edition = "pro"
"#;
    insta::assert_snapshot!(faults(text), @r#"
    g:1:10: `listen` must be an IP address and a port like "127.0.0.1:7600"; found "localhost:7600"
    g:2:8: `http` must be an IP address and a port like "127.0.0.1:7600"; found 7601
    g:3:13: "Asia/Shanghai" is no zone: write a fixed offset like +08:00, at most 18 hours from UTC
    g:4:10: `id_key` must be 32 hexadecimal digits, as `openssl rand -hex 16` prints them
    g:5:11: `workers` must be a whole number from 1 to 256; found 0
    g:6:1: the gateway file has no key "drain_secs"; did you mean `drain_seconds`?
    g:7:7: `uds` must be a text of 1 to 500 characters; found ""
    g:9:7: `max` must be a whole number from 1 to 1000000; found "many"
    g:10:15: `streams_max` must be a whole number from 1 to 65536; found 65537
    g:11:16: `idle_seconds` must be a whole number from 1 to 86400; found 0.5
    g:13:12: `data_dir` must be a text of 1 to 500 characters; found 5
    g:14:9: `level` cannot be "disk"; known: `power`, `process`, `memory`
    g:15:16: `snapshot_mib` must be a whole number from 1 to 1048576; found 0
    g:16:1: [storage] has no key "dir"; known: `data_dir`, `level`, `snapshot_mib`
    g:18:14: `sdk_app_id` must be a whole number from 1 to 4294967295; found 0
    g:22:14: app 5 stands on line 19 already: keep one
    g:23:1: the app lacks `sdk_app_id`: add it
    "#);
}

#[test]
fn the_secret_stands_in_no_fault() {
    let said = faults("id_key = \"secret-of-the-house\"\n");
    assert!(!said.contains("secret-of"), "{said}");
}

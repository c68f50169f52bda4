//! The commands of those who take usage in: watching the stream, also across a restart, and reporting bandwidth.

use serde_json::Value;
use tempfile::TempDir;

use super::{Served, run_at};

/// The lines of JSON that a watch prints, which must be done.
fn watched(served: &Served, more: &[&str]) -> Vec<Value> {
    let arguments = [&["usage", "watch", "--once", "--json"], more].concat();
    let (status, stdout, stderr) = served.run(&arguments);
    assert_eq!(status, 0, "{stderr}");
    let lines = stdout.lines();
    let lines = lines.map(|line| serde_json::from_str(line).expect("JSON"));
    lines.collect()
}

fn log_in(served: &Served, app: &str, user: &str) {
    let login = ["admit", "login", "--app", app, "--user", user];
    served.done(&[&login[..], &["--mode", "record"]].concat());
}

#[test]
fn a_watch_prints_what_has_changed_for_people_and_scripts() {
    let served = Served::start();
    served.done(&["app", "create", "7", "--edition", "pro"]);
    log_in(&served, "7", "ann");
    let reported = served.done(&["usage", "report-bandwidth", "7", "12.5Mbps"]);
    assert_eq!(reported, "reported 12.5 Mbps of app 7\n");
    let [record] = watched(&served, &[]).try_into().expect("one record");
    assert_eq!(
        (&record["sdk_app_id"], &record["users"]),
        (&7.into(), &1.into())
    );
    assert_eq!(record["bandwidth_bps"], 12_500_000);
    assert_eq!(record["is_final"], false);
    assert!(record["sketch"].as_str().is_some_and(|it| !it.is_empty()));
    assert_eq!(record["gateway"].as_str().map(str::len), Some(16));
    let bare = watched(&served, &["--without-sketches"]);
    assert_eq!(bare[0]["sketch"], "");

    let (status, table, stderr) = served.run(&["usage", "watch", "--once"]);
    assert_eq!(status, 0);
    let day = record["day"].as_str().expect("a day");
    let expected = format!(
        "app         day               users  peak groups  peak rooms       bandwidth\n\
         7           {day}            1            0           0       12.5 Mbps\n"
    );
    assert_eq!(table, expected);
    // It says where to go on, and there nothing has changed.
    let token = stderr.trim_end().rsplit(' ').next().expect("a token");
    assert_eq!(
        stderr,
        format!("quotagate: go on with --from-token {token}\n")
    );
    assert_eq!(watched(&served, &["--from-token", token]), [] as [Value; 0]);
    log_in(&served, "1400000001", "ann");
    let since = watched(&served, &["--from-token", token]);
    assert_eq!(since.len(), 1);
    assert_eq!(since[0]["sdk_app_id"], 1_400_000_001);
    assert_eq!(watched(&served, &["--app", "7"]).len(), 1);
}

/// What a subscriber has printed is remembered by the gateway, through an orderly stop and a kill.
#[test]
fn a_subscriber_goes_on_after_restarts() {
    let billing = ["--subscriber", "billing"];
    let served = Served::start();
    log_in(&served, "1400000001", "ann");
    assert_eq!(watched(&served, &billing).len(), 1);
    assert_eq!(watched(&served, &billing), [] as [Value; 0]);
    log_in(&served, "1400000001", "bob");
    let mut served = Served::start_with(served.stop(), &[]);
    let changed = watched(&served, &billing);
    assert_eq!((changed.len(), &changed[0]["users"]), (1, &2.into()));
    log_in(&served, "1400000001", "cid");
    served.process.kill().expect("it runs");
    served.process.wait().expect("it ends");
    let nowhere = TempDir::new().expect("a temporary directory");
    let dir = std::mem::replace(&mut served.dir, nowhere);
    let served = Served::start_with(dir, &[]);
    let changed = watched(&served, &billing);
    assert_eq!((changed.len(), &changed[0]["users"]), (1, &3.into()));
    assert_eq!(watched(&served, &billing), [] as [Value; 0]);
    // Another one begins at the beginning.
    assert_eq!(watched(&served, &["--subscriber", "reports"]).len(), 1);
}

#[test]
fn what_is_wrong_is_said() {
    let served = Served::start();
    for (arguments, said) in [
        (&["watch", "--interval", "0"][..], "1..=3600"),
        (&["watch", "--app", "x"], "an SDKAppID is a number"),
        (
            &["watch", "--from-token", "x"],
            "token: is no token of a batch",
        ),
        (&["watch", "--subscriber", "a\nb"], "subscriber: "),
        (&["report-bandwidth", "7", "12"], "write it like 12.5Mbps"),
        (&["report-bandwidth", "7", "1Mbps"], "there is no app 7"),
        (
            &[
                "report-bandwidth",
                "1400000001",
                "1Mbps",
                "--at",
                "2020-01-01T00:00:00Z",
            ],
            "at most 31 days ago",
        ),
        (
            &["report-bandwidth", "1400000001", "2000000Gbps"],
            "at most 1000000000000000",
        ),
    ] {
        let (status, stdout, stderr) = served.run(&[&["usage"], arguments].concat());
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(said), "{arguments:?} says {stderr}");
    }
    for arguments in [
        &["usage", "watch"][..],
        &["usage", "show", "7"],
        &["usage", "report-bandwidth", "7", "1Mbps"],
    ] {
        let (status, _, stderr) = run_at("unix:///no/such/socket", arguments);
        assert_eq!(status, 2);
        assert!(stderr.contains("cannot be reached"), "{stderr}");
    }
}

#[test]
fn an_app_is_shown_with_and_without_the_commands_name() {
    let served = Served::start();
    let shown = served.done(&["usage", "1400000001"]);
    assert_eq!(served.done(&["usage", "show", "1400000001"]), shown);
    assert!(shown.contains("users today"), "{shown}");
}

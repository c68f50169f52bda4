//! Late, early, undone and repeated logins, deleted users, idle apps, ends and starts; and a trace through all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use quotagate::admission::{Mode, Operation};
use quotagate::gateway::{Commit, Reported, Sketches};
use quotagate::id::UserId;
use quotagate::sketch::Sketch;
use quotagate::time::{DAY_MS, Day, Month, Timestamp, Zone};
use quotagate::trace::{Action, Reader};
use tempfile::TempDir;

use super::{Subscriber, allowed, close, day, gateway_of, login_at, morning};
use crate::model::KEY;
use crate::support::{app, at, catalog, create, delete_user, join, login};

fn sketch<'a>(users: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let hasher = KEY.hasher();
    let mut sketch = Sketch::new();
    for id in users {
        let key = hasher.user(UserId::new(id).expect("an id"));
        sketch.add(u128::from(key.high) << 64 | u128::from(key.low));
    }
    sketch.to_bytes()
}

/// The sketch that is told of a day.
fn told(subscriber: &Subscriber, day: Day) -> Vec<u8> {
    let sketch = subscriber.days[&day].sketch.as_ref();
    sketch.expect("wanted").to_bytes()
}

fn whole(dir: &TempDir, now: Timestamp) -> Subscriber {
    let gateway = gateway_of(dir.path(), morning());
    let mut subscriber = Subscriber::default();
    subscriber.ask(&gateway, 1, now);
    close(&gateway);
    subscriber
}

/// Every day of the trace has exactly its users, in the count and in the sketch, for one who asks at every turn of the day and
/// for one who asks once a week; and there is an end and a start in the middle of every month.
#[test]
fn every_day_of_collegemsg_is_told_to_the_last_user() {
    let dir = TempDir::new().expect("a directory");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/collegemsg.ndjson.gz");
    let file = File::open(file).expect("the trace");
    let mut reader = Reader::new("collegemsg", file).expect("a trace");
    let (catalog, zone) = (catalog(), Zone::default());
    let mut truth: BTreeMap<Day, BTreeSet<String>> = BTreeMap::new();
    let (mut daily, mut weekly) = (Subscriber::default(), Subscriber::default());
    let mut open = None;
    let (mut today, mut now) = (Day::from_number(0), Timestamp::MIN);
    while let Some(line) = reader.next_line().expect("a line") {
        let entry = line.entry(&catalog).expect("an operation");
        let Action::Admit(request) = &entry.action else {
            continue;
        };
        now = entry.at;
        let mut gateway = open.take().unwrap_or_else(|| gateway_of(dir.path(), now));
        if zone.day(now) > today {
            today = zone.day(now);
            daily.ask(&gateway, 1, now);
            if today.number() % 7 == 0 {
                weekly.ask(&gateway, 1, now);
            }
            if today.number() % 30 == 15 {
                close(&gateway);
                gateway = gateway_of(dir.path(), now);
            }
        }
        allowed(&gateway, 1, request, now);
        gateway.commit();
        if let Operation::Login { user, .. } = request {
            truth
                .entry(today)
                .or_default()
                .insert(user.as_str().to_owned());
        }
        open = Some(gateway);
    }
    let gateway = open.expect("lines");
    for subscriber in [&mut daily, &mut weekly] {
        subscriber.ask(&gateway, 1, now);
        let users = subscriber
            .days
            .iter()
            .map(|(day, record)| (*day, record.usage.users as usize));
        assert!(users.eq(truth.iter().map(|(day, users)| (*day, users.len()))));
        assert_eq!(subscriber.users(), 14_620);
        for (day, users) in &truth {
            assert_eq!(
                told(subscriber, *day),
                sketch(users.iter().map(String::as_str)),
                "{day}"
            );
        }
        let highest = |month: &str| {
            let days = subscriber.days.values().map(|record| &record.usage);
            let of_month = days.filter(|usage| usage.month.to_string() == month);
            of_month.map(|usage| usage.users).max()
        };
        let peaks =
            ["04", "05", "06", "07", "08", "09", "10"].map(|n| highest(&format!("2004-{n}")));
        assert_eq!(peaks, [144, 365, 242, 78, 57, 47, 32].map(Some));
    }
    // Some of a day, all of it, and that it is final.
    assert!(weekly.records <= 3 * truth.len(), "{}", weekly.records);
    // What is final is told once more, and then nothing.
    let later = now.plus_ms(40 * DAY_MS);
    daily.ask(&gateway, 1, later);
    let open_ones = daily.days.values().filter(|record| !record.is_final);
    assert_eq!(open_ones.count(), 0);
    assert_eq!(daily.ask(&gateway, 1, later), 0);
}

#[test]
fn what_is_taken_back_leaves_no_trace() {
    let dir = TempDir::new().expect("a directory");
    let gateway = gateway_of(dir.path(), morning());
    let now = morning();
    let ids: Vec<String> = (0..400).map(|n| format!("u{n}")).collect();
    let mut before = Subscriber::default();
    // Few of them first, then as many as make it a sketch.
    for some in [&ids[..50], &ids[50..100], &ids[100..300], &ids[300..]] {
        let (stay, go) = some.split_at(some.len() / 2);
        for id in stay {
            allowed(&gateway, 1, &login(id), now);
        }
        before.ask(&gateway, 1, now);
        for id in go {
            gateway.admit(app(1), &login(id), Mode::DryRun, now);
        }
        let mut requests: Vec<_> = go.iter().map(|id| login(id)).collect();
        requests.push(join("nobody's", "u0"));
        let answer =
            gateway.admit_batch(app(1), &requests, Mode::Enforce, Commit::AllOrNothing, now);
        assert!(!answer.committed);
        let mut after = Subscriber::default();
        after.ask(&gateway, 1, now);
        let today = day("2026-03-02");
        assert_eq!(told(&after, today), told(&before, today));
        assert_eq!(after.users(), before.users());
        // One that is kept is there.
        requests.truncate(go.len());
        let answer =
            gateway.admit_batch(app(1), &requests, Mode::Enforce, Commit::AllOrNothing, now);
        assert!(answer.committed);
    }
    let mut all = Subscriber::default();
    all.ask(&gateway, 1, now);
    assert_eq!(
        told(&all, day("2026-03-02")),
        sketch(ids.iter().map(String::as_str))
    );
    close(&gateway);
    let restored = whole(&dir, now);
    assert_eq!(
        told(&restored, day("2026-03-02")),
        told(&all, day("2026-03-02"))
    );
}

#[test]
fn late_early_and_deleted_users_are_in_their_day_after_any_start() {
    let dir = TempDir::new().expect("a directory");
    let midnight = at("2026-03-02T23:58:00+08:00");
    let gateway = gateway_of(dir.path(), morning());
    for id in ["a", "b", "c"] {
        allowed(&gateway, 1, &login(id), midnight);
    }
    allowed(
        &gateway,
        1,
        &login_at("early", midnight.plus_ms(240_000), midnight),
        midnight,
    );
    allowed(
        &gateway,
        1,
        &login_at("late", midnight.plus_ms(-31 * DAY_MS), midnight),
        midnight,
    );
    allowed(&gateway, 1, &delete_user("a"), midnight);
    allowed(&gateway, 1, &delete_user("b"), midnight);
    allowed(&gateway, 1, &login("b"), midnight);
    allowed(&gateway, 1, &delete_user("early"), midnight);
    let expected = [
        ("2026-01-30", vec!["late"]),
        ("2026-03-02", vec!["a", "b", "c"]),
        ("2026-03-03", vec!["early"]),
    ];
    let check = |subscriber: &Subscriber| {
        for (of, users) in &expected {
            let record = &subscriber.days[&day(of)];
            assert_eq!(record.usage.users as usize, users.len(), "{of}");
            assert_eq!(
                told(subscriber, day(of)),
                sketch(users.iter().copied()),
                "{of}"
            );
        }
        assert_eq!(subscriber.days.len(), 3);
    };
    let mut subscriber = Subscriber::default();
    subscriber.ask(&gateway, 1, midnight);
    check(&subscriber);
    gateway.take_snapshot().expect("a snapshot");
    close(&gateway);
    check(&whole(&dir, midnight));
    // After the turn the early one is among the day's, and logging in again is no other user.
    let gateway = gateway_of(dir.path(), morning());
    let later = midnight.plus_ms(300_000);
    allowed(&gateway, 1, &login("early"), later);
    assert_eq!(
        subscriber.ask(&gateway, 1, later),
        1,
        "the late one's day is final"
    );
    assert!(subscriber.days[&day("2026-01-30")].is_final);
    assert!(!subscriber.days[&day("2026-03-02")].is_final);
    check(&subscriber);
    allowed(&gateway, 1, &login("d"), later);
    subscriber.ask(&gateway, 1, later);
    assert_eq!(told(&subscriber, day("2026-03-03")), sketch(["early", "d"]));
}

/// The head of the snapshot is older than its parts and than what is reported while it is taken; and so on from one to the next.
#[test]
fn bandwidth_is_the_days_peak_and_outlives_the_gateway() {
    let dir = TempDir::new().expect("a directory");
    let gateway = gateway_of(dir.path(), morning());
    let report = |of: &str, bits| gateway.report_bandwidth(app(1), day(of), bits, morning());
    assert_eq!(report("2026-03-02", 5_000_000), Reported::Taken);
    assert_eq!(report("2026-03-02", 12_500_000), Reported::Taken);
    assert_eq!(report("2026-03-02", 7_000_000), Reported::Taken);
    gateway.take_snapshot().expect("a snapshot");
    assert_eq!(report("2026-02-01", 1), Reported::Taken);
    assert_eq!(report("2026-01-20", 1), Reported::OutOfReach);
    assert_eq!(report("2026-03-04", 1), Reported::OutOfReach);
    let nobody = gateway.report_bandwidth(app(3), day("2026-03-02"), 1, morning());
    assert_eq!(nobody, Reported::NoApp);
    let mut subscriber = Subscriber::default();
    assert_eq!(subscriber.ask(&gateway, 1, morning()), 2);
    assert_eq!(report("2026-03-02", 12_500_000), Reported::Taken);
    assert_eq!(subscriber.ask(&gateway, 1, morning()), 0, "no higher");
    close(&gateway);
    let restored = whole(&dir, morning());
    for subscriber in [&subscriber, &restored] {
        let bits: Vec<_> = subscriber
            .days
            .values()
            .map(|it| it.bandwidth_bps)
            .collect();
        assert_eq!(bits, [1, 12_500_000]);
    }
}

/// RULES B29: a month with no event is billed from its days.
#[test]
fn an_idle_app_is_told_day_by_day_with_the_groups_that_it_has() {
    let dir = TempDir::new().expect("a directory");
    let gateway = gateway_of(dir.path(), morning());
    let (catalog, now) = (catalog(), at("2026-03-30T09:00:00+08:00"));
    for (id, kind) in [("g", "Public"), ("room", "AVChatRoom")] {
        allowed(&gateway, 1, &login("owner"), now);
        allowed(&gateway, 1, &create(&catalog, id, kind, "owner", &[]), now);
    }
    let mut subscriber = Subscriber::default();
    assert_eq!(subscriber.ask(&gateway, 1, now), 1);
    let mut idle = Subscriber::default();
    assert_eq!(idle.ask(&gateway, 2, now), 0, "nothing was ever counted");
    for after in 1..=3 {
        let now = now.plus_ms(after * DAY_MS);
        subscriber.ask(&gateway, 1, now);
        assert_eq!(idle.ask(&gateway, 2, now), 0);
    }
    let counts = |record: &quotagate::gateway::DayRecord| {
        let usage = record.usage;
        (usage.users, usage.peak_groups, usage.peak_av_chat_rooms)
    };
    let days: Vec<_> = subscriber.days.values().map(counts).collect();
    assert_eq!(days, [(1, 2, 1), (0, 2, 1), (0, 2, 1), (0, 2, 1)]);
    let june = at("2026-06-01T00:00:00+08:00");
    let month = |text: &str| -> Month { day(text).month() };
    let may = gateway
        .month_usage(app(1), month("2026-05-01"), june)
        .expect("an app");
    assert_eq!(may.len(), 31);
    assert!(
        may.iter()
            .all(|day| day.usage.peak_groups == 2 && day.usage.users == 0)
    );
    assert_eq!(
        gateway.month_usage(app(2), month("2026-05-01"), june),
        Some(vec![])
    );
    assert_eq!(gateway.month_usage(app(3), month("2026-05-01"), june), None);
}

#[test]
fn an_app_that_is_not_there_has_used_nothing() {
    let dir = TempDir::new().expect("a directory");
    let gateway = gateway_of(dir.path(), morning());
    let told = gateway.usage_since(app(9), None, morning(), Sketches::Wanted);
    assert_eq!(told.len(), 0);
}

//! The usage stream over the wire: what is told, what is told again, and where a reader goes on.

mod readers;
mod reports;

use std::collections::BTreeMap;
use std::sync::Arc;

use quotagate::admission::{LoginTime, Mode, Operation};
use quotagate::clock::Clock;
use quotagate::journal::{Level, Options};
use quotagate::proto::usage_service_client::UsageServiceClient;
use quotagate::proto::{AcknowledgeUsageRequest, StreamUsageRequest, UsageBatch, UsageRecord};
use quotagate::sketch::Sketch;
use quotagate::subscription::{Plan, Standing};
use quotagate::time::DAY_MS;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::gate::{Gate, Setup};
use crate::journal::faulty::Faulty;
use crate::support::{MORNING, app, at, create, login, user};

const NAME: &str = "gate-1";

/// A gateway whose clock stands at a morning until it is turned.
fn gate(disk: &Faulty) -> Gate {
    gate_with(disk, |_| {})
}

fn gate_with(disk: &Faulty, edit: impl FnOnce(&mut Setup)) -> Gate {
    Gate::with(|setup| {
        setup.edition = "pro";
        setup.clock = Clock::by_hand(at(MORNING));
        setup.settings.metered_as = Some(NAME.into());
        let options = Options {
            level: Level::Process,
            ..Options::default()
        };
        setup.storage = Some((disk.storage(), options));
        edit(setup);
    })
}

fn days_later(gate: &Gate, days: i64) {
    gate.clock.turn(gate.clock.now().plus_ms(days * DAY_MS));
}

/// Users log in to an app, as if elsewhere: those who are not there yet are registered.
fn log_in(gate: &Gate, number: u32, users: &[&str]) {
    for id in users {
        let now = gate.clock.now();
        let admitted = gate
            .gateway
            .admit(app(number), &login(id), Mode::Record, now);
        assert!(admitted.decision.outcome.is_allowed(), "{id}");
    }
}

/// More apps like app 1.
fn add_apps(gate: &Gate, numbers: impl Iterator<Item = u32>) {
    for number in numbers {
        let (plan, now) = (Plan::of("pro"), gate.clock.now());
        let created = gate
            .gateway
            .create_app(app(number), plan, Standing::GOOD, now);
        created.expect("a new app");
    }
}

fn service(gate: &Gate) -> UsageServiceClient<Channel> {
    UsageServiceClient::new(gate.channel())
}

/// Looks as often as may be.
fn often() -> StreamUsageRequest {
    StreamUsageRequest {
        interval: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
        ..Default::default()
    }
}

fn after(token: &str) -> StreamUsageRequest {
    StreamUsageRequest {
        token: token.into(),
        ..often()
    }
}

fn open(gate: &Gate, request: StreamUsageRequest) -> Streaming<UsageBatch> {
    opened(gate, request).expect("a stream")
}

fn opened(gate: &Gate, request: StreamUsageRequest) -> Result<Streaming<UsageBatch>, Status> {
    let mut client = service(gate);
    let opened = gate.run(client.stream_usage(request));
    opened.map(tonic::Response::into_inner)
}

fn next(gate: &Gate, stream: &mut Streaming<UsageBatch>) -> UsageBatch {
    let batch = gate.run(stream.message()).expect("the stream goes on");
    batch.expect("it does not end")
}

/// The batches of a look.
fn look(gate: &Gate, stream: &mut Streaming<UsageBatch>) -> Vec<UsageBatch> {
    let mut batches = Vec::new();
    while !batches.last().is_some_and(|it: &UsageBatch| it.complete) {
        batches.push(next(gate, stream));
    }
    batches
}

/// The records of a look, and the token after it.
fn told(gate: &Gate, request: StreamUsageRequest) -> (Vec<UsageRecord>, String) {
    let batches = look(gate, &mut open(gate, request));
    let token = batches.last().expect("one at least").token.clone();
    let records = batches.into_iter().flat_map(|batch| batch.records);
    (records.collect(), token)
}

/// Whom the records are about, with the users of each.
fn users(records: &[UsageRecord]) -> Vec<(u32, &str, u64)> {
    let each = records
        .iter()
        .map(|it| (it.sdk_app_id, it.day.as_str(), it.users));
    each.collect()
}

fn acknowledge(gate: &Gate, subscriber: &str, token: &str) -> Result<(), Status> {
    let request = AcknowledgeUsageRequest {
        subscriber: subscriber.into(),
        token: token.into(),
    };
    let mut client = service(gate);
    gate.run(client.acknowledge_usage(request)).map(drop)
}

fn named(subscriber: &str) -> StreamUsageRequest {
    StreamUsageRequest {
        subscriber: subscriber.into(),
        ..often()
    }
}

#[test]
fn what_an_app_used_is_told_and_told_again_when_it_changes() {
    let gate = gate(&Faulty::new(1));
    log_in(&gate, 1, &["ann", "bob", "cid"]);
    let catalog = Arc::clone(&gate.gateway.terms().catalog);
    for (id, kind) in [("g", "Public"), ("room", "AVChatRoom")] {
        let group = create(&catalog, id, kind, "ann", &[]);
        let now = gate.clock.now();
        let made = gate.gateway.admit(app(1), &group, Mode::Record, now);
        assert!(made.decision.outcome.is_allowed());
    }
    let mut stream = open(&gate, often());
    let first = next(&gate, &mut stream);
    assert!(first.complete, "it fits into one batch");
    assert_eq!(first.time_zone, "+08:00");
    let as_of = first.as_of.expect("when").seconds;
    assert_eq!(as_of * 1_000, at(MORNING).as_unix_ms());
    let [record] = first.records.as_slice() else {
        panic!("one day of one app: {first:?}");
    };
    let sketch = Sketch::from_bytes(&record.sketch).expect("a sketch");
    assert_eq!(sketch.count().estimate, 3);
    let expected = UsageRecord {
        gateway: NAME.into(),
        sdk_app_id: 1,
        day: "2026-03-02".into(),
        sequence: record.sequence,
        users: 3,
        sketch: record.sketch.clone(),
        peak_groups: 2,
        peak_av_chat_rooms: 1,
        bandwidth_bps: 0,
        is_final: false,
    };
    assert_eq!(*record, expected);

    log_in(&gate, 1, &["ann", "dan"]);
    let second = next(&gate, &mut stream);
    assert_eq!(users(&second.records), [(1, "2026-03-02", 4)]);
    assert!(second.records[0].sequence > record.sequence);
    assert_ne!(second.token, first.token);
    // Nothing has changed since: a reader that goes on there is told that much.
    let (records, token) = told(&gate, after(&second.token));
    assert_eq!((records, token), (Vec::new(), second.token));
}

#[test]
fn sketches_are_left_out_on_wish() {
    let gate = gate(&Faulty::new(2));
    log_in(&gate, 1, &["ann"]);
    let request = StreamUsageRequest {
        without_sketches: true,
        ..often()
    };
    let (records, _) = told(&gate, request);
    assert_eq!(users(&records), [(1, "2026-03-02", 1)]);
    assert!(records[0].sketch.is_empty());
}

#[test]
fn many_records_come_in_batches_in_the_order_of_apps() {
    let gate = gate(&Faulty::new(3));
    add_apps(&gate, 2..=1_200);
    for number in 1..=1_200 {
        log_in(&gate, number, &["ann"]);
    }
    let before = told(&gate, often()).1;
    for number in 1..=1_200 {
        log_in(&gate, number, &["bob"]);
    }
    let batches = look(&gate, &mut open(&gate, after(&before)));
    let sizes: Vec<_> = batches.iter().map(|it| it.records.len()).collect();
    assert_eq!(sizes, [1_000, 200]);
    let records = batches.iter().flat_map(|batch| &batch.records);
    let apps: Vec<_> = records.map(|it| (it.sdk_app_id, it.users)).collect();
    let all: Vec<_> = (1..=1_200).map(|number| (number, 2)).collect();
    assert_eq!(apps, all);
    // Who has taken in but the first goes on where this look went on from.
    assert_eq!(batches[0].token, before);
    assert_ne!(batches[1].token, before);
}

/// A full batch may be followed by apps that have nothing to tell: the look ends all the same, with its token.
#[test]
fn a_look_is_told_to_its_end() {
    let gate = gate(&Faulty::new(12));
    add_apps(&gate, 2..=1_001);
    let mut stream = open(&gate, often());
    look(&gate, &mut stream);
    for number in 1..=1_000 {
        log_in(&gate, number, &["ann"]);
    }
    let mut batches = Vec::new();
    while batches
        .iter()
        .map(|it: &UsageBatch| it.records.len())
        .sum::<usize>()
        < 1_000
    {
        batches.extend(look(&gate, &mut stream));
    }
    let last = batches.last().expect("one at least");
    assert!(last.complete);
    assert_eq!(told(&gate, after(&last.token)).0, []);
}

#[test]
fn of_the_apps_that_are_named_only() {
    let gate = gate(&Faulty::new(4));
    add_apps(&gate, 2..=3);
    let those = |apps: &[u32], token: &str| StreamUsageRequest {
        sdk_app_ids: apps.to_vec(),
        ..after(token)
    };
    for number in 1..=3 {
        log_in(&gate, number, &["ann"]);
    }
    let (records, token) = told(&gate, those(&[3, 1, 3, 9], ""));
    let day = "2026-03-02";
    assert_eq!(users(&records), [(1, day, 1), (3, day, 1)]);
    // What it was told about some apps says nothing about others.
    assert_eq!(told(&gate, those(&[1, 3, 9], &token)).0, []);
    let (all, token) = told(&gate, after(&token));
    assert_eq!(users(&all), [(1, day, 1), (2, day, 1), (3, day, 1)]);
    assert_eq!(told(&gate, those(&[2], &token)).0, []);
    // An app that comes later counts from when it does.
    add_apps(&gate, 9..=9);
    log_in(&gate, 9, &["ann"]);
    let (records, _) = told(&gate, those(&[1, 3, 9], &token));
    assert_eq!(users(&records), [(9, day, 1)]);
}

/// One is away for a week in which every day has logins, of which one arrives late.
#[test]
fn who_was_away_for_a_week_gets_one_record_for_each_app_and_day() {
    let gate = gate(&Faulty::new(5));
    add_apps(&gate, 2..=3);
    log_in(&gate, 1, &["ann"]);
    log_in(&gate, 2, &["ann"]);
    let (records, token) = told(&gate, named("billing"));
    assert_eq!(records.len(), 2);
    acknowledge(&gate, "billing", &token).expect("kept");
    for day in 0..7 {
        log_in(&gate, 1, &["ann", "bob"]);
        if day % 2 == 0 {
            log_in(&gate, 2, &["cid"]);
        }
        days_later(&gate, 1);
    }
    let now = gate.clock.now();
    let at = LoginTime::new(now.plus_ms(-5 * DAY_MS), now).expect("not too late");
    let late = Operation::Login {
        user: user("dan"),
        at: Some(at),
    };
    gate.gateway.admit(app(1), &late, Mode::Record, now);

    let (records, token) = told(&gate, named("billing"));
    let mut counted = BTreeMap::new();
    for record in &records {
        let key = (record.sdk_app_id, record.day.as_str());
        assert_eq!(counted.insert(key, record.users), None, "twice: {key:?}");
        assert!(!record.is_final);
    }
    let of_app_1 = |day: u32| {
        (
            (1, format!("2026-03-{day:02}")),
            if day == 4 { 3 } else { 2 },
        )
    };
    let of_app_2 = |day: u32| {
        (
            (2, format!("2026-03-{day:02}")),
            if day == 2 { 2 } else { 1 },
        )
    };
    let expected = (2..=8).map(of_app_1).chain([2, 4, 6, 8].map(of_app_2));
    let expected: BTreeMap<_, _> = expected.collect();
    let counted: BTreeMap<_, _> = counted
        .into_iter()
        .map(|((number, day), users)| ((number, day.to_owned()), users))
        .collect();
    assert_eq!(counted, expected);
    // It has not acknowledged that: it comes again. Once it has, nothing does.
    assert_eq!(told(&gate, named("billing")).0, records);
    acknowledge(&gate, "billing", &token).expect("kept");
    assert_eq!(told(&gate, named("billing")).0, []);
}

#[test]
fn a_day_is_told_once_more_when_it_is_final() {
    let gate = gate(&Faulty::new(6));
    log_in(&gate, 1, &["ann"]);
    let (_, token) = told(&gate, often());
    days_later(&gate, 31);
    let (records, token) = told(&gate, after(&token));
    assert_eq!(records, [], "a login of that morning may still come");
    days_later(&gate, 1);
    let (records, token) = told(&gate, after(&token));
    assert_eq!(users(&records), [(1, "2026-03-02", 1)]);
    assert!(records[0].is_final);
    assert_eq!(told(&gate, after(&token)).0, []);
}

/// Groups that are there count on days on which nothing happens, also to who reads the whole time.
#[test]
fn an_idle_day_with_groups_is_told() {
    let gate = gate(&Faulty::new(7));
    let catalog = Arc::clone(&gate.gateway.terms().catalog);
    let group = create(&catalog, "g", "Public", "ann", &[]);
    let now = gate.clock.now();
    gate.gateway.admit(app(1), &group, Mode::Record, now);
    let mut stream = open(&gate, often());
    let first = next(&gate, &mut stream);
    assert_eq!(first.records.len(), 1);
    days_later(&gate, 2);
    let batch = next(&gate, &mut stream);
    let groups = batch
        .records
        .iter()
        .map(|it| (it.day.as_str(), it.peak_groups, it.users));
    let groups: Vec<_> = groups.collect();
    assert_eq!(groups, [("2026-03-03", 1, 0), ("2026-03-04", 1, 0)]);
    let sequences: Vec<_> = batch.records.iter().map(|it| it.sequence).collect();
    let records = told(&gate, often()).0;
    let again: Vec<_> = records.iter().skip(1).map(|it| it.sequence).collect();
    assert_eq!(sequences, again);
    // A later change has a later number.
    log_in(&gate, 1, &["ann"]);
    let mut changed = next(&gate, &mut stream).records;
    // What was stamped during a look may be told again.
    changed.retain(|record| record.users > 0);
    assert_eq!(users(&changed), [(1, "2026-03-04", 1)]);
    assert!(changed[0].sequence > sequences[1]);
}

#[test]
fn a_token_is_gone_on_from_after_a_restart() {
    let disk = Faulty::new(8);
    let before = gate(&disk);
    log_in(&before, 1, &["ann"]);
    let (records, token) = told(&before, often());
    assert_eq!(records.len(), 1);
    before.close();

    let after_restart = gate(&disk);
    assert_eq!(told(&after_restart, after(&token)).0, []);
    log_in(&after_restart, 1, &["bob"]);
    let (records, _) = told(&after_restart, after(&token));
    assert_eq!(users(&records), [(1, "2026-03-02", 2)]);
}

/// What was told before a backup was taken back into use is not what is there now.
#[test]
fn a_token_that_does_not_fit_the_data_begins_anew() {
    let (disk, other) = (Faulty::new(9), Faulty::new(10));
    let (one, two) = (gate(&disk), gate(&other));
    log_in(&one, 1, &["ann"]);
    log_in(&two, 1, &["bob"]);
    let (_, foreign) = told(&two, often());
    let (records, token) = told(&one, after(&foreign));
    assert_eq!(users(&records), [(1, "2026-03-02", 1)]);
    let refused = acknowledge(&one, "billing", &foreign).expect_err("of other data");
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    // A position that the journal has not reached.
    let ahead = format!("{}{:016x}{}", &token[..48], u64::MAX, &token[64..]);
    assert_eq!(told(&one, after(&ahead)).0, records);
    let refused = acknowledge(&one, "billing", &ahead).expect_err("ahead");
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
}

#[test]
fn a_gateway_in_memory_has_no_stream() {
    let gate = Gate::open();
    let refused = opened(&gate, often()).expect_err("in memory");
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    let token = "0".repeat(68);
    let refused = acknowledge(&gate, "billing", &token).expect_err("in memory");
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
}

#[test]
fn without_a_name_of_its_own_a_gateway_has_that_of_its_data() {
    let gate = gate_with(&Faulty::new(11), |setup| setup.settings.metered_as = None);
    log_in(&gate, 1, &["ann"]);
    let set = gate.gateway.log().expect("a journal").set().get();
    assert_eq!(told(&gate, often()).0[0].gateway, format!("{set:016x}"));
}

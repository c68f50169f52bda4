//! `WatchEntitlements`: everything first, then every change, also those that come by themselves; a token misses nothing.

use std::collections::BTreeMap;

use prost::Message as _;
use quotagate::clock::Clock;
use quotagate::proto::app::State;
use quotagate::proto::control_service_client::ControlServiceClient;
use quotagate::proto::set_override_request::Value;
use quotagate::proto::{
    AppEntitlements, CreateAppRequest, ReloadRequest, SetEditionRequest, SetOverrideRequest,
    WatchEntitlementsRequest, WatchEntitlementsResponse,
};
use quotagate::subscription::Standing;
use quotagate::time::Timestamp;
use tonic::transport::Channel;
use tonic::{Code, Streaming};
use tonic_types::StatusExt as _;

use super::gate::{Gate, framed};
use super::raw::{INITIAL_WINDOW_SIZE, Peer, RST_STREAM};
use crate::support::{MORNING, app, at};

const WATCH: &str = "/quotagate.v1.ControlService/WatchEntitlements";

/// A stream of what apps may do.
struct Watch<'a> {
    gate: &'a Gate,
    messages: Streaming<WatchEntitlementsResponse>,
    token: String,
}

impl<'a> Watch<'a> {
    fn of_all(gate: &'a Gate) -> Self {
        Self::begin(gate, &[], "")
    }

    fn begin(gate: &'a Gate, apps: &[u32], token: &str) -> Self {
        let messages = gate.run(gate.control().watch_entitlements(request(apps, token)));
        Self {
            gate,
            messages: messages.expect("a stream").into_inner(),
            token: String::new(),
        }
    }

    fn message(&mut self) -> WatchEntitlementsResponse {
        let message = self.gate.run(self.messages.message());
        message.expect("it goes on").expect("it goes on")
    }

    /// The apps of a whole round, by id.
    fn round(&mut self) -> BTreeMap<u32, AppEntitlements> {
        let mut apps = BTreeMap::new();
        loop {
            let message = self.message();
            apps.extend(message.apps.into_iter().map(|it| (it.sdk_app_id, it)));
            self.token = message.token;
            if message.is_complete {
                assert!(message.as_of.is_some());
                return apps;
            }
        }
    }

    /// The next round's only app.
    fn one(&mut self) -> AppEntitlements {
        let apps: Vec<_> = self.round().into_values().collect();
        let [one] = <[_; 1]>::try_from(apps).expect("one app");
        one
    }
}

fn request(apps: &[u32], token: &str) -> WatchEntitlementsRequest {
    WatchEntitlementsRequest {
        sdk_app_ids: apps.into(),
        token: token.to_owned(),
    }
}

fn friends_at_most(sdk_app_id: u32, count: u64, expires: Option<Timestamp>) -> SetOverrideRequest {
    SetOverrideRequest {
        sdk_app_id,
        limit: "friends".to_owned(),
        value: Some(Value::AtMost(count)),
        reason: "a test".to_owned(),
        expires: expires.map(|at| prost_types::Timestamp {
            seconds: at.as_unix_ms() / 1_000,
            nanos: 0,
        }),
        ..SetOverrideRequest::default()
    }
}

fn create(gate: &Gate, control: &mut ControlServiceClient<Channel>, sdk_app_id: u32) {
    let request = CreateAppRequest {
        sdk_app_id,
        ..CreateAppRequest::default()
    };
    gate.run(control.create_app(request)).expect("a new app");
}

fn friends(app: &AppEntitlements) -> Option<u64> {
    let mut limits = app.limits.iter();
    limits
        .find(|it| it.name == "friends")
        .expect("a limit")
        .value
}

fn by_hand() -> (Gate, Clock) {
    let clock = Clock::by_hand(at(MORNING));
    let gate = Gate::with(|setup| setup.clock = clock.clone());
    (gate, clock)
}

#[test]
fn everything_is_told_first_and_then_every_change() {
    let dir = super::reload::files();
    let gate = Gate::with(|setup| setup.dir = Some(dir.path().to_owned()));
    let mut control = gate.control();
    create(&gate, &mut control, 2);
    let mut watch = Watch::of_all(&gate);
    let all = watch.round();
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), [1, 2]);
    let first = &all[&1];
    assert_eq!(
        (first.edition.as_str(), first.state(), friends(first)),
        ("trial", State::Active, Some(20))
    );
    assert_eq!(first.published.expect("it is told").history_days, 7);
    assert_eq!(first.standing, Some(quotagate::proto::Standing::default()));

    gate.run(control.set_override(friends_at_most(2, 5, None)))
        .expect("set");
    let changed = watch.one();
    assert_eq!((changed.sdk_app_id, friends(&changed)), (2, Some(5)));

    let edition = SetEditionRequest {
        sdk_app_id: 1,
        edition: "flagship".to_owned(),
    };
    let moved = gate.run(control.set_edition(edition)).expect("moved");
    let changed = watch.one();
    assert_eq!(
        (changed.sdk_app_id, changed.edition.as_str()),
        (1, "flagship")
    );
    assert_eq!(changed.revision, moved.get_ref().revision);
    assert_eq!(changed.limits, moved.get_ref().limits);
    assert_eq!(changed.published.expect("it is told").history_days, 30);

    create(&gate, &mut control, 3);
    assert_eq!(watch.one().sdk_app_id, 3, "a new app");

    let rule = "[[override]]\nlimit = \"friends\"\nvalue = 9\nreason = \"a test\"\n";
    super::reload::write(dir.path(), rule);
    gate.run(control.reload(ReloadRequest {}))
        .expect("reloaded");
    let all = watch.round();
    let all: Vec<_> = all
        .values()
        .map(|it| (it.sdk_app_id, friends(it)))
        .collect();
    assert_eq!(all, [(1, Some(9)), (2, Some(5)), (3, Some(9))]);
}

/// What changes at an instant is told then, and not before: no call is needed, and no admission.
#[test]
fn states_and_overrides_change_by_themselves_at_their_instant() {
    let (gate, clock) = by_hand();
    let mut control = gate.control();
    let hour = |count: i64| at(MORNING).plus_ms(count * 3_600_000);
    let standing = Standing {
        suspended_from: hour(2),
        repossessed_from: hour(3),
        ..Standing::GOOD
    };
    let mut watch = Watch::of_all(&gate);
    watch.round();
    gate.gateway
        .set_standing(app(1), standing, clock.now())
        .expect("an app");
    let known = watch.one();
    assert_eq!(known.state(), State::Active);
    let told = known.standing.expect("it is told");
    let from = told.suspended_from.expect("it is known ahead");
    assert_eq!(from.seconds * 1_000, hour(2).as_unix_ms());
    assert_eq!(told.disabled_from, None);

    gate.run(control.set_override(friends_at_most(1, 5, Some(hour(1)))))
        .expect("set");
    assert_eq!(friends(&watch.one()), Some(5));
    clock.turn(hour(1));
    assert_eq!(friends(&watch.one()), Some(20), "it has expired");

    clock.turn(hour(2).plus_ms(-1));
    gate.run(control.set_override(friends_at_most(1, 6, None)))
        .expect("set");
    assert_eq!(watch.one().state(), State::Active, "a millisecond before");
    clock.turn(hour(2));
    let suspended = watch.one();
    assert_eq!(suspended.state(), State::Suspended);

    // Both are missed by one who comes back later, and are one message.
    let token = watch.token.clone();
    drop(watch);
    clock.turn(hour(3));
    let mut again = Watch::begin(&gate, &[], &token);
    let repossessed = again.one();
    assert_eq!(repossessed.state(), State::Repossessed);
    assert_eq!(repossessed.revision, suspended.revision, "it was known");
}

#[test]
fn a_token_goes_on_where_it_was_taken_and_no_other_is_believed() {
    let gate = Gate::open();
    let mut control = gate.control();
    for id in 2..=5 {
        create(&gate, &mut control, id);
    }
    let mut watch = Watch::of_all(&gate);
    assert_eq!(watch.round().len(), 5);
    let token = watch.token.clone();
    drop(watch);
    for (id, count) in [(2, 1), (4, 2), (2, 3)] {
        gate.run(control.set_override(friends_at_most(id, count, None)))
            .expect("set");
    }
    let mut again = Watch::begin(&gate, &[], &token);
    let changed: Vec<_> = again
        .round()
        .values()
        .map(|it| (it.sdk_app_id, friends(it)))
        .collect();
    assert_eq!(changed, [(2, Some(3)), (4, Some(2))], "as they are now");
    let mut nothing = Watch::begin(&gate, &[], &again.token);
    assert_eq!(nothing.round(), BTreeMap::new(), "and is told so at once");

    let other = Gate::open();
    let mut elsewhere = Watch::of_all(&other);
    elsewhere.round();
    let parts: Vec<_> = token.rsplitn(3, '-').collect();
    let ahead = format!("{}-x-{}", parts[2], parts[0]);
    for (token, why) in [
        (elsewhere.token.as_str(), "of another life"),
        ("", "none"),
        ("nonsense-é", "no token"),
        (ahead.as_str(), "no revision"),
    ] {
        assert_eq!(Watch::begin(&gate, &[], token).round().len(), 5, "{why}");
    }
    let mut of_others = Watch::begin(&gate, &[1, 3], &token);
    assert_eq!(of_others.round().len(), 2, "it was not of these apps");
}

#[test]
fn only_what_is_named_is_told_also_when_it_comes_later() {
    let gate = Gate::open();
    let mut control = gate.control();
    create(&gate, &mut control, 2);
    let mut watch = Watch::begin(&gate, &[7, 2, 7], "");
    assert_eq!(watch.one().sdk_app_id, 2);
    for id in [1, 2] {
        gate.run(control.set_override(friends_at_most(id, 3, None)))
            .expect("set");
    }
    assert_eq!(watch.one().sdk_app_id, 2);
    create(&gate, &mut control, 7);
    assert_eq!(watch.one().sdk_app_id, 7);
    let mut same = Watch::begin(&gate, &[2, 7], &watch.token);
    assert!(same.round().is_empty(), "in whichever order they are named");

    let many: Vec<_> = (1..=1_001).collect();
    for (apps, field) in [(&[1, 0][..], "sdk_app_ids[1]"), (&many, "sdk_app_ids")] {
        let status = gate.run(control.watch_entitlements(request(apps, "")));
        let status = status.expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        let details = status.get_details_bad_request().expect("details");
        assert_eq!(details.field_violations[0].field, field);
    }
}

/// Whoever is cut off in the middle of a round begins it again.
#[test]
fn a_round_of_many_apps_has_its_token_at_its_end() {
    let gate = Gate::open();
    let plan = quotagate::subscription::Plan::of("pro");
    let now = gate.clock.now();
    for id in 2..=250 {
        gate.gateway
            .create_app(app(id), plan.clone(), Standing::GOOD, now)
            .expect("a new app");
    }
    let mut watch = Watch::of_all(&gate);
    let parts = [(); 3].map(|()| watch.message());
    let shape = parts
        .each_ref()
        .map(|it| (it.apps.len(), it.is_complete, it.token.is_empty()));
    assert_eq!(
        shape,
        [(100, false, true), (100, false, true), (50, true, false)]
    );
    let ids = parts.iter().flat_map(|it| &it.apps).map(|it| it.sdk_app_id);
    assert!(ids.eq(1..=250));
    let token = parts[2].token.clone();
    for id in 1..=250 {
        gate.gateway
            .set_edition(app(id), "flagship", now)
            .expect("an app");
    }
    let mut again = Watch::begin(&gate, &[], &token);
    assert_eq!(again.message().token, token, "of the round before");
    let mut again = Watch::begin(&gate, &[], &token);
    assert_eq!(again.round().len(), 250);
}

#[test]
fn a_watch_ends_with_the_gateway_and_with_its_watcher() {
    let mut gate = Gate::open();
    let channel = gate.channel();
    let begin = |channel: &Channel| {
        let mut control = ControlServiceClient::new(channel.clone());
        async move { control.watch_entitlements(request(&[], "")).await }
    };
    // Streams of one connection are bounded: four connections have room for all.
    let channels = [(); 4].map(|()| gate.channel());
    let mut watching = Vec::new();
    for place in 0..256 {
        watching.push(gate.run(begin(&channels[place % 4])).expect("a stream"));
    }
    let status = gate.run(begin(&channel)).expect_err("one too many");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    watching.pop();
    let mut last = loop {
        match gate.run(begin(&channel)) {
            Ok(stream) => break stream.into_inner(),
            Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status}"),
        }
    };
    drop(watching);
    gate.run(last.message()).expect("it goes on");
    gate.stop();
    let status = gate.run(last.message()).expect_err("it has stopped");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

/// One that does not read costs what a round is, and is cut off.
#[test]
fn a_watcher_that_does_not_read_is_cut_off() {
    let gate = Gate::with(|setup| {
        setup.settings.connections.unread = std::time::Duration::from_secs(1);
    });
    let mut peer = Peer::with(gate.grpc, &[(INITIAL_WINDOW_SIZE, 10)]);
    peer.begin(1, WATCH).expect("it reads");
    let asked = framed(&request(&[], "").encode_to_vec());
    peer.send(super::raw::DATA, super::raw::END_STREAM, 1, &asked)
        .expect("it reads");
    let frame = peer.until(|frame| frame.kind == RST_STREAM);
    assert_eq!(frame.expect("the connection goes on").stream, 1);
    assert_eq!(Watch::of_all(&gate).round().len(), 1, "others are served");
}

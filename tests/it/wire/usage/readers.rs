//! Readers that do not read, that are many, or that read while the disk or the gateway ends.

use std::sync::mpsc;

use parking_lot::Mutex;
use prost::Message as _;
use quotagate::journal::Level;
use quotagate::proto::StreamUsageRequest;
use quotagate::server::Drained;
use std::time::Duration;
use tonic::Code;

use super::{
    acknowledge, add_apps, gate, gate_with, log_in, look, named, next, often, open, opened, told,
    users,
};
use crate::journal::faulty::Faulty;
use crate::wire::gate::{Gate, framed};
use crate::wire::raw::{DATA, INITIAL_WINDOW_SIZE, Peer, RST_STREAM};
use crate::wire::tools;

const STREAM_USAGE: &str = "/quotagate.v1.UsageService/StreamUsage";

fn metrics(gate: &Gate) -> String {
    tools::get(gate.http, "/metrics").1
}

fn has_metric(gate: &Gate, line: &str) -> bool {
    metrics(gate).lines().any(|it| it == line)
}

/// Until it is so; the gate's patience is the end.
fn until(gate: &Gate, is_so: impl Fn() -> bool) {
    gate.run(async {
        while !tokio::task::block_in_place(&is_so) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn one_that_reads_nothing_is_cut_off_and_the_other_reads_on() {
    let gate = gate_with(&Faulty::new(21), |setup| {
        setup.settings.connections.unread = Duration::from_secs(1);
    });
    add_apps(&gate, 2..=50);
    for number in 1..=50 {
        log_in(&gate, number, &["ann"]);
    }
    let mut reader = open(&gate, often());
    assert_eq!(next(&gate, &mut reader).records.len(), 50);
    let mut peer = Peer::with(gate.grpc, &[(INITIAL_WINDOW_SIZE, 10)]);
    peer.call(1, STREAM_USAGE, &framed(&often().encode_to_vec()))
        .expect("it reads");
    let first = peer.until(|frame| frame.kind == DATA).expect("it begins");
    assert!(first.payload.len() <= 10, "no more than it takes");
    assert!(has_metric(&gate, "quotagate_usage_streams 2"));
    log_in(&gate, 7, &["bob"]);
    assert_eq!(
        users(&next(&gate, &mut reader).records),
        [(7, "2026-03-02", 2)]
    );
    let reset = peer.until(|frame| frame.kind == RST_STREAM);
    assert_eq!(reset.expect("the connection goes on").stream, 1);
    until(&gate, || has_metric(&gate, "quotagate_usage_streams 1"));
    assert!(has_metric(&gate, "quotagate_unread_answers_total 1"));
    log_in(&gate, 8, &["bob"]);
    assert_eq!(
        users(&next(&gate, &mut reader).records),
        [(8, "2026-03-02", 2)]
    );
}

#[test]
fn two_subscribers_go_on_each_from_its_own_place() {
    let gate = gate(&Faulty::new(22));
    log_in(&gate, 1, &["ann"]);
    let (_, token) = told(&gate, named("bills"));
    acknowledge(&gate, "bills", &token).expect("kept");
    log_in(&gate, 1, &["bob"]);
    let (records, second) = told(&gate, named("reports \"2\""));
    assert_eq!(records.len(), 1);
    acknowledge(&gate, "reports \"2\"", &second).expect("kept");
    assert_eq!(told(&gate, named("reports \"2\"")).0, []);
    assert_eq!(
        users(&told(&gate, named("bills")).0),
        [(1, "2026-03-02", 2)]
    );
    // An older token is taken as well, and what came since comes again.
    acknowledge(&gate, "reports \"2\"", &token).expect("kept");
    assert_eq!(told(&gate, named("reports \"2\"")).0.len(), 1);

    gate.clock.turn(gate.clock.now().plus_ms(90_000));
    acknowledge(&gate, "bills", &second).expect("kept");
    let told = metrics(&gate);
    for line in [
        "quotagate_usage_acknowledgement_age_seconds{subscriber=\"bills\"} 0",
        "quotagate_usage_acknowledgement_age_seconds{subscriber=\"reports \\\"2\\\"\"} 90",
    ] {
        assert!(told.lines().any(|it| it == line), "{line}\n{told}");
    }
}

#[test]
fn streams_are_bounded_and_their_places_given_back() {
    let gate = gate(&Faulty::new(23));
    let streams: Vec<_> = (0..100).map(|_| open(&gate, often())).collect();
    let refused = opened(&gate, often()).expect_err("too many");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    drop(streams);
    until(&gate, || opened(&gate, often()).is_ok());
}

#[test]
fn a_stream_ends_when_the_gateway_stops() {
    let mut gate = gate(&Faulty::new(24));
    let mut streams = [often(), StreamUsageRequest::default()].map(|it| open(&gate, it));
    for stream in &mut streams {
        look(&gate, stream);
    }
    assert_eq!(gate.stop(), Drained::Wholly);
    for mut stream in streams {
        let end = gate.run(stream.message()).expect_err("it ends");
        assert_eq!(end.code(), Code::Unavailable, "{end}");
    }
}

/// A reader is told nothing that a loss of power could take back.
#[test]
fn nothing_is_told_before_it_is_kept() {
    let disk = Faulty::new(25);
    let gate = gate_with(&disk, |setup| {
        let (_, options) = setup.storage.as_mut().expect("a journal");
        options.level = Level::Power;
        options.patience = super::super::gate::PATIENT;
    });
    let mut stream = open(&gate, often());
    assert!(look(&gate, &mut stream)[0].records.is_empty());
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let (begun, syncs) = mpsc::channel();
    disk.meanwhile(Some(Box::new(move || {
        let _ = begun.send(());
        let _ = held.lock().recv();
    })));
    log_in(&gate, 1, &["ann"]);
    // The stream itself has it written, and waits.
    syncs.recv().expect("a sync begins");
    let early = gate.run(async {
        let two_looks = Duration::from_millis(2_500);
        tokio::time::timeout(two_looks, stream.message()).await
    });
    assert!(early.is_err(), "told before it was durable: {early:?}");
    drop(release);
    disk.meanwhile(None);
    assert_eq!(
        users(&next(&gate, &mut stream).records),
        [(1, "2026-03-02", 1)]
    );
}

//! Bandwidth as it is reported, and requests that are refused.

use quotagate::proto::{
    AcknowledgeUsageRequest, BandwidthSample, ReportBandwidthRequest, StreamUsageRequest,
};
use quotagate::time::DAY_MS;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{add_apps, gate, often, opened, service, told};
use crate::journal::faulty::Faulty;
use crate::wire::gate::Gate;

/// A sample so many milliseconds from now.
fn sample(gate: &Gate, number: u32, bits_per_second: u64, ms: i64) -> BandwidthSample {
    let at = gate.clock.now().as_unix_ms() + ms;
    BandwidthSample {
        sdk_app_id: number,
        bits_per_second,
        at: Some(prost_types::Timestamp {
            seconds: at.div_euclid(1_000),
            nanos: i32::try_from(at.rem_euclid(1_000) * 1_000_000).expect("below a second"),
        }),
    }
}

fn report(gate: &Gate, samples: Vec<BandwidthSample>) -> Result<(), Status> {
    let mut client = service(gate);
    let request = ReportBandwidthRequest { samples };
    gate.run(client.report_bandwidth(request)).map(drop)
}

/// Whose bandwidth there is, on which days.
fn bandwidths(gate: &Gate) -> Vec<(u32, String, u64)> {
    let (records, _) = told(gate, often());
    let each = records
        .into_iter()
        .map(|it| (it.sdk_app_id, it.day, it.bandwidth_bps));
    each.collect()
}

/// The field that is wrong, and what is said of it.
fn fault(refused: &Status) -> (String, String) {
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let details = refused.get_details_bad_request();
    let violation = details.and_then(|it| it.field_violations.into_iter().next());
    let violation = violation.expect("it names the field");
    (violation.field, violation.description)
}

#[test]
fn the_highest_bandwidth_of_a_day_counts() {
    let gate = gate(&Faulty::new(31));
    add_apps(&gate, 2..=2);
    let now = BandwidthSample {
        at: None,
        ..sample(&gate, 2, 3_000_000, 0)
    };
    let samples = vec![
        sample(&gate, 1, 12_500_000, 0),
        sample(&gate, 1, 11_000_000, 60_000),
        sample(&gate, 1, 7, -31 * DAY_MS),
        now,
    ];
    report(&gate, samples.clone()).expect("taken");
    let expected = [
        (1, "2026-01-30".into(), 7),
        (1, "2026-03-02".into(), 12_500_000),
        (2, "2026-03-02".into(), 3_000_000),
    ];
    assert_eq!(bandwidths(&gate), expected);
    report(&gate, samples).expect("taken again");
    assert_eq!(bandwidths(&gate), expected);
}

#[test]
fn reports_outlive_the_gateway() {
    let disk = Faulty::new(32);
    let before = gate(&disk);
    report(&before, vec![sample(&before, 1, 5, 0)]).expect("taken");
    let told = bandwidths(&before);
    before.close();
    assert_eq!(bandwidths(&gate(&disk)), told);
}

#[test]
fn all_samples_are_taken_or_none() {
    let gate = gate(&Faulty::new(33));
    let good = || sample(&gate, 1, 5, 0);
    let minute = 60_000;
    for (wrong, field, says) in [
        (sample(&gate, 0, 5, 0), "samples[1].sdk_app_id", "is 0"),
        (
            sample(&gate, 1, 1_000_000_000_000_001, 0),
            "samples[1].bits_per_second",
            "at most 1000000000000000",
        ),
        (
            sample(&gate, 1, 5, 6 * minute),
            "samples[1].at",
            "5 minutes ahead",
        ),
        (
            sample(&gate, 1, 5, -31 * DAY_MS - 1),
            "samples[1].at",
            "31 days",
        ),
        (
            BandwidthSample {
                at: Some(prost_types::Timestamp {
                    seconds: 0,
                    nanos: -1,
                }),
                ..good()
            },
            "samples[1].at",
            "31 days",
        ),
    ] {
        let refused = report(&gate, vec![good(), wrong]).expect_err(field);
        let (found, problem) = fault(&refused);
        assert_eq!(found, field);
        assert!(problem.contains(says), "{field}: {problem}");
    }
    let unknown = sample(&gate, 9, 5, 0);
    let refused = report(&gate, vec![good(), unknown]).expect_err("no app");
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    assert!(refused.message().contains("samples[1]"), "{refused}");
    for count in [0, 1_001] {
        let refused = report(&gate, vec![good(); count]).expect_err("too few or many");
        assert_eq!(fault(&refused).0, "samples");
    }
    assert_eq!(bandwidths(&gate), [], "nothing was taken");
    report(&gate, vec![good(); 1_000]).expect("as many as may be");
}

#[test]
fn wrong_streams_are_refused_by_their_fields() {
    let gate = gate(&Faulty::new(34));
    let interval = |seconds, nanos| StreamUsageRequest {
        interval: Some(prost_types::Duration { seconds, nanos }),
        ..Default::default()
    };
    let subscriber = |name: &str| StreamUsageRequest {
        subscriber: name.into(),
        ..often()
    };
    let token = |token: &str| StreamUsageRequest {
        token: token.into(),
        ..often()
    };
    let apps = |apps: Vec<u32>| StreamUsageRequest {
        sdk_app_ids: apps,
        ..often()
    };
    for (request, field) in [
        (interval(0, 999_999_999), "interval"),
        (interval(-5, 0), "interval"),
        (interval(3_600, 1), "interval"),
        (subscriber(&"é".repeat(129)), "subscriber"),
        (subscriber("a\nb"), "subscriber"),
        (token("x"), "token"),
        (token(&"0".repeat(67)), "token"),
        (apps(vec![1, 0]), "sdk_app_ids[1]"),
        (apps(vec![1; 10_001]), "sdk_app_ids"),
    ] {
        let refused = opened(&gate, request).expect_err(field);
        assert_eq!(fault(&refused).0, field);
    }
    for request in [
        interval(3_600, 0),
        subscriber(&"é".repeat(128)),
        apps(vec![1; 10_000]),
    ] {
        opened(&gate, request).expect("as far as it may go");
    }
}

#[test]
fn wrong_acknowledgements_are_refused_by_their_fields() {
    let gate = gate(&Faulty::new(35));
    let (_, token) = told(&gate, often());
    let fits = |subscriber: &str, token: &str| AcknowledgeUsageRequest {
        subscriber: subscriber.into(),
        token: token.into(),
    };
    for (request, field) in [
        (fits("", &token), "subscriber"),
        (fits("a\u{7f}", &token), "subscriber"),
        (fits("a", ""), "token"),
        (fits("a", &token[1..]), "token"),
    ] {
        let mut client = service(&gate);
        let refused = gate
            .run(client.acknowledge_usage(request))
            .expect_err(field);
        assert_eq!(fault(&refused).0, field);
    }
}

//! RULES B25, B29, B30, B40, rule 38: which days count to the peaks and to the bandwidth, by when what was on.

use super::script::check;

const ACCOUNT: &str = "2026-01-01 create_app 1
                       2026-01-01 top_up 100000\n";

fn funded(rows: &[(&str, &str)]) {
    for (name, script) in rows {
        check(&[(name, &format!("{ACCOUNT}{script}"))]);
    }
}

#[test]
fn only_days_on_a_paid_plan_count_and_the_days_of_switches_count_whole() {
    for (day, counts) in [
        ("2026-02-09", false),
        ("2026-02-10", true),
        ("2026-02-28", true),
    ] {
        let line = if counts {
            " dau_overage 149.99 = 149.99"
        } else {
            " = 0.00"
        };
        let script = format!(
            "2026-02-10T23:59:59 upgrade 1 pro
             2026-02-28 usage 1 {day} dau=10001
             2026-03-01 end
             bill 2026-02:{line}"
        );
        funded(&[("B29, B21: on from", &script)]);
    }
    for (day, left, counts) in [
        ("2026-02-10", "2026-02-10T00:00:01", true),
        ("2026-02-10", "2026-02-10T00:00:00", false),
        ("2026-02-09", "2026-02-10T00:00:00", true),
        ("2026-02-11", "2026-02-10T12:00:00", false),
    ] {
        for leave in ["change 1 trial", "disable 1"] {
            let overage = if counts {
                ", dau_overage 149.99 = 299.98"
            } else {
                " = 149.99"
            };
            let script = format!(
                "2026-01-01 upgrade 1 pro
                 {left} {leave}
                 2026-02-28 usage 1 {day} dau=10001
                 2026-03-01 end
                 bill 2026-02: plan 149.99{overage}"
            );
            funded(&[("B29, B26, rule 29: until", &script)]);
        }
    }
}

#[test]
fn the_bandwidth_is_the_sum_of_the_peaks_of_active_days() {
    funded(&[
        (
            "rule 38, B40: from the month of activation on; fractions are kept",
            "2026-02-10 upgrade 1 pro bandwidth
             2026-02-28 usage 1 2026-02-10 bandwidth_mbps=0.5
             2026-02-28 usage 1 2026-02-11 bandwidth_mbps=0.25
             2026-03-01 end
             bill 2026-02: comment_bandwidth 0.52 = 0.52",
        ),
        (
            "B29, B40: days of switches count whole, days before and after not at all",
            "2026-01-05 upgrade 1 pro
             2026-02-10T23:59:59 change 1 bandwidth
             2026-02-12T00:00:01 change 1 -bandwidth
             2026-02-28 usage 1 2026-02-09 bandwidth_mbps=1000
             2026-02-28 usage 1 2026-02-10 bandwidth_mbps=1
             2026-02-28 usage 1 2026-02-11 bandwidth_mbps=10
             2026-02-28 usage 1 2026-02-12 bandwidth_mbps=100
             2026-02-28 usage 1 2026-02-13 bandwidth_mbps=1000
             2026-03-01 end
             bill 2026-02: plan 149.99, comment_bandwidth 76.59 = 226.58",
        ),
        (
            "B40: off and restored on one day, that day counts once",
            "2026-01-05 upgrade 1 pro bandwidth
             2026-02-10 change 1 -bandwidth
             2026-02-10T10:00:00 change 1 bandwidth
             2026-02-28 usage 1 2026-02-10 bandwidth_mbps=10
             2026-03-01 end
             bill 2026-02: plan 149.99, comment_bandwidth 6.90 = 156.89",
        ),
        (
            "B40: several lines of a day merge by maximum, and no use is no line",
            "2026-01-05 upgrade 1 pro bandwidth
             2026-02-27 usage 1 2026-02-10 bandwidth_mbps=3
             2026-02-28 usage 1 2026-02-10 bandwidth_mbps=2.5
             2026-04-01 end
             bill 2026-02: plan 149.99, comment_bandwidth 2.07 = 152.06
             bill 2026-03: plan 149.99 = 149.99",
        ),
        (
            "6.10: without the service there is nothing to pay",
            "2026-01-05 upgrade 1 pro
             2026-02-28 usage 1 2026-02-10 bandwidth_mbps=1000
             2026-03-01 end
             bill 2026-02: plan 149.99 = 149.99",
        ),
    ]);
}

#[test]
fn days_are_those_of_the_deployments_zone() {
    check(&[
        (
            "B25: 16:00:00Z begins the next day in UTC+8",
            "2026-02-28T15:59:59Z create_app 1
             2026-02-28T15:59:59Z upgrade 1 pro
             2026-02-28T16:00:00Z create_app 2
             2026-02-28T16:00:00Z upgrade 2 pro
             2026-04-01 end
             bill 2026-02: = 0.00
             bill 2026-03: plan 149.99 = 149.99",
        ),
        (
            "B25: the zone is a setting",
            "configure time_zone=Z push_day=2
             2026-02-28T23:59:59Z create_app 1
             2026-02-28T23:59:59Z upgrade 1 pro
             2026-04-09T00:00:00Z end
             bill 2026-03: plan 149.99 = 149.99
             state 2026-04-09T00:00:00+00:00 1 SUSPENDED",
        ),
    ]);
}

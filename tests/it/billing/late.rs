//! RULES B49: usage that arrives after its month has closed.

use super::script::{check, ndjson, play_text};
use crate::support::catalog;

const PRO: &str = "2026-01-10 create_app 1
                   2026-01-10 top_up 100000
                   2026-01-10 upgrade 1 pro bandwidth\n";

fn on_pro(rows: &[(&str, &str)]) {
    for (name, script) in rows {
        check(&[(name, &format!("{PRO}{script}"))]);
    }
}

#[test]
fn late_usage_is_adjusted_on_the_next_bill() {
    check(&[(
        "B49: a late login of the 10,001st user, after a bill of nothing",
        "2026-02-10 create_app 1
         2026-02-10 upgrade 1 pro
         2026-02-20 usage 1 2026-02-20 dau=10000
         2026-03-02 usage 1 2026-02-20 dau=10001
         2026-04-01T00:00:00 end
         bill 2026-02: = 0.00
         bill 2026-03: plan 149.99, adjustment 149.99 = 299.98",
    )]);
    on_pro(&[
        (
            "B49: within a block nothing changes",
            "2026-02-20 usage 1 2026-02-20 dau=10001
             2026-03-02 usage 1 2026-02-20 dau=20000
             2026-04-01 end
             bill 2026-02: plan 149.99, dau_overage 149.99 = 299.98
             bill 2026-03: plan 149.99 = 149.99",
        ),
        (
            "B49: several late reports of one month, over several bills",
            "2026-02-20 usage 1 2026-02-20 dau=10001
             2026-03-02 usage 1 2026-02-21 dau=20001
             2026-03-03 usage 1 2026-02-22 dau=15000
             2026-03-04 usage 1 2026-02-22 dau=30001 groups=100001
             2026-04-02 usage 1 2026-02-22 dau=30002
             2026-04-03 usage 1 2026-02-23 dau=50000
             2026-05-01 end
             bill 2026-02: plan 149.99, dau_overage 149.99 = 299.98
             bill 2026-03: plan 149.99, adjustment 299.98, adjustment 149.99 = 599.96
             bill 2026-04: plan 149.99, adjustment 149.99 = 299.98",
        ),
        (
            "B49: several months on one bill, by month",
            "2026-04-02 usage 1 2026-03-22 groups=200001
             2026-04-03 usage 1 2026-02-22 dau=10001
             2026-05-01 end
             bill 2026-04: plan 149.99, adjustment 149.99, adjustment 299.98 = 599.96",
        ),
        (
            "B49: late bandwidth is the difference of the rounded lines",
            "2026-02-20 usage 1 2026-02-20 bandwidth_mbps=0.5
             2026-03-02 usage 1 2026-02-21 bandwidth_mbps=0.01
             2026-03-03 usage 1 2026-02-22 bandwidth_mbps=0.005
             2026-04-02 usage 1 2026-02-22 bandwidth_mbps=0.02
             2026-06-01 end
             bill 2026-02: plan 149.99, comment_bandwidth 0.35 = 150.34
             bill 2026-03: plan 149.99, adjustment 0.01 = 150.00
             bill 2026-04: plan 149.99, adjustment 0.01 = 150.00
             bill 2026-05: plan 149.99 = 149.99",
        ),
        (
            "B49: what no rounding shows is not lost",
            "2026-02-20 usage 1 2026-02-20 bandwidth_mbps=0.012
             2026-03-02 usage 1 2026-02-21 bandwidth_mbps=0.004
             2026-04-02 usage 1 2026-02-22 bandwidth_mbps=0.006
             2026-05-01 end
             bill 2026-02: plan 149.99, comment_bandwidth 0.01 = 150.00
             bill 2026-03: plan 149.99 = 149.99
             bill 2026-04: plan 149.99, adjustment 0.01 = 150.00",
        ),
        (
            "B49, B29: only days on a paid plan count late, too",
            "2026-03-02 usage 1 2026-01-09 dau=90000
             2026-03-02 usage 1 2025-12-31 dau=90000
             2026-04-01 end
             bill 2026-03: plan 149.99 = 149.99",
        ),
        (
            "B49: a disabled app's late usage is adjusted all the same",
            "2026-03-02 disable 1
             2026-03-03 usage 1 2026-02-20 dau=10001
             2026-04-05 usage 1 2026-03-02 dau=10001
             2026-05-01 end
             bill 2026-03: plan 149.99, adjustment 149.99 = 299.98
             bill 2026-04: adjustment 149.99 = 149.99",
        ),
    ]);
}

#[test]
fn a_month_closes_when_its_bill_is_pushed() {
    let start = "configure push_day=3\n".to_owned() + PRO;
    for (at, late) in [
        ("2026-03-02T23:59:59", false),
        ("2026-03-03T00:00:00", true),
    ] {
        let bills = if late {
            "bill 2026-02: plan 149.99 = 149.99
             bill 2026-03: plan 149.99, adjustment 149.99 = 299.98"
        } else {
            "bill 2026-02: plan 149.99, dau_overage 149.99 = 299.98
             bill 2026-03: plan 149.99 = 149.99"
        };
        let script = format!(
            "{start}{at} usage 1 2026-02-20 dau=10001
             2026-04-03T00:00:00 end
             {bills}"
        );
        check(&[("B49, B13: at 00:00 of the push day", &script)]);
    }
}

#[test]
fn an_adjustment_tells_blocks_and_price() {
    let script = format!(
        "{PRO}2026-03-02 usage 1 2026-02-20 dau=30001 bandwidth_mbps=1.5
         2026-04-01 end"
    );
    let played = play_text(&ndjson(&script), catalog()).expect("a valid scenario");
    let last = played.books.bills().last().expect("a bill");
    let told = last.lines.iter().map(|line| {
        let (item, quantity) = (line.item.name(), line.quantity);
        format!("{item}: {quantity} x {} = {}", line.unit_price, line.amount)
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "plan: 1 x 149.99 = 149.99",
            "adjustment: 3 x 149.99 = 449.97",
            "adjustment: 1.5 x 0.69 = 1.04",
        ]
    );
}

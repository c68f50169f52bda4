//! RULES 8: the worked bills, C1 to C24.

use super::script::check;

#[test]
fn worked_bills_of_plans_and_overage() {
    check(&[
        (
            "C1: Trial, any usage within quota",
            "2026-01-10 create_app 1
             2026-01-20 usage 1 2026-01-20 dau=100 groups=100000
             2026-02-10 end
             bill 2026-01: = 0.00
             no state",
        ),
        (
            "C2, B22, B46: at the free quota in the month of activation, exactly",
            "2026-02-10 create_app 1
             2026-02-10 upgrade 1 pro
             2026-02-20 usage 1 2026-02-20 dau=10000 groups=100000
             2026-03-20 end
             bill 2026-02: = 0.00
             no state",
        ),
        (
            "C3, B21, rule 28: one more user in the month of activation",
            "2026-02-10 create_app 1
             2026-02-10 upgrade 1 pro
             2026-02-20 usage 1 2026-02-20 dau=10001 groups=100000
             2026-03-01T00:00:00 end
             bill 2026-02: dau_overage 149.99 = 149.99",
        ),
        (
            "C4: March with 20,000 users and 100,001 groups",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-01-10 top_up 1000
             2026-03-20 usage 1 2026-03-20 dau=20000 groups=100001
             2026-04-02 end
             bill 2026-03: plan 149.99, dau_overage 149.99, group_overage 149.99 = 449.97",
        ),
        (
            "C5: April with 20,001 users and 200,000 groups",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-01-10 top_up 1000
             2026-04-20 usage 1 2026-04-20 dau=20001 groups=200000
             2026-05-02 end
             bill 2026-04: plan 149.99, dau_overage 299.98, group_overage 149.99 = 599.96",
        ),
    ]);
}

#[test]
fn worked_bills_with_everything_on() {
    let days = (1..=31)
        .map(|day| format!("2026-05-31T23:00:00 usage 1 2026-05-{day:02} bandwidth_mbps=10\n"));
    let script = format!(
        "2026-01-10 create_app 1
         2026-01-10 upgrade 1 pro
         2026-02-10 change 1 av members=2000 groups=1000 filter history=30 bandwidth
         2026-02-10 top_up 10000
         {}
         2026-06-01T00:00:00 end
         bill 2026-05: plan 149.99, av_chat_rooms 149.99, group_members 79.99, joined_groups 149.99, \
         content_filtering 149.99, history 79.99, comment_bandwidth 213.90 = 973.84",
        days.collect::<String>()
    );
    check(&[("C6, B30: May has 31 days", &script)]);
}

#[test]
fn worked_bills_of_history() {
    for (name, edition, days, lines) in [
        ("C7a", "pro", 90, "plan 149.99, history 149.99 = 299.98"),
        ("C7b", "pro", 180, "plan 149.99, history 229.99 = 379.98"),
        ("C7c", "pro", 360, "plan 149.99, history 379.99 = 529.98"),
        (
            "C9a",
            "flagship",
            180,
            "plan 449.99, history 149.99 = 599.98",
        ),
        (
            "C9b",
            "flagship",
            360,
            "plan 449.99, history 299.99 = 749.98",
        ),
    ] {
        let script = format!(
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 {edition} history={days}
             2026-03-02 end
             bill 2026-01: = 0.00
             bill 2026-02: {lines}"
        );
        check(&[(name, &script)]);
    }
}

#[test]
fn worked_scenarios_of_the_guide() {
    check(&[
        (
            "C10, rule 48: scenario 1",
            "2019-02-10 create_app 1
             2019-02-10 upgrade 1 pro
             2019-02-15 change 1 av
             2019-02-25 change 1 -av
             2019-04-01T00:00:00 end
             bill 2019-02: = 0.00
             bill 2019-03: plan 149.99 = 149.99",
        ),
        (
            "C11, rule 49: scenario 2, with its row of the calendar",
            "2019-02-10 create_app 1
             2019-02-10 upgrade 1 pro
             2019-02-15 change 1 av
             2019-07-07T00:00:00 end
             bill 2019-02: = 0.00
             bill 2019-03: plan 149.99, av_chat_rooms 149.99 = 299.98
             state 2019-04-08 1 SUSPENDED
             state 2019-07-07 1 REPOSSESSED",
        ),
        (
            "C12, rule 50, B2: scenario 3",
            "2019-02-10 create_app 1
             2019-02-10 upgrade 1 pro
             2019-02-15 change 1 av
             2019-02-16 change 1 -av
             2019-04-01T00:00:00 change 1 av
             2019-05-01T00:00:00 end
             bill 2019-02: = 0.00
             bill 2019-03: plan 149.99 = 149.99
             bill 2019-04: plan 149.99, av_chat_rooms 149.99 = 299.98",
        ),
    ]);
}

#[test]
fn worked_bills_of_changes() {
    check(&[
        (
            "C13, B9: Pro to Flagship with add-ons",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 pro av members=2000 history=90
             2026-04-10 change 1 flagship
             2026-06-02 end
             bill 2026-04: plan 149.99, av_chat_rooms 149.99, group_members 79.99, history 149.99 = 529.96
             bill 2026-05: plan 449.99, history 79.99 = 529.98",
        ),
        (
            "C14: Flagship to Pro",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 flagship groups=3000
             2026-04-10 change 1 pro
             2026-06-02 end
             bill 2026-04: plan 449.99, joined_groups 149.99 = 599.98
             bill 2026-05: plan 149.99 = 149.99",
        ),
        (
            "C17, B6: on and off within a later month",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 pro
             2026-04-05 change 1 filter
             2026-04-20 change 1 -filter
             2026-06-02 end
             bill 2026-04: plan 149.99, content_filtering 149.99 = 299.98
             bill 2026-05: plan 149.99 = 149.99",
        ),
        (
            "C18, B8: another tier within a month",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 pro history=30
             2026-04-15 change 1 history=180
             2026-06-02 end
             bill 2026-04: plan 149.99, history 229.99 = 379.98
             bill 2026-05: plan 149.99, history 229.99 = 379.98",
        ),
        (
            "C21, B40: one rounding for a line",
            "2026-05-02 create_app 1
             2026-05-02 upgrade 1 flagship bandwidth
             2026-05-09 usage 1 2026-05-03 bandwidth_mbps=12.5
             2026-05-09 usage 1 2026-05-04 bandwidth_mbps=12.5
             2026-05-09 usage 1 2026-05-05 bandwidth_mbps=12.5
             2026-06-01T00:00:00 end
             bill 2026-05: comment_bandwidth 25.88 = 25.88",
        ),
        (
            "C24, B18: suspended and restored",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-04-20 top_up 299.98
             2026-05-01T00:00:00 end
             bill 2026-02: plan 149.99 = 149.99
             bill 2026-03: plan 149.99 = 149.99
             bill 2026-04: plan 149.99 = 149.99
             state 2026-03-08 1 SUSPENDED
             state 2026-04-20T09:00:00 1 ACTIVE",
        ),
    ]);
}

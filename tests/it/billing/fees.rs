//! RULES 6.4, 6.5, 6.7, B2, B6 to B8, B21 to B23, B30: what add-ons and overage cost in which month.

use super::script::check;

const PRO: &str = "2026-01-10 create_app 1
                   2026-01-10 top_up 100000
                   2026-01-10 upgrade 1 pro\n";

fn on_pro(rows: &[(&str, &str)]) {
    for (name, script) in rows {
        check(&[(name, &format!("{PRO}{script}"))]);
    }
}

#[test]
fn purchases_of_a_later_month_are_due_at_once() {
    on_pro(&[
        (
            "rule 47, B2, trap 10: at the last second of a month the whole of it is due",
            "2026-04-30T23:59:59 change 1 filter
             2026-06-01 end
             bill 2026-04: plan 149.99, content_filtering 149.99 = 299.98
             bill 2026-05: plan 149.99, content_filtering 149.99 = 299.98",
        ),
        (
            "trap 10: a second later the next month's",
            "2026-05-01T00:00:00 change 1 filter
             2026-06-01 end
             bill 2026-04: plan 149.99 = 149.99
             bill 2026-05: plan 149.99, content_filtering 149.99 = 299.98",
        ),
        (
            "B7: switched off within a month, it is still due",
            "2026-02-10 change 1 filter
             2026-06-02 change 1 -filter
             2026-08-01 end
             bill 2026-06: plan 149.99, content_filtering 149.99 = 299.98
             bill 2026-07: plan 149.99 = 149.99",
        ),
        (
            "B6, B3: off and restored within a month is one fee",
            "2026-02-10 change 1 filter
             2026-06-02 change 1 -filter
             2026-06-03 change 1 filter
             2026-07-01 end
             bill 2026-06: plan 149.99, content_filtering 149.99 = 299.98",
        ),
        (
            "B41: history is an add-on like the others",
            "2026-04-10 change 1 history=90
             2026-05-01 end
             bill 2026-04: plan 149.99, history 149.99 = 299.98",
        ),
        (
            "B8: down within a month, the higher tier is due",
            "2026-02-10 change 1 history=180
             2026-04-15 change 1 history=30
             2026-06-01 end
             bill 2026-04: plan 149.99, history 229.99 = 379.98
             bill 2026-05: plan 149.99, history 79.99 = 229.98",
        ),
        (
            "B8: up and restored, the highest tier that was on is due",
            "2026-02-10 change 1 history=30
             2026-04-15 change 1 history=360
             2026-04-16 change 1 history=30
             2026-06-01 end
             bill 2026-04: plan 149.99, history 379.99 = 529.98
             bill 2026-05: plan 149.99, history 79.99 = 229.98",
        ),
    ]);
}

#[test]
fn purchases_of_the_month_of_the_editions_change_are_free_until_the_first() {
    on_pro(&[
        (
            "rule 46: after a change of edition",
            "2026-04-10 change 1 flagship
             2026-04-11 change 1 filter
             2026-06-01 end
             bill 2026-04: plan 149.99 = 149.99
             bill 2026-05: plan 449.99, content_filtering 149.99 = 599.98",
        ),
        (
            "rule 46, B2: in the same call, the edition applies first",
            "2026-04-10 change 1 flagship filter groups=3000
             2026-06-01 end
             bill 2026-04: plan 149.99 = 149.99
             bill 2026-05: plan 449.99, joined_groups 149.99, content_filtering 149.99 = 749.97",
        ),
        (
            "B2: bought before, it is due, and keeps the price it was bought at",
            "2026-04-05 change 1 history=90
             2026-04-10 change 1 flagship
             2026-06-01 end
             bill 2026-04: plan 149.99, history 149.99 = 299.98
             bill 2026-05: plan 449.99, history 79.99 = 529.98",
        ),
        (
            "B8, rule 46: another tier in that month: the old one now, the new one from the next",
            "2026-02-05 change 1 history=90
             2026-04-10 change 1 flagship
             2026-04-11 change 1 history=360
             2026-06-01 end
             bill 2026-04: plan 149.99, history 149.99 = 299.98
             bill 2026-05: plan 449.99, history 299.99 = 749.98",
        ),
        (
            "one instant: lines count in their order",
            "2026-04-10 change 1 flagship
             2026-04-10 change 1 filter
             2026-05-01 end
             bill 2026-04: plan 149.99 = 149.99",
        ),
        (
            "one instant, the other way round",
            "2026-04-10 change 1 filter
             2026-04-10 change 1 flagship
             2026-05-01 end
             bill 2026-04: plan 149.99, content_filtering 149.99 = 299.98",
        ),
    ]);
}

#[test]
fn every_started_block_above_the_free_quota_is_paid() {
    for (users, amount, total) in [
        (10_000, "", "149.99"),
        (10_001, ", dau_overage 149.99", "299.98"),
        (20_000, ", dau_overage 149.99", "299.98"),
        (20_001, ", dau_overage 299.98", "449.97"),
        (25_000, ", dau_overage 299.98", "449.97"),
        (1_240_000, ", dau_overage 18448.77", "18598.76"),
    ] {
        let script = format!(
            "2026-02-10 usage 1 2026-02-09 dau={users}
             2026-03-01 end
             bill 2026-02: plan 149.99{amount} = {total}"
        );
        on_pro(&[("rules 25 and 26, B22, trap 7: 123 blocks", &script)]);
    }
    for (groups, amount, total) in [
        (100_000, "", "149.99"),
        (100_001, ", group_overage 149.99", "299.98"),
        (200_000, ", group_overage 149.99", "299.98"),
        (200_001, ", group_overage 299.98", "449.97"),
        (60_000, "", "149.99"),
    ] {
        let script = format!(
            "2026-02-10 usage 1 2026-02-09 groups={groups}
             2026-03-01 end
             bill 2026-02: plan 149.99{amount} = {total}"
        );
        on_pro(&[("rules 25 and 27, B22, B28", &script)]);
    }
}

#[test]
fn the_highest_day_counts() {
    let days = (1..=28).map(|day| {
        let users = if day < 27 { 9_000 } else { 12_000 };
        format!("2026-02-28T12:00:00 usage 1 2026-02-{day:02} dau={users}\n")
    });
    let script = format!(
        "{}2026-03-01 end
         bill 2026-02: plan 149.99, dau_overage 149.99 = 299.98",
        days.collect::<String>()
    );
    on_pro(&[
        ("B23: the peak, not the sum", &script),
        (
            "lines of a day merge by maximum, in any order",
            "2026-02-10 usage 1 2026-02-09 dau=20001
             2026-02-11 usage 1 2026-02-09 dau=9 groups=100001
             2026-02-12 usage 1 2026-02-08 groups=100000 dau=10001
             2026-03-01 end
             bill 2026-02: plan 149.99, dau_overage 299.98, group_overage 149.99 = 599.96",
        ),
        (
            "a day without a line had no usage, nothing is carried over",
            "2026-02-28 usage 1 2026-02-28 groups=150000
             2026-04-01 end
             bill 2026-02: plan 149.99, group_overage 149.99 = 299.98
             bill 2026-03: plan 149.99 = 149.99",
        ),
        (
            "B29: groups that are carried into every month are paid in every month",
            "2026-02-28 usage 1 2026-02-28 groups=150000
             2026-03-31 usage 1 2026-03-01 groups=150000
             2026-04-01 end
             bill 2026-02: plan 149.99, group_overage 149.99 = 299.98
             bill 2026-03: plan 149.99, group_overage 149.99 = 299.98",
        ),
    ]);
}

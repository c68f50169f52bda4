//! RULES 6.6 to 6.8, B3, B4, B12, B19, B43: what may be changed, how often, and which reason is told.

use super::script::check;

const PRO: &str = "2026-01-10 create_app 1
                   2026-01-10 top_up 100000
                   2026-01-10 upgrade 1 pro\n";
const FLAGSHIP: &str = "2026-01-10 create_app 1
                        2026-01-10 top_up 100000
                        2026-01-10 upgrade 1 flagship\n";

fn on(start: &str, rows: &[(&str, &str)]) {
    for (name, script) in rows {
        check(&[(name, &format!("{start}{script}"))]);
    }
}

#[test]
fn each_item_changes_once_a_month_and_may_be_restored() {
    on(
        PRO,
        &[
            (
                "B3: on, off, and on again only in the next month",
                "2026-02-15 change 1 av
                 2026-02-25 change 1 -av
                 2026-02-27 change 1 av => ONCE_A_MONTH
                 2026-02-28T23:59:59 change 1 av => ONCE_A_MONTH
                 2026-03-01T00:00:00 change 1 av",
            ),
            (
                "B3: each item has its own counter",
                "2026-03-05 change 1 filter
                 2026-03-05 change 1 av
                 2026-03-05 change 1 members=300
                 2026-03-05 change 1 groups=600
                 2026-03-05 change 1 history=45
                 2026-03-05 change 1 bandwidth
                 2026-03-05 change 1 flagship
                 2026-03-06 change 1 -filter history=7 -bandwidth => OUT_OF_RANGE
                 2026-03-06 change 1 -filter -bandwidth",
            ),
            (
                "B3: restored means to the value from before, not to another",
                "2026-03-05 change 1 history=90
                 2026-03-06 change 1 history=180 => ONCE_A_MONTH
                 2026-03-07 change 1 history=7
                 2026-03-08 change 1 history=90 => ONCE_A_MONTH
                 2026-04-05 change 1 history=90
                 2026-05-05 change 1 history=180
                 2026-05-06 change 1 history=7 => ONCE_A_MONTH
                 2026-05-07 change 1 history=90",
            ),
            (
                "B3: to its present value is no change",
                "2026-03-05 change 1 filter
                 2026-03-06 change 1 filter
                 2026-03-07 change 1 pro filter -av members=200 groups=500 history=7
                 2026-03-08 change 1
                 2026-03-09 change 1 -filter
                 2026-03-10 change 1 -filter",
            ),
            (
                "B3: a call with one refused item is refused whole and uses up nothing",
                "2026-03-05 change 1 filter
                 2026-03-06 change 1 -filter
                 2026-03-07 change 1 filter av => ONCE_A_MONTH
                 2026-03-08 change 1 av
                 2026-03-09 change 1 flagship groups=9999 => OUT_OF_RANGE
                 2026-03-10 change 1 flagship",
            ),
            (
                "B3: what lapses at a change of edition uses up no item's change",
                "2026-03-05 change 1 members=2000 history=30
                 2026-04-05 change 1 flagship
                 2026-04-06 change 1 members=6000 history=90",
            ),
            (
                "B3: the own change before the edition's is used up",
                "2026-03-05 change 1 members=2000
                 2026-03-06 change 1 flagship
                 2026-03-07 change 1 members=6000 => ONCE_A_MONTH",
            ),
        ],
    );
    check(&[(
        "B3: settings given with an upgrade are that month's change of their items",
        "2026-01-10 create_app 1
         2026-01-10 upgrade 1 pro av history=90
         2026-01-11 change 1 history=180 => ONCE_A_MONTH
         2026-01-12 change 1 filter
         2026-01-13 change 1 -av history=7
         2026-01-14 change 1 av => ONCE_A_MONTH",
    )]);
}

#[test]
fn the_version_changes_once_a_month_with_no_way_back() {
    check(&[
        (
            "B4: the upgrade uses up the month's change",
            "2026-05-01 create_app 1
             2026-05-01 upgrade 1 pro
             2026-05-20 change 1 flagship => ONCE_A_MONTH
             2026-05-31 change 1 trial => ONCE_A_MONTH
             2026-06-01T00:00:00 change 1 flagship
             2026-06-02 change 1 pro => ONCE_A_MONTH",
        ),
        (
            "B4: leaving for Trial is a change too",
            "2026-05-01 create_app 1
             2026-05-01 upgrade 1 pro
             2026-06-10 top_up 1000
             2026-06-10 change 1 trial
             2026-06-20 upgrade 1 pro => ONCE_A_MONTH
             2026-07-01T00:00:00 upgrade 1 pro",
        ),
    ]);
}

#[test]
fn values_lie_between_the_default_and_the_highest_tier() {
    on(
        PRO,
        &[(
            "B12, 6.10: on Pro",
            "2026-02-01 change 1 groups=1001 => OUT_OF_RANGE
             2026-02-01 change 1 groups=499 => OUT_OF_RANGE
             2026-02-01 change 1 groups=-1 => OUT_OF_RANGE
             2026-02-01 change 1 members=2001 => OUT_OF_RANGE
             2026-02-01 change 1 members=199 => OUT_OF_RANGE
             2026-02-01 change 1 history=361 => OUT_OF_RANGE
             2026-02-01 change 1 history=6 => OUT_OF_RANGE
             2026-02-01 change 1 members=9223372036854775807 => OUT_OF_RANGE
             2026-02-01 change 1 groups=501 members=201 history=8
             2026-03-01 change 1 groups=1000 members=2000 history=360
             2026-04-01 change 1 groups=500 members=200 history=7
             2026-06-01 end
             bill 2026-02: plan 149.99, group_members 79.99, joined_groups 149.99, history 79.99 = 459.96
             bill 2026-03: plan 149.99, group_members 79.99, joined_groups 149.99, history 379.99 = 759.96
             bill 2026-05: plan 149.99 = 149.99",
        )],
    );
    on(
        FLAGSHIP,
        &[
            (
                "B12, 6.10: on Flagship",
                "2026-02-01 change 1 groups=3001 => OUT_OF_RANGE
                 2026-02-01 change 1 members=6001 => OUT_OF_RANGE
                 2026-02-01 change 1 history=29 => OUT_OF_RANGE
                 2026-02-01 change 1 groups=1001 members=2001 history=31
                 2026-03-02 end
                 bill 2026-02: plan 449.99, group_members 79.99, joined_groups 149.99, history 79.99 = 759.96",
            ),
            (
                "B43: audio-video chat rooms are not sold where they are included",
                "2026-02-01 change 1 av => NOT_AVAILABLE_IN_EDITION
                 2026-02-01 change 1 -av",
            ),
        ],
    );
    for (days, price, total) in [
        (8, "79.99", "229.98"),
        (30, "79.99", "229.98"),
        (31, "149.99", "299.98"),
        (45, "149.99", "299.98"),
        (90, "149.99", "299.98"),
        (91, "229.99", "379.98"),
        (181, "379.99", "529.98"),
    ] {
        let script = format!(
            "2026-02-01 change 1 history={days}
             2026-03-01 end
             bill 2026-02: plan 149.99, history {price} = {total}"
        );
        on(PRO, &[("B12: the smallest tier that holds it", &script)]);
    }
}

#[test]
fn the_first_reason_in_rank_is_told() {
    check(&[
        (
            "rule 40: upgrading and changing, each on its editions",
            "2026-01-10 change 1 filter => APP_NOT_FOUND
             2026-01-10 upgrade 1 pro => APP_NOT_FOUND
             2026-01-10 disable 1 => APP_NOT_FOUND
             2026-01-10 prepaid 1 2026-03-01 => APP_NOT_FOUND
             2026-01-10 usage 1 2026-01-10 dau=1 => APP_NOT_FOUND
             2026-01-10 create_app 1
             2026-01-10 change 1 filter => NOT_AVAILABLE_IN_EDITION
             2026-01-10 change 1 pro => NOT_AVAILABLE_IN_EDITION
             2026-01-10 change 1 => NOT_AVAILABLE_IN_EDITION
             2026-01-10 upgrade 1 trial => NOT_UPGRADABLE
             2026-01-10 upgrade 1 flagship av groups=9999 => NOT_AVAILABLE_IN_EDITION
             2026-01-10 upgrade 1 flagship groups=9999 => OUT_OF_RANGE
             2026-01-10 upgrade 1 pro filter
             2026-01-10 upgrade 1 flagship av groups=9999 => NOT_UPGRADABLE
             2026-01-10 change 1 flagship av groups=9999 => NOT_AVAILABLE_IN_EDITION
             2026-01-10 change 1 flagship groups=9999 => OUT_OF_RANGE
             2026-01-10 change 1 flagship groups=3000 => ONCE_A_MONTH
             2026-02-10 change 1 trial filter => NOT_AVAILABLE_IN_EDITION
             2026-02-10 change 1 trial members=21 => NOT_AVAILABLE_IN_EDITION
             2026-02-10 change 1 trial -filter members=20 history=7",
        ),
        (
            "B19, B42: of a disabled app, suspended or not",
            "2026-01-10 create_app 1
             2026-01-10 create_app 2
             2026-01-10 upgrade 2 pro
             2026-01-11 disable 1
             2026-01-12 disable 1 => APP_DISABLED
             2026-01-12 upgrade 1 pro => APP_DISABLED
             2026-01-12 prepaid 1 2026-03-01 => APP_DISABLED
             2026-03-09 upgrade 1 pro => APP_DISABLED
             2026-03-09 change 2 filter => APP_SUSPENDED
             2026-03-09 disable 2
             2026-03-09 change 2 filter => APP_DISABLED",
        ),
    ]);
}

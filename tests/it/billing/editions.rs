//! RULES B1, B5, B9 to B11, B15, B42, B47, B48: what a change of edition, a disabling and a prepaid plan make of the fees.

use std::sync::Arc;

use super::script::{check, check_with};
use crate::support::catalog;
use quotagate::catalog::FreeActivationMonth;

#[test]
fn the_edition_of_the_first_is_paid() {
    check(&[
        (
            "B1: Pro to Flagship",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 pro
             2026-04-10 change 1 flagship
             2026-06-01 end
             bill 2026-04: plan 149.99 = 149.99
             bill 2026-05: plan 449.99 = 449.99",
        ),
        (
            "B1: the reverse",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 flagship
             2026-04-10 change 1 pro
             2026-06-01 end
             bill 2026-04: plan 449.99 = 449.99
             bill 2026-05: plan 149.99 = 149.99",
        ),
        (
            "B48: a change stamped 00:00:00 of the 1st belongs to the new month",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 pro
             2026-05-01T00:00:00 change 1 trial
             2026-07-01 end
             bill 2026-04: plan 149.99 = 149.99
             bill 2026-05: plan 149.99 = 149.99
             bill 2026-06: = 0.00",
        ),
        (
            "B48: a second before it does not",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 pro
             2026-04-30T23:59:59 change 1 trial
             2026-07-01 end
             bill 2026-04: plan 149.99 = 149.99
             bill 2026-05: = 0.00",
        ),
    ]);
}

const CYCLING: &str = "2026-05-10 create_app 1
                       2026-05-10 top_up 5000
                       2026-05-10 upgrade 1 pro
                       2026-06-10 change 1 trial
                       2026-07-10 upgrade 1 pro
                       2026-08-10 change 1 trial
                       2026-10-01 end
                       bill 2026-05: = 0.00
                       bill 2026-06: plan 149.99 = 149.99
                       bill 2026-08: plan 149.99 = 149.99
                       bill 2026-09: = 0.00\n";

#[test]
fn free_months_come_with_every_activation_or_the_first() {
    let every = format!("{CYCLING}bill 2026-07: = 0.00");
    check(&[("B5, rule 22: literal", &every)]);
    let mut first = (*catalog()).clone();
    first.free_activation_month = FreeActivationMonth::First;
    let script = format!("{CYCLING}bill 2026-07: plan 149.99 = 149.99");
    check_with("B5: the first alone", &script, &Arc::new(first));
}

#[test]
fn add_ons_are_carried_where_they_are_sold() {
    check(&[
        (
            "B9: 30 days and 1,000 groups lapse, filter and bandwidth stay",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 pro groups=1000 filter history=30 bandwidth
             2026-04-10 change 1 flagship
             2026-05-10 usage 1 2026-05-10 bandwidth_mbps=100
             2026-06-01 end
             bill 2026-05: plan 449.99, content_filtering 149.99, comment_bandwidth 69.00 = 668.98",
        ),
        (
            "B10: values that Pro does not sell are cancelled",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 flagship groups=3000 members=6000 history=180
             2026-04-10 change 1 pro
             2026-06-01 end
             bill 2026-04: plan 449.99, group_members 79.99, joined_groups 149.99, history 149.99 = 829.96
             bill 2026-05: plan 149.99, history 229.99 = 379.98",
        ),
        (
            "B10: an edition's own values are no add-ons, and what lapsed does not come back",
            "2026-01-10 create_app 1
             2026-01-10 top_up 50000
             2026-01-10 upgrade 1 pro av members=2000 groups=1000 history=30
             2026-02-10 change 1 flagship
             2026-03-10 change 1 pro
             2026-05-01 end
             bill 2026-03: plan 449.99 = 449.99
             bill 2026-04: plan 149.99 = 149.99",
        ),
        (
            "B11, rule 30: all end with the change to Trial; what was incurred stays due",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 pro filter
             2026-04-20 change 1 trial
             2026-05-20 upgrade 1 pro
             2026-07-01 end
             bill 2026-04: plan 149.99, content_filtering 149.99 = 299.98
             bill 2026-05: = 0.00
             bill 2026-06: plan 149.99 = 149.99",
        ),
    ]);
}

#[test]
fn disabling_ends_all_but_what_was_incurred() {
    check(&[
        (
            "B42: fees of the 1st, usage up to the instant, nothing afterwards",
            "2026-01-10 create_app 1
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 pro filter bandwidth
             2026-04-10 usage 1 2026-04-10 dau=10001 bandwidth_mbps=1
             2026-04-10T12:00:00 disable 1
             2026-04-11 usage 1 2026-04-11 dau=90000 bandwidth_mbps=50
             2026-06-01 end
             bill 2026-04: plan 149.99, dau_overage 149.99, content_filtering 149.99, comment_bandwidth 0.69 = 450.66
             bill 2026-05: = 0.00
             state 2026-04-10T12:00:00 1 DISABLED",
        ),
        (
            "B42: on Trial too; the account's clock goes on for its other apps",
            "2026-01-10 create_app 1
             2026-01-10 create_app 2
             2026-01-10 create_app 3
             2026-01-10 upgrade 1 pro
             2026-02-10 disable 3
             2026-03-02 disable 1
             2026-04-02 end
             bill 2026-02: plan 149.99 = 149.99
             bill 2026-03: plan 149.99 = 149.99
             state 2026-02-10T09:00:00 3 DISABLED
             state 2026-03-02T09:00:00 1 DISABLED
             state 2026-03-08 2 SUSPENDED",
        ),
    ]);
}

#[test]
fn prepaid_plans_have_no_plan_line() {
    check(&[(
        "B15: overage and add-ons are billed as usual",
        "2026-01-10 create_app 1
         2026-01-10 top_up 5000
         2026-01-10 upgrade 1 pro filter
         2026-01-20 prepaid 1 2026-12-31
         2026-02-10 usage 1 2026-02-10 dau=10001
         2026-03-01 end
         bill 2026-02: dau_overage 149.99, content_filtering 149.99 = 299.98",
    )]);
}

#[test]
fn an_account_has_one_bill_with_lines_for_each_app() {
    check(&[(
        "B47, rule 4: each app its own plan, each account its own bill",
        "2026-01-10 create_app 2
         2026-01-10 create_app 1
         2026-01-10 create_app 3 beta
         2026-01-10 upgrade 2 flagship
         2026-01-10 upgrade 1 pro filter
         2026-01-10 upgrade 3 pro
         2026-03-01T00:00:00 end
         bill 2026-02: 1/plan 149.99, 1/content_filtering 149.99, 2/plan 449.99 = 749.97
         bill 2026-02 beta: plan 149.99 = 149.99",
    )]);
}

//! RULES 6.1 to 6.9: the rules of the guide that no other row names, one row each.

use super::script::{check, ndjson, play_text};
use crate::support::{app, catalog};
use quotagate::catalog::AddOn;

#[test]
fn rules_of_the_frame_and_the_plans_fee() {
    check(&[
        (
            "6.1, rules 1 and 24, B30: a calendar month is one fee, of 28 or 31 days",
            "2026-01-31 create_app 1
             2026-01-31 top_up 1000
             2026-01-31 upgrade 1 pro
             2026-05-01 end
             bill 2026-01: = 0.00
             bill 2026-02: plan 149.99 = 149.99
             bill 2026-03: plan 149.99 = 149.99
             bill 2026-04: plan 149.99 = 149.99",
        ),
        (
            "6.1, rule 2, B13: pushed on the day that is set, from the 1st to the 3rd",
            "configure push_day=2
             2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-03-09T00:00:00 end
             bill 2026-02: plan 149.99 = 149.99
             state 2026-03-09 1 SUSPENDED",
        ),
        (
            "6.1, rules 3 and 5: a new app is on Trial, free and for ever",
            "2026-01-10 create_app 1
             2027-01-10 change 1 filter => NOT_AVAILABLE_IN_EDITION
             2027-01-10 end
             bill 2026-12: = 0.00
             no state",
        ),
        (
            "6.1, rule 5: Flagship's price; 6.3, rules 22 and 23: nothing until the first of the next month",
            "2026-01-01T00:00:00 create_app 1
             2026-01-01T00:00:00 upgrade 1 flagship
             2026-03-01 end
             bill 2026-01: = 0.00
             bill 2026-02: plan 449.99 = 449.99",
        ),
    ]);
}

#[test]
fn rules_of_each_add_on() {
    for (rule, edition, fee, setting, line, total) in [
        (
            "31",
            "pro",
            "149.99",
            "av",
            "av_chat_rooms 149.99",
            "299.98",
        ),
        (
            "32",
            "pro",
            "149.99",
            "members=2000",
            "group_members 79.99",
            "229.98",
        ),
        (
            "32",
            "flagship",
            "449.99",
            "members=6000",
            "group_members 79.99",
            "529.98",
        ),
        (
            "33",
            "pro",
            "149.99",
            "groups=1000",
            "joined_groups 149.99",
            "299.98",
        ),
        (
            "33",
            "flagship",
            "449.99",
            "groups=3000",
            "joined_groups 149.99",
            "599.98",
        ),
        (
            "34",
            "pro",
            "149.99",
            "filter",
            "content_filtering 149.99",
            "299.98",
        ),
        (
            "34",
            "flagship",
            "449.99",
            "filter",
            "content_filtering 149.99",
            "599.98",
        ),
        (
            "35",
            "pro",
            "149.99",
            "history=30",
            "history 79.99",
            "229.98",
        ),
        (
            "35",
            "flagship",
            "449.99",
            "history=90",
            "history 79.99",
            "529.98",
        ),
    ] {
        // Rules 37 and 41: set with the upgrade, the month of activation is free. Rules 39, 44 and 47: set later, it is not.
        let script = format!(
            "2026-01-10 create_app 1
             2026-01-10 create_app 2
             2026-01-10 top_up 5000
             2026-01-10 upgrade 1 {edition} {setting}
             2026-03-01T00:00:00 end
             bill 2026-01: = 0.00
             bill 2026-02: plan {fee}, {line} = {total}"
        );
        let name = format!("6.5, rules {rule} and 37; 6.6, rule 41");
        check(&[(&name, &script)]);
        let script = format!(
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 {edition}
             2026-02-28 change 1 {setting}
             2026-03-01T00:00:00 end
             bill 2026-02: plan {fee}, {line} = {total}"
        );
        let name = format!("6.5, rules {rule} and 39; 6.7, rules 44 and 47");
        check(&[(&name, &script)]);
        let script = format!(
            "2026-01-10 create_app 1
             2026-01-10 change 1 {setting} => NOT_AVAILABLE_IN_EDITION"
        );
        check(&[(&format!("6.5, rules 30 and {rule}, 6.10"), &script)]);
    }
}

/// 6.5, rule 36, B44: one price, for both editions.
#[test]
fn the_bandwidth_has_one_price() {
    let catalog = catalog();
    let prices = catalog.editions().flat_map(|(id, edition)| {
        let tiers = catalog.tiers(AddOn::CommentBandwidth, id);
        tiers.map(|tier| (&*edition.name, tier.price.to_string()))
    });
    let expected = ["pro", "flagship"].map(|name| (name, "0.69".to_owned()));
    assert_eq!(prices.collect::<Vec<_>>(), expected);
}

/// 6.2, rule 17, B39: the days for which messages are kept, from the instant of the change.
#[test]
fn retention_follows_the_edition_and_the_add_on() {
    for (script, days) in [
        ("", 7),
        ("2026-01-10 upgrade 1 pro", 7),
        ("2026-01-10 upgrade 1 flagship", 30),
        ("2026-01-10 upgrade 1 pro history=45", 45),
        (
            "2026-01-10 upgrade 1 pro history=45\n2026-02-10 change 1 trial",
            7,
        ),
        (
            "2026-01-10 upgrade 1 pro history=30\n2026-02-10 change 1 flagship",
            30,
        ),
    ] {
        let text = ndjson(&format!("2026-01-10 create_app 1\n{script}"));
        let played = play_text(&text, catalog()).expect("a valid scenario");
        let (_, subscription) = played.books.app(app(1)).expect("created");
        assert_eq!(subscription.history_days(&catalog()), days, "{script}");
    }
}

#[test]
fn rules_of_change_and_arrears() {
    check(&[
        (
            "6.7, rule 45: the version and each add-on once every calendar month",
            "2026-01-31T23:59:59 create_app 1
             2026-01-31T23:59:59 upgrade 1 pro
             2026-02-01T00:00:00 change 1 flagship filter
             2026-02-02 change 1 pro => ONCE_A_MONTH",
        ),
        (
            "6.7, rule 51, 6.6, rule 43: to Trial at once",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-02-10 change 1 trial
             2026-02-10 change 1 filter => NOT_AVAILABLE_IN_EDITION",
        ),
        (
            "6.8, rule 52: disabled at once, for ever",
            "2026-01-10 create_app 1
             2026-01-10 disable 1
             2026-01-10 upgrade 1 pro => APP_DISABLED
             2030-01-10 upgrade 1 pro => APP_DISABLED
             state 2026-01-10T09:00:00 1 DISABLED",
        ),
        (
            "6.9, rules 54 to 57: pushed, in arrears, suspended, repossessed",
            "2026-01-10 create_app 1
             2026-01-10 create_app 2
             2026-01-10 top_up 149.98
             2026-01-10 upgrade 1 pro
             2026-06-06 end
             state 2026-03-08 1 SUSPENDED
             state 2026-03-08 2 SUSPENDED
             state 2026-06-06 1 REPOSSESSED
             state 2026-06-06 2 REPOSSESSED",
        ),
    ]);
}

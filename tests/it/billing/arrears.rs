//! RULES 6.9, the calendar of section 8, B13 to B20: arrears, suspension, restoration, repossession.

use super::script::{check, ndjson, play_text};
use crate::support::catalog;
use quotagate::rating::Happening;

/// An app on Pro whose bill of that month is the first, over the free quota, unpaid.
fn owing(push_day: u16, created: &str, used: &str) -> String {
    format!(
        "configure push_day={push_day}
         {created} create_app 1
         {created} upgrade 1 pro
         {created} usage 1 {used} dau=10001"
    )
}

#[test]
fn the_calendar_of_bills() {
    for (row, push_day, month, suspended, repossessed) in [
        (
            "pushed 2026-03-01",
            1,
            "2026-02",
            "2026-03-08",
            "2026-06-06",
        ),
        (
            "pushed 2026-03-03",
            3,
            "2026-02",
            "2026-03-10",
            "2026-06-08",
        ),
        (
            "pushed 2028-02-01 (leap)",
            1,
            "2028-01",
            "2028-02-08",
            "2028-05-08",
        ),
        (
            "pushed 2019-04-01",
            1,
            "2019-03",
            "2019-04-08",
            "2019-07-07",
        ),
    ] {
        let day = format!("{month}-10");
        let script = format!(
            "{}
             {repossessed}T00:00:00 end
             state {suspended} 1 SUSPENDED
             state {repossessed} 1 REPOSSESSED",
            owing(push_day, &day, &day)
        );
        check(&[(&format!("calendar, B14, B16: {row}"), &script)]);
    }
}

#[test]
fn the_calendar_of_prepaid_plans() {
    for (expires, suspended, repossessed) in [
        ("2026-03-01", "2026-03-09", "2026-06-07"),
        ("2028-02-29", "2028-03-08", "2028-06-06"),
    ] {
        let script = format!(
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-01-10 prepaid 1 {expires}
             {repossessed} end
             state {suspended} 1 SUSPENDED
             state {repossessed} 1 REPOSSESSED"
        );
        check(&[(
            &format!("calendar, rule 53, B15: expires {expires}"),
            &script,
        )]);
    }
}

#[test]
fn the_calendar_of_top_ups() {
    let start = owing(1, "2026-02-10", "2026-02-20");
    for (name, paid, states) in [
        (
            "2026-03-07 23:59:59 never suspended",
            "2026-03-07T23:59:59",
            "no state",
        ),
        (
            "2026-03-08 09:00 nine hours",
            "2026-03-08T09:00:00",
            "state 2026-03-08 1 SUSPENDED\nstate 2026-03-08T09:00:00 1 ACTIVE",
        ),
        (
            "2026-06-05 23:59:59 restored on the last retained day",
            "2026-06-05T23:59:59",
            "state 2026-03-08 1 SUSPENDED\nstate 2026-06-05T23:59:59 1 ACTIVE",
        ),
        (
            "2026-06-06 00:00:00 too late (B48)",
            "2026-06-06T00:00:00",
            "state 2026-03-08 1 SUSPENDED\nstate 2026-06-06 1 REPOSSESSED",
        ),
        (
            "B48: what falls due at an instant comes before a line stamped with it",
            "2026-03-08T00:00:00",
            "state 2026-03-08 1 SUSPENDED\nstate 2026-03-08 1 ACTIVE",
        ),
    ] {
        let script = format!("{start}\n{paid} top_up 1000\n2026-06-10 end\n{states}");
        check(&[(name, &script)]);
    }
}

#[test]
fn bills_are_pushed_and_paid() {
    check(&[
        (
            "B13: pushed on the 1st, paid on the 2nd, never suspended",
            "2026-01-10 create_app 1
             2026-01-10 top_up 149.99
             2026-01-10 upgrade 1 pro
             2026-04-02 top_up 149.99
             2026-04-30 end
             bill 2026-03: plan 149.99 = 149.99
             no state",
        ),
        (
            "B46: a bill of nothing starts no clock",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-02-28 end
             bill 2026-01: = 0.00
             no state",
        ),
        (
            "B20: oldest first, each whole, and one continuous clock",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-04-05 top_up 149.99
             2026-04-06 top_up 149.99
             2026-04-30 end
             state 2026-03-08 1 SUSPENDED
             state 2026-04-06T09:00:00 1 ACTIVE",
        ),
        (
            "B20: repossession counts from the oldest push, whatever was paid meanwhile",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-04-05 top_up 149.99
             2026-06-07 end
             state 2026-03-08 1 SUSPENDED
             state 2026-06-06 1 REPOSSESSED",
        ),
        (
            "B20: a partial top-up changes nothing else",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-03-02 top_up 149.98
             2026-03-10 top_up 0.01
             2026-03-20 end
             state 2026-03-08 1 SUSPENDED
             state 2026-03-10T09:00:00 1 ACTIVE",
        ),
        (
            "B20: after the repossession a top-up restores nothing, and new apps live",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-06-06 top_up 299.98
             2026-06-07 change 1 filter => APP_REPOSSESSED
             2026-06-07 disable 1 => APP_REPOSSESSED
             2026-06-07 prepaid 1 2027-01-01 => APP_REPOSSESSED
             2026-06-07 create_app 2
             2026-06-07 upgrade 2 pro
             2026-06-30 end
             state 2026-03-08 1 SUSPENDED
             state 2026-06-06 1 REPOSSESSED",
        ),
        (
            "money that came before the first app is there; an account begins with a top-up",
            "2026-01-05 top_up 500
             2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-04-20 end
             bill 2026-03: plan 149.99 = 149.99
             no state",
        ),
    ]);
}

#[test]
fn arrears_are_dated_events() {
    let script = "2026-01-10 create_app 1
                  2026-01-10 upgrade 1 pro
                  2026-03-07 top_up 100
                  2026-03-20 top_up 50
                  2026-04-02 end";
    let played = play_text(&ndjson(script), catalog()).expect("a valid scenario");
    let zone = played.books.tariff().zone;
    let told = played.books.happened().iter().map(|dated| {
        let what = match &dated.what {
            Happening::Pushed { month, total } => format!("pushed {month} {total}"),
            Happening::Paid { month, total } => format!("paid {month} {total}"),
            Happening::State { app, state } => format!("{app} {}", state.name()),
        };
        format!("{} {what}", zone.show(dated.at))
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r"
    2026-03-01T00:00:00+08:00 pushed 2026-02 149.99
    2026-03-08T00:00:00+08:00 1 SUSPENDED
    2026-03-20T09:00:00+08:00 paid 2026-02 149.99
    2026-03-20T09:00:00+08:00 1 ACTIVE
    2026-04-01T00:00:00+08:00 pushed 2026-03 149.99
    ");
    let account = quotagate::id::AccountId::new("acme").expect("an id");
    let account = played.books.account(&account).expect("it is there");
    assert_eq!(account.balance().to_string(), "0.01");
    assert_eq!(account.unpaid().count(), 1);
}

#[test]
fn suspension_is_of_the_account_and_expiry_of_the_app() {
    check(&[
        (
            "B17, B20, trap 11: the account's Trial apps and new ones too, and no other account's",
            "2026-01-10 create_app 1
             2026-01-10 create_app 2
             2026-01-10 create_app 3 other
             2026-01-10 upgrade 1 pro
             2026-03-09 create_app 4
             2026-03-09 upgrade 4 pro => APP_SUSPENDED
             2026-03-09 upgrade 2 pro => APP_SUSPENDED
             2026-03-09 change 1 filter => APP_SUSPENDED
             2026-03-10 top_up 149.99
             2026-03-11 upgrade 4 pro
             2026-03-20 end
             state 2026-03-08 1 SUSPENDED
             state 2026-03-08 2 SUSPENDED
             state 2026-03-10T09:00:00 1 ACTIVE
             state 2026-03-10T09:00:00 2 ACTIVE
             state 2026-03-10T09:00:00 4 ACTIVE",
        ),
        (
            "B17: prepaid expiry suspends its own app alone",
            "2026-01-10 create_app 1
             2026-01-10 create_app 2
             2026-01-10 upgrade 1 pro
             2026-01-10 prepaid 1 2026-03-01
             2026-04-01 end
             state 2026-03-09 1 SUSPENDED",
        ),
        (
            "B15: a later expiry moves the dates and restores; an earlier one is refused",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-01-10 prepaid 1 2026-03-01
             2026-03-05 prepaid 1 2026-03-10
             2026-03-06 prepaid 1 2026-03-09 => OUT_OF_RANGE
             2026-03-20 prepaid 1 2026-04-10
             2026-04-18T00:00:00 end
             state 2026-03-18 1 SUSPENDED
             state 2026-03-20T09:00:00 1 ACTIVE
             state 2026-04-18 1 SUSPENDED",
        ),
        (
            "B15, B17: with both causes, the service stands again when both are gone",
            "2026-01-10 create_app 1
             2026-01-10 create_app 2
             2026-01-10 upgrade 1 pro
             2026-01-10 prepaid 1 2026-02-25
             2026-01-10 upgrade 2 pro
             2026-03-20 top_up 149.99
             2026-03-21 prepaid 1 2026-06-01
             2026-03-31 end
             state 2026-03-05 1 SUSPENDED
             state 2026-03-08 2 SUSPENDED
             state 2026-03-20T09:00:00 2 ACTIVE
             state 2026-03-21T09:00:00 1 ACTIVE",
        ),
        (
            "B20: a disabled app stays DISABLED through suspension and repossession",
            "2026-01-10 create_app 1
             2026-01-10 create_app 2
             2026-01-10 upgrade 1 pro
             2026-02-20 disable 2
             2026-06-07 end
             state 2026-02-20T09:00:00 2 DISABLED
             state 2026-03-08 1 SUSPENDED
             state 2026-06-06 1 REPOSSESSED",
        ),
    ]);
}

#[test]
fn suspended_months_are_not_charged() {
    check(&[
        (
            "B18: with no restore nothing after March, and 299.98 is owed in all",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro filter
             2026-04-20 usage 1 2026-04-20 dau=50000
             2026-06-06T00:00:00 end
             bill 2026-02: plan 149.99, content_filtering 149.99 = 299.98
             bill 2026-03: plan 149.99, content_filtering 149.99 = 299.98
             bill 2026-04: = 0.00
             bill 2026-05: = 0.00",
        ),
        (
            "B18: restored in it, the month's full fees and usage are charged",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-04-02 usage 1 2026-04-02 dau=10001
             2026-04-20 top_up 299.98
             2026-05-02 end
             bill 2026-04: plan 149.99, dau_overage 149.99 = 299.98",
        ),
        (
            "B18, B42: disabled in a month that started suspended",
            "2026-01-10 create_app 1
             2026-01-10 upgrade 1 pro
             2026-04-20 disable 1
             2026-04-21 top_up 1000
             2026-06-02 end
             bill 2026-04: = 0.00
             bill 2026-05: = 0.00
             state 2026-03-08 1 SUSPENDED
             state 2026-04-20T09:00:00 1 DISABLED",
        ),
        (
            "B18: a month at whose very start a prepaid app is suspended",
            "2026-01-10 create_app 1
             2026-01-10 top_up 500
             2026-01-10 upgrade 1 pro filter
             2026-01-10 prepaid 1 2026-03-24
             2026-05-02 end
             bill 2026-03: content_filtering 149.99 = 149.99
             bill 2026-04: = 0.00
             state 2026-04-01 1 SUSPENDED",
        ),
    ]);
}

//! Days, months and stamps, counted by hand.

use super::*;
use crate::time::{Timestamp, Zone};

fn day(text: &str) -> Day {
    let at = format!("{text}T00:00:00Z");
    Zone::parse("Z")
        .expect("zone")
        .day(Timestamp::parse(&at).expect("time"))
}

fn months(metering: &Metering) -> Vec<(String, u32, u32)> {
    let shown = |m: &MonthUsage| (m.month.to_string(), m.peak_dau, m.peak_groups);
    metering.months().iter().map(shown).collect()
}

fn counts(groups: u64, av_chat_rooms: u64) -> GroupCounts {
    GroupCounts {
        groups,
        av_chat_rooms,
    }
}

/// RULES B29: a month with no event has the count carried into it.
#[test]
fn groups_are_carried_into_days_and_months() {
    let mut metering = Metering::default();
    metering.begin_day(day("2026-01-10"), counts(0, 0));
    metering.groups_reached(day("2026-01-10"), counts(7, 2));
    metering.begin_day(day("2026-01-11"), counts(3, 0));
    metering.begin_day(day("2026-04-02"), counts(5, 1));
    metering.groups_reached(day("2026-04-02"), counts(4, 0));
    assert_eq!(
        months(&metering),
        [
            ("2026-01".into(), 0, 7),
            ("2026-02".into(), 0, 5),
            ("2026-03".into(), 0, 5),
            ("2026-04".into(), 0, 5)
        ]
    );
}

/// So that each of its days is billed with them.
#[test]
fn groups_are_carried_into_days_without_an_operation_as_far_as_they_are_kept() {
    let mut metering = Metering::default();
    metering.begin_day(day("2026-01-10"), counts(0, 0));
    metering.begin_day(day("2026-01-15"), counts(0, 0));
    metering.groups_reached(day("2026-01-15"), counts(7, 2));
    let days = |metering: &Metering| -> Vec<_> {
        let shown = |usage: &DayUsage| {
            let (day, groups) = (usage.day.to_string(), usage.peak_groups);
            (day, groups, usage.peak_av_chat_rooms)
        };
        metering.days().map(shown).collect()
    };
    metering.begin_day(day("2026-01-18"), counts(6, 1));
    assert_eq!(
        days(&metering),
        [
            ("2026-01-10".into(), 0, 0),
            ("2026-01-15".into(), 7, 2),
            ("2026-01-16".into(), 6, 1),
            ("2026-01-17".into(), 6, 1),
            ("2026-01-18".into(), 6, 1)
        ]
    );
    metering.begin_day(day("2026-07-01"), counts(5, 0));
    let days = days(&metering);
    assert_eq!(days.len(), usize::from(DAYS_KEPT));
    assert_eq!(days[0], ("2026-04-23".into(), 5, 0));
    assert!(days.iter().all(|(_, groups, _)| *groups == 5));
}

#[test]
fn bandwidth_is_the_highest_of_a_day_and_goes_with_it() {
    let mut metering = Metering::default();
    metering.begin_day(Day::from_number(20_000), counts(0, 0));
    for (number, bits) in [(20_000, 5), (19_990, 7), (20_000, 9), (20_000, 8)] {
        metering.bandwidth_reached(Day::from_number(number), bits);
    }
    let of = |metering: &Metering, number| metering.bandwidth(Day::from_number(number));
    assert_eq!([of(&metering, 19_990), of(&metering, 20_000)], [7, 9]);
    assert_eq!(of(&metering, 19_995), 0);
    metering.begin_day(Day::from_number(20_069), counts(1, 0));
    assert_eq!(metering.bandwidths(), [(Day::from_number(20_000), 9)]);
}

#[test]
fn what_changes_is_stamped_and_nothing_else() {
    let mut metering = Metering::default();
    let [first, second] = [20_000, 20_001].map(Day::from_number);
    metering.begin_day(first, counts(0, 0));
    assert!(!metering.stamp(1), "nothing was counted yet");
    metering.user_counted(first);
    assert!(metering.stamp(2));
    metering.groups_reached(first, counts(0, 0));
    assert!(!metering.stamp(3));
    metering.begin_day(second, counts(2, 1));
    metering.bandwidth_reached(first, 1);
    assert!(metering.is_unstamped() && metering.stamp(4));
    metering.user_counted(second);
    assert!(metering.stamp(5));
    let stamps: Vec<_> = metering.days().map(|usage| usage.changed_at).collect();
    assert_eq!((stamps, metering.changed_at()), (vec![4, 5], 5));
    metering.bandwidth_reached(first, 1);
    assert!(!metering.is_unstamped());
}

#[test]
fn late_and_early_logins_count_in_their_own_day_and_month() {
    let mut metering = Metering::default();
    metering.begin_day(day("2026-03-31"), counts(2, 0));
    metering.user_counted(day("2026-04-01"));
    metering.user_counted(day("2026-02-28"));
    metering.user_counted(day("2026-02-28"));
    metering.user_counted(day("2026-03-30"));
    metering.begin_day(day("2026-04-01"), counts(2, 0));
    metering.user_counted(day("2026-04-01"));
    assert_eq!(metering.day_users(day("2026-02-28")), 2);
    assert_eq!(metering.day_users(day("2026-03-29")), 0);
    assert_eq!(metering.user_days(), 5);
    assert_eq!(
        months(&metering),
        [
            ("2026-02".into(), 2, 0),
            ("2026-03".into(), 1, 2),
            ("2026-04".into(), 2, 2)
        ]
    );
}

#[test]
fn old_days_go_and_their_months_stay() {
    let mut metering = Metering::default();
    for number in 20_000..20_100 {
        metering.begin_day(Day::from_number(number), counts(1, 0));
        metering.user_counted(Day::from_number(number));
    }
    assert_eq!(metering.days().count(), usize::from(DAYS_KEPT));
    assert_eq!(metering.user_days(), 100);
    assert!(
        metering
            .months()
            .iter()
            .all(|m| (m.peak_dau, m.peak_groups) == (1, 1))
    );
}

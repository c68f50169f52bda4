//! What holds of every scenario: sums, monotony, the same bytes again, resuming from stored events, refusals without effect.

use proptest::prelude::*;

use super::generate::{Act, END, Step, line, scenario, steps, time};
use super::script::{play_text, report};
use crate::support::catalog;
use quotagate::money::Money;
use quotagate::presentation::Detail;
use quotagate::rating::Bill;
use quotagate::simulate::Played;

fn played(steps: &[Step]) -> Played {
    play_text(&scenario(steps), catalog()).expect("a valid scenario")
}

/// The report without the refused lines.
fn outcome(played: &Played) -> String {
    let report = played.json(Detail::Full).expect("JSON");
    let (outcome, _) = report.split_once(",\"refused\":").expect("refused lines");
    outcome.to_owned()
}

/// The steps that were taken.
fn accepted(steps: &[Step], played: &Played) -> Vec<Step> {
    let is_refused = |place: usize| {
        let mut refused = played.refused.iter();
        refused.any(|it| usize::try_from(it.line).is_ok_and(|line| line == place + 1))
    };
    let numbered = steps.iter().enumerate();
    let taken = numbered.filter(|(place, _)| !is_refused(*place));
    taken.map(|(_, step)| step.clone()).collect()
}

fn sum(bill: &Bill) -> Money {
    bill.lines
        .iter()
        .fold(Money::ZERO, |sum, line| sum.plus(line.amount))
}

fn total(bills: &[Bill]) -> Money {
    bills
        .iter()
        .fold(Money::ZERO, |sum, bill| sum.plus(bill.total))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_lines_sum_is_the_total_and_no_line_is_nothing(steps in steps()) {
        for bill in played(&steps).books.bills() {
            prop_assert_eq!(sum(bill), bill.total);
            prop_assert!(bill.lines.iter().all(|line| !line.amount.is_zero()));
            prop_assert_eq!(bill.pushed.is_none(), bill.total.is_zero());
        }
    }

    /// Of an account that can pay: suspension, which more to pay may bring, waives fees (B18).
    #[test]
    fn more_usage_never_costs_less(
        mut steps in steps(), which in any::<prop::sample::Index>(), more in 0..100_000_i64,
    ) {
        for account in 0..2 {
            let act = Act::TopUp { account, cents: 99_999_999_999 };
            steps.insert(0, Step { minute: 0, act });
        }
        let mut higher = steps.clone();
        let usage = higher.iter_mut().filter(|step| matches!(step.act, Act::Usage { .. }));
        let usage: Vec<_> = usage.collect();
        prop_assume!(!usage.is_empty());
        let at = which.index(usage.len());
        for step in usage.into_iter().skip(at).take(1) {
            if let Act::Usage { dau, groups, milli_mbps, .. } = &mut step.act {
                (*dau, *groups, *milli_mbps) = (*dau + more, *groups + more, *milli_mbps + more);
            }
        }
        let (before, after) = (played(&steps), played(&higher));
        prop_assert!(total(before.books.bills()) <= total(after.books.bills()));
    }

    #[test]
    fn playing_twice_gives_the_same_bytes(steps in steps()) {
        prop_assert_eq!(report(&scenario(&steps)), report(&scenario(&steps)));
    }

    #[test]
    fn a_refused_line_could_be_left_out(steps in steps()) {
        let all = played(&steps);
        let taken = played(&accepted(&steps, &all));
        prop_assert!(taken.refused.is_empty());
        prop_assert_eq!(outcome(&all), outcome(&taken));
        prop_assert_eq!(all.books.happened(), taken.books.happened());
    }

    /// What is stored of the part before the split are its accepted lines and the time that it came to.
    #[test]
    fn a_scenario_can_be_split_anywhere_and_resumed_from_stored_events(
        steps in steps(), split in any::<prop::sample::Index>(),
    ) {
        let whole = played(&steps);
        let (before, after) = steps.split_at(split.index(steps.len() + 1));
        let text: String = before.iter().map(|step| line(step) + "\n").collect();
        let first = play_text(&text, catalog()).expect("a valid scenario");
        let mut resumed = accepted(before, &first);
        resumed.extend_from_slice(after);
        prop_assert_eq!(outcome(&whole), outcome(&played(&resumed)));
    }

    /// A pushed bill never changes (B49): what was billed stays, however the scenario goes on.
    #[test]
    fn bills_once_pushed_stay(steps in steps(), split in any::<prop::sample::Index>()) {
        let (before, _) = steps.split_at(split.index(steps.len() + 1));
        let text: String = before.iter().map(|step| line(step) + "\n").collect();
        let first = play_text(&text, catalog()).expect("a valid scenario");
        let whole = played(&steps);
        let bills = first.books.bills();
        prop_assert_eq!(bills, &whole.books.bills()[..bills.len()]);
        let happened = first.books.happened();
        prop_assert_eq!(happened, &whole.books.happened()[..happened.len()]);
    }

    /// Late or in time, usage costs the same in the end, while nothing is suspended (B49).
    #[test]
    fn late_usage_costs_what_it_would_have_in_time(mut steps in steps()) {
        for account in 0..2 {
            let act = Act::TopUp { account, cents: 99_999_999_999 };
            steps.insert(0, Step { minute: 0, act });
        }
        steps.retain(|step| !matches!(step.act, Act::Prepaid { .. }));
        // Usage before its app is refused.
        steps = accepted(&steps, &played(&steps));
        let mut late = steps.clone();
        for step in &mut late {
            if matches!(step.act, Act::Usage { .. }) {
                step.minute = END - 32 * 1440;
            }
        }
        late.sort_by_key(|step| step.minute);
        let (in_time, late) = (played(&steps), played(&late));
        prop_assert_eq!(total(in_time.books.bills()), total(late.books.bills()));
    }
}

#[test]
fn the_generated_lines_are_as_the_format_says() {
    assert_eq!(time(1440 * 31 + 61), "2026-02-01T01:01:00+08:00");
    let step = Step {
        minute: 0,
        act: Act::Upgrade {
            app: 1,
            edition: 1,
            settings: [Some(1), Some(300), None, None, None, None],
        },
    };
    assert_eq!(
        line(&step),
        "{\"at\":\"2026-01-01T00:00:00+08:00\",\"op\":\"upgrade\",\"app\":1,\"edition\":\"pro\",\
         \"settings\":{\"av_chat_rooms_unlimited\":true,\"group_members\":300}}"
    );
}

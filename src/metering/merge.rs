//! The records of any number of gateways, merged into what each app used on each day.
//!
//! Pure. Invariant: records that contradict nothing come to the same in whatever order and however often they are told: of one
//! gateway the newest counts, of several the union of their sketches and the highest of their peaks. Nobody is counted twice:
//! what is billed is the lower bound, and never less than what one gateway has counted alone.
//! Absent on purpose: whether gateways hash ids with one key. Without that, unions count a user once for each key.

use std::collections::BTreeMap;

use super::{Contradiction, Counted, UsageRecord};
use crate::id::SdkAppId;
use crate::sketch::Sketch;
use crate::time::Day;

/// Records, merged.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    days: BTreeMap<(SdkAppId, Day), BTreeMap<Box<str>, UsageRecord>>,
}

/// What an app used on a day, as far as all gateways know together.
#[derive(Clone, PartialEq, Debug)]
pub struct DayTotal {
    /// The app.
    pub app: SdkAppId,
    /// The day.
    pub day: Day,
    /// The gateways that know of it, by name.
    pub gateways: Vec<Box<str>>,
    /// Distinct users: exact where one gateway had all of them.
    pub users: Counted,
    /// Most groups that existed at once at one of the gateways.
    pub peak_groups: u64,
    /// Most AVChatRooms that existed at once at one of the gateways.
    pub peak_av_chat_rooms: u64,
    /// The highest bandwidth of on-screen comments, in bits a second.
    pub bandwidth_bps: u64,
    /// Whether nothing can change any more, at none of the gateways that know of it.
    pub is_final: bool,
}

impl Merged {
    /// Takes a record in. One that contradicts what is there is refused, and changes nothing.
    pub fn take(&mut self, record: UsageRecord) -> Result<(), Contradiction> {
        record.check()?;
        let day = self.days.entry((record.app, record.day)).or_default();
        let newest = match day.get(&record.gateway) {
            Some(held) => record.after(held.clone())?,
            None => record,
        };
        day.insert(newest.gateway.clone(), newest);
        Ok(())
    }

    /// What it comes to, by app and day.
    pub fn totals(&self) -> impl Iterator<Item = DayTotal> {
        self.days.iter().map(|((app, day), of)| {
            let highest = |of_one: fn(&UsageRecord) -> u64| of.values().map(of_one).max();
            DayTotal {
                app: *app,
                day: *day,
                gateways: of.keys().cloned().collect(),
                users: users(of),
                peak_groups: highest(|it| it.peak_groups).unwrap_or(0),
                peak_av_chat_rooms: highest(|it| it.peak_av_chat_rooms).unwrap_or(0),
                bandwidth_bps: highest(|it| it.bandwidth_bps).unwrap_or(0),
                is_final: of.values().all(|record| record.is_final),
            }
        })
    }
}

/// The users of some gateways: between those of the busiest one and all added up, and there as their sketches say.
fn users(of: &BTreeMap<Box<str>, UsageRecord>) -> Counted {
    let highest = of.values().map(|record| record.users).max().unwrap_or(0);
    let sum = of
        .values()
        .fold(0_u64, |sum, record| sum.saturating_add(record.users));
    if highest == sum {
        return Counted::Exact(sum);
    }
    let union = Sketch::union(of.values().filter_map(|record| record.sketch.as_ref())).count();
    let is_whole = of
        .values()
        .all(|record| record.users == 0 || record.sketch.is_some());
    let upper = if is_whole {
        union.upper.clamp(highest, sum)
    } else {
        sum
    };
    let lower = union.lower.clamp(highest, upper);
    Counted::Estimated {
        lower,
        estimate: union.estimate.clamp(lower, upper),
        upper,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(user: u64) -> u128 {
        let mixed = |salt: u64| (user + 1).wrapping_mul(salt);
        u128::from(mixed(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(mixed(0xc2b2_ae3d_27d4_eb4f))
    }

    /// What a gateway knows that had these users.
    fn record(gateway: &str, sequence: u64, users: std::ops::Range<u64>) -> UsageRecord {
        let mut sketch = Sketch::new();
        let count = users.end - users.start;
        users.for_each(|user| sketch.add(key(user)));
        UsageRecord {
            gateway: gateway.into(),
            app: SdkAppId::new(7).expect("valid"),
            day: Day::from_number(20_000),
            sequence,
            users: count,
            sketch: Some(sketch),
            peak_groups: sequence,
            peak_av_chat_rooms: sequence / 2,
            bandwidth_bps: sequence * 1_000,
            is_final: false,
        }
    }

    fn total(records: &[UsageRecord]) -> DayTotal {
        let mut merged = Merged::default();
        for record in records {
            merged.take(record.clone()).expect("no contradiction");
        }
        let mut totals = merged.totals();
        totals.next().expect("one app and day")
    }

    #[test]
    fn the_newest_of_one_gateway_is_exact() {
        let records = [
            record("a", 5, 0..20),
            record("a", 9, 0..35),
            record("a", 7, 0..30),
        ];
        let total = total(&records);
        assert_eq!(total.users, Counted::Exact(35));
        assert_eq!((total.peak_groups, total.bandwidth_bps), (9, 9_000));
    }

    #[test]
    fn users_of_several_gateways_are_counted_once() {
        let few = total(&[record("a", 1, 0..100), record("b", 2, 60..160)]);
        let counted = |lower, estimate, upper| Counted::Estimated {
            lower,
            estimate,
            upper,
        };
        assert_eq!(few.users, counted(160, 160, 160));
        assert_eq!(few.gateways, ["a".into(), "b".into()]);
        assert_eq!((few.peak_groups, few.peak_av_chat_rooms), (2, 1));

        let many = total(&[record("a", 1, 0..30_000), record("b", 2, 20_000..50_000)]);
        assert!(
            many.users.lower() <= 50_000 && many.users.upper() >= 50_000,
            "{}",
            many.users
        );
        assert!(
            many.users.estimate().abs_diff(50_000) < 1_000,
            "{}",
            many.users
        );
    }

    /// One gateway's exact count is never undercut, and what all have counted never exceeded.
    #[test]
    fn bounds_keep_to_what_was_counted() {
        let same = total(&[record("a", 1, 0..40_000), record("b", 2, 0..40_000)]);
        assert_eq!(same.users.lower(), 40_000);
        let apart = total(&[record("a", 1, 0..40_000), record("b", 2, 40_000..40_010)]);
        assert_eq!((apart.users.lower(), apart.users.upper()), (40_000, 40_010));
        let mut without = record("b", 2, 100..200);
        without.sketch = None;
        let partly = total(&[record("a", 1, 0..50), without]);
        assert_eq!((partly.users.lower(), partly.users.upper()), (100, 150));
        let idle = total(&[record("a", 1, 0..50), record("b", 2, 0..0)]);
        assert_eq!(idle.users, Counted::Exact(50));
    }

    #[test]
    fn contradictions_are_refused() {
        let mut merged = Merged::default();
        merged.take(record("a", 5, 0..20)).expect("the first");
        let lowered = merged.take(record("a", 6, 0..19));
        assert!(matches!(
            lowered,
            Err(Contradiction::Lowered {
                lower: 19,
                higher: 20,
                ..
            })
        ));
        let raised = merged.take(record("a", 4, 0..21));
        assert!(matches!(
            raised,
            Err(Contradiction::Lowered {
                sequence: 5,
                older: 4,
                ..
            })
        ));
        let twin = merged.take(record("a", 5, 0..21));
        assert!(matches!(
            twin,
            Err(Contradiction::Twins {
                one: 21,
                other: 20,
                ..
            })
        ));
        let mut other = record("b", 5, 0..20);
        other.users = 40;
        assert!(matches!(
            merged.take(other),
            Err(Contradiction::Sketch { users: 40, .. })
        ));
        assert_eq!(
            merged.totals().next().expect("one").users,
            Counted::Exact(20)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Any order, any repetition, with and without sketches of old records: the same totals.
        #[test]
        fn order_and_repetition_never_matter(
            told in proptest::collection::vec((0_usize..3, 1_u64..30, any::<bool>()), 1..25),
            order in any::<u64>(),
            size in prop_oneof![Just(3), Just(200)],
        ) {
            let gateways = ["a", "b", "c"];
            let of_one = |(gateway, sequence, is_final): &(usize, u64, bool)| {
                let from = 10 * u64::try_from(*gateway).expect("small");
                let mut record = record(gateways[*gateway], *sequence, from..from + sequence * size);
                record.is_final = *is_final && *sequence == 29;
                record
            };
            let records: Vec<_> = told.iter().map(of_one).collect();
            let mut shuffled = [records.clone(), records.clone()].concat();
            shuffled.sort_by_key(|record| (record.sequence ^ order).wrapping_mul(order | 1));
            prop_assert_eq!(total(&shuffled), total(&records));
            let mut backwards = records.clone();
            backwards.reverse();
            prop_assert_eq!(total(&backwards), total(&records));
        }
    }
}

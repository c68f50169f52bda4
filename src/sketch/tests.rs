//! What a sketch promises: counts, bounds, one image for one set of users, and no trust in an image.

use proptest::prelude::*;

use super::image::{HEAD_BYTES, MarkProblem, REGISTERS};
use super::*;

/// The `number`th of a world's keys.
fn key(world: u64, number: u64) -> u128 {
    let mixed = |salt: u64| {
        let mut bits =
            (number ^ (world << 40)).wrapping_add(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    };
    u128::from(mixed(1)) << 64 | u128::from(mixed(2))
}

fn sketch_of(keys: impl IntoIterator<Item = u128>) -> Sketch {
    let mut sketch = Sketch::new();
    keys.into_iter().for_each(|key| sketch.add(key));
    sketch
}

fn first(world: u64, users: u64) -> Sketch {
    sketch_of((0..users).map(|number| key(world, number)))
}

/// How far off the estimate is, in thousandths of a percent.
fn error(sketch: &Sketch, users: u64) -> i64 {
    let off = sketch.count().estimate.cast_signed() - users.cast_signed();
    off * 100_000 / users.cast_signed()
}

fn root_mean_square(errors: &[i64]) -> u64 {
    let squares: u64 = errors
        .iter()
        .map(|error| (error * error).unsigned_abs())
        .sum();
    (squares / errors.len() as u64).isqrt()
}

#[test]
fn few_users_are_counted_one_by_one() {
    for users in [0, 1, 2, 7, 8, 9, 24, 100, 1_000] {
        let sketch = first(1, users);
        let exact = Estimate {
            lower: users,
            estimate: users,
            upper: users,
        };
        assert_eq!(sketch.count(), exact);
        assert_eq!(sketch.is_empty(), users == 0);
    }
    let repeated = sketch_of((0..300).map(|number| key(1, number % 100)));
    assert_eq!(repeated.count().estimate, 100);
}

#[test]
fn many_users_are_estimated_within_what_is_stated() {
    for users in [3_000, 10_000, 60_000] {
        let sketches: Vec<_> = (0..40).map(|world| first(world, users)).collect();
        let errors: Vec<_> = sketches.iter().map(|sketch| error(sketch, users)).collect();
        let error = root_mean_square(&errors);
        assert!(
            error <= 900,
            "RMSE of {users}: {error} thousandths of a percent"
        );
        let within =
            |sketch: &&Sketch| (sketch.count().lower..=sketch.count().upper).contains(&users);
        let covered = sketches.iter().filter(within).count();
        assert!(covered >= 36, "{covered} of 40 bounds hold {users}");
    }
}

#[test]
fn memory_is_bounded() {
    assert!(first(1, 96).memory_bytes() <= 512);
    assert!(first(1, FEW_MAX).memory_bytes() <= 8_192);
    let many = first(1, 100_000);
    assert_eq!(
        (many.memory_bytes(), many.to_bytes().len()),
        (REGISTERS, BYTES_MAX)
    );
}

/// Whoever has written an image keeps being read.
#[test]
fn the_image_stays() {
    let empty = [2, 1, 7, 14, 3, 12, 0, 8];
    assert_eq!(Sketch::new().to_bytes(), empty);
    let two = sketch_of([
        u128::from_le_bytes(*b"user-00000000001"),
        u128::from_le_bytes(*b"user-00000000002"),
    ]);
    assert_eq!(
        two.to_bytes(),
        [2, 1, 7, 14, 3, 8, 2, 8, 3, 165, 75, 12, 156, 248, 105, 17]
    );
    for (users, head) in [
        (100, [3, 1, 7, 14, 8, 8, 0, 9]),
        (10_000, [10, 1, 7, 14, 0, 16, 0, 10]),
    ] {
        let bytes = first(1, users).to_bytes();
        assert_eq!(bytes[..8], head);
        assert_eq!(
            Sketch::from_bytes(&bytes).expect("our own"),
            first(1, users)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the order, the repetitions and the parts: one image.
    #[test]
    fn a_set_of_users_has_one_image(
        users in prop_oneof![0_u64..40, 1_500_u64..1_600, 3_000_u64..6_000],
        parts in 1_u64..9,
        step in 1_u64..1_000,
        overlap in 0_u64..50,
    ) {
        let whole = first(7, users);
        let backwards = sketch_of((0..users).rev().map(|number| key(7, number)));
        prop_assert_eq!(whole.to_bytes(), backwards.to_bytes());
        let of_part = |part| sketch_of((0..users).filter(|number| {
            (number / step) % parts == part || number % 50 < overlap
        }).map(|number| key(7, number)));
        let mut halves: Vec<_> = (0..parts).map(of_part).collect();
        let merged = Sketch::union(&halves);
        prop_assert_eq!(merged.to_bytes(), whole.to_bytes());
        prop_assert_eq!(merged.count(), whole.count());
        halves.reverse();
        halves.push(merged);
        let again = halves.iter().map(|half| Sketch::from_bytes(&half.to_bytes()).expect("our own"));
        let again: Vec<_> = again.collect();
        prop_assert_eq!(Sketch::union(&again), whole);
    }

    /// Damage is told, or what is read is a sketch like any other.
    #[test]
    fn any_image_is_refused_or_can_be_used(
        users in prop_oneof![0_u64..10, 20_u64..400, 1_600_u64..4_000],
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
        only_head in any::<bool>(),
    ) {
        let mut bytes = first(3, users).to_bytes();
        for (at, byte) in changes {
            let reach = if only_head { bytes.len().min(HEAD_BYTES) } else { bytes.len() };
            bytes[at.index(reach)] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(mut sketch) = Sketch::from_bytes(&bytes) {
            let counted = sketch.count();
            prop_assert!(counted.lower <= counted.estimate && counted.estimate <= counted.upper);
            prop_assert!(counted.estimate <= USERS_MAX);
            (0..3_000).for_each(|number| sketch.add(key(4, number)));
            prop_assert!(Sketch::union([&sketch, &first(5, 2_000)]).count().estimate >= 2_000);
            prop_assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Ok(sketch));
        }
    }
}

#[test]
fn every_fault_of_an_image_is_named() {
    let list = first(1, 3).to_bytes();
    let set = first(1, 24).to_bytes();
    let array = first(1, 5_000).to_bytes();
    let with = |bytes: &[u8], at: usize, value: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + value.len()].copy_from_slice(value);
        Sketch::from_bytes(&bytes).expect_err("damaged")
    };
    let head = SketchError::Head;
    for (bytes, at, value, fault) in [
        (&list, 1, &[2][..], SketchError::NotASketch),
        (&list, 2, &[8], SketchError::NotASketch),
        (&array, 3, &[12], SketchError::Registers(12)),
        (&array, 7, &[2], SketchError::Kind(2)),
        (&list, 0, &[3], head("length of the head")),
        (&list, 5, &[0], head("flags")),
        (&list, 5, &[12], head("flags")),
        (&list, 6, &[8], head("number of marks")),
        (
            &list,
            6,
            &[4],
            SketchError::Length {
                has: 20,
                wanted: 24,
            },
        ),
        (&list, 4, &[4], head("size of the table")),
        (
            &list,
            8,
            &[0; 4],
            SketchError::Mark {
                at: 0,
                problem: MarkProblem::Empty,
            },
        ),
        (
            &list,
            12,
            &list[8..12],
            SketchError::Mark {
                at: 1,
                problem: MarkProblem::Twice,
            },
        ),
        (&set, 4, &[4], head("size of the table")),
        (&set, 4, &[12], head("size of the table")),
        (&set, 8, &[25], head("number of marks")),
        (&set, 8, &[0], head("number of marks")),
        (
            &set,
            8,
            &[23],
            SketchError::Length {
                has: 108,
                wanted: 104,
            },
        ),
        (&array, 16, &[1], head("sum of registers below 32")),
        (&array, 24, &[1], head("sum of registers from 32 on")),
        (&array, 32, &[0, 0], head("number of registers that are 0")),
        (&array, 36, &[1], head("word before the registers")),
        (
            &array,
            40,
            &[64],
            SketchError::Register { at: 0, value: 64 },
        ),
    ] {
        assert_eq!(with(bytes, at, value), fault);
    }
    for cut in [0, 7, 8, 40, array.len() - 1] {
        let fault = Sketch::from_bytes(&array[..cut]).expect_err("cut off");
        assert!(
            matches!(fault, SketchError::Length { has, .. } if has == cut),
            "{fault}"
        );
    }
}

/// Registers that contradict nothing, and more users than there can be.
#[test]
fn an_absurd_image_is_refused() {
    let mut bytes = first(1, 5_000).to_bytes();
    bytes[16..24].copy_from_slice(&[0; 8]);
    // Twice to the power 14 - 63.
    bytes[24..32].copy_from_slice(&2_f64.powi(-49).to_le_bytes());
    bytes[32..36].copy_from_slice(&[0; 4]);
    bytes[HEAD_BYTES..].fill(63);
    assert!(matches!(
        Sketch::from_bytes(&bytes),
        Err(SketchError::Absurd(_))
    ));
}

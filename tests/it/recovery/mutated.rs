//! Any bytes where files should be, and the bytes of a real directory, changed: refused or consistent, without a panic.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::described::recovers;

/// Records as they are: a register, a login, a friend, a group with its join, a deletion.
const RECORDS: [&[u8]; 6] = [
    b"\x02\0\0\0\0KKKKKKKKKKKKKKKK\x01u",
    b"\x02\x01\0\0\0LLLLLLLLLLLLLLLL\x01v",
    b"\x06\0\0\0\0\x15\x50",
    b"\x07\0\0\0\0\x01\0\0\0",
    b"\x0a\0\0\0\0\x01GGGGGGGGGGGGGGGG\x01g\x0c\0\0\0\0\0\0\0\0",
    b"\x05\0\0\0\0",
];

fn pieces(records: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    vec(records, 0..12).prop_map(|pieces| {
        let mut input = Vec::new();
        for piece in pieces {
            let length = u8::try_from(piece.len().min(254)).expect("bounded");
            input.push(length);
            input.extend(&piece[..length.into()]);
        }
        input
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 4, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused_or_recovered(how in 0..8_u8, bytes in vec(any::<u8>(), 0..600)) {
        recovers(&[&[how], &bytes[..]].concat());
    }

    #[test]
    fn any_records_are_refused_or_recovered(
        records in pieces(vec(select(&RECORDS[..]), 0..8).prop_map(|it| [b"\0\x01", &it.concat()[..]].concat())),
        changes in vec((any::<Index>(), any::<u8>()), 0..3),
    ) {
        let mut input = [b"\x02", &records[..]].concat();
        for (at, to) in changes {
            let at = at.index(input.len());
            if at > 0 {
                input[at] = to;
            }
        }
        recovers(&input);
    }
}

#[test]
fn what_is_right_is_accepted() {
    let entry = |records: &[u8]| {
        let length = u8::try_from(records.len() + 2).expect("short");
        [&[length, 0, 1], records].concat()
    };
    let whole = [b"\x02", &RECORDS.map(entry).concat()[..]].concat();
    assert!(recovers(&whole));
    let unknown = [b"\x02", &entry(RECORDS[3])[..]].concat();
    assert!(!recovers(&unknown), "of users that never were");
}

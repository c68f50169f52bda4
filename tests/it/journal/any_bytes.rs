//! Segments of any bytes: reading them ends, does not panic, and gives nothing that was not appended.

use proptest::prelude::*;
use quotagate::journal::{Level, Position, Storage as _, salvage};

use super::faulty::Faulty;
use super::{Kept, append, entries, names, open, options};

/// What is done to the bytes of a file.
#[derive(Clone, Debug)]
enum Harm {
    Put(usize, Vec<u8>),
    Copy(usize, usize, usize),
    Cut(usize),
    Swap(usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let bytes = prop::collection::vec(
        prop_oneof![any::<u8>(), Just(0), Just(0xff), 1_u8..60],
        1..40,
    );
    prop_oneof![
        (any::<usize>(), bytes).prop_map(|(at, bytes)| Harm::Put(at, bytes)),
        (any::<usize>(), any::<usize>(), 1_usize..200).prop_map(|(a, b, n)| Harm::Copy(a, b, n)),
        any::<usize>().prop_map(Harm::Cut),
        any::<usize>().prop_map(Harm::Swap),
    ]
}

fn written() -> (Faulty, Vec<Kept>) {
    let faulty = Faulty::new(2);
    let (_, log) = open(&faulty.storage(), options(Level::Process)).expect("a journal");
    let mut kept = Vec::new();
    for n in 0..40 {
        kept.push(append(&log, 3, n, &[b'x'; 50]));
        log.commit();
        if n % 5 == 0 {
            log.step();
        }
    }
    (faulty, kept)
}

fn do_harm(faulty: &Faulty, file: usize, harm: &Harm) {
    let names = names(faulty);
    let name = &names[file % names.len()];
    let mut content = faulty.content(name);
    let length = content.len().max(1);
    match harm {
        Harm::Put(at, bytes) => {
            let places = content.iter_mut().skip(at % length);
            places.zip(bytes).for_each(|(to, from)| *to = *from);
        }
        Harm::Copy(from, to, bytes) => {
            let copy: Vec<u8> = content
                .iter()
                .copied()
                .skip(from % length)
                .take(*bytes)
                .collect();
            let places = content.iter_mut().skip(to % length);
            places.zip(copy).for_each(|(to, from)| *to = from);
        }
        Harm::Cut(at) => content.truncate(at % length),
        Harm::Swap(other) => {
            let other = &names[other % names.len()];
            let theirs = faulty.content(other);
            faulty.put(other, &content);
            content = theirs;
        }
    }
    faulty.put(name, &content);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn harm_is_told_or_does_none(harms in prop::collection::vec((any::<usize>(), harm()), 1..6)) {
        let (faulty, kept) = written();
        for (file, harm) in &harms {
            do_harm(&faulty, *file, harm);
        }
        if let Ok((read, _)) = entries(&faulty, Position::START) {
            prop_assert!(kept.starts_with(&read));
        }
        if salvage(&faulty, Position::START, None).is_ok()
            && let Ok((read, log)) = open(&faulty.storage(), options(Level::Power))
        {
            prop_assert!(kept.starts_with(&read));
            log.close().expect("closed");
        }
    }

    #[test]
    fn any_bytes_are_read_to_an_end(
        header in any::<bool>(),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0)], 0..600),
    ) {
        let (faulty, _) = written();
        let first = names(&faulty).remove(0);
        let mut content = faulty.content(&first);
        content.truncate(if header { 64 } else { 0 });
        content.extend_from_slice(&bytes);
        faulty.put(&first, &content);
        for name in names(&faulty).iter().skip(1) {
            faulty.remove(name).expect("removed");
        }
        if let Ok((read, _)) = entries(&faulty, Position::START) {
            prop_assert!(read.is_empty());
        }
    }
}

//! Flipped bits and cut files: each is found and told, or does no harm.

use quotagate::journal::{
    Ending, Level, Position, ReadError, Salvaged, SetId, Storage as _, salvage,
};

use super::faulty::Faulty;
use super::{Kept, append, entries, names, open, options};

/// Three small segments, not closed, and what is in them. The last entry's durability is on no disk yet.
fn small_set() -> (Faulty, Vec<Kept>, Position) {
    let faulty = Faulty::new(2);
    let mut sizes = options(Level::Process);
    sizes.ahead_bytes = 256;
    let (_, log) = open(&faulty.storage(), sizes).expect("a journal");
    let mut kept = Vec::new();
    for n in 0..9 {
        kept.push(append(&log, 3, n, &[b'x'; 7]));
        log.commit();
        if n % 2 == 0 {
            log.step();
        }
        if n % 3 == 2 {
            log.rotate().expect("a new segment");
        }
    }
    for n in 9..12 {
        kept.push(append(&log, 3, n, b"tail"));
        log.commit();
    }
    let durable = kept[8].end;
    assert_eq!(log.counts().written, log.position());
    assert_eq!(log.counts().durable, durable);
    (faulty, kept, durable)
}

/// What became of a change of a file.
fn judge(faulty: &Faulty, kept: &[Kept], durable: Position, told: &str) -> &'static str {
    match entries(faulty, Position::START) {
        Ok((read, found)) => {
            assert!(kept.starts_with(&read), "{told}: silently other");
            assert!(found.end >= durable, "{told}: silently less");
            if let Ending::Torn(tear) = &found.ending {
                assert!(tear.bytes > 0 || !tear.later.is_empty(), "{told}");
                return "torn";
            }
            assert_eq!(read.len(), kept.len(), "{told}: silently less");
            "harmless"
        }
        Err(ReadError::Damaged { position, .. }) => {
            let before = kept.iter().find(|entry| entry.end > position);
            assert!(before.is_some(), "{told}: nothing is missing");
            "damage"
        }
        Err(error) => panic!("{told}: {error}"),
    }
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let (faulty, kept, durable) = small_set();
    let mut seen = std::collections::BTreeMap::new();
    for name in names(&faulty) {
        let content = faulty.content(&name);
        for bit in 0..content.len() * 8 {
            let mut flipped = content.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            faulty.put(&name, &flipped);
            let what = judge(&faulty, &kept, durable, &format!("{name}, bit {bit}"));
            *seen.entry(what).or_insert(0) += 1;
        }
        faulty.put(&name, &content);
    }
    assert!(seen["damage"] > 1_000 && seen["torn"] > 500, "{seen:?}");
}

#[test]
fn every_cut_is_found_or_harmless() {
    let (faulty, kept, durable) = small_set();
    let names = names(&faulty);
    for name in &names {
        let content = faulty.content(name);
        for length in 0..content.len() {
            faulty.put(name, &content[..length]);
            let told = format!("{name} cut to {length}");
            match entries(&faulty, Position::START) {
                // Where a file ends at a frame's end, nothing tells that there was more which was not durable.
                Ok((read, found)) => {
                    assert!(kept.starts_with(&read) && found.end >= durable, "{told}");
                }
                Err(ReadError::Damaged { file, offset, .. }) => {
                    assert_eq!(&file, name, "{told}");
                    assert!(offset <= length as u64, "{told}");
                }
                Err(error) => panic!("{told}: {error}"),
            }
        }
        faulty.put(name, &content);
    }
}

#[test]
fn a_segment_that_is_missing_is_told() {
    let (faulty, kept, _) = small_set();
    for name in names(&faulty) {
        let content = faulty.content(&name);
        faulty.remove(&name).expect("removed");
        let read = entries(&faulty, Position::START);
        let is_last = names(&faulty).iter().all(|other| *other < name);
        match read {
            Ok((read, _)) => assert!(is_last && read.len() == 9, "{name}"),
            Err(error) => assert!(
                matches!(error, ReadError::Damaged { .. }),
                "{name}: {error}"
            ),
        }
        faulty.put(&name, &content);
    }
    assert_eq!(entries(&faulty, Position::START).expect("whole").0, kept);
    let beyond = Position::new(1 << 30);
    let error = entries(&faulty, beyond).expect_err("a snapshot is beyond");
    assert!(
        error
            .to_string()
            .contains("a snapshot was made at position"),
        "{error}"
    );
}

#[test]
fn two_writes_that_have_changed_places_are_found() {
    let (faulty, kept, durable) = small_set();
    let name = &names(&faulty)[0];
    let mut content = faulty.content(name);
    // Frames of one entry of 7 bytes: 47 bytes each.
    let frames: Vec<_> = content[64..64 + 94]
        .chunks(47)
        .map(<[u8]>::to_vec)
        .collect();
    content[64..111].copy_from_slice(&frames[1]);
    content[111..158].copy_from_slice(&frames[0]);
    faulty.put(name, &content);
    assert_eq!(judge(&faulty, &kept, durable, "swapped"), "damage");
}

#[test]
fn a_newer_format_and_other_data_sets_are_refused() {
    let (faulty, ..) = small_set();
    let name = &names(&faulty)[1];
    let content = faulty.content(name);
    let mut newer = content.clone();
    newer[8] = 2;
    let checksum = crc32c::crc32c(&newer[..60]).to_le_bytes();
    newer[60..64].copy_from_slice(&checksum);
    faulty.put(name, &newer);
    let error = entries(&faulty, Position::START)
        .expect_err("newer")
        .to_string();
    assert!(
        error.contains("has format 2, this program knows 1"),
        "{error}"
    );
    let error = salvage(&faulty, Position::START, None).expect_err("newer");
    assert!(matches!(error, ReadError::Newer { .. }), "{error}");
    let (other, ..) = small_set();
    faulty.put(name, &other.content(name));
    let error = entries(&faulty, Position::START).expect_err("another's");
    assert!(matches!(error, ReadError::Foreign { .. }), "{error}");
}

#[test]
fn what_a_user_is_called_proves_nothing() {
    // A frame that says much is durable, in the records of a torn tail; whoever wrote it does not know the data set.
    let (faulty, kept, durable) = small_set();
    let mut forged = vec![0; 16];
    forged.extend_from_slice(&[0xff; 4]);
    forged.extend_from_slice(&[0; 4]);
    forged.extend_from_slice(&[0, 16, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0]);
    let covered = [&forged[16..20], &forged[24..40]].concat();
    forged[20..24].copy_from_slice(&crc32c::crc32c(&covered).to_le_bytes());
    let name = names(&faulty).pop().expect("the last");
    let mut content = faulty.content(&name);
    content[70] ^= 1;
    content.extend_from_slice(&forged);
    faulty.put(&name, &content);
    assert_eq!(judge(&faulty, &kept, durable, "forged"), "torn");
}

#[test]
fn damage_is_salvaged_up_to_it_and_the_rest_is_kept_aside() {
    let whole = small_set().0;
    for file in 0..names(&whole).len() - 1 {
        for at in [10, 70, 64 + 47 + 30] {
            let (faulty, kept, _) = small_set();
            let name = names(&faulty)[file].clone();
            let mut content = faulty.content(&name);
            content[at] ^= 4;
            faulty.put(&name, &content);
            let position = match entries(&faulty, Position::START) {
                Err(ReadError::Damaged { position, .. }) => position,
                other => panic!("{name} at {at}: {other:?}"),
            };
            let salvaged = salvage(&faulty, Position::START, None).expect("salvaged");
            let Salvaged::Ended {
                entries: behind,
                set_aside,
                ..
            } = salvaged
            else {
                panic!("{name} at {at}: {salvaged:?}");
            };
            let before = kept.partition_point(|entry| entry.end <= position);
            // The entry that is damaged is not valid; behind a header all are.
            let damaged = usize::from(at > 64);
            assert_eq!(
                usize::try_from(behind).expect("few"),
                kept.len() - before - damaged
            );
            assert_eq!(set_aside.len(), names(&whole).len() - file);
            assert_eq!(faulty.content(&format!("{name}.damaged")), content);
            let (read, log) = open(&faulty.storage(), options(Level::Process)).expect("goes on");
            assert_eq!(read, kept[..before]);
            let next = append(&log, 3, 99, b"next");
            log.close().expect("closed");
            let (read, _) = entries(&faulty, Position::START).expect("goes on");
            assert_eq!(read.last(), Some(&next));
        }
    }
}

#[test]
fn a_snapshot_beyond_the_damage_is_gone_on_from() {
    let (faulty, kept, durable) = small_set();
    for name in names(&faulty) {
        faulty.put(&name, b"nothing of it");
    }
    let set = Some(SetId::new(5));
    let salvaged = salvage(&faulty, durable, set).expect("salvaged");
    assert!(matches!(salvaged, Salvaged::Ended { .. }), "{salvaged:?}");
    let (read, found) = entries(&faulty, durable).expect("goes on");
    assert_eq!((read, found.end, found.set), (vec![], durable, set));
    assert!(kept.len() > 9);
    assert_eq!(
        salvage(&faulty, durable, set).expect("fine"),
        Salvaged::Nothing
    );
}

#[test]
fn a_later_frame_of_the_same_segment_proves_what_was_durable() {
    let faulty = Faulty::new(2);
    let mut sizes = options(Level::Process);
    sizes.segment_bytes = 1 << 20;
    let (_, log) = open(&faulty.storage(), sizes).expect("a journal");
    for n in 0..8 {
        append(&log, 3, n, &[b'x'; 8]);
        log.commit();
        log.step();
    }
    let name = names(&faulty).remove(0);
    let content = faulty.content(&name);
    // Frames of 48 bytes. That the last one is durable is on no disk yet: it is told as torn.
    for frame in 0..8 {
        let mut flipped = content.clone();
        flipped[64 + 48 * frame + 40] ^= 1;
        faulty.put(&name, &flipped);
        match entries(&faulty, Position::START) {
            Ok((read, found)) => {
                assert_eq!((frame, read.len()), (7, 7));
                assert!(matches!(found.ending, Ending::Torn(_)));
            }
            Err(ReadError::Damaged { offset, .. }) => {
                assert!(frame < 7);
                assert_eq!(offset, 64 + 48 * frame as u64);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

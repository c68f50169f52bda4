//! The journal in a directory of the file system, in good order.

use std::sync::Arc;

use quotagate::journal::{Directory, Ending, Level, Position, Scribe, Storage};

use super::{append, entries, is_reached, open, options};

#[test]
fn what_was_appended_is_read_again_after_each_start() {
    for level in Level::ALL {
        let dir = tempfile::tempdir().expect("a directory");
        let storage: Arc<dyn Storage> = Arc::new(Directory::new(dir.path()));
        let mut expected = Vec::new();
        for round in 0_i64..5 {
            let (kept, log) = open(&storage, options(level)).expect("a journal");
            assert_eq!(kept, expected, "{level:?}, start {round}");
            for n in 0_u8..40 {
                let ms = 1000 * round + i64::from(n);
                let records = vec![n; usize::from(n) * 3];
                let entry = append(&log, 1 + u32::from(n) % 3, ms, &records);
                log.commit();
                if level != Level::Process || log.counts().written < entry.end {
                    log.step();
                }
                assert!(is_reached(&log, entry.end), "{level:?}");
                expected.push(entry);
            }
            if round % 2 == 0 {
                log.close().expect("closed");
            } else {
                log.step();
            }
        }
        let (kept, found) = entries(&*storage, Position::START).expect("a journal");
        assert_eq!(kept, expected);
        assert_eq!(found.ending, Ending::Closed);
        assert!(found.segments.len() > 5, "{:?}", found.segments);
    }
}

#[test]
fn a_position_in_the_middle_is_read_from() {
    let dir = tempfile::tempdir().expect("a directory");
    let storage: Arc<dyn Storage> = Arc::new(Directory::new(dir.path()));
    let (_, log) = open(&storage, options(Level::Process)).expect("a journal");
    let before = append(&log, 1, 1, b"before");
    let position = log.rotate().expect("a new segment");
    assert_eq!(position, before.end);
    assert_eq!(log.rotate().expect("the same"), position);
    let after = append(&log, 1, 2, b"after");
    log.close().expect("closed");
    let (kept, _) = entries(&*storage, position).expect("a journal");
    assert_eq!(kept, std::slice::from_ref(&after));
    log.forget_before(position).expect("removed");
    let (kept, found) = entries(&*storage, position).expect("a journal");
    assert_eq!((kept, found.older), (vec![after], vec![]));
    entries(&*storage, Position::START).expect_err("its beginning is gone");
}

#[test]
fn the_scribe_writes_what_nobody_does() {
    let dir = tempfile::tempdir().expect("a directory");
    let storage: Arc<dyn Storage> = Arc::new(Directory::new(dir.path()));
    let (_, log) = open(&storage, options(Level::Memory)).expect("a journal");
    let log = Arc::new(log);
    let scribe = Scribe::start(&log).expect("a thread");
    let entry = append(&log, 1, 1, b"one");
    while log.counts().durable < entry.end {
        std::thread::yield_now();
    }
    let last = append(&log, 1, 0, b"two");
    scribe.close().expect("closed");
    let (kept, found) = entries(&*storage, Position::START).expect("a journal");
    assert_eq!(found.ending, Ending::Closed);
    assert_eq!(found.end, last.end);
    assert_eq!(kept[1].at, entry.at, "time never goes back");
}

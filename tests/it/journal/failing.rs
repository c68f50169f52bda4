//! A disk without room, and writes and syncs that fail: nothing is acknowledged that may be lost, and the journal goes on
//! when it can.

use std::io::ErrorKind;

use quotagate::journal::{Change, Ending, Level, Log, Position, Reason, State};

use super::dice::Dice;
use super::faulty::{Call, End, Faulty, Trouble};
use super::{Kept, append, entries, is_reached, open, options};

fn refused(log: &Log, change: Change) -> Option<Reason> {
    log.accepts(change).err().map(|why| why.reason)
}

/// Appends and sees to it that it is written, as a caller at any level would.
fn put(log: &Log, n: i64) -> Kept {
    let entry = append(log, 1, n, &[7; 40]);
    log.commit();
    log.step();
    entry
}

#[test]
fn a_full_disk_refuses_what_adds_and_takes_removals_until_the_room_kept_is_used() {
    for level in [Level::Power, Level::Process] {
        let faulty = Faulty::new(1);
        let mut sizes = options(level);
        sizes.ahead_bytes = 2048;
        sizes.segment_bytes = 1 << 20;
        let (_, log) = open(&faulty.storage(), sizes).expect("a journal");
        let mut kept = vec![put(&log, 0)];
        faulty.room(Some(faulty.bytes()));
        let mut removals = 0;
        let mut n = 1;
        while refused(&log, Change::Adds).is_none() {
            kept.push(put(&log, n));
            n += 1;
            assert!(n < 50, "the disk is full");
        }
        assert_eq!(log.state(), State::Full);
        while refused(&log, Change::Removes).is_none() {
            assert_eq!(refused(&log, Change::Adds), Some(Reason::Full));
            let entry = put(&log, n);
            assert!(is_reached(&log, entry.end), "{level:?}");
            kept.push(entry);
            (n, removals) = (n + 1, removals + 1);
        }
        assert_eq!(refused(&log, Change::Removes), Some(Reason::Full));
        assert!(removals > 2, "{removals}");
        // Someone who was let in at the same time is not lost, only late.
        let late = append(&log, 1, n, &[9; 400]);
        log.commit();
        log.step();
        assert!(!is_reached(&log, late.end));
        kept.push(late.clone());
        faulty.room(None);
        log.step();
        log.step();
        assert!(is_reached(&log, late.end), "{level:?}");
        assert_eq!(log.state(), State::Open);
        assert_eq!(refused(&log, Change::Adds), None);
        log.close().expect("closed");
        let (read, _) = entries(&*faulty.storage(), Position::START).expect("a journal");
        assert_eq!(read, kept);
    }
}

#[test]
fn no_room_for_a_new_segment_lets_the_old_one_go_on() {
    let faulty = Faulty::new(1);
    let (_, log) = open(&faulty.storage(), options(Level::Process)).expect("a journal");
    let first = log.counts().segments;
    let mut kept = Vec::new();
    faulty.no_more_files(true);
    for n in 0..60 {
        kept.push(put(&log, n));
        assert!(is_reached(&log, kept[kept.len() - 1].end));
    }
    assert_eq!(log.counts().segments, first);
    assert_eq!(log.state(), State::Open);
    log.rotate().expect_err("no file");
    faulty.no_more_files(false);
    log.step();
    assert_eq!(log.counts().segments, first + 1);
    log.close().expect("closed");
    let (read, _) = entries(&*faulty.storage(), Position::START).expect("a journal");
    assert_eq!(read, kept);
}

/// What the owner of the journal does about a failure.
fn found_anew(log: &Log) -> Option<Position> {
    let position = log.refound().ok()?;
    log.step();
    // Here it writes its snapshot.
    log.refounded().ok().map(|()| position)
}

/// Which of the entries are promised, and may not be lost.
fn promised<'k>(log: &Log, kept: &'k [Kept]) -> Option<&'k Kept> {
    kept.iter()
        .take_while(|entry| is_reached(log, entry.end))
        .last()
}

#[test]
fn a_call_that_fails_acknowledges_nothing_and_the_journal_is_founded_anew() {
    for level in [Level::Power, Level::Process] {
        let whole = Faulty::new(5);
        let (_, log) = open(&whole.storage(), options(level)).expect("a journal");
        let opened = whole.calls().len();
        (0..40).for_each(|n| drop(put(&log, n)));
        let calls = whole.calls();
        let mut failures = 0;
        for (call, kind) in calls.iter().enumerate().skip(opened) {
            for error in [ErrorKind::Other, ErrorKind::StorageFull] {
                failures += usize::from(fail_at(level, call, *kind, error));
            }
        }
        assert!(failures > 60, "{failures}");
    }
}

/// Fails a call of a run, and says whether that failed the journal.
fn fail_at(level: Level, call: usize, kind: Call, error: ErrorKind) -> bool {
    let told = format!("{level:?}, {kind:?} {call}, {error:?}");
    let faulty = Faulty::new(5);
    let (_, log) = open(&faulty.storage(), options(level)).expect("a journal");
    faulty.trouble(call, Trouble::Fails(error));
    let mut kept: Vec<Kept> = Vec::new();
    let mut has_failed = false;
    let mut snapshot = Position::START;
    for n in 0..40 {
        kept.push(put(&log, n));
        if log.state() == State::Failed {
            assert!(!has_failed, "{told}: one call fails");
            has_failed = true;
            assert_eq!(refused(&log, Change::Removes), Some(Reason::Failed));
            let last = kept.last().expect("one").end;
            let durable = log.counts().durable;
            assert!(durable >= last || !is_reached(&log, last), "{told}");
            let mut dice = Dice(call as u64);
            judge(&faulty, &log, &kept, &mut dice, &told);
            let position = found_anew(&log);
            snapshot = position.unwrap_or_else(|| panic!("{told}: not founded anew"));
            assert_eq!(snapshot, last, "{told}");
        }
        let last = kept.last().expect("one").end;
        assert!(is_reached(&log, last), "{told}, entry {n}");
    }
    log.close().expect(&told);
    let (read, found) = entries(&*faulty.storage(), snapshot).expect(&told);
    let rest = kept.partition_point(|entry| entry.end <= snapshot);
    assert_eq!(
        (&read[..], found.ending),
        (&kept[rest..], Ending::Closed),
        "{told}"
    );
    has_failed
}

/// Whatever happens now, before or while it is founded anew: what is acknowledged is there.
fn judge(faulty: &Faulty, log: &Log, kept: &[Kept], dice: &mut Dice, told: &str) {
    let promised = promised(log, kept).map_or(Position::START, |entry| entry.end);
    for end in [End::Kill, End::PowerLoss, End::PowerLoss] {
        let left = faulty.after(end, dice);
        let (read, found) = entries(&*left.storage(), Position::START).expect(told);
        assert!(kept.starts_with(&read), "{told}, {end:?}");
        assert!(found.end >= promised, "{told}, {end:?}");
    }
}

#[test]
fn a_crash_while_the_files_are_founded_anew_leaves_what_was_acknowledged() {
    let prepared = |level| {
        let faulty = Faulty::new(9);
        let (_, log) = open(&faulty.storage(), options(level)).expect("a journal");
        let mut kept: Vec<_> = (0..9).map(|n| put(&log, n)).collect();
        faulty.trouble(faulty.calls().len(), Trouble::Fails(ErrorKind::Other));
        kept.push(put(&log, 9));
        assert_eq!(log.state(), State::Failed);
        (faulty, log, kept)
    };
    // What a snapshot does not hold yet is written on, and not acknowledged.
    let refound = |log: &Log, kept: &mut Vec<Kept>| {
        log.refound().ok()?;
        kept.extend((10..14).map(|n| put(log, n)));
        assert!(!is_reached(log, kept[10].end), "before the snapshot");
        Some(())
    };
    for level in [Level::Power, Level::Process] {
        let (faulty, log, mut kept) = prepared(level);
        let before = faulty.calls().len();
        refound(&log, &mut kept).expect("founded anew");
        for call in before..faulty.calls().len() {
            let (faulty, log, mut kept) = prepared(level);
            faulty.trouble(call, Trouble::Crash);
            refound(&log, &mut kept);
            let told = format!("{level:?}, crash at {call}");
            for seed in 0..20 {
                judge(&faulty, &log, &kept, &mut Dice(seed), &told);
            }
        }
    }
}

#[test]
fn a_disk_that_does_not_keep_up_is_told_to_those_who_wait() {
    let faulty = Faulty::new(1);
    let mut sizes = options(Level::Power);
    sizes.patience = std::time::Duration::ZERO;
    let (_, log) = open(&faulty.storage(), sizes).expect("a journal");
    let entry = append(&log, 1, 1, b"one");
    log.commit();
    log.watch();
    assert_eq!(refused(&log, Change::Removes), None, "nobody waits");
    assert!(!is_reached(&log, entry.end));
    log.watch();
    assert_eq!(refused(&log, Change::Removes), Some(Reason::Stalled));
    let told = log.poll_reached(entry.end, std::task::Waker::noop());
    assert!(matches!(told, std::task::Poll::Ready(Err(why)) if why.reason == Reason::Stalled));
    log.step();
    assert_eq!(refused(&log, Change::Adds), None);
    assert!(is_reached(&log, entry.end));
    for n in 0..100 {
        append(&log, 1, n, &[0; 40]);
    }
    assert_eq!(
        refused(&log, Change::Removes),
        Some(Reason::Stalled),
        "too much waits"
    );
    log.step();
    log.step();
    assert_eq!(refused(&log, Change::Removes), None);
}

#[test]
fn a_closed_journal_promises_nothing_more() {
    let faulty = Faulty::new(1);
    let (_, log) = open(&faulty.storage(), options(Level::Process)).expect("a journal");
    let entry = append(&log, 1, 1, b"one");
    log.close().expect("closed");
    assert!(is_reached(&log, entry.end));
    let late = append(&log, 1, 1, b"late");
    log.commit();
    log.step();
    assert!(!is_reached(&log, late.end));
    assert_eq!(refused(&log, Change::Removes), Some(Reason::Closed));
    log.rotate().expect_err("closed");
    let (read, _) = entries(&*faulty.storage(), Position::START).expect("a journal");
    assert_eq!(read, [entry]);
}

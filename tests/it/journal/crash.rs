//! A crash at every call of random workloads: what is read back is a prefix of what was appended, and has all that was
//! promised; and the journal goes on from there, and crashes again.

use std::sync::Arc;

use parking_lot::Mutex;
use quotagate::journal::{Level, Log, Position, SetId, read};

use super::dice::Dice;
use super::faulty::{End, Faulty, Trouble};
use super::{Kept, append, is_reached, options};

/// What must be true of the files, whatever happens.
#[derive(Clone, Debug)]
struct Truth {
    /// All that was ever appended, and not undone by a crash.
    appended: Vec<Kept>,
    /// Where the snapshot that replay begins from was made.
    snapshot: Position,
    /// What a level has promised, for each way to end.
    promised: [Position; 2],
}

impl Truth {
    fn promise(&mut self, end: End, position: Position) {
        let promised = &mut self.promised[end as usize];
        *promised = position.max(*promised);
    }

    /// A loss of power takes what was promised for the end of a process alone.
    fn ended(&mut self, end: End) {
        if end == End::PowerLoss {
            self.promised = [self.promised[End::PowerLoss as usize]; 2];
        }
    }

    /// Notes what may be answered now.
    fn observe(&mut self, log: &Log, level: Level) {
        let counts = log.counts();
        self.promise(End::PowerLoss, counts.durable);
        self.promise(End::Kill, counts.durable);
        if level == Level::Memory {
            return;
        }
        let known = self.promised[End::Kill as usize];
        let later = self.appended.iter().filter(|entry| entry.end > known);
        let reached = later.take_while(|entry| is_reached(log, entry.end));
        if let Some(reached) = reached.last().map(|entry| entry.end) {
            self.promise(End::Kill, reached);
            if level == Level::Power {
                self.promise(End::PowerLoss, reached);
            }
        }
    }
}

/// Reads the files, judges them, and opens the journal. An error is a failure of the disk.
fn recover(faulty: &Faulty, truth: &mut Truth, level: Level, end: End, told: &str) -> Option<Log> {
    let storage = faulty.storage();
    let mut kept = Vec::new();
    let mut found = read(
        &*storage,
        truth.snapshot,
        None,
        &mut |entry| {
            kept.push(Kept {
                app: entry.app.get(),
                at: entry.at,
                end: entry.end,
                records: entry.records.to_vec(),
            });
            Ok(())
        },
        &mut |_, _| {},
    );
    if faulty.has_crashed() {
        return None;
    }
    let found = found
        .as_mut()
        .unwrap_or_else(|error| panic!("{told}: {error}"));
    found.set.get_or_insert(SetId::new(7));
    let before = |entry: &Kept| entry.end <= truth.snapshot;
    let replayed = truth.appended.partition_point(before);
    let expected = &truth.appended[replayed..];
    assert!(
        expected.starts_with(&kept),
        "{told}: what is read was not appended"
    );
    let promised = truth.promised[end as usize];
    assert!(
        found.end >= promised,
        "{told}: {:?} was promised, {:?} is there",
        promised,
        found.end
    );
    truth.appended.truncate(replayed + kept.len());
    // All that was read counts as durable once the journal is open.
    let log = Log::open(storage, found, options(level)).ok()?;
    truth.promised = [found.end; 2];
    Some(log)
}

/// Works with the journal until it is done, or the storage has crashed.
fn work(log: &Arc<Log>, faulty: &Faulty, truth: &mut Truth, level: Level, dice: &mut Dice) {
    let turns = 25 + dice.below(20);
    for turn in 0..turns {
        if faulty.has_crashed() {
            return;
        }
        // While the log syncs, others append and commit.
        let others = Arc::new(Mutex::new(Vec::new()));
        if dice.one_in(2) {
            let (log, kept) = (Arc::clone(log), Arc::clone(&others));
            let mut dice = dice.clone();
            let late = 1_000_000;
            faulty.meanwhile(Some(Box::new(move || {
                let records = vec![dice.roll().to_le_bytes()[0]; dice.below(90)];
                kept.lock().push(append(&log, 9, late, &records));
                log.commit();
            })));
        }
        match dice.below(12) {
            0..=6 => {
                for _ in 0..=dice.below(3) {
                    let records = vec![dice.roll().to_le_bytes()[0]; dice.below(90)];
                    let ms = i64::try_from(dice.below(1_000_000)).expect("small");
                    let ms = ms.max(truth.appended.last().map_or(0, |last| last.at.as_unix_ms()));
                    let app = 1 + u32::try_from(dice.below(5)).expect("small");
                    truth.appended.push(append(log, app, ms, &records));
                }
                log.commit();
            }
            7..=9 => log.step(),
            10 => {
                if let Ok(position) = log.rotate() {
                    truth.promise(End::Kill, position);
                    truth.promise(End::PowerLoss, position);
                    truth.snapshot = position;
                    if dice.one_in(3) {
                        let _ = log.forget_before(position);
                    }
                }
            }
            _ if turn + 1 == turns && dice.one_in(2) => {
                if log.close().is_ok() {
                    let all = log.counts().written;
                    truth.promise(End::Kill, all);
                    truth.promise(End::PowerLoss, all);
                }
                truth.appended.append(&mut others.lock());
                faulty.meanwhile(None);
                return;
            }
            _ => log.commit(),
        }
        faulty.meanwhile(None);
        truth.appended.append(&mut others.lock());
        truth.observe(log, level);
    }
}

/// A run from files on, with a crash at a call.
fn run(
    faulty: &Faulty,
    mut truth: Truth,
    level: Level,
    (seed, crash): (u64, Option<usize>),
    (end, told): (End, &str),
) -> Truth {
    if let Some(call) = crash {
        faulty.trouble(call, Trouble::Crash);
    }
    if let Some(log) = recover(faulty, &mut truth, level, end, told) {
        work(&Arc::new(log), faulty, &mut truth, level, &mut Dice(seed));
    }
    truth
}

const EMPTY: Truth = Truth {
    appended: Vec::new(),
    snapshot: Position::START,
    promised: [Position::START; 2],
};

#[test]
fn after_a_crash_at_any_call_all_that_was_promised_is_there_and_nothing_else() {
    let seeds = std::env::var("CRASH_SEEDS")
        .ok()
        .and_then(|it| it.parse().ok());
    let mut crashes = 0;
    for seed in 0..seeds.unwrap_or(4) {
        for level in Level::ALL {
            let whole = Faulty::new(seed);
            run(&whole, EMPTY, level, (seed, None), (End::Kill, "at first"));
            for call in 0..whole.calls().len() {
                crashes += crash_and_go_on(seed, level, call);
            }
        }
    }
    assert!(crashes > 3_000, "{crashes}");
}

fn crash_and_go_on(seed: u64, level: Level, call: usize) -> usize {
    let first = Faulty::new(seed);
    let told = format!("seed {seed}, {level:?}, crash at {call}");
    let truth = run(&first, EMPTY, level, (seed, Some(call)), (End::Kill, &told));
    let mut dice = Dice(seed ^ (call as u64) << 20);
    let ends = [End::Kill, End::PowerLoss, End::PowerLoss, End::PowerLoss];
    for (n, end) in ends.into_iter().enumerate() {
        // Three more lives, each ended by a crash or, the last one, not.
        let (mut files, mut truth, mut end) = (first.after(end, &mut dice), truth.clone(), end);
        truth.ended(end);
        for life in 0..3 {
            let told = format!("{told}, {end:?} {n}, life {life}");
            let again = (life < 2).then(|| dice.below(90));
            truth = run(&files, truth, level, (dice.roll(), again), (end, &told));
            end = if dice.one_in(2) {
                End::Kill
            } else {
                End::PowerLoss
            };
            files = files.after(end, &mut dice);
            truth.ended(end);
        }
        let told = format!("{told}, {end:?} {n}, at last");
        recover(&files, &mut truth, level, end, &told).expect("no more trouble");
    }
    ends.len()
}

#[test]
fn the_storage_of_these_tests_loses_and_keeps_what_it_should() {
    use quotagate::journal::Storage as _;
    let faulty = Faulty::new(1);
    let file = faulty.create("a").expect("a file");
    file.write_at(0, b"synced").expect("written");
    file.sync().expect("synced");
    faulty.sync_dir().expect("synced");
    file.write_at(6, b" and not").expect("written");
    faulty.rename("a", "b").expect("renamed");
    let mut dice = Dice(3);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2_000 {
        let left = faulty.after(End::PowerLoss, &mut dice);
        let names: Vec<_> = left
            .list()
            .expect("listed")
            .into_iter()
            .map(|it| it.name)
            .collect();
        let content = left.content(&names[0]);
        assert!(content.starts_with(b"synced"));
        seen.insert((names, content.len()));
    }
    assert_eq!(seen.len(), 2 * 9, "both names, every length");
    let killed = faulty.after(End::Kill, &mut dice);
    assert_eq!(killed.content("b"), b"synced and not");
}

//! How much of the disk is taken while users and groups come and go, friends and members too.
//!
//! Looked at every 20 ms is the room that all files of the directory have on the disk, beside the snapshot in force.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quotagate::admission::{Mode, Request};
use quotagate::gateway::{Commit, Gateway};
use quotagate::journal::{Level, Options};

use crate::Bench;
use crate::common::{self, Id, Random, app, group, user};
use crate::report::{Report, Samples, Target};
use crate::state::{self, Opened, task, tell};

const MIB: f64 = 1_048_576.0;
pub const CHURN: &str = "come-and-go";

impl Bench {
    /// The most that the disk has held, as parts of the snapshot.
    pub fn churn(&self, report: &mut Report) {
        let dir = tempfile::tempdir().expect("a directory");
        let (users, seconds) = self.churn;
        // Both in one number.
        let task = users * 1_000 + seconds;
        let told = state::run(CHURN, task, dir.path());
        let mib = |name| told.get(name) / MIB;
        println!(
            "{:.0} million changes of {users} users in {seconds} s, {:.0} MiB of journal, {} snapshots, the last of {:.0} MiB; at most {:.0} MiB \
             on the disk, {:.0} MiB at the end; {:.0} MiB resident before, {:.0} after",
            told.get("changes") / 1e6,
            mib("journal"),
            told.get("snapshots"),
            mib("snapshot"),
            mib("disk most"),
            mib("disk last"),
            mib("resident before"),
            mib("resident"),
        );
        let name = "churn: bytes on the disk less a segment, at most, by those of the snapshot";
        let most = Samples::of(told.get("most"));
        report.alone(name, &most, Target::AtMost(3.0));
    }
}

/// In the child.
pub fn run() {
    let (number, dir) = task();
    let (users, seconds) = (number / 1_000, number % 1_000);
    let opened = state::open(&dir, Level::Process, 32 << 20);
    let Opened {
        gateway, catalog, ..
    } = &opened;
    let groups = common::fill_users(gateway, catalog, app(1), users);
    common::fill_memberships(gateway, app(1), users, groups, users * 10);
    gateway.take_snapshot().expect("a disk");
    tell("resident before", common::resident() as f64);
    let is_over = AtomicBool::new(false);
    let start = Instant::now();
    let changes = thread::scope(|scope| {
        let looking = scope.spawn(|| look(&dir, &is_over));
        let mut random = Random(0x2545_F491);
        let mut changes = 0;
        while start.elapsed() < Duration::from_secs(seconds) {
            changes += come_and_go(gateway, &mut random, users, groups);
        }
        is_over.store(true, Ordering::Relaxed);
        let (most, disk) = looking.join().expect("no panic");
        tell("most", most);
        tell("disk most", disk as f64);
        changes
    });
    let log = gateway.log().expect("a journal");
    let snapshots = gateway.snapshots();
    tell("changes", changes as f64);
    tell("journal", log.position().get() as f64);
    tell("snapshots", snapshots.taken as f64);
    tell("snapshot", snapshots.last.map_or(0, |it| it.bytes) as f64);
    tell("resident", common::resident() as f64);
    opened.keeper.close().expect("a disk");
    let (last, _) = taken(&dir);
    tell("disk last", last as f64);
    std::process::exit(0);
}

/// Some batches of all kinds of changes; how many changes.
fn come_and_go(gateway: &Gateway, random: &mut Random, users: u64, groups: u64) -> u64 {
    let mut pairs = || {
        let pairs = (0..128).map(|_| (user(random.below(users)), user(random.below(users))));
        pairs.collect::<Vec<(Id, Id)>>()
    };
    let (going, friends) = (pairs(), pairs());
    let joined: Vec<(Id, Id)> = going
        .iter()
        .map(|(user, _)| (group(random.below(groups)), *user))
        .collect();
    let batches: [Vec<Request<'_>>; 6] = [
        going.iter().map(|(user, _)| common::delete(user)).collect(),
        going
            .iter()
            .map(|(user, _)| common::register(user))
            .collect(),
        joined
            .iter()
            .map(|(group, user)| common::join(group, user))
            .collect(),
        joined
            .iter()
            .map(|(group, user)| common::leave(group, user))
            .collect(),
        friends
            .iter()
            .filter_map(|(user, friend)| common::befriend(user, friend))
            .collect(),
        friends
            .iter()
            .map(|(user, friend)| common::unfriend(user, friend))
            .collect(),
    ];
    let mut changes = 0;
    for batch in &batches {
        let answer = gateway.admit_batch(app(1), batch, Mode::Enforce, Commit::Each, common::NOW);
        gateway.commit();
        changes += answer.decisions.iter().filter(|it| it.changed).count() as u64;
    }
    changes
}

/// Looks until it is over: the most that the disk has held beyond a segment, by the snapshot, and in bytes.
fn look(dir: &Path, is_over: &AtomicBool) -> (f64, u64) {
    let segment = Options::default().segment_bytes;
    let (mut most, mut disk) = (0.0_f64, 0);
    while !is_over.load(Ordering::Relaxed) {
        let (all, snapshot) = taken(dir);
        if snapshot > 0 {
            most = most.max(all.saturating_sub(segment) as f64 / snapshot as f64);
        }
        disk = disk.max(all);
        thread::sleep(Duration::from_millis(20));
    }
    (most, disk)
}

/// The room that files have on the disk, and how long the snapshot in force is.
fn taken(dir: &Path) -> (u64, u64) {
    let (mut all, mut snapshots) = (0, Vec::new());
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        // A file may have gone meanwhile.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        all += metadata.blocks() * 512;
        let name = entry.file_name().into_string().expect("text");
        let whole = name.strip_prefix("snapshot-");
        if let Some(base) = whole.and_then(|rest| rest.strip_suffix(".qgs")) {
            snapshots.push((base.to_owned(), metadata.len()));
        }
    }
    (
        all,
        snapshots.into_iter().max().map_or(0, |(_, bytes)| bytes),
    )
}

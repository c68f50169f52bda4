//! Gateways with files, in processes of their own: the large state is built, and opened again.
//!
//! A child gets the part that it runs, a number of users and a directory, and tells what it measured in lines of a name and
//! a number.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quotagate::catalog::Catalog;
use quotagate::gateway::Gateway;
use quotagate::id::IdKey;
use quotagate::journal::{Directory, Level, Options};
use quotagate::recovery::{Summary, recover};
use quotagate::server::Keeper;
use rustix::fs::Advice;

use crate::common::{self, Random, app};
use crate::{churn, restart, stall};

pub const BUILD: &str = "build-state";
/// Of a hundred friendships, those that are made before the snapshot: the journal after it is then half as long as it.
const BEFORE_SNAPSHOT: u64 = 46;

/// What a child has told.
pub struct Told(HashMap<String, f64>);

/// A gateway that keeps files.
pub struct Opened {
    pub gateway: Arc<Gateway>,
    pub catalog: Arc<Catalog>,
    pub summary: Summary,
    pub keeper: Keeper,
}

/// The part that this process is to run, if it is a child.
pub fn part() -> Option<fn()> {
    let parts: [(&str, fn()); 4] = [
        (BUILD, build),
        (restart::RECOVER, restart::recover),
        (stall::ADMIT, stall::admit),
        (churn::CHURN, churn::run),
    ];
    let part = parts.into_iter().find(|(name, _)| common::is_part(name));
    part.map(|(_, run)| run)
}

/// Runs a part in a child.
pub fn run(part: &str, users: u64, dir: &Path) -> Told {
    let told = common::in_child_with(part, users, &[dir.as_os_str()]);
    let told = String::from_utf8(told).expect("text");
    let pairs = told.lines().filter_map(|line| {
        let (name, number) = line.rsplit_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    Told(pairs.collect())
}

impl Told {
    pub fn get(&self, name: &str) -> f64 {
        *self.0.get(name).expect("a part tells all that it measures")
    }
}

/// Tells the parent.
pub fn tell(name: &str, number: f64) {
    println!("{name} {number}");
}

/// A child's number of users, and its directory.
pub fn task() -> (u64, PathBuf) {
    let users = *common::numbers().first().expect("a number of users");
    let dir = std::env::args_os().next_back().expect("a directory");
    (users, dir.into())
}

/// Opens a directory, and keeps its files; a snapshot is due at so many bytes of journal.
pub fn open(dir: &Path, level: Level, snapshot_bytes: u64) -> Opened {
    let terms = common::open_terms();
    let catalog = Arc::clone(&terms.catalog);
    let today = terms.zone.day(common::NOW);
    let options = Options {
        level,
        ..Options::default()
    };
    let storage = Arc::new(Directory::new(dir));
    let recovered = recover(storage, options, &|_| Some(today), &mut |_| {}).expect("good files");
    let summary = recovered.summary().clone();
    let id_key = IdKey::new(*b"a key for bench.");
    let gateway = Arc::new(Gateway::durable(terms, id_key, recovered));
    common::create_app(&gateway, app(1));
    let keeper = Keeper::start(&gateway, snapshot_bytes).expect("threads");
    Opened {
        gateway,
        catalog,
        summary,
        keeper: keeper.expect("a gateway with files"),
    }
}

/// Builds the large state: users, a group for ten, ten memberships each, ten friend entries each; within the last a snapshot.
fn build() {
    let (users, dir) = task();
    let opened = open(&dir, Level::Memory, u64::MAX);
    let Opened {
        gateway, catalog, ..
    } = &opened;
    let groups = common::fill_users(gateway, catalog, app(1), users);
    common::fill_memberships(gateway, app(1), users, groups, users * 10);
    let friendships = users * 5;
    let before = friendships * BEFORE_SNAPSHOT / 100;
    let mut random = Random(6_364_136_223_846_793_005);
    common::befriend_randomly(gateway, app(1), users, before, &mut random);
    let taken = gateway.take_snapshot().expect("a disk");
    common::befriend_randomly(gateway, app(1), users, friendships - before, &mut random);
    let log = gateway.log().expect("a journal");
    let taken = taken.expect("a gateway with files");
    tell("resident", common::resident() as f64);
    tell("snapshot", taken.bytes as f64);
    tell("journal", (log.position().get() - taken.base.get()) as f64);
    // All is written, and then the process is gone.
    while log.counts().durable < log.position() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::process::exit(0);
}

/// Has the kernel forget what it holds of a directory's files, all of which are on the disk.
pub fn chill(dir: &Path) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let file = File::open(entry.expect("a file").path()).expect("a file");
        file.sync_all().expect("a disk");
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).expect("Linux");
    }
}

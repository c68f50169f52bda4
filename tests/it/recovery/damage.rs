//! Damage to each bit and each length of every file of a small directory: a start is refused, says which file, and changes
//! nothing; or what is recovered was, and nothing is missing that the journal itself says was durable.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use quotagate::admission::Mode;
use quotagate::journal::{Directory, Ending, Level, Position};
use tempfile::TempDir;

use super::world::{World, log, recovered};
use crate::journal::dice::Dice;
use crate::journal::faulty::{End, Faulty};
use crate::journal::names as names_of_segments;
use crate::support::{MORNING, app, at, register};

type Files = BTreeMap<String, Vec<u8>>;

/// A directory that was worked with, and what it must be.
struct Made {
    home: TempDir,
    files: Files,
    world: World,
}

/// What became of a start.
enum Start {
    Refused(String),
    At(Position, Ending),
}

fn is_segment(name: &str) -> bool {
    name.starts_with("journal-")
}

fn read(dir: &Path) -> Files {
    let entries = fs::read_dir(dir).expect("a directory");
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("a name");
        (name, fs::read(entry.path()).expect("readable"))
    };
    entries
        .map(|entry| file(entry.expect("an entry")))
        .collect()
}

/// Where syncing costs nothing, if there is such a place.
fn home() -> TempDir {
    TempDir::new_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .expect("a directory")
}

/// A snapshot and several segments after it, each entry durable before the next; closed, or as a crash leaves it.
fn made(is_closed: bool) -> Made {
    let home = home();
    let storage = Arc::new(Directory::new(home.path()));
    let mut world = World::new(11);
    let recovered = recovered(storage, Level::Power).expect("a new directory");
    let gateway = world.gateway(recovered);
    for turn in 0..60 {
        world.admit_something(&gateway);
        log(&gateway).step();
        if turn == 10 {
            gateway.take_snapshot().expect("a snapshot");
        }
    }
    if is_closed {
        log(&gateway).close().expect("closed");
    }
    drop(gateway);
    // Room without a meaning.
    let _ = fs::remove_file(home.path().join("journal-next.tmp"));
    let files = read(home.path());
    assert!(files.len() >= 4, "{:?}", files.keys());
    world.forget_acknowledged();
    Made { home, files, world }
}

impl Made {
    fn last(&self) -> &str {
        let mut segments = self.files.keys().filter(|name| is_segment(name));
        segments.next_back().expect("a segment")
    }

    /// Starts with one file as given, or without it; the directory is as it was after that.
    fn start(&self, name: &str, content: Option<&[u8]>, told: &str) -> Start {
        let path = self.home.path();
        match content {
            Some(content) => fs::write(path.join(name), content).expect("written"),
            None => fs::remove_file(path.join(name)).expect("removed"),
        }
        let start = self.started(name, content, told);
        if matches!(start, Start::At(..)) {
            for name in read(path).keys() {
                fs::remove_file(path.join(name)).expect("removed");
            }
            for (name, content) in &self.files {
                fs::write(path.join(name), content).expect("written");
            }
        } else {
            fs::write(path.join(name), &self.files[name]).expect("written");
        }
        start
    }

    fn started(&self, name: &str, content: Option<&[u8]>, told: &str) -> Start {
        let storage = Arc::new(Directory::new(self.home.path()));
        match recovered(storage, Level::Power) {
            Err(error) => {
                let mut left = self.files.clone();
                match content {
                    Some(content) => left.insert(name.to_owned(), content.to_vec()),
                    None => left.remove(name),
                };
                assert!(
                    read(self.home.path()) == left,
                    "{told}: refused, and changed"
                );
                Start::Refused(error.to_string())
            }
            Ok(recovered) => {
                let ending = recovered.summary().ending.clone();
                let mut world = self.world.clone();
                let gateway = world.gateway(recovered);
                let reached = world.judge(&gateway, End::Kill, told);
                Start::At(reached, ending)
            }
        }
    }

    /// Starts with a file damaged, at a byte. It may only lose what the last frame of all has.
    fn flipped(&self, name: &str, byte: usize, bit: u32) -> bool {
        let mut content = self.files[name].clone();
        content[byte] ^= 1 << bit;
        let told = format!("{name}, byte {byte}, bit {bit}");
        let all = self.world.position();
        match self.start(name, Some(&content), &told) {
            Start::Refused(said) => {
                assert!(said.starts_with(name), "{told}: {said}");
                true
            }
            Start::At(reached, _) if reached == all => false,
            Start::At(reached, ending) => {
                assert_eq!(name, self.last(), "{told}");
                assert!(matches!(ending, Ending::Torn(_)), "{told}: not told");
                assert_eq!(reached, self.world.before(all), "{told}");
                false
            }
        }
    }
}

#[test]
fn every_bit_that_is_flipped_in_a_closed_directory_is_refused_or_harmless() {
    let made = made(true);
    let mut taken = 0;
    for (name, content) in &made.files {
        for byte in 0..content.len() {
            for bit in 0..8 {
                taken += usize::from(!made.flipped(name, byte, bit));
            }
        }
    }
    // The closing frames, whose segments are followed by the next or by nothing.
    let is_segment = |name: &&String| name.starts_with("journal-");
    let closing = made.files.keys().filter(is_segment).count() * 24;
    assert!(made.files.keys().any(|name| name.starts_with("names-")));
    assert_eq!(taken, closing * 8, "harmless flips");
}

#[test]
fn every_byte_that_is_changed_in_a_directory_left_by_a_crash_is_refused_or_a_torn_tail() {
    let made = made(false);
    for (name, content) in &made.files {
        for byte in 0..content.len() {
            made.flipped(name, byte, u32::try_from(byte % 8).expect("small"));
        }
    }
}

#[test]
fn a_file_that_is_cut_is_refused_or_a_torn_tail() {
    for is_closed in [true, false] {
        let made = made(is_closed);
        let all = made.world.position();
        let mut torn = 0;
        for (name, content) in &made.files {
            for length in 0..content.len() {
                let told = format!("{name} of {length} bytes");
                match made.start(name, Some(&content[..length]), &told) {
                    Start::Refused(said) => assert!(said.starts_with(name), "{told}: {said}"),
                    Start::At(reached, _) if reached == all => {}
                    Start::At(..) => {
                        assert_eq!(name, made.last(), "{told}");
                        torn += 1;
                    }
                }
            }
        }
        assert!(torn > 100, "{torn} of the last segment");
    }
}

#[test]
fn a_file_that_is_missing_empty_or_another_is_refused() {
    let made = made(true);
    for (name, content) in &made.files {
        let is_last = name == made.last();
        for left in [None, Some(&[][..])] {
            match made.start(name, left, name) {
                // What lies behind the last segment's beginning cannot be told from what never was.
                Start::At(reached, _) => assert!(is_last && reached < made.world.position()),
                Start::Refused(said) => {
                    assert!(!is_last && said.contains(".qg"), "{name}: {said}");
                }
            }
        }
        for (other, theirs) in &made.files {
            if other == name || theirs == content {
                continue;
            }
            match made.start(name, Some(theirs), &format!("{name} is {other}")) {
                Start::Refused(said) => {
                    assert!(said.starts_with(name), "{name} is {other}: {said}");
                }
                // A beginning that is none is a torn one, in the last segment alone.
                Start::At(_, ending) => {
                    assert!(
                        is_last && matches!(ending, Ending::Torn(_)),
                        "{name} is {other}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_journal_that_lacks_what_a_snapshot_has_seen_is_refused() {
    let faulty = Faulty::new(1);
    let opened = recovered(faulty.storage(), Level::Process).expect("a new directory");
    let gateway = Arc::new(World::new(1).gateway(opened));
    let others = Arc::clone(&gateway);
    let mut names = (0..).map(|n: u32| format!("u{n}"));
    faulty.throughout(Box::new(move || {
        let name = names.next().expect("endless");
        others.admit(app(2), &register(&name), Mode::Enforce, at(MORNING));
    }));
    gateway.take_snapshot().expect("a snapshot");
    faulty.meanwhile(None);
    let left = faulty.after(End::Kill, &mut Dice(1));
    assert!(recovered(left.storage(), Level::Process).is_ok());
    let left = faulty.after(End::Kill, &mut Dice(1));
    let segments = names_of_segments(&*left.storage());
    let last = segments.last().expect("a segment");
    left.put(last, &left.content(last)[..64]);
    let refused = recovered(left.storage(), Level::Process).err();
    let said = refused.expect("it lacks entries").to_string();
    let reason = "the snapshot was taken when all was durable up to";
    assert!(
        said.starts_with(last.as_str()) && said.contains(reason),
        "{said}"
    );
}

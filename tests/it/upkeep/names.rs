//! The names of users and groups, which memory does not hold: through snapshots, deletions, slots used again, and restarts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use quotagate::time::Timestamp;
use tempfile::TempDir;

use super::{Kept, names, only};
use crate::support::{MORNING, at, catalog, create, delete_user, disband, login, register};

fn holds(dir: &Path, id: &str) -> bool {
    let bytes = fs::read(only(dir, ".qgn")).expect("it is there");
    bytes.windows(id.len()).any(|part| part == id.as_bytes())
}

#[test]
fn a_name_is_kept_as_long_as_the_logins_of_a_deleted_user() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let kept = Kept::open(&dir);
    let morning = at(MORNING);
    for id in ["tombstone-to-be", "gone-at-once", "stays"] {
        kept.allowed(1, &register(id), morning);
    }
    kept.allowed(1, &login("tombstone-to-be"), morning);
    kept.snapshot();
    assert!(holds(&dir, "tombstone-to-be") && holds(&dir, "gone-at-once"));
    kept.allowed(1, &delete_user("tombstone-to-be"), morning);
    kept.allowed(1, &delete_user("gone-at-once"), morning);
    kept.snapshot();
    assert!(holds(&dir, "tombstone-to-be") && holds(&dir, "stays"));
    assert!(!holds(&dir, "gone-at-once"));
    // Its logins are kept for 32 days, and cleared up while the app goes on.
    let later = Timestamp::from_unix_ms_saturating(morning.as_unix_ms() + 40 * 86_400_000);
    for _ in 0..1_000 {
        kept.allowed(1, &login("stays"), later);
    }
    kept.snapshot();
    assert!(!holds(&dir, "tombstone-to-be") && holds(&dir, "stays"));
    kept.close();
    assert_eq!(names(&dir, 1, &[]), ["stays"]);
    assert_eq!(names(&dir, 1, &["--groups"]), [""; 0]);
    assert_eq!(names(&dir, 3, &[]), [""; 0], "an app that is not there");
}

#[test]
fn names_are_those_of_whoever_is_there() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let (catalog, now) = (catalog(), at(MORNING));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    let (mut users, mut groups) = ([BTreeSet::new(), BTreeSet::new()], BTreeSet::new());
    users[0].insert("owner\\of\nall".to_owned());
    let mut kept = Kept::open(&dir);
    kept.allowed(1, &register("owner\\of\nall"), now);
    let mut restarts = 0;
    while restarts < 12 {
        let id = format!("id-{}", below(300));
        let place = usize::try_from(below(2)).expect("0 or 1");
        let number = u32::try_from(place + 1).expect("small");
        match below(100) {
            0..=49 => {
                kept.allowed(number, &register(&id), now);
                users[place].insert(id);
            }
            50..=59 if users[place].remove(&id) => kept.allowed(number, &delete_user(&id), now),
            60..=89 if !groups.contains(&id) => {
                let request = create(&catalog, &id, "Public", "owner\\of\nall", &[]);
                kept.allowed(1, &request, now);
                groups.insert(id);
            }
            90..=95 if groups.remove(&id) => kept.allowed(1, &disband(&id), now),
            96 => kept.snapshot(),
            97 if below(4) == 0 => {
                kept.close();
                restarts += 1;
                for (place, users) in users.iter().enumerate() {
                    let number = u32::try_from(place + 1).expect("small");
                    let escaped = users.iter().map(|id| id.replace('\\', "\\\\"));
                    let mut expected: Vec<_> = escaped.map(|id| id.replace('\n', "\\n")).collect();
                    expected.sort();
                    assert_eq!(names(&dir, number, &[]), expected, "restart {restarts}");
                }
                let expected: Vec<_> = groups.iter().cloned().collect();
                assert_eq!(names(&dir, 1, &["--groups"]), expected);
                kept = Kept::open(&dir);
            }
            _ => {}
        }
    }
    kept.close();
    assert!(users[0].len() > 50 && groups.len() > 50, "they are many");
}

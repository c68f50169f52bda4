//! Threads that append and commit at once: each entry is there, each thread's in its order, and none is answered too early.

use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use quotagate::journal::{Directory, Level, Log, Position, Scribe, Storage};

use super::{append, entries, open, options};

const THREADS: u32 = 4;
const ENTRIES: i64 = 1_500;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits as a task would.
fn wait(log: &Log, position: Position) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let context = Context::from_waker(&waker);
    loop {
        match log.poll_reached(position, context.waker()) {
            Poll::Ready(answer) => return answer.expect("reached"),
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn what_threads_append_is_there_in_order() {
    for level in Level::ALL {
        let dir = tempfile::tempdir().expect("a directory");
        let storage: Arc<dyn Storage> = Arc::new(Directory::new(dir.path()));
        let mut sizes = options(level);
        sizes.segment_bytes = 64 * 1024;
        sizes.ahead_bytes = 16 * 1024;
        let (_, log) = open(&storage, sizes).expect("a journal");
        let log = Arc::new(log);
        let scribe = Scribe::start(&log).expect("a thread");
        let (told, rotated) = mpsc::channel();
        thread::scope(|scope| {
            for app in 1..=THREADS {
                let (log, told) = (&log, told.clone());
                scope.spawn(move || {
                    // At level power a sync is as long as a hundred writes.
                    let many = if level == Level::Power {
                        ENTRIES / 5
                    } else {
                        ENTRIES
                    };
                    for n in 0..many {
                        let entry = append(log, app, n, &n.to_le_bytes().repeat(6));
                        log.commit();
                        wait(log, entry.end);
                        let counts = log.counts();
                        assert!(level != Level::Process || counts.written >= entry.end);
                        assert!(level != Level::Power || counts.durable >= entry.end);
                        if n % 400 == 399 {
                            let position = log.rotate().expect("a new segment");
                            assert!(position >= entry.end);
                            told.send(position).expect("received");
                        }
                    }
                });
            }
        });
        drop(told);
        scribe.close().expect("closed");
        let (kept, found) = entries(&*storage, Position::START).expect("a journal");
        let many = if level == Level::Power {
            ENTRIES / 5
        } else {
            ENTRIES
        };
        for app in 1..=THREADS {
            let of_app = kept.iter().filter(|entry| entry.app == app);
            let numbers = of_app
                .map(|entry| i64::from_le_bytes(*entry.records.first_chunk().expect("8 bytes")));
            assert!(numbers.eq(0..many), "{level:?}, app {app}");
        }
        assert!(kept.is_sorted_by_key(|entry| entry.at));
        let begins = |position| {
            found
                .segments
                .iter()
                .any(|(segment, _)| segment.first == position)
        };
        assert!(rotated.iter().all(begins));
    }
}

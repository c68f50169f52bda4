//! Logins and those who are told of them at the same time: in the end nobody is missing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tempfile::TempDir;

use super::{Subscriber, allowed, gateway_of, login_at, morning};
use crate::support::login;

const USERS: usize = 4_000;
const THREADS: usize = 2;

#[test]
fn whoever_is_told_while_users_log_in_misses_nobody() {
    let dir = TempDir::new().expect("a directory");
    let gateway = gateway_of(dir.path(), morning());
    let is_over = AtomicBool::new(false);
    let asked = thread::scope(|scope| {
        let log_in = |thread: usize| {
            for n in (0..USERS).filter(|n| n % THREADS == thread) {
                let id = format!("user-{n}");
                let yesterday = morning().plus_ms(-86_400_000);
                // Pauses as long as an ask, so that some asks find nothing new.
                if n % 64 == thread {
                    gateway.commit();
                    thread::yield_now();
                }
                if n % 5 == 0 {
                    allowed(&gateway, 1, &login_at(&id, yesterday, morning()), morning());
                } else {
                    allowed(&gateway, 1, &login(&id), morning());
                }
            }
        };
        let asking = scope.spawn(|| {
            let (mut subscriber, mut asks) = (Subscriber::default(), 0);
            while !is_over.load(Ordering::Acquire) {
                subscriber.ask(&gateway, 1, morning());
                asks += 1;
            }
            subscriber.ask(&gateway, 1, morning());
            assert_eq!(subscriber.ask(&gateway, 1, morning()), 0, "all is told");
            (subscriber, asks)
        });
        let threads: Vec<_> = (0..THREADS)
            .map(|n| scope.spawn(move || log_in(n)))
            .collect();
        for thread in threads {
            thread.join().expect("it ends");
        }
        is_over.store(true, Ordering::Release);
        asking.join().expect("it ends")
    });
    let (subscriber, asks) = asked;
    assert!(asks > 3, "{asks}");
    assert_eq!(subscriber.users(), USERS as u64);
    let mut whole = Subscriber::default();
    whole.ask(&gateway, 1, morning());
    for (day, record) in whole.days {
        let told = subscriber.days[&day].sketch.as_ref().expect("wanted");
        let sketch = record.sketch.expect("wanted").to_bytes();
        assert_eq!(told.to_bytes(), sketch, "{day}");
    }
}

//! How long does one decision take, from ids to answer? Random cold keys; 1 thousand, 1 million, 10 million users.
//!
//! `cargo bench --bench quantiles [-- USERS...]`. Users have ten memberships each, there is a group for ten users. A sample is
//! a join by the gateway's `admit`: hashing both ids, finding the app, its lock, its limits, the decision, the change. The
//! cost of reading the clock is taken off. Medians of five rounds; two threads on one app and on two; batches of 128.
//! Transparent huge pages are off, as in the program; with `THP=1` in the environment they are as the system has them.

mod common;

use std::hint::black_box;
use std::time::Instant;

use common::{Id, Random, app, group, join, leave, median, nanos, quantiles, user};
use quotagate::admission::{Mode, Request};
use quotagate::gateway::{Commit, Gateway};

const ROUNDS: u64 = 5;
const SAMPLES: usize = 200_000;
const BATCH: usize = 128;

fn main() {
    common::settle_allocator();
    let sizes: Vec<u64> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let sizes = if sizes.is_empty() {
        vec![1_000, 1_000_000, 10_000_000]
    } else {
        sizes
    };
    let overhead = common::timer_overhead();
    println!(
        "{}; clock {overhead} ns, taken off each sample",
        common::allocator()
    );
    for users in sizes {
        let (gateway, catalog) = common::gateway();
        // The second app is for two threads; at 10 million users one is enough to show.
        let apps = if users > 1_000_000 { 1 } else { 2 };
        let mut groups = 0;
        for number in 1..=apps {
            common::create_app(&gateway, app(number));
            groups = common::fill_users(&gateway, &catalog, app(number), users);
            common::fill_memberships(&gateway, app(number), users, groups, users * 10);
        }
        println!(
            "-- {users} users, {groups} groups, {} memberships",
            users * 10
        );
        let bench = Bench {
            gateway: &gateway,
            users,
            groups,
            overhead,
        };
        rounds("one by one", |seed| bench.singles(1, seed));
        rounds("batches of 128, each", |seed| bench.batches(1, seed));
        rounds("2 threads, one app", |seed| bench.two_threads([1, 1], seed));
        if apps == 2 {
            rounds("2 threads, two apps", |seed| {
                bench.two_threads([1, 2], seed)
            });
        }
    }
}

fn rounds(name: &str, mut round: impl FnMut(u64) -> Vec<u32>) {
    let mut medians = Vec::new();
    let mut all = Vec::new();
    for seed in 1..=ROUNDS {
        let mut samples = round(seed * 7_919);
        medians.push(median(&mut samples));
        all.extend(samples);
    }
    let (low, high) = (medians.iter().min(), medians.iter().max());
    println!(
        "{name:24} {}; medians {low:?} to {high:?}",
        quantiles(&mut all)
    );
}

struct Bench<'a> {
    gateway: &'a Gateway,
    users: u64,
    groups: u64,
    overhead: u32,
}

impl Bench<'_> {
    fn pair(&self, random: &mut Random) -> (Id, Id) {
        (
            group(random.below(self.groups)),
            user(random.below(self.users)),
        )
    }

    /// Joins one by one; what was joined is left again, out of the sample.
    fn singles(&self, id: u32, seed: u64) -> Vec<u32> {
        let mut random = Random(seed);
        let mut samples = Vec::with_capacity(SAMPLES);
        for _ in 0..SAMPLES {
            let (group, user) = self.pair(&mut random);
            let request = join(&group, &user);
            let start = Instant::now();
            let answer =
                self.gateway
                    .admit(app(id), black_box(&request), Mode::Enforce, common::NOW);
            samples.push(nanos(start).saturating_sub(self.overhead));
            assert!(answer.decision.outcome.is_allowed());
            if answer.decision.changed {
                self.gateway
                    .admit(app(id), &leave(&group, &user), Mode::Enforce, common::NOW);
            }
        }
        samples
    }

    /// Joins in batches; a sample is a batch's time by its number of operations.
    fn batches(&self, id: u32, seed: u64) -> Vec<u32> {
        let mut random = Random(seed);
        let admit = |requests: &[Request<'_>]| {
            self.gateway
                .admit_batch(app(id), requests, Mode::Enforce, Commit::Each, common::NOW)
        };
        (0..SAMPLES / BATCH)
            .map(|_| {
                let pairs: Vec<(Id, Id)> = (0..BATCH).map(|_| self.pair(&mut random)).collect();
                let joins: Vec<Request<'_>> = pairs
                    .iter()
                    .map(|(group, user)| join(group, user))
                    .collect();
                let leaves: Vec<Request<'_>> = pairs
                    .iter()
                    .map(|(group, user)| leave(group, user))
                    .collect();
                let start = Instant::now();
                let answer = admit(black_box(&joins));
                let sample = nanos(start).saturating_sub(self.overhead);
                black_box(answer);
                admit(&leaves);
                sample / u32::try_from(BATCH).expect("small")
            })
            .collect()
    }

    fn two_threads(&self, apps: [u32; 2], seed: u64) -> Vec<u32> {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..)
                .zip(apps)
                .map(|(n, id)| scope.spawn(move || self.singles(id, seed + n * 104_729)))
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().expect("no panic"))
                .collect()
        })
    }
}

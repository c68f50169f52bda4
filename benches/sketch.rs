//! How far off are sketches, against the `hyperloglog` crate; do their bounds hold; what do they cost?
//!
//! `cargo bench --bench sketch [-- TRIALS]` (300; a tenth of them, at least 3, at a million users). Each trial has users of its
//! own, random 128-bit keys; both kinds count the same ones. Ours is measured twice: filled in one go, and merged from 24 parts
//! of which each user is in one to three. `hyperloglog` is asked for the error that we state, 0.81 %.

#![allow(
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    reason = "a bench may panic, and errors of estimates are fractions"
)]

mod common;

use std::hint::black_box;
use std::time::Instant;

use common::Random;
use hyperloglog::HyperLogLog;
use quotagate::sketch::Sketch;

const PARTS: usize = 24;

fn main() {
    let trials = common::numbers().first().copied().unwrap_or(300);
    println!(
        "{:>9} {:18} {:>8} {:>8} {:>9} {:>8}",
        "users", "", "RMSE %", "worst %", "covered", "bytes"
    );
    for users in [10, 100, 1_000, 10_000, 100_000, 1_000_000] {
        let trials = if users < 1_000_000 {
            trials
        } else {
            (trials / 10).max(3)
        };
        let mut rows = [
            Errors::new("one go"),
            Errors::new("merged of 24"),
            Errors::new("hyperloglog"),
        ];
        for trial in 1..=trials {
            one_trial(users, trial * 7_919 + users, &mut rows);
        }
        for row in &rows {
            row.print(users);
        }
    }
    costs();
}

fn key(random: &mut Random) -> u128 {
    let mut half = || u128::from(random.below(u64::MAX));
    half() << 64 | half()
}

fn one_trial(users: u64, seed: u64, [whole, merged, other]: &mut [Errors; 3]) {
    let mut random = Random(seed);
    let mut ours = Sketch::new();
    let mut parts = vec![Sketch::new(); PARTS];
    let mut theirs = HyperLogLog::new_deterministic(0.0081, seed.into());
    for _ in 0..users {
        let key = key(&mut random);
        ours.add(key);
        theirs.insert(&key);
        for _ in 0..=random.below(3) {
            let part = usize::try_from(random.below(24)).expect("small");
            parts[part].add(key);
        }
    }
    whole.add_sketch(&ours, users);
    merged.add_sketch(&Sketch::union(&parts), users);
    other.add(theirs.len(), users);
}

/// What came of the trials of one kind.
struct Errors {
    name: &'static str,
    trials: u32,
    squares: f64,
    worst: f64,
    covered: Option<u32>,
    bytes: usize,
}

impl Errors {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            trials: 0,
            squares: 0.0,
            worst: 0.0,
            covered: None,
            bytes: 0,
        }
    }

    fn add_sketch(&mut self, sketch: &Sketch, users: u64) {
        let count = sketch.count();
        let holds = (count.lower..=count.upper).contains(&users);
        self.covered = Some(self.covered.unwrap_or(0) + u32::from(holds));
        self.bytes = self.bytes.max(sketch.to_bytes().len());
        let estimate = u32::try_from(count.estimate).expect("small");
        self.add(f64::from(estimate), users);
    }

    fn add(&mut self, estimate: f64, users: u64) {
        let users = f64::from(u32::try_from(users).expect("small"));
        let error = (estimate - users) / users * 100.0;
        self.trials += 1;
        self.squares += error * error;
        self.worst = self.worst.max(error.abs());
    }

    fn print(&self, users: u64) {
        let error = (self.squares / f64::from(self.trials)).sqrt();
        let covered = self
            .covered
            .map_or_else(String::new, |covered| format!("{covered}/{}", self.trials));
        let bytes = if self.bytes == 0 {
            String::new()
        } else {
            self.bytes.to_string()
        };
        println!(
            "{users:>9} {:18} {error:>8.2} {:>8.2} {covered:>9} {bytes:>8}",
            self.name, self.worst
        );
    }
}

/// Medians of rounds, a million users each time.
fn costs() {
    const KEYS: u32 = 1_000_000;
    let keys: Vec<u128> = (0..KEYS)
        .map(|_| 0)
        .scan(Random(5), |random, _: u128| Some(key(random)))
        .collect();
    let per_key = |mut add: Box<dyn FnMut(u128)>| {
        let start = Instant::now();
        for key in &keys {
            add(black_box(*key));
        }
        start.elapsed() / KEYS
    };
    let median = |mut of: Vec<std::time::Duration>| {
        of.sort_unstable();
        of[of.len() / 2]
    };
    let ours = (0..9).map(|_| {
        let mut sketch = Sketch::new();
        per_key(Box::new(move |key| sketch.add(key)))
    });
    println!("an add: {:?}", median(ours.collect()));
    let theirs = (0..9).map(|_| {
        let mut sketch: HyperLogLog = HyperLogLog::new_deterministic(0.0081, 5);
        per_key(Box::new(move |key| sketch.insert(&key)))
    });
    println!("an add of hyperloglog: {:?}", median(theirs.collect()));

    let parts = keys.chunks(keys.len() / PARTS).map(|keys| {
        let mut sketch = Sketch::new();
        for key in keys {
            sketch.add(*key);
        }
        sketch
    });
    let parts: Vec<Sketch> = parts.collect();
    let timed = |work: &dyn Fn()| {
        let times = (0..9).map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        });
        median(times.collect())
    };
    println!(
        "a union of 25: {:?}",
        timed(&|| drop(black_box(Sketch::union(&parts))))
    );
    let image = parts[0].to_bytes();
    println!(
        "an image made: {:?}",
        timed(&|| drop(black_box(parts[0].to_bytes())))
    );
    println!(
        "an image read: {:?}",
        timed(&|| drop(black_box(Sketch::from_bytes(&image))))
    );
}

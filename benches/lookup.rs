//! What does it cost to find an app among 10 and among 100,000, on one thread and on two?
//!
//! `cargo bench --bench lookup`. Random apps, one after the other; a sample is the mean of many, by two threads that of each.
//! All maps hash with foldhash. Compared: papaya as the gateway uses it (pin, then get under the guard), papaya with the
//! `Arc` cloned, the standard map swapped whole behind an `ArcSwap`, and dashmap, the baseline.

mod common;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use common::{Random, app};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use dashmap::DashMap;
use foldhash::fast::RandomState;
use quotagate::id::SdkAppId;

/// An app, as far as its lookup goes: something of its size, a word of which is read.
type App = Arc<(u64, [u64; 63])>;

fn main() {
    common::settle_allocator();
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    println!("no target of its own (a part of each decision); dashmap is the baseline");
    for apps in [10, 100_000] {
        for threads in [1, 2] {
            let group = criterion.benchmark_group(format!("{apps} apps, {threads} threads"));
            compare(group, apps, threads);
        }
    }
    criterion.final_summary();
}

fn compare(mut group: BenchmarkGroup<'_, WallTime>, apps: u32, threads: u64) {
    let all = || (1..=apps).map(|n| (app(n), Arc::new((u64::from(n), [0; 63]))));
    let find = Find { apps, threads };

    let map: papaya::HashMap<SdkAppId, App, RandomState> = all().collect();
    let under_guard = |id| map.pin().get(&id).map_or(0, |app| app.0);
    find.bench(&mut group, "papaya, under the guard", under_guard);
    let cloned = |id| {
        let app = map.pin().get(&id).map(Arc::clone);
        app.map_or(0, |app| app.0)
    };
    find.bench(&mut group, "papaya, Arc cloned", cloned);

    let map: HashMap<SdkAppId, App, RandomState> = all().collect();
    let map = ArcSwap::from_pointee(map);
    let swapped = |id| map.load().get(&id).map_or(0, |app| app.0);
    find.bench(&mut group, "std in ArcSwap", swapped);

    let map: DashMap<SdkAppId, App, RandomState> = all().collect();
    let sharded = |id| map.get(&id).map_or(0, |app| app.0);
    find.bench(&mut group, "dashmap (baseline)", sharded);

    group.finish();
}

#[derive(Clone, Copy)]
struct Find {
    apps: u32,
    threads: u64,
}

impl Find {
    fn bench(
        self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: &str,
        find: impl Fn(SdkAppId) -> u64 + Sync,
    ) {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| self.mean_of_threads(times, &find));
        });
    }

    /// Lets each thread find `times` apps, and answers the mean of their times.
    fn mean_of_threads(self, times: u64, find: &(impl Fn(SdkAppId) -> u64 + Sync)) -> Duration {
        let together = std::sync::Barrier::new(usize::try_from(self.threads).expect("few"));
        let one = |seed| {
            let mut random = Random(seed);
            together.wait();
            let start = Instant::now();
            for _ in 0..times {
                let number = u32::try_from(random.below(self.apps.into())).expect("below");
                black_box(find(app(number + 1)));
            }
            start.elapsed()
        };
        let total: Duration = std::thread::scope(|scope| {
            let one = &one;
            let threads: Vec<_> = (1..=self.threads)
                .map(|n| scope.spawn(move || one(n * 104_729)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .sum()
        });
        total / u32::try_from(self.threads).expect("few")
    }
}

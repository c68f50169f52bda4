//! How long is the slowest single decision while an app grows from nothing to 10 million users?
//!
//! `cargo bench --bench growth [-- USERS]`. Three repetitions, each in a process of its own, so that memory is as the kernel
//! gives it. Users register one by one; then a group is created for every ten, and a fifth as many joins as users are made,
//! of random users to random groups. A sample is one `admit`; the cost of reading the clock is taken off.
//!
//! What the machine does to a sample is told apart in two ways. Every 256 decisions the kernel is asked how long the thread
//! has waited for a processor that another program had, and how many pages it was given (`/proc/thread-self`): in brackets
//! beside a slow sample is what happened in its 256. Samples are undisturbed where there was no wait. And keys, tables and
//! lists are the same in every repetition: a stall of the program comes back at the same decision, so the least of the three
//! samples of each decision shows those. A host that takes the processor from the whole machine shows as no wait.

#![allow(clippy::float_arithmetic, clippy::indexing_slicing, reason = "a bench")]

mod common;

use std::io::Write as _;
use std::time::Instant;

use common::{Kernel, Random, app, group, median, nanos, quantiles, user};
use quotagate::admission::{Mode, Request};
use quotagate::gateway::Gateway;

const USERS: u64 = 10_000_000;
const REPETITIONS: usize = 3;
/// Decisions between two questions to the kernel.
const STRETCH: usize = 256;
/// The part that a child process runs.
const GROW: &str = "grow-once";
const PARTS: [&str; 3] = ["register_user", "create_group", "join_group"];

fn main() {
    common::settle_allocator();
    let users = common::numbers().first().copied().unwrap_or(USERS);
    if common::is_part(GROW) {
        return grow(users);
    }
    println!(
        "growth to {users} users; {}; target: at most 1 ms",
        common::allocator()
    );
    let runs: Vec<Vec<Part>> = (0..REPETITIONS)
        .map(|_| read(&common::in_child(GROW, users)))
        .collect();
    for (number, name) in PARTS.iter().enumerate() {
        let repetitions: Vec<&Part> = runs.iter().map(|run| &run[number]).collect();
        show(name, &repetitions);
    }
    show_slowest(&runs);
}

/// What was measured of one kind of decision: a sample each, and for each stretch of them what the kernel says.
struct Part {
    samples: Vec<u32>,
    stretches: Vec<Disturbed>,
}

/// What the kernel did to the thread.
#[derive(Clone, Copy)]
struct Disturbed {
    waited_ns: u32,
    faults: u32,
}

impl Part {
    /// The samples, 0 where the thread waited for a processor.
    fn undisturbed(&self) -> Vec<u32> {
        let samples = self.samples.iter().enumerate();
        samples
            .map(|(decision, sample)| match self.kernel(decision).waited_ns {
                0 => *sample,
                _ => 0,
            })
            .collect()
    }

    /// The ten slowest of the samples, each with what the kernel says.
    fn listed(&self, samples: &[u32]) -> String {
        let slowest = ten_slowest(samples).into_iter();
        let listed: Vec<String> = slowest
            .map(|decision| {
                let Disturbed { waited_ns, faults } = self.kernel(decision);
                let (took, waited) = (us(samples[decision]), us(waited_ns));
                format!("{took} us at {decision} ({waited} us, {faults} faults)")
            })
            .collect();
        let lines: Vec<String> = listed.chunks(5).map(|five| five.join(", ")).collect();
        lines.join(",\n        ")
    }

    fn kernel(&self, decision: usize) -> Disturbed {
        self.stretches[decision / STRETCH]
    }
}

fn us(ns: u32) -> String {
    format!("{:.1}", f64::from(ns) / 1e3)
}

fn show(name: &str, repetitions: &[&Part]) {
    println!("\n-- {name}, {} decisions", repetitions[0].samples.len());
    for part in repetitions {
        println!("{}", quantiles(&mut part.samples.clone()));
        println!("    slowest:\n        {}", part.listed(&part.samples));
        println!(
            "    undisturbed:\n        {}",
            part.listed(&part.undisturbed())
        );
    }
    // A decision that is slow each time is slow by the program.
    let mut least = repetitions[0].samples.clone();
    for part in &repetitions[1..] {
        for (least, sample) in least.iter_mut().zip(&part.samples) {
            *least = (*least).min(*sample);
        }
    }
    let slowest = ten_slowest(&least).into_iter();
    let again: Vec<String> = slowest
        .map(|decision| format!("{} us at {decision}", us(least[decision])))
        .collect();
    println!("slow in every repetition: {}", again.join(", "));
    let waited = |part: &&Part| {
        let slowest = ten_slowest(&part.samples).into_iter();
        slowest
            .filter(|decision| part.kernel(*decision).waited_ns > 0)
            .count()
    };
    println!(
        "of the {} slowest, {} where the thread waited for a processor",
        10 * repetitions.len(),
        repetitions.iter().map(waited).sum::<usize>()
    );
}

/// The slowest of all parts of each repetition, against the target.
fn show_slowest(runs: &[Vec<Part>]) {
    let slowest = |of: fn(&Part) -> u32| {
        let each = runs
            .iter()
            .map(|run| run.iter().map(of).max().expect("parts"));
        let mut each: Vec<u32> = each.collect();
        let median = us(median(&mut each));
        let each: Vec<String> = each.into_iter().map(us).collect();
        format!("{} us, median {median} us; target 1000 us", each.join(", "))
    };
    let raw = slowest(|part| part.samples.iter().copied().max().expect("samples"));
    let undisturbed = slowest(|part| part.undisturbed().into_iter().max().expect("samples"));
    println!("\nslowest decision of each repetition, as measured: {raw}");
    println!("the same, undisturbed: {undisturbed}");
}

/// The ten slowest decisions, the slowest first.
fn ten_slowest(samples: &[u32]) -> Vec<usize> {
    let mut slowest: Vec<usize> = Vec::new();
    for (decision, sample) in samples.iter().enumerate() {
        if slowest.len() < 10 || *sample > samples[slowest[9]] {
            let place = slowest.partition_point(|other| samples[*other] >= *sample);
            slowest.insert(place, decision);
            slowest.truncate(10);
        }
    }
    slowest
}

/// Grows an app once, and writes the samples to standard output.
fn grow(users: u64) {
    let (gateway, catalog) = common::gateway();
    common::create_app(&gateway, app(1));
    let meter = Meter {
        gateway: &gateway,
        overhead: common::timer_overhead(),
        kernel: Kernel::of_this_thread(),
    };
    let registered = meter.measure(users, |n, sample| {
        let user = user(n);
        sample(&common::register(&user));
    });
    let groups = (users / 10).max(1);
    let created = meter.measure(groups, |n, sample| {
        let (group, owner) = (group(n), user(n));
        sample(&common::create(&catalog, &group, &owner));
    });
    let mut random = Random(88_172_645_463_325_252);
    let joined = meter.measure((users / 5).max(1), |_, sample| {
        let (group, user) = (group(random.below(groups)), user(random.below(users)));
        sample(&common::join(&group, &user));
    });
    write(&[registered, created, joined]);
    // Taking 10 million users apart is of no interest.
    std::process::exit(0);
}

struct Meter<'a> {
    gateway: &'a Gateway,
    overhead: u32,
    kernel: Kernel,
}

impl Meter<'_> {
    /// Measures decisions, made by `each` from their number.
    fn measure(
        &self,
        decisions: u64,
        mut each: impl FnMut(u64, &mut dyn FnMut(&Request<'_>)),
    ) -> Part {
        let decisions = usize::try_from(decisions).expect("64 bits");
        // Filled beforehand: the pages of the samples are no faults of the program.
        let mut samples = vec![1; decisions];
        let none = Disturbed {
            waited_ns: 1,
            faults: 1,
        };
        let mut stretches = vec![none; decisions.div_ceil(STRETCH)];
        let mut decision = 0;
        for (samples, stretch) in samples.chunks_mut(STRETCH).zip(&mut stretches) {
            let before = self.kernel.told();
            for sample in samples {
                each(decision, &mut |request| {
                    let start = Instant::now();
                    let answer = self
                        .gateway
                        .admit(app(1), request, Mode::Enforce, common::NOW);
                    *sample = nanos(start).saturating_sub(self.overhead);
                    assert!(answer.decision.outcome.is_allowed());
                });
                decision += 1;
            }
            let [waited, faults] = self.kernel.told();
            *stretch = Disturbed {
                waited_ns: u32::try_from(waited - before[0]).unwrap_or(u32::MAX),
                faults: u32::try_from(faults - before[1]).unwrap_or(u32::MAX),
            };
        }
        Part { samples, stretches }
    }
}

fn write(parts: &[Part]) {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.samples.len() as u64).to_le_bytes());
        bytes.extend(part.samples.iter().flat_map(|sample| sample.to_le_bytes()));
        for Disturbed { waited_ns, faults } in &part.stretches {
            bytes.extend(waited_ns.to_le_bytes());
            bytes.extend(faults.to_le_bytes());
        }
    }
    std::io::stdout().write_all(&bytes).expect("a parent");
}

fn read(mut bytes: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::try_from(u64::from_le_bytes(*length)).expect("64 bits");
        let (samples, rest) = rest.split_at(4 * length);
        let (stretches, rest) = rest.split_at(8 * length.div_ceil(STRETCH));
        let numbers = |bytes: &[u8]| -> Vec<u32> {
            let (numbers, _) = bytes.as_chunks();
            numbers
                .iter()
                .map(|bytes| u32::from_le_bytes(*bytes))
                .collect()
        };
        let kernel = |pair: &[u32]| Disturbed {
            waited_ns: pair[0],
            faults: pair[1],
        };
        parts.push(Part {
            samples: numbers(samples),
            stretches: numbers(stretches).chunks_exact(2).map(kernel).collect(),
        });
        bytes = rest;
    }
    parts
}

//! The slowest admission while a snapshot is written.
//!
//! One thread admits joins and leaves, each by itself at level `process` until its answer could leave; another takes the
//! snapshot. Every 64 admissions the kernel is asked how long the threads of the process have waited for a processor that
//! another program, or one of them, had: the slowest sample is also told without what they waited in its 64. The decision is
//! told apart from what follows it, which waits for the disk where the kernel does.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use quotagate::admission::{Mode, Request};
use quotagate::gateway::Gateway;
use quotagate::journal::Level;

use crate::Bench;
use crate::common::{self, Kernel, Random, app, group, user};
use crate::report::{Report, Samples, Target};
use crate::state::{self, task, tell};

pub const ADMIT: &str = "admit-beside";
/// Admissions between two questions to the kernel.
const STRETCH: usize = 64;
const TIMES: usize = 3;
/// What is told of the admissions of a time, in microseconds.
const FIGURES: [&str; 5] = [
    "p50",
    "p99.99",
    "slowest decision",
    "slowest",
    "slowest but for waits",
];

impl Bench {
    /// The large state is snapshotted while it serves.
    pub fn stall(&self, report: &mut Report) {
        let dir = self.large().dir.path();
        let told = state::run(ADMIT, self.large_users, dir);
        let each = |when: &str, figure: &str| {
            let mut samples = Samples::new();
            (0..TIMES).for_each(|time| samples.push(told.get(&format!("{when} {time} {figure}"))));
            samples
        };
        for time in 0..TIMES {
            println!(
                "snapshot {time} took {:.1} s; longest lock hold {:.0} us; threads waited in {:.0} % of stretches with, {:.0} % without",
                told.get(&format!("with {time} took")),
                told.get(&format!("with {time} hold")),
                told.get(&format!("with {time} waited")) * 1e2,
                told.get(&format!("without {time} waited")) * 1e2,
            );
        }
        for figure in FIGURES {
            let (with, without) = (each("with", figure), each("without", figure));
            let name =
                format!("admission while a snapshot is written, against without: us, {figure}");
            report.compared(&name, &with, &without, Target::None);
            let target = match figure {
                "slowest" | "slowest but for waits" => Target::AtMost(2_000.0),
                _ => continue,
            };
            let name = format!("the same: us more, {figure}");
            report.alone(&name, &with.less(&without), target);
        }
    }
}

/// In the child: admits with and without.
pub fn admit() {
    let (users, dir) = task();
    let opened = state::open(&dir, Level::Process, u64::MAX);
    let gateway = &*opened.gateway;
    let (begin, due) = mpsc::channel::<()>();
    let (ended, end) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for () in due {
                let taken = gateway.take_snapshot().expect("a disk");
                ended.send(taken.expect("files")).expect("a receiver");
            }
        });
        let mut random = Random(0x5DEE_CE66_D569);
        let kernel = Kernel::of_all_threads();
        for time in 0..TIMES {
            let start = Instant::now();
            let long = Duration::from_micros(users.min(8_000_000));
            let without = Admissions::until(gateway, users, &mut random, &kernel, || {
                (start.elapsed() > long).then_some(())
            });
            without.0.tell("without", time);
            begin.send(()).expect("a thread");
            let with =
                Admissions::until(gateway, users, &mut random, &kernel, || end.try_recv().ok());
            with.0.tell("with", time);
            tell(&format!("with {time} took"), with.1.took.as_secs_f64());
            let hold = with.1.longest_hold.as_secs_f64() * 1e6;
            tell(&format!("with {time} hold"), hold);
        }
        drop(begin);
    });
    std::process::exit(0);
}

/// What admissions took, in nanoseconds.
#[derive(Default)]
struct Admissions {
    all: Vec<u32>,
    slowest_decision: u32,
    but_for_waits: u32,
    /// Of stretches, those in which a thread has waited.
    waited: u32,
    stretches: u32,
}

impl Admissions {
    /// Admits until something has come.
    fn until<T>(
        gateway: &Gateway,
        users: u64,
        random: &mut Random,
        kernel: &Kernel,
        mut has_come: impl FnMut() -> Option<T>,
    ) -> (Self, T) {
        let mut measured = Self {
            all: Vec::with_capacity(1 << 24),
            ..Self::default()
        };
        loop {
            let [before, _] = kernel.told();
            let first = measured.all.len();
            while measured.all.len() < first + STRETCH {
                let (group, user) = (group(random.below(users / 10)), user(random.below(users)));
                for request in [common::join(&group, &user), common::leave(&group, &user)] {
                    measured.admit(gateway, &request);
                }
            }
            let [after, _] = kernel.told();
            let waited = u32::try_from(after - before).unwrap_or(u32::MAX);
            let slowest = measured.all[first..].iter().max().expect("a stretch");
            let but_for_waits = slowest.saturating_sub(waited);
            measured.but_for_waits = measured.but_for_waits.max(but_for_waits);
            measured.waited += u32::from(waited > 0);
            measured.stretches += 1;
            if let Some(it) = has_come() {
                return (measured, it);
            }
        }
    }

    /// One, until it could be answered.
    fn admit(&mut self, gateway: &Gateway, request: &Request<'_>) {
        let start = Instant::now();
        let answer = gateway.admit(app(1), request, Mode::Enforce, common::NOW);
        let decision = common::nanos(start);
        let log = gateway.log().expect("a journal");
        if let Some(position) = gateway.commit() {
            while !log.reached(position) {
                thread::yield_now();
            }
        }
        self.all.push(common::nanos(start));
        self.slowest_decision = self.slowest_decision.max(decision);
        assert!(answer.decision.outcome.is_allowed());
    }

    fn tell(mut self, when: &str, time: usize) {
        self.all.sort_unstable();
        let all = self.all.len();
        let at = |part: usize| self.all[(all * part / 10_000).min(all - 1)];
        let figures = [
            at(5_000),
            at(9_999),
            self.slowest_decision,
            at(10_000),
            self.but_for_waits,
        ];
        for (name, figure) in FIGURES.into_iter().zip(figures) {
            tell(&format!("{when} {time} {name}"), f64::from(figure) / 1e3);
        }
        let waited = f64::from(self.waited) / f64::from(self.stretches);
        tell(&format!("{when} {time} waited"), waited);
    }
}

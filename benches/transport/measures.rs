//! The measures, each a procedure: which servers, what load, what is divided by what.

use std::thread;
use std::time::Instant;

use crate::blast::{self, End, Outcome, Place, Plan, Shape, Talk};
use crate::echo;
use crate::load::{ADMIT, Load, latency_us};
use crate::procs::{self, Pinned, Server, Setup};
use crate::report::{Report, Samples, Target};
use crate::stock;
use crate::talk::{Content, Echoes, Joins};

/// How often, how long and how large.
pub struct Bench {
    pub rounds: u64,
    pub load: Load,
}

/// A server and what it is asked.
#[derive(Clone, Copy)]
enum Role {
    Echo,
    Gateway,
}

impl Bench {
    /// Calls under load and one at a time, server and client on one processor.
    pub fn unary(&self, report: &mut Report) {
        let _pinned = Pinned::new();
        let echo = stock::echo(1);
        let product = self.load.loaded(Setup::workers(1));
        let name = "unary, 4 x 32, one core: us of CPU a call";
        self.under_load(report, &product, &echo, name, Target::AtMost(0.9));
        self.one_at_a_time(report, &product, &echo);
    }

    /// Batches in streams, server and client on one processor.
    pub fn streams(&self, report: &mut Report) {
        let _pinned = Pinned::new();
        let product = self.load.loaded(Setup::workers(1));
        // Repeats first: afterwards the lists are longer than those of the app as it was loaded.
        let content = Content::Repeats;
        self.stream(report, &product, content, "mostly repeats", 4e6);
        self.stream(report, &product, Content::Fresh, "fresh joins", 2.5e6);
    }

    /// What the gateway's own transport is for: the same decisions asked for by the generated service.
    pub fn generated(&self, report: &mut Report) {
        let _pinned = Pinned::new();
        let echo = stock::echo(1);
        let generated = stock::generated(1);
        self.load.fill(&generated);
        let name = "unary, 4 x 32, decisions behind stock tonic: us of CPU a call";
        self.under_load(report, &generated, &echo, name, Target::None);
    }

    /// The first figure of all: microseconds of the server's processor time for a call.
    fn under_load(
        &self,
        report: &mut Report,
        own: &Server,
        echo: &Server,
        name: &str,
        target: Target,
    ) {
        let mut samples = [Samples::new(), Samples::new()];
        for round in 0..=self.rounds {
            let roles = [(own, Role::Gateway), (echo, Role::Echo)];
            for ((server, role), samples) in roles.into_iter().zip(&mut samples) {
                let before = server.cpu_ns();
                let outcome = self.calls(server.tcp(), role, [4, 32]);
                let spent = server.cpu_ns() - before;
                // The first round warms up.
                if round > 0 {
                    samples.push(spent as f64 / 1e3 / outcome.answers as f64);
                }
            }
        }
        let [own, echo] = samples;
        report.compared(name, &own, &echo, target);
    }

    /// One call under way over a Unix socket: the time that a caller waits.
    fn one_at_a_time(&self, report: &mut Report, own: &Server, echo: &Server) {
        let mut medians = [Samples::new(), Samples::new()];
        let mut tails = [Samples::new(), Samples::new()];
        for round in 0..=self.rounds {
            let roles = [(own, Role::Gateway), (echo, Role::Echo)];
            for (at, (server, role)) in roles.into_iter().enumerate() {
                let mut outcome = self.calls(server.unix(), role, [1, 1]);
                if round > 0 {
                    medians[at].push(latency_us(&mut outcome, 500));
                    tails[at].push(latency_us(&mut outcome, 990));
                }
            }
        }
        let name = "unary, one at a time, Unix socket: us, p50";
        report.compared(name, &medians[0], &medians[1], Target::AtMost(1.0));
        let name = "unary, one at a time, Unix socket: us, p99";
        report.compared(name, &tails[0], &tails[1], Target::None);
    }

    /// Batches in streams: decisions for a second of the server's processor time.
    fn stream(&self, report: &mut Report, own: &Server, content: Content, what: &str, least: f64) {
        let mut samples = Samples::new();
        for round in 0..=self.rounds {
            let rate = self.load.stream_rate(own, content);
            if round > 0 {
                samples.push(rate);
            }
        }
        let name = format!("stream, batches of 128, {what}: decisions/s of CPU");
        report.alone(&name, &samples, Target::AtLeast(least));
    }

    /// Nothing pinned, as it would be run: answers a second, client and server on two processors.
    pub fn two_cores(&self, report: &mut Report) {
        let echo = stock::echo(2);
        let product = self.load.loaded(Setup::workers(2));
        let mut samples = [Samples::new(), Samples::new()];
        for round in 0..=self.rounds {
            let roles = [(&product, Role::Gateway), (&echo, Role::Echo)];
            for ((server, role), samples) in roles.into_iter().zip(&mut samples) {
                let half = || {
                    let place = server.tcp();
                    move || self.calls(place, role, [8, 16])
                };
                let outcomes = thread::scope(|scope| {
                    [scope.spawn(half()), scope.spawn(half())]
                        .map(|thread| thread.join().expect("no panic"))
                });
                if round > 0 {
                    let rates = outcomes.map(|it| it.answers as f64 / it.seconds);
                    samples.push(rates.iter().sum());
                }
            }
        }
        let [own, echo] = samples;
        let name = "unary, two cores, 16 x 16: calls/s";
        report.compared(name, &own, &echo, Target::AtLeast(2.0));
    }

    /// From the start of the process to its first answer, without data.
    pub fn start(&self, report: &mut Report) {
        let mut samples = Samples::new();
        for _ in 0..5 {
            let start = Instant::now();
            let server = procs::product(Setup::workers(1));
            let plan = Plan {
                place: server.tcp(),
                path: ADMIT,
                shape: Shape::Calls,
                connections: 1,
                in_flight: 1,
                end: End::Exhausted,
            };
            let outcome = blast::blast(&plan, &mut Once(Some(self.load.joins())));
            assert_eq!(outcome.answers, 1);
            samples.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let name = "start to first answer, no data: ms";
        report.alone(name, &samples, Target::AtMost(200.0));
    }

    fn calls(&self, place: Place, role: Role, shape: [usize; 2]) -> Outcome {
        match role {
            Role::Echo => {
                let plan = self.load.plan(place, echo::PATH, shape);
                blast::blast(&plan, &mut Echoes(0))
            }
            Role::Gateway => self.load.calls(place, shape),
        }
    }
}

/// One message, whatever the answer: without data a join is denied.
struct Once(Option<Joins>);

impl Talk for Once {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        self.0.take().is_some_and(|mut joins| joins.ask(out))
    }

    fn look(&mut self, answer: &[u8]) {
        assert!(!answer.is_empty(), "no answer");
    }
}

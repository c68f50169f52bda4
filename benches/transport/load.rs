//! The load that the gateway is put under: its app as it begins, single joins, batches of joins.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::blast::{self, End, Outcome, Place, Plan, Shape};
use crate::common::Random;
use crate::procs::{self, Server, Setup};
use crate::talk::{BATCH, Batches, Content, Joins, World};

pub const ADMIT: &str = "/quotagate.v1.AdmissionService/Admit";
const ADMIT_STREAM: &str = "/quotagate.v1.AdmissionService/AdmitStream";

/// How long and how large.
pub struct Load {
    round: Duration,
    world: World,
    /// How often random numbers were begun: no two loads ask the same.
    seeds: AtomicU64,
}

impl Load {
    pub fn new(round: Duration, users: u64) -> Self {
        Self {
            round,
            world: World { users },
            seeds: AtomicU64::new(1),
        }
    }

    /// The program, with an app that has its users, groups and memberships.
    pub fn loaded(&self, setup: Setup) -> Server {
        let product = procs::product(setup);
        product.create_app();
        self.fill(&product);
        product
    }

    /// Gives the app its users, groups and memberships.
    pub fn fill(&self, server: &Server) {
        let loaded = self.batches(server.tcp(), Content::Load(0), End::Exhausted);
        let batches = self.world.memberships().div_ceil(BATCH);
        assert_eq!(loaded.answers, batches, "batches without an answer");
    }

    /// Single joins, on so many connections with so many under way on each.
    pub fn calls(&self, place: Place, [connections, in_flight]: [usize; 2]) -> Outcome {
        blast::blast(
            &self.plan(place, ADMIT, [connections, in_flight]),
            &mut self.joins(),
        )
    }

    /// What is sent to a method, call by call, as long as a round lasts.
    pub fn plan(
        &self,
        place: Place,
        path: &'static str,
        [connections, in_flight]: [usize; 2],
    ) -> Plan {
        Plan {
            place,
            path,
            shape: Shape::Calls,
            connections,
            in_flight,
            end: self.round(),
        }
    }

    /// When a round ends.
    pub fn round(&self) -> End {
        End::After(self.round)
    }

    pub fn joins(&self) -> Joins {
        Joins {
            world: self.world,
            random: self.random(),
        }
    }

    /// Batches in streams, one on each of four connections.
    pub fn batches(&self, place: Place, content: Content, end: End) -> Outcome {
        let plan = Plan {
            place,
            path: ADMIT_STREAM,
            shape: Shape::Stream,
            connections: 4,
            in_flight: 8,
            end,
        };
        let mut batches = Batches {
            world: self.world,
            random: self.random(),
            content,
            looked: 0,
        };
        blast::blast(&plan, &mut batches)
    }

    /// Decisions for a second of the server's processor time, by batches for a round.
    pub fn stream_rate(&self, server: &Server, content: Content) -> f64 {
        let before = server.cpu_ns();
        let outcome = self.batches(server.tcp(), content, self.round());
        let spent = server.cpu_ns() - before;
        (outcome.answers * BATCH) as f64 * 1e9 / spent as f64
    }

    /// Microseconds of the server's processor time for a call, by so many calls under way for a round.
    pub fn call_cost(&self, server: &Server, shape: [usize; 2]) -> f64 {
        let before = server.cpu_ns();
        let outcome = self.calls(server.tcp(), shape);
        (server.cpu_ns() - before) as f64 / 1e3 / outcome.answers as f64
    }

    fn random(&self) -> Random {
        let seed = self.seeds.fetch_add(1, Ordering::Relaxed);
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
}

/// The latency that a part of a thousand of the calls is below, in microseconds.
pub fn latency_us(outcome: &mut Outcome, thousandth: usize) -> f64 {
    let latencies = &mut outcome.latencies;
    latencies.sort_unstable();
    let at = (latencies.len() * thousandth / 1000).min(latencies.len() - 1);
    f64::from(latencies[at]) / 1e3
}

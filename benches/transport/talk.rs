//! What the servers are asked: echoes, joins one by one, joins in batches; each message new, written as protobuf by hand.

use prost::Message as _;
use quotagate::proto::{AdmitBatchResponse, Mode, Outcome};

use crate::blast::Talk;
use crate::common::Random;
use crate::echo::Op;

/// The app.
pub const APP: u32 = 1_400_000_001;

/// Operations in a batch.
pub const BATCH: u64 = 128;

/// Bytes of an id.
const ID: usize = 11;

/// Users and groups of the app, and the memberships that it has from the start.
#[derive(Clone, Copy)]
pub struct World {
    pub users: u64,
}

/// Echoes, each different.
pub struct Echoes(pub u64);

/// Random users join random groups, one by one.
pub struct Joins {
    pub world: World,
    pub random: Random,
}

/// Batches of joins.
pub struct Batches {
    pub world: World,
    pub random: Random,
    pub content: Content,
    /// Batches answered.
    pub looked: u64,
}

/// What the joins of a batch are.
#[derive(Clone, Copy)]
pub enum Content {
    /// The app's memberships from the start, from this one on, taken over by RECORD.
    Load(u64),
    /// Mostly new memberships.
    Fresh,
    /// Nineteen of twenty are memberships from the start.
    Repeats,
}

impl World {
    /// A group for ten users.
    pub fn groups(self) -> u64 {
        (self.users / 10).max(1)
    }

    /// Ten memberships a user.
    pub fn memberships(self) -> u64 {
        self.users * 10
    }

    /// The user and the group of one of the memberships.
    fn membership(self, number: u64) -> (u64, u64) {
        let group = Random(number * 2 + 1).below(self.groups());
        (number % self.users, group)
    }

    fn random_pair(self, random: &mut Random) -> (u64, u64) {
        (random.below(self.users), random.below(self.groups()))
    }
}

impl Talk for Echoes {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        self.0 += 1;
        Op::sample(self.0).encode(out).expect("room");
        true
    }

    fn look(&mut self, answer: &[u8]) {
        assert!(answer.len() > 30, "no echo");
    }
}

impl Talk for Joins {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        let (user, group) = self.world.random_pair(&mut self.random);
        app(out);
        join(out, user, group, None);
        true
    }

    fn look(&mut self, answer: &[u8]) {
        // Field 1, a number: the outcome.
        let allowed = [8, Outcome::Allowed as u8];
        assert!(answer.starts_with(&allowed), "a join is not allowed");
    }
}

impl Talk for Batches {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        app(out);
        let is_load = matches!(self.content, Content::Load(_));
        if is_load {
            // Field 2, a number: the mode.
            out.extend([0x10, Mode::Record as u8]);
        }
        let kind = is_load.then_some("Public");
        let length = u8::try_from(join_length(kind) + 2).expect("short");
        let mut written = 0;
        while written < BATCH
            && let Some((user, group)) = self.next()
        {
            // Field 5: an operation.
            out.extend([0x2a, length]);
            join(out, user, group, kind);
            written += 1;
        }
        written > 0
    }

    /// Looks at the first batches whole, which come in one frame.
    fn look(&mut self, answer: &[u8]) {
        self.looked += 1;
        if self.looked > 10 {
            return;
        }
        if let Ok(batch) = AdmitBatchResponse::decode(answer) {
            assert!(batch.error.is_none(), "{:?}", batch.error);
            let mut results = batch.results.iter();
            let denied = results.find(|result| result.outcome() != Outcome::Allowed);
            assert!(denied.is_none(), "not allowed: {denied:?}");
            assert!(batch.results.len() as u64 <= BATCH);
        }
    }
}

impl Batches {
    fn next(&mut self) -> Option<(u64, u64)> {
        let (world, random) = (self.world, &mut self.random);
        match &mut self.content {
            Content::Load(next) => {
                let number = *next;
                *next += 1;
                (number < world.memberships()).then(|| world.membership(number))
            }
            Content::Repeats if random.below(20) > 0 => {
                Some(world.membership(random.below(world.memberships())))
            }
            Content::Fresh | Content::Repeats => Some(world.random_pair(random)),
        }
    }
}

/// Field 1: the app.
fn app(out: &mut Vec<u8>) {
    prost::encoding::uint32::encode(1, &APP, out);
}

/// Field 12, of a request and of a batch's operation alike: `join_group`.
fn join(out: &mut Vec<u8>, user: u64, group: u64, kind: Option<&str>) {
    out.extend([0x62, u8::try_from(join_length(kind)).expect("short")]);
    id(out, 0x0a, b'g', group);
    id(out, 0x12, b'u', user);
    if let Some(kind) = kind {
        out.extend([0x1a, u8::try_from(kind.len()).expect("short")]);
        out.extend(kind.as_bytes());
    }
}

fn join_length(kind: Option<&str>) -> usize {
    2 * (2 + ID) + kind.map_or(0, |kind| 2 + kind.len())
}

/// A field with an id like `u0000000042`.
fn id(out: &mut Vec<u8>, key: u8, letter: u8, mut number: u64) {
    out.extend([key, 11, letter]);
    let start = out.len();
    out.extend([b'0'; ID - 1]);
    for byte in out[start..].iter_mut().rev() {
        *byte = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
}

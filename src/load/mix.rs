//! What is asked: random operations of an app with many users and groups, written as protobuf straight away.
//!
//! Of a hundred operations 30 join a group, 30 leave one, 25 log in, 6 begin a friendship, 6 end one, 2 register a user who
//! is there and 1 creates a group that is there. Who leaves joined some time ago, so that the app stays as large as it is,
//! and the limits are not what is measured. The same seed asks the same, run after run.
//! Absent on purpose: new users and groups; an app would grow without end.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::Population;
use crate::admission::OperationKind;
use crate::proto::FIRST_OPERATION;

/// The parts of a hundred; the rest creates groups that are there.
const PARTS: [(Kind, u64); 6] = [
    (Kind::Join, 30),
    (Kind::Leave, 30),
    (Kind::Login, 25),
    (Kind::AddFriend, 6),
    (Kind::RemoveFriend, 6),
    (Kind::Register, 2),
];

/// Most pairs that are remembered, to be parted later.
const KEPT_MAX: u32 = 50_000;

/// Memberships for each group, and friendships for each user, far below every limit.
const KEPT_PER_GROUP: u32 = 20;

/// Bytes of gRPC's prefix.
const PREFIX: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Join,
    Leave,
    Login,
    AddFriend,
    RemoveFriend,
    Register,
    Create,
}

/// The operations of one connection.
#[derive(Debug)]
pub(super) struct Mix {
    population: Population,
    random: Random,
    members: Kept,
    friends: Kept,
    operation: Vec<u8>,
}

/// Pairs that belong together now, the oldest first.
#[derive(Debug)]
struct Kept {
    pairs: VecDeque<(u32, u32)>,
    size: usize,
}

/// Random numbers, the same on every run (splitmix64).
#[derive(Debug)]
struct Random(u64);

impl Mix {
    /// The operations of one of `lines` connections.
    pub(super) fn new(population: Population, line: u32, lines: u32) -> Self {
        let share = |most: u32| Kept {
            pairs: VecDeque::new(),
            size: usize::try_from((most / lines.max(1)).clamp(1, KEPT_MAX)).unwrap_or(1),
        };
        let groups = population.groups.saturating_mul(KEPT_PER_GROUP);
        Self {
            population,
            random: Random(u64::from(line)),
            members: share(groups.min(population.users.saturating_mul(KEPT_PER_GROUP))),
            friends: share(population.users),
            operation: Vec::with_capacity(64),
        }
    }

    /// Appends an `AdmitRequest` with its length before it, as gRPC has it.
    pub(super) fn request(&mut self, out: &mut BytesMut) {
        self.draw();
        let app = u64::from(self.population.app);
        let length = 1 + encoded_len_varint(app) + self.operation.len();
        put_prefix(out, length);
        encode_key(1, WireType::Varint, out);
        encode_varint(app, out);
        out.put_slice(&self.operation);
    }

    /// An `AdmitBatchRequest` with its length before it, as gRPC has it.
    pub(super) fn batch(&mut self, operations: u32) -> Bytes {
        let mut out = BytesMut::with_capacity(64 + 40 * operations as usize);
        put_prefix(&mut out, 0);
        encode_key(1, WireType::Varint, &mut out);
        encode_varint(u64::from(self.population.app), &mut out);
        for _ in 0..operations {
            self.draw();
            encode_key(5, WireType::LengthDelimited, &mut out);
            encode_varint(self.operation.len() as u64, &mut out);
            out.put_slice(&self.operation);
        }
        let length = out.len() - PREFIX;
        if let Some(mut prefix) = out.get_mut(..PREFIX) {
            put_prefix(&mut prefix, length);
        }
        out.freeze()
    }

    /// The next operation, as the field that it is in `AdmitRequest` and in `Operation` alike.
    fn draw(&mut self) {
        let Population { users, groups, .. } = self.population;
        let kind = self.kind();
        let user = self.random.below(users);
        let group = self.random.below(groups);
        let friend = (user + 1 + self.random.below(users - 1)) % users;
        match kind {
            Kind::Join => {
                self.members.keep((user, group));
                self.put(
                    OperationKind::JoinGroup,
                    &[(1, b'g', group), (2, b'u', user)],
                );
            }
            Kind::Leave => {
                let (user, group) = self.members.part().unwrap_or((user, group));
                self.put(
                    OperationKind::LeaveGroup,
                    &[(1, b'g', group), (2, b'u', user)],
                );
            }
            Kind::Login => self.put(OperationKind::Login, &[(1, b'u', user)]),
            Kind::AddFriend => {
                self.friends.keep((user, friend));
                self.put(
                    OperationKind::AddFriend,
                    &[(1, b'u', user), (2, b'u', friend)],
                );
            }
            Kind::RemoveFriend => {
                let (user, friend) = self.friends.part().unwrap_or((user, friend));
                self.put(
                    OperationKind::RemoveFriend,
                    &[(1, b'u', user), (2, b'u', friend)],
                );
            }
            Kind::Register => self.put(OperationKind::RegisterUser, &[(1, b'u', user)]),
            Kind::Create => {
                let owner = self.population.owner(group);
                self.put(
                    OperationKind::CreateGroup,
                    &[(1, b'g', group), (3, b'u', owner)],
                );
            }
        }
    }

    fn kind(&mut self) -> Kind {
        let mut part = u64::from(self.random.below(100));
        for (kind, parts) in PARTS {
            match part.checked_sub(parts) {
                Some(rest) => part = rest,
                // What would be one pair too many to remember parts one instead.
                None if kind == Kind::Join && self.members.is_full() => return Kind::Leave,
                None if kind == Kind::AddFriend && self.friends.is_full() => {
                    return Kind::RemoveFriend;
                }
                None => return kind,
            }
        }
        Kind::Create
    }

    /// Writes a field of ids: each its field, its letter and its number. A group that is created gets its type.
    fn put(&mut self, kind: OperationKind, ids: &[(u32, u8, u32)]) {
        const TYPE: (u32, &[u8]) = (2, super::GROUP_TYPE.as_bytes());
        let is_creation = kind == OperationKind::CreateGroup;
        let out = &mut self.operation;
        out.clear();
        encode_key(
            FIRST_OPERATION + kind as u32,
            WireType::LengthDelimited,
            out,
        );
        let ids_length: u64 = ids.iter().map(|(_, _, number)| 3 + digits(*number)).sum();
        let kind_length = if is_creation {
            2 + TYPE.1.len() as u64
        } else {
            0
        };
        encode_varint(ids_length + kind_length, out);
        for (field, letter, number) in ids {
            encode_key(*field, WireType::LengthDelimited, out);
            encode_varint(1 + digits(*number), out);
            out.push(*letter);
            put_number(*number, out);
        }
        if is_creation {
            encode_key(TYPE.0, WireType::LengthDelimited, out);
            encode_varint(TYPE.1.len() as u64, out);
            out.extend_from_slice(TYPE.1);
        }
    }
}

impl Kept {
    fn keep(&mut self, pair: (u32, u32)) {
        self.pairs.push_back(pair);
    }

    /// The oldest pair, once there are so many that its beginning has long been answered.
    fn part(&mut self) -> Option<(u32, u32)> {
        if self.pairs.len() < self.size {
            return None;
        }
        self.pairs.pop_front()
    }

    fn is_full(&self) -> bool {
        self.pairs.len() >= 2 * self.size
    }
}

impl Random {
    /// A number below a bound that is not 0. What is uneven about it is less than a part in 2^31.
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let scaled = ((mixed >> 32) * u64::from(bound)) >> 32;
        u32::try_from(scaled).unwrap_or(0)
    }
}

/// gRPC's prefix: not compressed, and how long the message is.
fn put_prefix(out: &mut impl BufMut, length: usize) {
    out.put_u8(0);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

fn digits(number: u32) -> u64 {
    u64::from(number.checked_ilog10().unwrap_or(0)) + 1
}

fn put_number(number: u32, out: &mut Vec<u8>) {
    let mut place = 10_u32.pow(number.checked_ilog10().unwrap_or(0));
    while place > 0 {
        let digit = u8::try_from(number / place % 10).unwrap_or(0);
        out.push(b'0' + digit);
        place /= 10;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost::Message as _;

    use super::*;
    use crate::proto::admit_request::Operation as One;
    use crate::proto::{AdmitBatchRequest, AdmitRequest};

    const SMALL: Population = Population {
        app: 1_400_000_001,
        users: 300,
        groups: 20,
    };

    fn message(framed: &[u8]) -> &[u8] {
        let length = u32::from_be_bytes(framed[1..5].try_into().unwrap());
        assert_eq!((framed[0], length as usize), (0, framed.len() - 5));
        &framed[5..]
    }

    fn name(operation: &One) -> &'static str {
        match operation {
            One::RegisterUser(_) => "register_user",
            One::Login(_) => "login",
            One::AddFriend(_) => "add_friend",
            One::RemoveFriend(_) => "remove_friend",
            One::CreateGroup(_) => "create_group",
            One::JoinGroup(_) => "join_group",
            One::LeaveGroup(_) => "leave_group",
            One::DeleteUser(_) | One::DeleteGroup(_) => panic!("the app would shrink"),
        }
    }

    #[test]
    fn requests_are_what_they_should_be_in_the_parts_said() {
        let mut mix = Mix::new(SMALL, 0, 1);
        let mut counts = BTreeMap::new();
        for _ in 0..100_000 {
            let mut framed = BytesMut::new();
            mix.request(&mut framed);
            let request = AdmitRequest::decode(message(&framed)).unwrap();
            assert_eq!((request.sdk_app_id, request.mode), (SMALL.app, 0));
            let operation = request.operation.unwrap();
            *counts.entry(name(&operation)).or_insert(0_u32) += 1;
            match operation {
                One::AddFriend(it) => assert_ne!(it.user, it.friend),
                One::CreateGroup(it) => assert_eq!(it.r#type, "Public"),
                One::JoinGroup(it) => {
                    let user: u32 = it.user.strip_prefix('u').unwrap().parse().unwrap();
                    let group: u32 = it.group.strip_prefix('g').unwrap().parse().unwrap();
                    assert!(user < SMALL.users && group < SMALL.groups);
                }
                _ => {}
            }
        }
        let hundredths = counts
            .into_iter()
            .map(|(name, count)| (name, (count + 500) / 1_000));
        let expected = [
            ("add_friend", 6),
            ("create_group", 1),
            ("join_group", 30),
            ("leave_group", 30),
            ("login", 25),
            ("register_user", 2),
            ("remove_friend", 6),
        ];
        assert_eq!(hundredths.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_batch_has_the_same_operations_as_so_many_requests() {
        let framed = Mix::new(SMALL, 3, 4).batch(128);
        let batch = AdmitBatchRequest::decode(message(&framed)).unwrap();
        assert_eq!((batch.sdk_app_id, batch.operations.len()), (SMALL.app, 128));
        let mut same = Mix::new(SMALL, 3, 4);
        for operation in batch.operations {
            let mut framed = BytesMut::new();
            same.request(&mut framed);
            let request = AdmitRequest::decode(message(&framed)).unwrap();
            let (one, of_batch) = (request.operation.unwrap(), operation.operation.unwrap());
            assert_eq!(format!("{one:?}"), format!("{of_batch:?}"));
        }
    }

    #[test]
    fn who_leaves_has_joined_and_the_app_stays_as_large_as_it_is() {
        let mut mix = Mix::new(SMALL, 0, 1);
        let size = mix.members.size;
        for _ in 0..1_000_000 {
            mix.draw();
            assert!(mix.members.pairs.len() <= 2 * size);
        }
        assert!(mix.members.pairs.len() >= size - 1);
    }
}

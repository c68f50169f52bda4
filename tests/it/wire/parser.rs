//! Requests as any protobuf writer may send them: understood as prost understands them, and no bytes do harm.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use prost::Message as _;
use prost::encoding::encode_varint;

use quotagate::admission::{
    Decision, LoginTime, Mode, NewFriendship, NewGroup, Operation, Outcome, Request, Sides,
};
use quotagate::catalog::Catalog;
use quotagate::gateway::{Commit, Gateway};
use quotagate::grpc::{self, OPERATIONS_MAX, PREFIX_BYTES};
use quotagate::id::{GroupId, SdkAppId, UserId};
use quotagate::proto::{self, admit_request::Operation as Wire};
use quotagate::telemetry::Counters;
use quotagate::time::Timestamp;

use crate::support::{self, MORNING, app, at, catalog, group, user};

const IDS: [&str; 6] = ["a", "b", "c", "d", "é", ""];
const KINDS: [&str; 5] = ["Public", "Work", "AVChatRoom", "BChatRoom", "none"];

/// Fields of a message, each encoded.
type Fields = Vec<Vec<u8>>;

fn number(field: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(field << 3, &mut out);
    encode_varint(value, &mut out);
    out
}

fn text(field: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let (mut out, bytes) = (Vec::new(), bytes.as_ref());
    encode_varint(field << 3 | 2, &mut out);
    encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

fn id(field: u64) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![12 => select(&IDS[..5]), 1 => Just("")].prop_map(move |id| text(field, id))
}

fn kind(field: u64) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![12 => select(&KINDS[..4]), 1 => Just("none")].prop_map(move |id| text(field, id))
}

/// A field that no message has, of every type that may be passed over.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let fixed = |kind: u8, bytes: Vec<u8>| [vec![0xa0 | kind, 25], bytes].concat();
    prop_oneof![
        (100_u64..200, any::<u64>()).prop_map(|(field, value)| number(field, value)),
        (100_u64..200, vec(any::<u8>(), 0..9)).prop_map(|(field, bytes)| text(field, bytes)),
        vec(any::<u8>(), 4).prop_map(move |bytes| fixed(5, bytes)),
        vec(any::<u8>(), 8).prop_map(move |bytes| fixed(1, bytes)),
    ]
}

/// The fields that have to be there, some of them twice, some unknown ones, in any order.
fn soup(
    needed: impl Strategy<Value = Fields> + 'static,
    extra: impl Strategy<Value = Vec<u8>> + 'static,
) -> BoxedStrategy<Vec<u8>> {
    let extras = vec(prop_oneof![extra, noise()], 0..3);
    let all = (needed, extras).prop_map(|(needed, extras)| [needed, extras].concat());
    all.prop_shuffle()
        .prop_map(|fields| fields.concat())
        .boxed()
}

/// The fields of an operation, by its number.
fn operation_fields(number_of_it: u64) -> BoxedStrategy<Vec<u8>> {
    let one_way = || select(vec![0_u64, 1, 2, 1 << 40]).prop_map(|value| number(3, value));
    let pair = || (id(1), id(2)).prop_map(|(one, other)| vec![one, other]);
    match number_of_it {
        5..=7 => soup(id(1).prop_map(|id| vec![id]), id(1)),
        8 | 9 => soup(pair(), prop_oneof![id(1), id(2), one_way()]),
        10 => {
            let needed =
                (id(1), kind(2), id(3)).prop_map(|(id, kind, owner)| vec![id, kind, owner]);
            soup(needed, prop_oneof![id(1), kind(2), id(3), id(4)])
        }
        11 => soup(id(1).prop_map(|id| vec![id]), id(1)),
        12 => soup(pair(), prop_oneof![id(1), id(2), kind(3)]),
        _ => soup(pair(), prop_oneof![id(1), id(2)]),
    }
}

fn operation() -> impl Strategy<Value = Vec<u8>> {
    (5_u64..14).prop_flat_map(|kind| operation_fields(kind).prop_map(move |of| text(kind, of)))
}

fn time() -> impl Strategy<Value = Vec<u8>> {
    let now = at(MORNING).as_unix_ms() / 1_000;
    let seconds = prop_oneof![6 => now - 40 * 86_400..now + 400, 1 => any::<i64>()];
    let seconds = seconds.prop_map(|seconds| number(1, seconds.cast_unsigned()));
    let nanos = prop_oneof![6 => 0..1_000_000_000_u64, 1 => any::<u64>()];
    let nanos = nanos.prop_map(|nanos| number(2, nanos));
    soup(vec(seconds, 0..2), nanos).prop_map(|time| text(3, time))
}

fn app_number() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => Just(1), 1 => select(vec![0_u64, 2, 1 | 1 << 32])]
        .prop_map(|app| number(1, app))
}

fn mode() -> impl Strategy<Value = Vec<u8>> {
    let odd = select(vec![3, 1 | 1 << 32, u64::MAX, 1 << 31]);
    prop_oneof![9 => 0..3_u64, 1 => odd].prop_map(|mode| number(2, mode))
}

fn timed_operation() -> impl Strategy<Value = Fields> {
    let timed = (option::weighted(0.2, time()), operation());
    timed.prop_map(|(time, operation)| time.into_iter().chain([operation]).collect())
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let needed = (app_number(), mode(), timed_operation());
    let needed = needed.prop_map(|(app, mode, rest)| [vec![app, mode], rest].concat());
    soup(needed, prop_oneof![app_number(), mode(), operation()])
}

fn batch() -> impl Strategy<Value = Vec<u8>> {
    let one = soup(timed_operation(), operation()).prop_map(|operation| text(5, operation));
    let head = (app_number(), mode(), 0_u64..3, any::<u64>())
        .prop_map(|(app, mode, all, id)| vec![app, mode, number(3, all), number(4, id)]);
    let needed = (head, vec(one.clone(), 1..6)).prop_map(|(head, rest)| [head, rest].concat());
    soup(needed, prop_oneof![app_number(), mode(), one])
}

/// A request as prost has read it; nothing if it is not valid.
fn understood<'a>(
    operation: &'a Wire,
    time: Option<&prost_types::Timestamp>,
    catalog: &Catalog,
    now: Timestamp,
) -> Option<Request<'a>> {
    let user = |id: &'a str| UserId::new(id).ok();
    let group = |id: &'a str| GroupId::new(id).ok();
    let sides = |one_way| if one_way { Sides::Own } else { Sides::Both };
    if time.is_some() && !matches!(operation, Wire::Login(_)) {
        return None;
    }
    Some(match operation {
        Wire::RegisterUser(it) => Operation::RegisterUser {
            user: user(&it.user)?,
        },
        Wire::DeleteUser(it) => Operation::DeleteUser {
            user: user(&it.user)?,
        },
        Wire::Login(it) => {
            let login_time = |time: &prost_types::Timestamp| {
                let nanos = (0..1_000_000_000)
                    .contains(&time.nanos)
                    .then_some(time.nanos)?;
                let ms = i128::from(time.seconds) * 1_000 + i128::from(nanos / 1_000_000);
                let ms = i64::try_from(ms.clamp(i64::MIN.into(), i64::MAX.into())).ok()?;
                LoginTime::new(Timestamp::from_unix_ms_saturating(ms), now).ok()
            };
            let at = match time {
                Some(time) => Some(login_time(time)?),
                None => None,
            };
            Operation::Login {
                user: user(&it.user)?,
                at,
            }
        }
        Wire::AddFriend(it) => {
            let sides = sides(it.one_way);
            Operation::AddFriend(
                NewFriendship::new(user(&it.user)?, user(&it.friend)?, sides).ok()?,
            )
        }
        Wire::RemoveFriend(it) => Operation::RemoveFriend {
            user: user(&it.user)?,
            friend: user(&it.friend)?,
            sides: sides(it.one_way),
        },
        Wire::CreateGroup(it) => {
            let kind = catalog.group_type_named(&it.r#type)?;
            let members = it
                .members
                .iter()
                .map(|id| user(id))
                .collect::<Option<_>>()?;
            Operation::CreateGroup(
                NewGroup::new(group(&it.group)?, kind, user(&it.owner)?, members).ok()?,
            )
        }
        Wire::DeleteGroup(it) => Operation::DeleteGroup {
            group: group(&it.group)?,
        },
        Wire::JoinGroup(it) => Operation::JoinGroup {
            group: group(&it.group)?,
            user: user(&it.user)?,
            kind: match it.r#type.as_str() {
                "" => None,
                name => Some(catalog.group_type_named(name)?.id),
            },
        },
        Wire::LeaveGroup(it) => Operation::LeaveGroup {
            group: group(&it.group)?,
            user: user(&it.user)?,
        },
    })
}

fn mode_of(mode: i32) -> Option<Mode> {
    match proto::Mode::try_from(mode).ok()? {
        proto::Mode::Enforce => Some(Mode::Enforce),
        proto::Mode::DryRun => Some(Mode::DryRun),
        proto::Mode::Record => Some(Mode::Record),
    }
}

/// What an answer says of a decision.
fn said(answer: &proto::AdmitResponse) -> (bool, bool, bool, String, Vec<bool>) {
    let reason = match answer.reason() {
        proto::Reason::Unspecified => String::new(),
        reason => reason.as_str_name().to_owned(),
    };
    let members = answer
        .members
        .iter()
        .map(|member| member.outcome() == proto::Outcome::Allowed);
    let allowed = answer.outcome() == proto::Outcome::Allowed;
    (
        allowed,
        answer.changed,
        answer.over_limit,
        reason,
        members.collect(),
    )
}

fn meant(decision: &Decision) -> (bool, bool, bool, String, Vec<bool>) {
    let allowed = |outcome: &Outcome| outcome.is_allowed();
    let reason = decision
        .outcome
        .denial()
        .map(|denial| denial.reason.name().to_owned());
    let members = decision
        .members
        .iter()
        .map(|member| allowed(&member.outcome));
    (
        allowed(&decision.outcome),
        decision.changed,
        decision.over_limit,
        reason.unwrap_or_default(),
        members.collect(),
    )
}

/// Two gateways that are the same: one is asked by bytes, the other by what prost makes of them.
struct Twins {
    by_bytes: Gateway,
    by_prost: Gateway,
    counters: Counters,
    now: Timestamp,
}

impl Twins {
    fn new() -> Self {
        Self {
            by_bytes: support::gateway("trial", ""),
            by_prost: support::gateway("trial", ""),
            counters: Counters::default(),
            now: at(MORNING),
        }
    }

    /// Both answer the same, or both refuse; whether they answered.
    fn agree_on_one(&self, message: &[u8]) -> bool {
        let told = grpc::admit(&self.by_bytes, &self.counters, message, self.now);
        let decoded = proto::AdmitRequest::decode(message).ok();
        let catalog = catalog();
        let expected = decoded.as_ref().and_then(|decoded| {
            let time = decoded.at.as_ref();
            let request = understood(decoded.operation.as_ref()?, time, &catalog, self.now)?;
            let app = SdkAppId::new(decoded.sdk_app_id).ok()?;
            Some(
                self.by_prost
                    .admit(app, &request, mode_of(decoded.mode)?, self.now),
            )
        });
        match (told, expected) {
            (Err(_), None) => false,
            (Ok(frame), Some(expected)) => {
                let message = grpc::unframed(frame.bytes).expect("a frame");
                let told = proto::AdmitResponse::decode(message).expect("an answer");
                assert_eq!(said(&told), meant(&expected.decision), "{decoded:?}");
                assert_eq!(told.revision, expected.revision);
                true
            }
            (told, expected) => panic!("{told:?} where {expected:?} was meant by {decoded:?}"),
        }
    }

    fn agree_on_batch(&self, message: &[u8]) -> bool {
        let told = grpc::admit_in_stream(&self.by_bytes, &self.counters, message, self.now);
        let told = proto::AdmitBatchResponse::decode(told.bytes).expect("an answer");
        let decoded = proto::AdmitBatchRequest::decode(message).ok();
        // Both messages have the operation in fields of the same numbers.
        let operations = decoded
            .iter()
            .flat_map(|decoded| &decoded.operations)
            .map(|operation| {
                proto::AdmitRequest::decode(operation.encode_to_vec().as_slice())
                    .expect("its subset")
            });
        let operations: Vec<_> = operations.collect();
        let catalog = catalog();
        let expected = decoded.as_ref().and_then(|decoded| {
            let read = |one: &'_ proto::AdmitRequest| one.operation.is_some();
            let complete = operations.iter().all(read) && !operations.is_empty();
            let requests = operations.iter().filter(|_| complete).map(|one| {
                understood(one.operation.as_ref()?, one.at.as_ref(), &catalog, self.now)
            });
            let requests = requests.collect::<Option<Vec<_>>>()?;
            let fits = (1..=OPERATIONS_MAX).contains(&requests.len());
            let commit = if decoded.all_or_nothing {
                Commit::AllOrNothing
            } else {
                Commit::Each
            };
            let (app, mode) = (
                SdkAppId::new(decoded.sdk_app_id).ok()?,
                mode_of(decoded.mode)?,
            );
            fits.then(|| {
                self.by_prost
                    .admit_batch(app, &requests, mode, commit, self.now)
            })
        });
        let Some(expected) = expected else {
            assert!(
                told.error.is_some() && told.results.is_empty(),
                "{told:?} to {decoded:?}"
            );
            return false;
        };
        assert_eq!(told.error, None, "{decoded:?}");
        assert_eq!(
            (told.committed, told.revision),
            (expected.committed, expected.revision)
        );
        assert_eq!(
            Some(told.batch_id),
            decoded.as_ref().map(|decoded| decoded.batch_id)
        );
        let results: Vec<_> = told.results.iter().map(said).collect();
        let decisions: Vec<_> = expected.decisions.iter().map(meant).collect();
        assert_eq!(results, decisions, "{decoded:?}");
        true
    }

    fn assert_same_facts(&self) {
        let [one, other] = [&self.by_bytes, &self.by_prost].map(|gateway| facts(gateway, self.now));
        assert_eq!(one, other);
    }
}

/// All that a gateway says of app 1.
fn facts(gateway: &Gateway, now: Timestamp) -> String {
    let ids = &IDS[..5];
    let users = ids
        .iter()
        .map(|id| gateway.user_usage(app(1), user(id), now));
    let groups = ids.iter().map(|id| gateway.group_usage(app(1), group(id)));
    let (users, groups) = (users.collect::<Vec<_>>(), groups.collect::<Vec<_>>());
    format!("{:?} {users:?} {groups:?}", gateway.app_usage(app(1), now))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_mean_what_prost_reads_in_them(messages in vec(request(), 1..24)) {
        let twins = Twins::new();
        for message in &messages {
            twins.agree_on_one(message);
        }
        // Encodings after one another are one message, merged.
        for pair in messages.windows(2) {
            twins.agree_on_one(&pair.concat());
        }
        twins.assert_same_facts();
    }

    #[test]
    fn batches_mean_what_prost_reads_in_them(messages in vec(batch(), 1..10)) {
        let twins = Twins::new();
        for message in &messages {
            twins.agree_on_batch(message);
        }
        for pair in messages.windows(2) {
            twins.agree_on_batch(&pair.concat());
        }
        twins.assert_same_facts();
    }

    #[test]
    fn what_is_cut_off_anywhere_is_read_as_prost_reads_it(one in request(), many in batch()) {
        let twins = Twins::new();
        for length in 0..=one.len() {
            twins.agree_on_one(&one[..length]);
        }
        for length in 0..=many.len() {
            twins.agree_on_batch(&many[..length]);
        }
        twins.assert_same_facts();
    }

    #[test]
    fn no_bytes_do_harm(
        mut message in prop_oneof![request(), batch(), vec(any::<u8>(), 0..64)],
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
    ) {
        for (place, byte) in changes {
            if !message.is_empty() {
                let place = place.index(message.len());
                message[place] = byte;
            }
        }
        let (gateway, now) = (support::gateway("trial", ""), at(MORNING));
        let counters = Counters::default();
        let before = facts(&gateway, now);
        if grpc::admit(&gateway, &counters, &message, now).is_err() {
            prop_assert_eq!(&facts(&gateway, now), &before);
        }
        let before = facts(&gateway, now);
        if grpc::admit_batch(&gateway, &counters, &message, now).is_err() {
            prop_assert_eq!(&facts(&gateway, now), &before);
        }
        let _ = grpc::get_usage(&gateway, &message, now);
        prop_assert_eq!(grpc::unframed(message.clone().into()).is_ok_and(|it| it.len() + PREFIX_BYTES != message.len()), false);
    }
}

/// The soups are no thin ones: most are valid, and what they ask for happens.
#[test]
fn most_soups_are_valid() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let (twins, mut runner) = (Twins::new(), TestRunner::deterministic());
    let (mut one, mut many) = (0, 0);
    for _ in 0..400 {
        let tree = request().new_tree(&mut runner).expect("a value");
        one += u32::from(twins.agree_on_one(&tree.current()));
        let tree = batch().new_tree(&mut runner).expect("a value");
        many += u32::from(twins.agree_on_batch(&tree.current()));
    }
    assert!(one > 150 && many > 40, "{one} and {many} of 400");
    let usage = twins.by_bytes.app_usage(app(1), twins.now).expect("an app");
    assert!(usage.users > 0 && usage.user_days > 0, "{usage:?}");
}

//! What does each operation cost, at 1 thousand and at 1 million users, and a login in one of many small apps?
//!
//! `cargo bench --bench operations [-- FILTER]`, some 2 minutes. One thread; random keys, another in each decision. Users have
//! ten memberships and ten friends, there is a group for ten users. Every operation changes something, unless its name says
//! otherwise. What a round of decisions did is put back before the next, untimed: users and groups come in pairs of even and
//! odd numbers, those that are there to stay among their like, those that come and go across.
//!
//! Decisions follow each other closely here, so that the processor begins one before the last has ended, and criterion shows
//! means; single decisions, their medians and quantiles are for `quantiles`. What takes away finds what was put there shortly
//! before, partly in the processor's caches. Deletions leave work to the sweep, whose steps ride on what comes next.

mod common;

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Id, Random, SMALL_APP_USERS, app, group, user};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use quotagate::admission::{Decision, Mode, Request};
use quotagate::catalog::Catalog;
use quotagate::gateway::{BatchAnswer, Commit, Gateway};
use quotagate::time::{DAY_MS, Timestamp};

/// Users, and what a join among them may cost at the median, single and in a batch.
const SIZES: [(u64, &str, u32, u32); 2] = [
    (1_000, "1 thousand", 120, 100),
    (1_000_000, "1 million", 650, 250),
];
const SMALL_APPS: u32 = 100_000;
const BATCH: usize = 128;
/// Members that a group of type Private has room for.
const PRIVATE_CAP: u64 = 200;
/// Steps through users that visit each once: a prime.
const STRIDE: u64 = 700_001;

fn main() {
    common::settle_allocator();
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    println!("{}", common::allocator());
    for (users, size, single, batched) in SIZES {
        println!(
            "\n-- {size} users; targets at the median: a join {single} ns, in a batch of {BATCH} {batched} ns"
        );
        let bench = Bench::with_users(users);
        let mut group = criterion.benchmark_group(format!("{size} users"));
        group.sampling_mode(SamplingMode::Flat);
        bench.memberships(&mut group);
        bench.friendships(&mut group);
        bench.logins(&mut group);
        bench.groups(&mut group);
        bench.registrations(&mut group);
        group.finish();
    }
    println!("\n-- {SMALL_APPS} apps of {SMALL_APP_USERS} users; no target of its own");
    many_apps(&mut criterion.benchmark_group("many apps"));
    criterion.final_summary();
}

/// Two ids that an operation is made of: a group and a user, or a user and a friend.
type Pair = (Id, Id);

fn join((group, user): &Pair) -> Request<'_> {
    common::join(group, user)
}

fn leave((group, user): &Pair) -> Request<'_> {
    common::leave(group, user)
}

fn befriend((user, friend): &Pair) -> Request<'_> {
    common::befriend(user, friend).expect("different users")
}

fn unfriend((user, friend): &Pair) -> Request<'_> {
    common::unfriend(user, friend)
}

fn disband((group, _): &Pair) -> Request<'_> {
    common::disband(group)
}

fn register((user, _): &Pair) -> Request<'_> {
    common::register(user)
}

fn delete((user, _): &Pair) -> Request<'_> {
    common::delete(user)
}

fn login((user, _): &Pair) -> Request<'_> {
    common::login(user)
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

struct Bench {
    gateway: Gateway,
    catalog: Arc<Catalog>,
    users: u64,
    groups: u64,
    /// Groups beyond these that have no room.
    full: u64,
    random: Cell<u64>,
    now: Cell<Timestamp>,
    /// Logins so far: they give the next user, and the day.
    logins: Cell<u64>,
    /// Ids made for a while so far.
    made: Cell<u64>,
}

impl Bench {
    fn with_users(users: u64) -> Self {
        let (gateway, catalog) = common::gateway();
        common::create_app(&gateway, app(1));
        let groups = common::fill_users(&gateway, &catalog, app(1), users);
        let bench = Self {
            gateway,
            catalog,
            users,
            groups,
            full: (users / 1_000).max(10),
            random: Cell::new(88_172_645_463_325_252),
            now: Cell::new(common::NOW),
            logins: Cell::new(0),
            made: Cell::new(0),
        };
        let memberships = (0..users * 10).map(|_| bench.member(Kin::Like));
        common::in_batches(&bench.gateway, app(1), memberships, |a, b| {
            Some(common::join(a, b))
        });
        let friendships = (0..users * 5).map(|_| bench.friends(Kin::Like));
        common::in_batches(&bench.gateway, app(1), friendships, |a, b| {
            common::befriend(a, b)
        });
        for full in 0..bench.full {
            let (group, owner) = (group(groups + full), user(bench.in_full(full, 0)));
            bench.put([common::create_typed(
                &bench.catalog,
                "Private",
                &group,
                &owner,
            )]);
            let members = (1..PRIVATE_CAP).map(|n| user(bench.in_full(full, n)));
            let members: Vec<Id> = members.collect();
            bench.put(members.iter().map(|member| common::join(&group, member)));
        }
        bench
    }

    /// The members of a full group, the first [`PRIVATE_CAP`] by number; those after them are strangers to it.
    fn in_full(&self, full: u64, number: u64) -> u64 {
        (full * PRIVATE_CAP + number) % self.users
    }

    fn memberships(&self, group: &mut Group<'_>) {
        let across = || self.member(Kin::Across);
        self.bench(group, "join_group", across, |pairs| {
            let took = self.time(pairs, join);
            self.put(pairs.iter().map(leave));
            took
        });
        self.bench(group, "join_group, in batches of 128", across, |pairs| {
            let took = self.time_batches(pairs);
            self.put(pairs.iter().map(leave));
            took
        });
        self.bench(group, "leave_group", across, |pairs| {
            self.put(pairs.iter().map(join));
            self.time(pairs, leave)
        });
        self.bench(group, "join_group, DRY_RUN", across, |pairs| {
            self.time_in(Mode::DryRun, pairs, join)
        });
        let denied = || {
            let full = self.below(self.full);
            let stranger = PRIVATE_CAP + self.below(self.users - PRIVATE_CAP);
            let stranger = user(self.in_full(full, stranger));
            (common::group(self.groups + full), stranger)
        };
        let (full, stranger) = denied();
        let request = common::join(&full, &stranger);
        assert!(!self.admit(&request, Mode::Enforce).outcome.is_allowed());
        self.bench(group, "join_group, denied", denied, |pairs| {
            self.time(pairs, join)
        });
    }

    fn friendships(&self, group: &mut Group<'_>) {
        let across = || self.friends(Kin::Across);
        self.bench(group, "add_friend", across, |pairs| {
            let took = self.time(pairs, befriend);
            self.put(pairs.iter().map(unfriend));
            took
        });
        self.bench(group, "remove_friend", across, |pairs| {
            self.put(pairs.iter().map(befriend));
            self.time(pairs, unfriend)
        });
    }

    fn logins(&self, group: &mut Group<'_>) {
        let first = || {
            let logins = self.logins.get();
            self.logins.set(logins + 1);
            let user = user(logins * STRIDE % self.users);
            (user, user)
        };
        self.bench(group, "login, first of the day", first, |pairs| {
            // A round has no more decisions than there are users: nobody comes twice on a day.
            self.now.set(self.now.get().plus_ms(DAY_MS));
            self.time(pairs, login)
        });
        let everyone: Vec<Id> = (0..self.users).map(user).collect();
        self.put(everyone.iter().map(common::login));
        let anyone = || {
            let user = user(self.below(self.users));
            (user, user)
        };
        self.bench(group, "login, again", anyone, |pairs| {
            self.time(pairs, login)
        });
    }

    fn groups(&self, group: &mut Group<'_>) {
        let fresh = || (self.fresh(common::group), user(self.below(self.users)));
        self.bench(group, "create_group", fresh, |pairs| {
            let took = self.time(pairs, |(group, user)| {
                common::create(&self.catalog, group, user)
            });
            self.put(pairs.iter().map(disband));
            took
        });
        self.bench(group, "delete_group", fresh, |pairs| {
            let created = |(group, user)| common::create(&self.catalog, group, user);
            self.put(pairs.iter().map(|(group, user)| created((group, user))));
            self.time(pairs, disband)
        });
    }

    fn registrations(&self, group: &mut Group<'_>) {
        let fresh = || (self.fresh(user), user(self.below(self.users)));
        self.bench(group, "register_user", fresh, |pairs| {
            let took = self.time(pairs, register);
            self.put(pairs.iter().map(delete));
            took
        });
        self.bench(
            group,
            "delete_user, of 10 groups and 10 friends",
            fresh,
            |pairs| {
                self.put(pairs.iter().map(register));
                for _ in 0..10 {
                    let groups: Vec<Id> = pairs.iter().map(|_| self.member(Kin::Like).0).collect();
                    let joins = groups.iter().zip(pairs);
                    self.put(joins.map(|(group, (user, _))| common::join(group, user)));
                    let friends: Vec<Id> = pairs.iter().map(|_| self.member(Kin::Like).1).collect();
                    let adds = friends.iter().zip(pairs);
                    self.put(adds.filter_map(|(friend, (user, _))| common::befriend(user, friend)));
                }
                self.time(pairs, delete)
            },
        );
    }
}

/// Who meets whom: even numbers and odd ones are those that are there to stay, across are those that come and go.
#[derive(Clone, Copy)]
enum Kin {
    Like,
    Across,
}

impl Kin {
    /// A number that is even or odd as asked for.
    fn of(self, other: u64, number: u64) -> u64 {
        let odd = match self {
            Self::Like => other & 1,
            Self::Across => !other & 1,
        };
        number & !1 | odd
    }
}

/// Random ids, that go on from one benchmark to the next.
impl Bench {
    fn below(&self, bound: u64) -> u64 {
        let mut random = Random(self.random.get());
        let number = random.below(bound);
        self.random.set(random.0);
        number
    }

    fn member(&self, kin: Kin) -> Pair {
        let member = self.below(self.users);
        (group(kin.of(member, self.below(self.groups))), user(member))
    }

    fn friends(&self, kin: Kin) -> Pair {
        let own = self.below(self.users);
        (user(own), user(kin.of(own, self.below(self.users))))
    }

    /// An id that was never there. In the order of the numbers; keys are hashes of ids, and in none.
    fn fresh(&self, id: impl Fn(u64) -> Id) -> Id {
        self.made.set(self.made.get() + 1);
        id(self.users * 2 + self.made.get())
    }
}

/// Rounds of decisions.
impl Bench {
    /// Decisions in a round: enough that not all of it is in the caches, and no more than users.
    fn round(&self) -> usize {
        usize::try_from(self.users).expect("64 bits").min(50_000)
    }

    fn bench(
        &self,
        group: &mut Group<'_>,
        name: &str,
        pair: impl Fn() -> Pair,
        round: impl Fn(&[Pair]) -> Duration,
    ) {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let times = usize::try_from(times).expect("64 bits");
                let mut took = Duration::ZERO;
                for first in (0..times).step_by(self.round()) {
                    let decisions = (times - first).min(self.round());
                    let pairs: Vec<Pair> = (0..decisions).map(|_| pair()).collect();
                    took += round(&pairs);
                }
                took
            });
        });
    }

    fn time(&self, pairs: &[Pair], request: impl for<'a> Fn(&'a Pair) -> Request<'a>) -> Duration {
        self.time_in(Mode::Enforce, pairs, request)
    }

    fn time_in(
        &self,
        mode: Mode,
        pairs: &[Pair],
        request: impl for<'a> Fn(&'a Pair) -> Request<'a>,
    ) -> Duration {
        let start = Instant::now();
        for pair in pairs {
            black_box(self.admit(&request(pair), mode));
        }
        start.elapsed()
    }

    fn time_batches(&self, pairs: &[Pair]) -> Duration {
        let mut took = Duration::ZERO;
        for pairs in pairs.chunks(BATCH) {
            let joins = pairs.iter().map(join);
            let joins: Vec<Request<'_>> = joins.collect();
            let start = Instant::now();
            black_box(self.admit_batch(&joins));
            took += start.elapsed();
        }
        took
    }

    /// Has operations done that are not timed.
    fn put<'a>(&self, requests: impl IntoIterator<Item = Request<'a>>) {
        let requests: Vec<Request<'a>> = requests.into_iter().collect();
        let answer = self.admit_batch(&requests);
        assert!(
            answer
                .decisions
                .iter()
                .all(|decision| decision.outcome.is_allowed())
        );
    }

    fn admit(&self, request: &Request<'_>, mode: Mode) -> Decision {
        let answer = self
            .gateway
            .admit(app(1), black_box(request), mode, self.now.get());
        answer.decision
    }

    fn admit_batch(&self, requests: &[Request<'_>]) -> BatchAnswer {
        self.gateway.admit_batch(
            app(1),
            black_box(requests),
            Mode::Enforce,
            Commit::Each,
            self.now.get(),
        )
    }
}

/// A login in a random one of many small apps: the first of a user's day, one in ten the first of the app's day.
fn many_apps(group: &mut Group<'_>) {
    let (gateway, catalog) = common::gateway();
    common::fill_small_apps(&gateway, &catalog, SMALL_APPS);
    let users = u64::from(SMALL_APPS) * SMALL_APP_USERS;
    let logins = Cell::new(0);
    group.bench_function("login, first of the day", |bencher| {
        bencher.iter_custom(|times| {
            let first = logins.get();
            logins.set(first + times);
            let start = Instant::now();
            for login in first..first + times {
                let (day, number) = (login / users + 1, login * STRIDE % users);
                let id = app(u32::try_from(number / SMALL_APP_USERS).expect("below") + 1);
                let user = user(number % SMALL_APP_USERS);
                let now = common::NOW.plus_ms(DAY_MS * i64::try_from(day).expect("few"));
                black_box(gateway.admit(id, &common::login(&user), Mode::Enforce, now));
            }
            start.elapsed()
        });
    });
}

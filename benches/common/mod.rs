//! What the benches share: a gateway full of users, random keys, quantiles, resident memory.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    reason = "each bench uses what it needs, and may panic"
)]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use quotagate::admission::{Mode, NewFriendship, NewGroup, Operation, Request, Sides};
use quotagate::catalog::{Bound, Catalog, LimitName};
use quotagate::config;
use quotagate::entitlement::{Policy, Rule, Setting, Target, Terms, Topic};
use quotagate::gateway::{Commit, Gateway};
use quotagate::id::{GroupId, IdKey, SdkAppId, UserId};
use quotagate::subscription::{Plan, Standing};
use quotagate::time::{Timestamp, Zone};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the program's `main` does for its allocator.
pub fn settle_allocator() {
    if std::env::var_os("THP").is_some() {
        return;
    }
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// What the allocator is set to, in a line for the output.
pub fn allocator() -> String {
    let pages = if std::env::var_os("THP").is_some() {
        "as the system has them"
    } else {
        "off"
    };
    let purge = std::env::var("MIMALLOC_PURGE_DELAY").unwrap_or_else(|_| "as it comes".into());
    format!("mimalloc, transparent huge pages {pages}, MIMALLOC_PURGE_DELAY {purge}")
}

/// The numbers on the command line.
pub fn numbers() -> Vec<u64> {
    std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect()
}

/// The number that follows a word on the command line.
pub fn number_after(word: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != word);
    arguments.nth(1)?.parse().ok()
}

/// Whether this process is to run one part of the bench, see [`in_child`].
pub fn is_part(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

/// Runs a part of the bench in a process of its own, where memory is as the kernel gives it and not as another part left
/// it. Answers what it wrote to its standard output.
pub fn in_child(part: &str, number: u64) -> Vec<u8> {
    in_child_with(part, number, &[])
}

/// The same with more arguments.
pub fn in_child_with(part: &str, number: u64, more: &[&OsStr]) -> Vec<u8> {
    let program = std::env::current_exe().expect("a running program");
    let child = Command::new(program)
        .args([part, &number.to_string()])
        .args(more)
        .stderr(Stdio::inherit())
        .output()
        .expect("a child");
    assert!(child.status.success(), "{part} has failed");
    child.stdout
}

/// A morning in March 2026.
pub const NOW: Timestamp = Timestamp::from_unix_ms_saturating(1_772_500_000_000);

/// An id of fixed width, made without an allocation: `u0000000042`.
#[derive(Clone, Copy)]
pub struct Id([u8; 11]);

impl Id {
    pub fn new(prefix: u8, mut number: u64) -> Self {
        let mut bytes = [b'0'; 11];
        bytes[0] = prefix;
        for byte in bytes[1..].iter_mut().rev() {
            *byte = b'0' + u8::try_from(number % 10).expect("a digit");
            number /= 10;
        }
        Self(bytes)
    }

    pub fn user(&self) -> UserId<'_> {
        UserId::new(self.text()).expect("11 bytes")
    }

    pub fn group(&self) -> GroupId<'_> {
        GroupId::new(self.text()).expect("11 bytes")
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.0).expect("ASCII")
    }
}

pub fn user(number: u64) -> Id {
    Id::new(b'u', number)
}

pub fn group(number: u64) -> Id {
    Id::new(b'g', number)
}

/// Random numbers, the same on every run (xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }
}

pub fn app(number: u32) -> SdkAppId {
    SdkAppId::new(number).expect("not 0")
}

/// Terms without a cap on members and days, so that random joins are allowed.
pub fn open_terms() -> Terms {
    let mut catalog_text = include_str!("../../config/catalog.toml").to_owned();
    catalog_text = catalog_text.replace("member_cap = 2000\n", "member_cap = \"unlimited\"\n");
    let catalog =
        Arc::new(config::read_catalog("catalog.toml", &catalog_text).expect("valid catalog"));
    let mut policy = Policy::default();
    for limit in [LimitName::GroupMembers, LimitName::DailyGroups] {
        let setting = Setting::Bound(Bound::UNLIMITED);
        let rule = Rule {
            setting,
            reason: "bench".into(),
            expires: Timestamp::MAX,
        };
        policy.set(Target::Deployment, Topic::Override(limit), rule);
    }
    Terms {
        catalog,
        policy: Arc::new(policy),
        zone: Zone::default(),
    }
}

/// A gateway with no apps, its catalog beside it.
pub fn gateway() -> (Gateway, Arc<Catalog>) {
    let terms = open_terms();
    let catalog = Arc::clone(&terms.catalog);
    (
        Gateway::new(terms, IdKey::new(*b"a key for bench.")),
        catalog,
    )
}

pub fn create_app(gateway: &Gateway, id: SdkAppId) {
    gateway
        .create_app(id, Plan::of("flagship"), Standing::GOOD, NOW)
        .expect("a new app");
}

pub fn register(id: &Id) -> Request<'_> {
    Operation::RegisterUser { user: id.user() }
}

pub fn join<'a>(group: &'a Id, user: &'a Id) -> Request<'a> {
    Operation::JoinGroup {
        group: group.group(),
        user: user.user(),
        kind: None,
    }
}

pub fn leave<'a>(group: &'a Id, user: &'a Id) -> Request<'a> {
    Operation::LeaveGroup {
        group: group.group(),
        user: user.user(),
    }
}

pub fn delete(user: &Id) -> Request<'_> {
    Operation::DeleteUser { user: user.user() }
}

pub fn login(user: &Id) -> Request<'_> {
    Operation::Login {
        user: user.user(),
        at: None,
    }
}

pub fn befriend<'a>(user: &'a Id, friend: &'a Id) -> Option<Request<'a>> {
    NewFriendship::new(user.user(), friend.user(), Sides::Both)
        .ok()
        .map(Operation::AddFriend)
}

pub fn unfriend<'a>(user: &'a Id, friend: &'a Id) -> Request<'a> {
    Operation::RemoveFriend {
        user: user.user(),
        friend: friend.user(),
        sides: Sides::Both,
    }
}

pub fn create<'a>(catalog: &Catalog, group: &'a Id, owner: &'a Id) -> Request<'a> {
    create_typed(catalog, "Public", group, owner)
}

pub fn create_typed<'a>(
    catalog: &Catalog,
    kind: &str,
    group: &'a Id,
    owner: &'a Id,
) -> Request<'a> {
    let kind = catalog.group_type_named(kind).expect("a type");
    Operation::CreateGroup(
        NewGroup::new(group.group(), kind, owner.user(), Vec::new()).expect("no members"),
    )
}

pub fn disband(group: &Id) -> Request<'_> {
    Operation::DeleteGroup {
        group: group.group(),
    }
}

/// Puts pairs of ids in batches of 128 to an app.
pub fn in_batches(
    gateway: &Gateway,
    id: SdkAppId,
    pairs: impl Iterator<Item = (Id, Id)>,
    request: impl for<'a> Fn(&'a Id, &'a Id) -> Option<Request<'a>>,
) {
    let mut pairs = pairs.peekable();
    while pairs.peek().is_some() {
        let together: Vec<(Id, Id)> = pairs.by_ref().take(128).collect();
        let requests: Vec<Request<'_>> =
            together.iter().filter_map(|(a, b)| request(a, b)).collect();
        let answer = gateway.admit_batch(id, &requests, Mode::Enforce, Commit::Each, NOW);
        assert!(
            answer
                .decisions
                .iter()
                .all(|decision| decision.outcome.is_allowed())
        );
    }
}

/// Registers users, and creates a group for every ten (at least ten), owned by the first users.
pub fn fill_users(gateway: &Gateway, catalog: &Catalog, id: SdkAppId, users: u64) -> u64 {
    let groups = (users / 10).max(10);
    in_batches(
        gateway,
        id,
        (0..users).map(|n| (user(n), user(n))),
        |a, _| Some(register(a)),
    );
    in_batches(
        gateway,
        id,
        (0..groups).map(|n| (group(n), user(n))),
        |a, b| Some(create(catalog, a, b)),
    );
    groups
}

/// Lets random users join random groups.
pub fn fill_memberships(gateway: &Gateway, id: SdkAppId, users: u64, groups: u64, joins: u64) {
    let mut random = Random(88_172_645_463_325_252);
    let pairs = (0..joins).map(|_| (group(random.below(groups)), user(random.below(users))));
    in_batches(gateway, id, pairs, |a, b| Some(join(a, b)));
}

/// Makes random users friends of each other, each on both lists.
pub fn fill_friends(gateway: &Gateway, id: SdkAppId, users: u64, adds: u64) {
    let mut random = Random(6_364_136_223_846_793_005);
    befriend_randomly(gateway, id, users, adds, &mut random);
}

/// The same, going on from some random numbers.
pub fn befriend_randomly(
    gateway: &Gateway,
    id: SdkAppId,
    users: u64,
    adds: u64,
    random: &mut Random,
) {
    let pairs = (0..adds).map(|_| (user(random.below(users)), user(random.below(users))));
    in_batches(gateway, id, pairs, befriend);
}

/// Apps of 10 users, 2 groups, 20 memberships and 60 friend entries, whose users have logged in.
pub fn fill_small_apps(gateway: &Gateway, catalog: &Catalog, apps: u32) {
    for id in (1..=apps).map(app) {
        create_app(gateway, id);
        let users = || (0..SMALL_APP_USERS).map(|n| (user(n), user(n)));
        in_batches(gateway, id, users(), |a, _| Some(register(a)));
        let groups = (0..2).map(|n| (group(n), user(n)));
        in_batches(gateway, id, groups, |a, b| Some(create(catalog, a, b)));
        let members = (0..SMALL_APP_USERS * 2).map(|n| (group(n % 2), user(n / 2)));
        in_batches(gateway, id, members, |a, b| Some(join(a, b)));
        let friends = (0..SMALL_APP_USERS * 3)
            .map(|n| (user(n / 3), user((n / 3 + n % 3 + 1) % SMALL_APP_USERS)));
        in_batches(gateway, id, friends, befriend);
        in_batches(gateway, id, users(), |a, _| Some(login(a)));
    }
}

/// Users of an app made by [`fill_small_apps`].
pub const SMALL_APP_USERS: u64 = 10;

/// Resident memory of this process, in bytes.
pub fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = pages
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("pages");
    pages * u64::try_from(rustix::param::page_size()).expect("small")
}

/// What the kernel has done to some threads, as it tells in `/proc`.
pub struct Kernel {
    /// Of each thread its waits for a processor, and its page faults.
    files: Vec<[File; 2]>,
}

impl Kernel {
    /// Of the thread that asks.
    pub fn of_this_thread() -> Self {
        Self {
            files: vec![open_kernel(Path::new("/proc/thread-self"))],
        }
    }

    /// Of all threads that this process has now.
    pub fn of_all_threads() -> Self {
        let threads = std::fs::read_dir("/proc/self/task").expect("Linux");
        let threads = threads.map(|thread| open_kernel(&thread.expect("a thread").path()));
        Self {
            files: threads.collect(),
        }
    }

    /// Nanoseconds that the threads have waited for a processor, and their page faults without I/O.
    pub fn told(&self) -> [u64; 2] {
        let field = |file: &File, skipped: usize, after: char| -> u64 {
            let mut bytes = [0; 512];
            // A thread that has ended tells nothing.
            let read = file.read_at(&mut bytes, 0).unwrap_or(0);
            let text = std::str::from_utf8(&bytes[..read]).expect("ASCII");
            let fields = text.rsplit(after).next().expect("a rest");
            let field = fields.split_ascii_whitespace().nth(skipped);
            field.map_or(0, |field| field.parse().expect("a number"))
        };
        self.files.iter().fold([0, 0], |[waited, faults], file| {
            let [waits, stat] = file;
            // The fields after the program's name, which stands in parentheses: state, 6 ids and flags, then `minflt`.
            [waited + field(waits, 1, '\0'), faults + field(stat, 7, ')')]
        })
    }
}

fn open_kernel(thread: &Path) -> [File; 2] {
    ["schedstat", "stat"].map(|name| File::open(thread.join(name)).expect("Linux"))
}

/// What it costs to read the clock twice, in nanoseconds: the median of many, to be taken off each sample.
pub fn timer_overhead() -> u32 {
    let mut samples: Vec<u32> = (0..100_000).map(|_| nanos(Instant::now())).collect();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// Nanoseconds since an instant.
#[inline]
pub fn nanos(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_nanos()).unwrap_or(u32::MAX)
}

/// Quantiles of nanoseconds, in a line.
pub fn quantiles(samples: &mut [u32]) -> String {
    samples.sort_unstable();
    let mut line = String::new();
    for (name, part) in [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999)] {
        let at = samples.len() * part / 1000;
        let _ = write!(line, "{name} {} ", samples[at.min(samples.len() - 1)]);
    }
    let _ = write!(line, "max {} ns", samples[samples.len() - 1]);
    line
}

/// The median.
pub fn median(values: &mut [u32]) -> u32 {
    values.sort_unstable();
    values[values.len() / 2]
}

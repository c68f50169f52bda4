//! How many resident bytes does a user cost, a group, a membership, a friend entry, a small app, and the metering of logins?
//!
//! `cargo bench --bench memory [-- USERS]`. Each part runs in a process of its own, so that memory one part has left does not
//! flatter the next. Measured is the process's resident memory before and after each kind of fact, everything included
//! that comes with it: index, arena, rounding and holes of the allocator.
//!
//! One large app: 10 million users, a group for every ten, then ten random memberships a user and ten random friend entries
//! (five friendships, each on both lists), in random order. Many small apps: 100,000, each with 10 users, 2 groups, 20
//! memberships, 60 friend entries, and a login of each user. Metered apps: users who all log in on each of 40 days, beside apps
//! with as many users, and a group that is joined or left every day, where nobody does.

#![allow(
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a bench"
)]

mod common;

use std::io::Write as _;
use std::time::{Duration, Instant};

use common::{Id, app, group, resident, user};
use quotagate::admission::Mode;
use quotagate::catalog::Catalog;
use quotagate::gateway::Gateway;
use quotagate::time::DAY_MS;

const USERS: u64 = 10_000_000;
const SMALL_APPS: u32 = 100_000;
/// The parts that child processes run.
const LARGE: &str = "one-large-app";
const SMALL: &str = "many-small-apps";
const METERED_FEW: &str = "metered-apps-of-few-users";
const METERED_MANY: &str = "metered-apps-of-many-users";
/// Days on which all users of metered apps log in.
const DAYS: u32 = 40;

fn main() {
    common::settle_allocator();
    let users = common::numbers().first().copied().unwrap_or(USERS);
    if common::is_part(SMALL) {
        return many_small_apps();
    }
    if common::is_part(METERED_FEW) {
        return metered_apps(5_000, 99, "at most 1024");
    }
    if common::is_part(METERED_MANY) {
        return metered_apps(100, 20_000, "at most 20480");
    }
    if common::is_part(LARGE) {
        return one_large_app(users);
    }
    println!("{}", common::allocator());
    for part in [SMALL, METERED_FEW, METERED_MANY, LARGE] {
        let lines = common::in_child(part, users);
        std::io::stdout().write_all(&lines).expect("an output");
    }
}

fn many_small_apps() {
    let (gateway, catalog) = common::gateway();
    let before = resident();
    let start = Instant::now();
    common::fill_small_apps(&gateway, &catalog, SMALL_APPS);
    println!(
        "-- {SMALL_APPS} apps of 10 users, 2 groups, 20 memberships, 60 friend entries ({:.0} s)",
        start.elapsed().as_secs_f64()
    );
    let usage = gateway.app_usage(app(SMALL_APPS), common::NOW);
    let usage = usage.expect("the last app");
    assert_eq!(
        (usage.users, usage.groups, usage.daily_users),
        (10, 2, 10),
        "as said"
    );
    assert_eq!((usage.memberships, usage.friend_entries), (20, 60));
    let apps = u64::from(SMALL_APPS);
    Grown::since(before).show("an app", apps, "at most 3072");
    std::process::exit(0);
}

/// What the logins add to apps in which as much happens otherwise.
fn metered_apps(apps: u32, users: u64, target: &str) {
    let (gateway, catalog) = common::gateway();
    println!("-- {apps} apps of {users} users, who all log in on each of {DAYS} days");
    let mut grown = [0_u64; 2];
    for (each, logins) in grown.iter_mut().zip([0, users]) {
        let before = resident();
        let first = if logins > 0 { apps + 1 } else { 1 };
        for id in first..first + apps {
            metered_app(&gateway, &catalog, id, users, logins);
        }
        *each = Grown::since(before).0;
        let usage = gateway.app_usage(app(first), common::NOW).expect("an app");
        assert_eq!(usage.user_days, logins * u64::from(DAYS), "as said");
        assert_eq!(usage.days.len(), 40, "both have days");
    }
    let [without, with] = grown;
    Grown(without).show("an app without logins", apps.into(), "none");
    Grown(with.saturating_sub(without)).show("more with them", apps.into(), target);
    std::process::exit(0);
}

fn metered_app(gateway: &Gateway, catalog: &Catalog, id: u32, users: u64, logins: u64) {
    let id = app(id);
    common::create_app(gateway, id);
    let everybody: Vec<Id> = (0..users).map(user).collect();
    let register = everybody.iter().map(|user| (*user, *user));
    common::in_batches(gateway, id, register, |a, _| Some(common::register(a)));
    let (lobby, member) = (group(0), user(1));
    let create = std::iter::once((lobby, user(0)));
    common::in_batches(gateway, id, create, |a, b| {
        Some(common::create(catalog, a, b))
    });
    for day in 0..DAYS {
        let now = common::NOW.plus_ms(DAY_MS * i64::from(day));
        let turn = if day % 2 == 0 {
            common::join(&lobby, &member)
        } else {
            common::leave(&lobby, &member)
        };
        gateway.admit(id, &turn, Mode::Enforce, now);
        for user in everybody.iter().take(usize::try_from(logins).expect("few")) {
            gateway.admit(id, &common::login(user), Mode::Enforce, now);
        }
    }
}

fn one_large_app(users: u64) {
    let (gateway, catalog) = common::gateway();
    common::create_app(&gateway, app(1));
    println!("-- one app of {users} users");
    let usage = || gateway.app_usage(app(1), common::NOW).expect("an app");
    let empty = resident();

    let pairs = (0..users).map(|n| (user(n), user(n)));
    common::in_batches(&gateway, app(1), pairs, |a, _| Some(common::register(a)));
    Grown::since(empty).show("a user, with its share of the index", users, "at most 80");

    let before = resident();
    let groups = (users / 10).max(1);
    let pairs = (0..groups).map(|n| (group(n), user(n)));
    common::in_batches(&gateway, app(1), pairs, |a, b| {
        Some(common::create(&catalog, a, b))
    });
    Grown::since(before).show(
        "a group, with its share of the index and its owner's membership",
        groups,
        "none",
    );

    let before = resident();
    let owners = usage().memberships;
    common::fill_memberships(&gateway, app(1), users, groups, users * 10);
    let memberships = usage().memberships - owners;
    Grown::since(before).show("a membership", memberships, "at most 8");

    let before = resident();
    common::fill_friends(&gateway, app(1), users, users * 5);
    let entries = usage().friend_entries;
    Grown::since(before).show("a friend entry", entries, "at most 8");

    Grown::since(empty).show("a user in all", users, "at most 220");
    // The allocator gives free pages back with a delay, when it is next called.
    std::thread::sleep(Duration::from_secs(1));
    common::in_batches(
        &gateway,
        app(1),
        [(user(users), user(users))].into_iter(),
        |a, _| Some(common::register(a)),
    );
    Grown::since(empty).show("the same a second later", users, "at most 220");
    std::process::exit(0);
}

/// By how many bytes the process has grown.
struct Grown(u64);

impl Grown {
    fn since(before: u64) -> Self {
        Self(resident().saturating_sub(before))
    }

    fn show(&self, what: &str, number: u64, target: &str) {
        let (each, total) = (self.0 as f64 / number as f64, self.0 >> 20);
        println!("{each:>8.1} bytes {what} ({number}, {total} MiB); target: {target}");
    }
}

//! An independent reading of the rules, written as plainly as can be: it walks from midnight to midnight, marks what was on on
//! which day, keeps cents in integers and rates every month anew at every push. Nothing of the product is used but its answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::generate::{
    Act, DAY, END, LENGTHS, Step, account, date, is_switch, milli, scenario, split, steps, time,
};
use super::script::report;

const PLAN: [i64; 3] = [0, 14_999, 44_999];
const BLOCK: i64 = 14_999;
const ITEMS: [&str; 9] = [
    "plan",
    "dau_overage",
    "group_overage",
    "av_chat_rooms",
    "group_members",
    "joined_groups",
    "content_filtering",
    "history",
    "comment_bandwidth",
];

/// Highest value and price of each tier; a switch has the value 1.
fn tiers(edition: usize, item: usize) -> &'static [(i64, i64)] {
    match (edition, item) {
        (1, 0) | (1 | 2, 3) => &[(1, 14_999)],
        (1, 1) => &[(2_000, 7_999)],
        (2, 1) => &[(6_000, 7_999)],
        (1, 2) => &[(1_000, 14_999)],
        (2, 2) => &[(3_000, 14_999)],
        (1, 4) => &[(30, 7_999), (90, 14_999), (180, 22_999), (360, 37_999)],
        (2, 4) => &[(90, 7_999), (180, 14_999), (360, 29_999)],
        (1 | 2, 5) => &[(1, 69)],
        _ => &[],
    }
}

fn own(edition: usize, item: usize) -> i64 {
    match item {
        1 => [20, 200, 2_000][edition],
        2 => [50, 500, 1_000][edition],
        4 => [7, 7, 30][edition],
        _ => 0,
    }
}

/// The price of a value; 0 for the edition's own, which is 0 here.
fn price(edition: usize, item: usize, value: i64) -> i64 {
    if value <= own(edition, item) {
        return 0;
    }
    let tier = tiers(edition, item).iter().find(|(top, _)| value <= *top);
    tier.map_or(0, |(_, price)| *price)
}

#[derive(Clone, Default)]
struct App {
    account: usize,
    created: i64,
    edition: usize,
    values: [i64; 6],
    version_month: Option<i64>,
    turns: [Option<(i64, i64, bool)>; 6],
    prepaid: Option<i64>,
    state: &'static str,
    usage: BTreeMap<i64, [i64; 3]>,
    paid_days: BTreeSet<i64>,
    bandwidth_days: BTreeSet<i64>,
    due: BTreeMap<(i64, usize), i64>,
    started_suspended: BTreeSet<i64>,
    restored: BTreeSet<i64>,
    billed: BTreeMap<(i64, usize), (i64, i64)>,
}

#[derive(Default)]
struct Account {
    balance: i64,
    unpaid: VecDeque<i64>,
    since: Option<i64>,
    first: Option<i64>,
}

#[derive(Default)]
struct World {
    apps: BTreeMap<usize, App>,
    accounts: [Account; 2],
    bills: Vec<String>,
    states: Vec<(i64, usize, usize, &'static str)>,
    refused: Vec<String>,
}

fn cents(amount: i64) -> String {
    format!("{}.{:02}", amount / 100, amount % 100)
}

impl App {
    fn exists(&self) -> bool {
        matches!(self.state, "ACTIVE" | "SUSPENDED")
    }

    /// Quantity (bandwidth: in thousandths) and amount of each item.
    fn rate(&self, month: i64) -> [(i64, i64); 9] {
        let mut items = [(0, 0); 9];
        if self.started_suspended.contains(&month) && !self.restored.contains(&month) {
            return items;
        }
        let due = |item| self.due.get(&(month, item)).copied().unwrap_or(0);
        items[0] = (1, due(0));
        for item in 0..5 {
            items[3 + item] = (1, due(3 + item));
        }
        let mut peaks = [0, 0];
        let mut sum = 0;
        for (day, [dau, groups, mbps]) in &self.usage {
            if split(*day).0 == month && self.paid_days.contains(day) {
                peaks = [peaks[0].max(*dau), peaks[1].max(*groups)];
            }
            if split(*day).0 == month && self.bandwidth_days.contains(day) {
                sum += mbps;
            }
        }
        for (item, free) in [(1, 10_000), (2, 100_000)] {
            let blocks = ((peaks[item - 1] - free).max(0) + free - 1) / free;
            items[item] = (blocks, blocks * BLOCK);
        }
        items[8] = (sum, (69 * sum + 500) / 1000);
        items
    }
}

impl World {
    /// Time passes, in the state that things are in.
    fn pass(&mut self, from: i64, to: i64) {
        if to <= from {
            return;
        }
        for app in self.apps.values_mut().filter(|app| app.exists()) {
            for day in from / DAY..=(to - 1) / DAY {
                if app.edition > 0 {
                    app.paid_days.insert(day);
                }
                if app.values[5] == 1 {
                    app.bandwidth_days.insert(day);
                }
            }
        }
    }

    fn midnight(&mut self, day: i64) {
        let (month, of_month) = split(day);
        if of_month == 0 && month > 0 {
            self.push(month - 1, day);
        }
        for account in 0..2 {
            self.refresh(account, day * DAY);
        }
        if of_month == 0 {
            for app in self.apps.values_mut().filter(|app| app.exists()) {
                if app.prepaid.is_none() {
                    app.due.insert((month, 0), PLAN[app.edition]);
                }
                for item in 0..5 {
                    app.due.insert(
                        (month, 3 + item),
                        price(app.edition, item, app.values[item]),
                    );
                }
                if app.state == "SUSPENDED" {
                    app.started_suspended.insert(month);
                }
            }
        }
    }

    fn refresh(&mut self, account: usize, minute: i64) {
        let (since, day) = (self.accounts[account].since, minute / DAY);
        for (number, app) in self
            .apps
            .iter_mut()
            .filter(|(_, app)| app.account == account)
        {
            if !app.exists() {
                continue;
            }
            let gone =
                since.is_some_and(|since| day >= since + 97 && app.created < (since + 97) * DAY);
            let gone = gone || app.prepaid.is_some_and(|until| day >= until + 98);
            let suspended = since.is_some_and(|since| day >= since + 7)
                || app.prepaid.is_some_and(|until| day >= until + 8);
            let state = match (gone, suspended) {
                (true, _) => "REPOSSESSED",
                (_, true) => "SUSPENDED",
                _ => "ACTIVE",
            };
            if state != app.state {
                app.state = state;
                self.states.push((minute, account, *number, state));
                // Suspended at a month's very first instant, it starts suspended.
                if state == "SUSPENDED" && minute == day * DAY && split(day).1 == 0 {
                    app.started_suspended.insert(split(day).0);
                }
                if state == "ACTIVE" {
                    app.restored.insert(split(day).0);
                }
            }
        }
    }

    fn push(&mut self, month: i64, day: i64) {
        for of in 0..2 {
            if self.accounts[of].first.is_none_or(|first| first > month) {
                continue;
            }
            let (mut lines, mut total) = (Vec::new(), 0);
            for (number, app) in self.apps.iter_mut().filter(|(_, app)| app.account == of) {
                let mut earlier = Vec::new();
                for rated in 0..=month {
                    for (item, now) in app.rate(rated).into_iter().enumerate() {
                        let before = app.billed.insert((rated, item), now).unwrap_or((0, 0));
                        if now.1 == before.1 {
                            continue;
                        }
                        let (quantity, amount) = (now.0 - before.0, now.1 - before.1);
                        total += amount;
                        let (name, to) = if rated == month {
                            (ITEMS[item], &mut lines)
                        } else {
                            ("adjustment", &mut earlier)
                        };
                        let (quantity, each) = match item {
                            8 => (milli(quantity), 69),
                            1 | 2 => (quantity.to_string(), BLOCK),
                            _ => ("1".to_owned(), amount),
                        };
                        to.push(format!(
                            "{{\"app\":{number},\"item\":\"{name}\",\"quantity\":\"{quantity}\",\
                             \"unit_price\":\"{}\",\"amount\":\"{}\"}}",
                            cents(each),
                            cents(amount)
                        ));
                    }
                }
                lines.extend(earlier);
            }
            let pushed = match total {
                0 => "null".to_owned(),
                _ => format!("\"{}\"", date(day)),
            };
            self.bills.push(format!(
                "{{\"account\":\"{}\",\"month\":\"{}\",\"pushed\":{pushed},\"total\":\"{}\",\"lines\":[{}]}}",
                account(of),
                &date(day - LENGTHS[usize::try_from(month).expect("a month")])[..7],
                cents(total),
                lines.join(",")
            ));
            if total > 0 {
                self.accounts[of].unpaid.push_back(total);
                self.pay(of);
                let account = &mut self.accounts[of];
                if !account.unpaid.is_empty() {
                    account.since.get_or_insert(day);
                }
            }
        }
    }

    fn pay(&mut self, account: usize) {
        let account = &mut self.accounts[account];
        while account
            .unpaid
            .front()
            .is_some_and(|oldest| *oldest <= account.balance)
        {
            account.balance -= account.unpaid.pop_front().expect("there is one");
        }
        if account.unpaid.is_empty() {
            account.since = None;
        }
    }

    fn act(&mut self, minute: i64, act: &Act) -> Result<(), &'static str> {
        match act {
            Act::Create { app, account } => {
                let month = split(minute / DAY).0;
                let held = &mut self.accounts[*account];
                held.first.get_or_insert(month);
                let is_suspended = held.since.is_some_and(|since| minute / DAY >= since + 7);
                let state = if is_suspended { "SUSPENDED" } else { "ACTIVE" };
                let (account, created) = (*account, minute);
                self.apps.insert(
                    *app,
                    App {
                        account,
                        created,
                        state,
                        ..App::default()
                    },
                );
            }
            Act::TopUp { account, cents } => {
                self.accounts[*account].balance += cents;
                self.pay(*account);
                self.refresh(*account, minute);
            }
            Act::Usage {
                app,
                day,
                dau,
                groups,
                milli_mbps,
            } => {
                let app = self.apps.get_mut(app).ok_or("APP_NOT_FOUND")?;
                let day = app.usage.entry(*day).or_default();
                *day = [
                    day[0].max(*dau),
                    day[1].max(*groups),
                    day[2].max(*milli_mbps),
                ];
            }
            Act::Disable { app } => {
                let number = *app;
                let app = self.existing(number)?;
                app.state = "DISABLED";
                let account = app.account;
                self.states.push((minute, account, number, "DISABLED"));
            }
            Act::Prepaid { app, day } => {
                let app = self.existing(*app)?;
                if app.prepaid.is_some_and(|until| *day < until) {
                    return Err("OUT_OF_RANGE");
                }
                app.prepaid = Some(*day);
                let account = app.account;
                self.refresh(account, minute);
            }
            Act::Upgrade {
                app,
                edition,
                settings,
            } => {
                let app = self.active(*app)?;
                if app.edition > 0 || *edition == 0 {
                    return Err("NOT_UPGRADABLE");
                }
                configure(app, minute, *edition, settings)?;
            }
            Act::Change {
                app,
                edition,
                settings,
            } => {
                let app = self.active(*app)?;
                if app.edition == 0 {
                    return Err("NOT_AVAILABLE_IN_EDITION");
                }
                configure(app, minute, edition.unwrap_or(app.edition), settings)?;
            }
        }
        Ok(())
    }

    fn existing(&mut self, app: usize) -> Result<&mut App, &'static str> {
        let app = self.apps.get_mut(&app).ok_or("APP_NOT_FOUND")?;
        match app.state {
            "DISABLED" => Err("APP_DISABLED"),
            "REPOSSESSED" => Err("APP_REPOSSESSED"),
            _ => Ok(app),
        }
    }

    fn active(&mut self, app: usize) -> Result<&mut App, &'static str> {
        let app = self.existing(app)?;
        if app.state == "SUSPENDED" {
            Err("APP_SUSPENDED")
        } else {
            Ok(app)
        }
    }
}

fn configure(
    app: &mut App,
    minute: i64,
    edition: usize,
    settings: &[Option<i64>; 6],
) -> Result<(), &'static str> {
    let month = split(minute / DAY).0;
    let mut next = app.clone();
    let mut once = false;
    if edition != app.edition {
        once = app.version_month == Some(month);
        next.edition = edition;
        next.version_month = Some(month);
        for item in 0..6 {
            if price(edition, item, next.values[item]) == 0 {
                next.values[item] = 0;
            }
        }
    }
    let mut range = false;
    for (item, wish) in settings.iter().enumerate() {
        let Some(wish) = *wish else { continue };
        let value = if !is_switch(item) && wish == own(edition, item) {
            0
        } else {
            wish
        };
        if (value != 0 || !is_switch(item) && wish != own(edition, item))
            && tiers(edition, item).is_empty()
        {
            return Err("NOT_AVAILABLE_IN_EDITION");
        }
        if value != 0 && price(edition, item, value) == 0 {
            range = true;
            continue;
        }
        if value == next.values[item] {
            continue;
        }
        match &mut next.turns[item] {
            Some((of, before, restored)) if *of == month => {
                once |= *restored || *before != value;
                *restored = true;
            }
            turn => *turn = Some((month, next.values[item], false)),
        }
        next.values[item] = value;
        if next.version_month != Some(month) && item < 5 {
            let due = next.due.entry((month, 3 + item)).or_default();
            *due = price(edition, item, value).max(*due);
        }
    }
    match (range, once) {
        (true, _) => Err("OUT_OF_RANGE"),
        (_, true) => Err("ONCE_A_MONTH"),
        _ => {
            *app = next;
            Ok(())
        }
    }
}

fn expected(steps: &[Step]) -> String {
    let mut world = World::default();
    let (mut now, mut next_day) = (0, 1);
    let until = |world: &mut World, now: &mut i64, next_day: &mut i64, minute: i64| {
        while *next_day * DAY <= minute {
            world.pass(*now, *next_day * DAY);
            *now = *next_day * DAY;
            world.midnight(*next_day);
            *next_day += 1;
        }
        world.pass(*now, minute);
        *now = minute;
    };
    for (number, step) in steps.iter().enumerate() {
        until(&mut world, &mut now, &mut next_day, step.minute);
        if let Err(reason) = world.act(step.minute, &step.act) {
            let line = number + 1;
            world
                .refused
                .push(format!("{{\"line\":{line},\"reason\":\"{reason}\"}}"));
        }
    }
    until(&mut world, &mut now, &mut next_day, END);
    world
        .states
        .sort_by_key(|(minute, account, app, _)| (*minute, *account, *app));
    let states = world.states.iter().map(|(minute, of, app, state)| {
        format!(
            "{{\"at\":\"{}\",\"account\":\"{}\",\"app\":{app},\"state\":\"{state}\"}}",
            time(*minute),
            account(*of)
        )
    });
    format!(
        "{{\"bills\":[{}],\"states\":[{}],\"refused\":[{}]}}",
        world.bills.join(","),
        states.collect::<Vec<_>>().join(","),
        world.refused.join(",")
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bills_are_those_of_a_plain_reading_of_the_rules(steps in steps()) {
        prop_assert_eq!(report(&scenario(&steps)), expected(&steps));
    }
}

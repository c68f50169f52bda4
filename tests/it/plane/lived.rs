//! A scenario lived through a gateway and its plane: people log in, groups are created, operators call, months close. What comes
//! of it must be what the books alone say.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::rig::{Rig, Setup};
use crate::support::at;
use quotagate::catalog::Catalog;
use quotagate::control::{ControlError, WantedChange};
use quotagate::gateway::{AppError, Reported};
use quotagate::id::SdkAppId;
use quotagate::money::Quantity;
use quotagate::simulate::Played;
use quotagate::subscription::{AppState, Settings};
use quotagate::time::{DAY_MS, Day, Timestamp, Zone};

pub fn field<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    line[name].as_str()
}

fn number(line: &Value, name: &str) -> Option<u64> {
    line[name].as_u64()
}

fn app_of(line: &Value) -> u32 {
    let number = number(line, "app").expect("an app");
    u32::try_from(number).expect("a small number")
}

/// More users or groups in a day are lived in rows of RULES' worked bills alone: they take their time.
const FEW: u64 = 2_000;

/// Whether people could do all that: usage of a day is made on it, or by logins and reports that are at most 31 days late, of an
/// app that is in service; and money comes to accounts that are there.
fn is_livable(
    name: &str,
    lines: &[Value],
    zone: Zone,
    state: impl Fn(u32, Timestamp) -> AppState,
) -> bool {
    let mut accounts = BTreeSet::new();
    let is_worked = name.starts_with(['C', 'c']) || name.contains("B49");
    lines.iter().all(|line| match field(line, "op") {
        Some("create_app") => {
            accounts.insert(field(line, "account"));
            true
        }
        Some("top_up") => accounts.contains(&field(line, "account")),
        Some("usage") => {
            let now = at(field(line, "at").expect("a time"));
            let day = Day::parse(field(line, "day").expect("a day")).expect("a day");
            let is_today = zone.day(now) == day;
            let age = now.as_unix_ms() - zone.start(day).as_unix_ms();
            let reaches = (0..31 * DAY_MS).contains(&age);
            let most = number(line, "dau").max(number(line, "groups")).unwrap_or(0);
            reaches
                && (is_today || number(line, "groups").is_none())
                && state(app_of(line), now) == AppState::Active
                && (is_worked || most <= FEW)
        }
        _ => true,
    })
}

/// The same with every line at an instant of its own, as calls are.
pub fn spread(text: &str) -> String {
    let (mut lines, mut last, mut later) = (Vec::new(), String::new(), 0);
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let Some(at) = field(&value, "at") else {
            lines.push(line.to_owned());
            continue;
        };
        later = if at == last { later + 1 } else { 0 };
        at.clone_into(&mut last);
        let (local, zone) = at.split_at(19);
        let instant = match later {
            0 => at.to_owned(),
            later => format!("{local}.{later:03}{zone}"),
        };
        lines.push(line.replacen(at, &instant, 1));
    }
    lines.join("\n") + "\n"
}

/// Lives a scenario, if it can be lived, and compares with what the books alone make of it.
pub fn check(name: &str, text: &str, catalog: &Arc<Catalog>) -> bool {
    let text = spread(text);
    let played = crate::billing::script::play_text(&text, Arc::clone(catalog));
    let played = played.unwrap_or_else(|error| panic!("{name}: {error}"));
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<Value> = lines.collect();
    let states: Vec<_> = played.states();
    let tariff = played.books.tariff();
    let of = |app: SdkAppId, at: Timestamp| {
        let mut latest = states.iter().rev();
        let found = latest.find(|it| it.app == app && it.at <= at);
        found.map(|it| it.state)
    };
    let in_play = |id, at| of(crate::support::app(id), at).unwrap_or(AppState::Active);
    if !is_livable(name, &lines, tariff.zone, in_play) {
        return false;
    }
    let setup = Setup {
        catalog: Arc::clone(catalog),
        push_day: tariff.push_day,
        zone: tariff.zone,
    };
    let first = lines.iter().find_map(|line| field(line, "at")).map(at);
    let mut rig = Rig::new(setup, first.expect("a dated line"));
    let agree = |rig: &Rig, at: Timestamp| {
        for app in rig.gateway.app_ids() {
            let state = rig.state(app.get(), at).expect("an app");
            // An app of a suspended account begins suspended, which is no change.
            let expected = of(app, at).unwrap_or(match state {
                AppState::Suspended if states.iter().any(|it| it.app != app) => state,
                _ => AppState::Active,
            });
            assert_eq!(state, expected, "{name}: app {app} at {at}");
        }
    };
    let mut refused = Vec::new();
    for (place, line) in (1..).zip(&lines) {
        let now = field(line, "at").map_or(rig.now, at);
        let mut instants: Vec<_> = states.iter().map(|it| it.at).collect();
        instants.retain(|at| *at > rig.now && *at < now);
        for instant in instants {
            // The gateway knows before anything is done at that instant.
            rig.turn(instant);
            agree(&rig, instant.plus_ms(-1));
            agree(&rig, instant);
        }
        rig.turn(now);
        rig.advance();
        if let Err(error) = act(&rig, line, place) {
            refused.push((place, error));
        }
        agree(&rig, now);
    }
    let said = |(line, error): &(u64, ControlError)| match error {
        ControlError::Refused(refusal) => format!("{line} {refusal}"),
        ControlError::App(_) => format!("{line} APP_NOT_FOUND"),
        other => panic!("{name}: {other}"),
    };
    let refused: Vec<_> = refused.iter().map(said).collect();
    let expected = played
        .refused
        .iter()
        .map(|it| format!("{} {}", it.line, it.reason));
    assert_eq!(refused, expected.collect::<Vec<_>>(), "{name}: refused");
    same_books(name, &rig, &played);
    true
}

fn same_books(name: &str, rig: &Rig, played: &Played) {
    for bill in played.books.bills() {
        let stored = rig.bill(bill.account.as_str(), &bill.month.to_string());
        assert_eq!(stored.as_ref(), Some(bill), "{name}: {}", bill.month);
    }
    for of in played.books.accounts() {
        let view = rig.runtime.block_on(rig.plane.account(of, rig.now));
        let view = view.expect("an account");
        let money = played.books.account(of).expect("an account");
        assert_eq!(view.balance, money.balance(), "{name}: {of}");
        assert!(view.unpaid.iter().eq(money.unpaid()), "{name}: {of}");
        assert_eq!(view.arrears_since, money.arrears_since(), "{name}: {of}");
    }
}

pub fn act(rig: &Rig, line: &Value, place: u64) -> Result<(), ControlError> {
    let caller = super::rig::caller();
    let now = rig.now;
    match field(line, "op").expect("an operation") {
        "create_app" => rig.create(app_of(line), field(line, "account").expect("one"), ""),
        op @ ("upgrade" | "change") => rig.change(
            app_of(line),
            WantedChange {
                upgrade: op == "upgrade",
                edition: field(line, "edition").map(ToOwned::to_owned),
                settings: settings(&line["settings"]),
            },
        ),
        "disable" => {
            let app = crate::support::app(app_of(line));
            let call = rig.plane.disable(&caller, app, app, now);
            rig.runtime.block_on(call)
        }
        "prepaid" => {
            let app = crate::support::app(app_of(line));
            let expires = Day::parse(field(line, "expires").expect("a day")).expect("a day");
            rig.runtime
                .block_on(rig.plane.prepay(&caller, app, expires, now))
        }
        "top_up" => {
            let of = field(line, "account").expect("an account");
            let amount = field(line, "amount").expect("an amount");
            rig.top_up(of, amount, &format!("line {place}"))
        }
        "usage" => {
            let day = Day::parse(field(line, "day").expect("a day")).expect("a day");
            let id = app_of(line);
            let app = crate::support::app(id);
            if rig.gateway.control(app).is_none() {
                return Err(AppError::NotFound(app).into());
            }
            rig.log_in(id, day, number(line, "dau").unwrap_or(0));
            rig.group(id, number(line, "groups").unwrap_or(0));
            if let Some(mbps) = field(line, "bandwidth_mbps") {
                let bps = Quantity::parse(mbps).expect("Mbps").micros();
                let bps = bps.and_then(|bps| u64::try_from(bps).ok());
                let bps = bps.expect("bits per second");
                let reported = rig.gateway.report_bandwidth(app, day, bps, now);
                assert_eq!(reported, Reported::Taken);
            }
            Ok(())
        }
        "configure" | "end" => Ok(()),
        other => panic!("no operation {other}"),
    }
}

fn settings(of: &Value) -> Settings {
    Settings {
        av_chat_rooms_unlimited: of["av_chat_rooms_unlimited"].as_bool(),
        group_members: of["group_members"].as_i64(),
        joined_groups: of["joined_groups"].as_i64(),
        content_filtering: of["content_filtering"].as_bool(),
        history_days: of["history_days"].as_i64(),
        comment_bandwidth: of["comment_bandwidth"].as_bool(),
    }
}

#[test]
fn a_scenario_that_nobody_can_live_is_not_lived() {
    let is_livable = |text: &str, state| {
        let line = serde_json::from_str::<Value>(text).expect("JSON");
        is_livable("", &[line], Zone::default(), |_, _| state)
    };
    let usage =
        r#"{"at":"2026-03-02T09:00:00+08:00","op":"usage","app":1,"day":"2026-02-02","dau":1}"#;
    assert!(is_livable(usage, AppState::Active));
    assert!(!is_livable(usage, AppState::Suspended));
    for (from, to) in [("02-02", "01-30"), ("dau", "groups"), (":1}", ":2001}")] {
        assert!(
            !is_livable(&usage.replace(from, to), AppState::Active),
            "{to}"
        );
    }
    let text = format!("{usage}\n{usage}\n");
    assert!(spread(&text).contains("09:00:00.001+08:00"));
}

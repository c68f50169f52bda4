//! A short script for scenarios: dated commands with what is refused, and the bills and states that must come of them.
//!
//! A line is `DAY[THH:MM:SS] COMMAND [=> REASON]`, at 09:00 if no time is given, or an expectation: `bill MONTH[ ACCOUNT]: ITEM
//! AMOUNT, … = TOTAL`, `state DAY[THH:MM:SS] APP STATE` (all of them, in order, if there is one), `no state`.

use std::io::Cursor;
use std::sync::Arc;

use quotagate::catalog::Catalog;
use quotagate::presentation::Detail;
use quotagate::rating::Bill;
use quotagate::simulate::{Played, ScenarioError, play};
use quotagate::trace::Reader;

use crate::plane::lived;
use crate::support::catalog;

/// Plays NDJSON.
pub fn play_text(text: &str, catalog: Arc<Catalog>) -> Result<Played, ScenarioError> {
    let source = Cursor::new(text.as_bytes().to_vec());
    play(&mut Reader::new("s", source)?, catalog)
}

/// The lines of a played scenario's report.
pub fn report(text: &str) -> String {
    let played = play_text(text, catalog()).expect("a valid scenario");
    played.json(Detail::Plain).expect("JSON")
}

/// Plays each row and checks what it expects.
pub fn check(rows: &[(&str, &str)]) {
    for (name, script) in rows {
        check_with(name, script, &catalog());
    }
}

pub fn check_with(name: &str, script: &str, catalog: &Arc<Catalog>) {
    let text = ndjson(script);
    let played = play_text(&text, Arc::clone(catalog));
    let played = played.unwrap_or_else(|e| panic!("{name}: {e}"));
    let said = |line: &&str| is_command(line) && line.contains("=>");
    let commands = script
        .lines()
        .map(str::trim)
        .filter(|line| is_command(line));
    let refused = commands.enumerate().filter(|(_, line)| said(line));
    let refused: Vec<_> = refused
        .map(|(at, line)| format!("{} {}", at + 1, line.split_once("=> ").expect("a reason").1))
        .collect();
    let found = played.refused.iter();
    let found: Vec<_> = found
        .map(|it| format!("{} {}", it.line, it.reason))
        .collect();
    assert_eq!(found, refused, "{name}: refused");

    for line in script.lines().map(str::trim) {
        if let Some(expected) = line.strip_prefix("bill ") {
            let found = played.books.bills().iter().map(told);
            let (which, _) = expected.split_once(':').expect("a month");
            let found: Vec<_> = found
                .filter(|told| told.starts_with(&format!("{which}:")))
                .collect();
            assert_eq!(found, [expected.to_owned()], "{name}");
        }
    }
    let expected: Vec<_> = script
        .lines()
        .filter_map(|line| line.trim().strip_prefix("state "))
        .map(|line| {
            let (at, rest) = line.split_once(' ').expect("a time");
            format!("{} {rest}", instant(at, "00:00:00"))
        })
        .collect();
    if !expected.is_empty() || script.contains("no state") {
        let zone = played.books.tariff().zone;
        let states = played.states();
        let found = states
            .iter()
            .map(|it| format!("{} {} {}", zone.show(it.at), it.app, it.state.name()));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{name}: states");
    }
    // And as people and operators live it.
    let is_lived = lived::check(name, &text, catalog);
    let must_be = name.starts_with('C') || name.starts_with("calendar");
    assert!(is_lived || !must_be, "{name}: nobody could live it");
}

/// A bill on one line. The account is named unless it is acme.
pub fn told(bill: &Bill) -> String {
    let account = match bill.account.as_str() {
        "acme" => String::new(),
        other => format!(" {other}"),
    };
    let apps: std::collections::BTreeSet<_> = bill.lines.iter().map(|line| line.app).collect();
    let line = |line: &quotagate::rating::Line| {
        let app = if apps.len() > 1 {
            format!("{}/", line.app)
        } else {
            String::new()
        };
        format!(" {app}{} {}", line.item.name(), line.amount)
    };
    let lines: Vec<_> = bill.lines.iter().map(line).collect();
    format!(
        "{}{account}:{} = {}",
        bill.month,
        lines.join(","),
        bill.total
    )
}

fn is_command(line: &str) -> bool {
    line.starts_with("configure") || line.starts_with(|first: char| first.is_ascii_digit())
}

fn instant(text: &str, time: &str) -> String {
    match text.len() {
        10 => format!("{text}T{time}+08:00"),
        19 => format!("{text}+08:00"),
        _ => text.to_owned(),
    }
}

/// The commands of a script as a scenario.
pub fn ndjson(script: &str) -> String {
    let commands = script
        .lines()
        .map(str::trim)
        .filter(|line| is_command(line));
    commands.map(|line| command(line) + "\n").collect()
}

fn command(line: &str) -> String {
    let line = line.split(" =>").next().expect("a command");
    let words: Vec<_> = line.split_whitespace().collect();
    if words[0] == "configure" {
        return format!("{{\"op\":\"configure\"{}}}", fields(&words[1..]));
    }
    let at = instant(words[0], "09:00:00");
    let account = |place: usize| words.get(place).copied().unwrap_or("acme");
    let fields = match words[1] {
        "create_app" => format!(",\"app\":{},\"account\":\"{}\"", words[2], account(3)),
        "upgrade" | "change" => format!(",\"app\":{}{}", words[2], change(&words[3..])),
        "disable" => format!(",\"app\":{}", words[2]),
        "usage" => format!(
            ",\"app\":{},\"day\":\"{}\"{}",
            words[2],
            words[3],
            fields(&words[4..])
        ),
        "top_up" => format!(
            ",\"account\":\"{}\",\"amount\":\"{}\"",
            account(3),
            words[2]
        ),
        "prepaid" => format!(",\"app\":{},\"expires\":\"{}\"", words[2], words[3]),
        "end" => String::new(),
        other => panic!("no command {other}"),
    };
    format!("{{\"at\":\"{at}\",\"op\":\"{}\"{fields}}}", words[1])
}

fn fields(words: &[&str]) -> String {
    let field = |word: &&str| {
        let (name, value) = word.split_once('=').expect("a value");
        let quote = if matches!(name, "bandwidth_mbps" | "time_zone") {
            "\""
        } else {
            ""
        };
        format!(",\"{name}\":{quote}{value}{quote}")
    };
    words.iter().map(field).collect()
}

fn change(words: &[&str]) -> String {
    let mut settings = Vec::new();
    let mut edition = String::new();
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, "true"));
        let (name, value) = name
            .strip_prefix('-')
            .map_or((name, value), |name| (name, "false"));
        let name = match name {
            "av" => "av_chat_rooms_unlimited",
            "members" => "group_members",
            "groups" => "joined_groups",
            "filter" => "content_filtering",
            "history" => "history_days",
            "bandwidth" => "comment_bandwidth",
            name => {
                edition = format!(",\"edition\":\"{name}\"");
                continue;
            }
        };
        settings.push(format!("\"{name}\":{value}"));
    }
    if settings.is_empty() {
        return edition;
    }
    format!("{edition},\"settings\":{{{}}}", settings.join(","))
}

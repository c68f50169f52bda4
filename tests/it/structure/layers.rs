//! What a module may name: only modules above it in `src/lib.rs`, and only what its layer is for.

use super::fault;
use super::rust::{Named, paths};

/// The layers without I/O, a runtime or formats: what they do follows from their arguments.
pub const PURE: &str =
    "operation id time money catalog subscription entitlement admission sketch metering rating";

/// What a pure layer may not name.
const IMPURE: &str = "std::fs std::net std::io std::process std::env std::thread std::sync::atomic tokio parking_lot \
                      print println eprint eprintln";

const CLOCKS: &str =
    "std::time::Instant std::time::SystemTime chrono rustix::time tokio::time::Instant";

/// Crates of the edges, of storage and of sketches, and the modules that may name them.
const EDGES: [(&str, &str); 6] = [
    (
        "serde serde_json toml clap comfy_table indicatif",
        "config trace presentation simulate cli",
    ),
    (
        "tonic prost h2 http http_body axum tower",
        "proto client grpc server load cli",
    ),
    ("sqlx", "ledger"),
    ("datasketches", "sketch"),
    ("ureq", "cli"),
    ("anyhow", "cli main"),
];

/// The modules in the order of `src/lib.rs`.
pub fn order(library: &str) -> Vec<&str> {
    let module = |line| str::strip_suffix(str::strip_prefix(line, "pub mod ")?, ";");
    library.lines().filter_map(module).collect()
}

/// Modules named from above them in the order, or not by their own name.
pub fn upward(order: &[&str], path: &str, text: &str) -> Vec<String> {
    let place_of = |module| order.iter().position(|listed| *listed == module);
    let this = modules_of(path);
    let top = this.first().copied().unwrap_or("lib");
    let place = place_of(top);
    if place.is_none() && !matches!(top, "lib" | "main") {
        let message = "not in src/lib.rs: list it as `pub mod`, below what it uses";
        return vec![fault(path, 1, message)];
    }
    let mut faults = Vec::new();
    for named in paths(text) {
        let Some(module) = leads_to(&named, this.len()) else {
            continue;
        };
        let advice = match place_of(module) {
            _ if top == "main" && module == "cli" => continue,
            _ if top == "main" => "the program may name `cli` only",
            None => "no module of src/lib.rs: name things by the module they are in",
            Some(other) if place.is_none_or(|place| other > place) => {
                "below in src/lib.rs: move the shared part up, or take it as an argument"
            }
            Some(_) => continue,
        };
        let message = format!("`{top}` names `{module}`: {advice}");
        faults.push(fault(path, named.line, &message));
    }
    faults
}

/// Readings of the time outside `clock`.
pub fn clocks(path: &str, text: &str) -> Vec<String> {
    let reads = |named: &Named<'_>| match named.segments.as_slice() {
        [.., before, "now"] => *before != "clock",
        [.., "Instant" | "SystemTime" | "UNIX_EPOCH"] | ["Instant" | "SystemTime", ..] => true,
        segments => touches(segments, CLOCKS),
    };
    let advice = "reads the time: take `now` as an argument, or use `clock`";
    let is_clock = path == "src/clock.rs";
    say(path, text, advice, |named| !is_clock && reads(named))
}

/// I/O and runtimes in a pure layer.
pub fn purity(path: &str, text: &str) -> Vec<String> {
    let top = modules_of(path).first().copied();
    let is_pure = top.is_some_and(|top| is_in(top, PURE));
    let advice = "is not for a pure layer: take its result as an argument";
    say(path, text, advice, |named| {
        is_pure && touches(&named.segments, IMPURE)
    })
}

/// Formats and terminals outside the edges.
pub fn edges(path: &str, text: &str) -> Vec<String> {
    let top = modules_of(path).first().copied().unwrap_or("lib");
    let advice = "belongs to the edges: convert there, and hand in plain types";
    say(path, text, advice, |named| {
        EDGES
            .iter()
            .any(|(crates, homes)| touches(&named.segments, crates) && !is_in(top, homes))
    })
}

fn say(path: &str, text: &str, advice: &str, is_wrong: impl Fn(&Named<'_>) -> bool) -> Vec<String> {
    let message = |named: &Named<'_>| format!("`{}` {advice}", named.segments.join("::"));
    let paths = paths(text);
    let wrong = paths.iter().filter(|named| is_wrong(named));
    wrong
        .map(|named| fault(path, named.line, &message(named)))
        .collect()
}

fn is_in(word: &str, words: &str) -> bool {
    words.split(' ').any(|it| it == word)
}

/// Whether a path leads into something banned, or brings it in with all around it (`use std::sync::*`).
fn touches(segments: &[&str], banned: &str) -> bool {
    let plain = segments
        .iter()
        .filter(|it| !matches!(**it, "*" | "self"))
        .map(|it| if *it == "core" { "std" } else { it });
    let starts = |one: &str| plain.clone().zip(one.split("::")).all(|(a, b)| a == b);
    plain.clone().next().is_some() && banned.split(' ').any(starts)
}

/// The module that a file is: `[usage, facts]` of `src/usage/facts.rs`, nothing of the library's own.
fn modules_of(path: &str) -> Vec<&str> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    inner.split('/').filter(|module| *module != "lib").collect()
}

/// The top module that a path leads to from a module so deep, or how it names all of them; none if it stays inside.
fn leads_to<'a>(named: &Named<'a>, depth: usize) -> Option<&'a str> {
    let head = *named.segments.first()?;
    let climbs = named
        .segments
        .iter()
        .take_while(|it| matches!(**it, "super" | "self"));
    let ups = climbs.clone().filter(|it| **it == "super").count();
    let skipped = match head {
        "crate" | "quotagate" => 1,
        "super" | "self" if ups >= depth + named.depth => climbs.count(),
        _ => return None,
    };
    Some(named.segments.get(skipped).copied().unwrap_or(head))
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    const ORDER: [&str; 4] = ["id", "admission", "usage", "cli"];

    #[test]
    fn the_order_is_that_of_the_library() {
        let library = "//! x\npub mod id;\n\n// State.\npub mod usage;\n";
        assert_eq!(order(library), ["id", "usage"]);
    }

    #[test]
    fn a_module_below_is_caught_however_it_is_named() {
        for (path, wrong) in [
            ("src/admission/explain.rs", "use crate::usage::Facts;"),
            (
                "src/admission/explain.rs",
                "use crate::{id::UserId, usage};",
            ),
            (
                "src/admission/explain.rs",
                "fn f(x: &crate::usage::Facts) {}",
            ),
            ("src/admission/explain.rs", "mod tests { use crate::cli; }"),
            (
                "src/admission/explain.rs",
                "use super::super::usage::Facts;",
            ),
            (
                "src/admission/explain.rs",
                "mod a { use super::super::{super::usage}; }",
            ),
            ("src/admission/explain.rs", "use super::super::*;"),
            ("src/admission/mod.rs", "use super::usage;"),
            ("src/id.rs", "use crate::Renamed;"),
            ("src/id.rs", "use crate::*;"),
            ("src/id.rs", "use crate as all;"),
            ("src/lib.rs", "pub use crate::id::UserId;"),
            ("src/main.rs", "use quotagate::id;"),
            ("src/unlisted.rs", ""),
        ] {
            assert_eq!(upward(&ORDER, path, wrong).len(), 1, "{path}: {wrong}");
        }
        for (path, right) in [
            (
                "src/usage/mod.rs",
                "use crate::{admission, id::UserId, usage::x};",
            ),
            (
                "src/admission/explain.rs",
                "use super::{Denial, usage}; // crate::usage",
            ),
            (
                "src/admission/explain.rs",
                "pub(crate) fn f() { self::super::g() }",
            ),
            (
                "src/admission/explain.rs",
                "mod tests { use super::super::*; }",
            ),
            ("src/id.rs", "mod tests { use super::*; }"),
            ("src/id.rs", "let usage = \"crate::usage\"; usage::f();"),
            ("src/main.rs", "fn main() { quotagate::cli::run() }"),
        ] {
            assert!(upward(&ORDER, path, right).is_empty(), "{path}: {right}");
        }
    }

    #[test]
    fn a_fault_says_where_and_what_to_do() {
        let text = "//! Ids.\n\nuse crate::usage::Facts;\n";
        let said = "src/id.rs:3: `id` names `usage`: below in src/lib.rs: \
                    move the shared part up, or take it as an argument";
        assert_eq!(upward(&ORDER, "src/id.rs", text), [said]);
    }

    #[test]
    fn a_reading_of_the_time_is_caught() {
        let text = "use std::time::{Duration, Instant};\nlet now = Timestamp::now();\nchrono::Utc\n\
                    use std::time::SystemTime as T;\nInstant::from(x)\nuse std::time::*;\n\
                    use crate::clock::now; clock::now(); now";
        let found = clocks("src/usage/mod.rs", text);
        assert_eq!(lines(&found), ["1", "2", "3", "4", "5", "6"]);
        assert!(clocks("src/clock.rs", text).is_empty());
    }

    #[test]
    fn io_in_a_pure_layer_is_caught() {
        let text = "use std::sync::Arc;\nuse std::{fmt, io::{self, Read}};\nuse core::sync::atomic;\n\
                    use std::sync::*;\nprintln!();\nparking_lot::Mutex\ntokio::spawn(std::env::args)";
        let found = purity("src/id.rs", text);
        assert_eq!(lines(&found), ["2", "2", "3", "4", "5", "6", "7", "7"]);
        assert!(purity("src/usage/mod.rs", text).is_empty());
    }

    #[test]
    fn an_edge_within_is_caught() {
        let text = "use serde::Serialize;\nanyhow::bail!()\ntoml::Table\n#[serde(default)]\nclap::Parser\n";
        let found = |path| edges(path, text);
        assert_eq!(lines(&found("src/id.rs")), ["1", "2", "3", "4", "5"]);
        assert_eq!(lines(&found("src/trace/line.rs")), ["2"]);
        assert_eq!(lines(&found("src/main.rs")), ["1", "3", "4", "5"]);
        assert!(found("src/cli/mod.rs").is_empty());
    }
}

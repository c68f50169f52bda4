//! Faults of TOML's own syntax, and the part of a text that they leave sound.
//!
//! Invariant: what is handed on keeps its place, and a broken section (a header and what follows it) is not in it, so one
//! slip does not raise a second fault elsewhere.
//! Absent on purpose: a grammar. The `toml` crate finds the faults; this only decides which of them to believe.

use std::borrow::Cow;

use toml::de::{DeTable, Error};

use super::report::Report;

/// Most dots on a line. Dots and brackets nest tables, and a tree is dropped by recursion; `toml` allows 80 of each in one
/// another, which is more than a thread's stack holds.
const LINE_DOTS_MAX: usize = 24;

/// The text with every section that is no TOML blanked out; their faults go to the report.
///
/// The parser stops at some faults and goes astray after others (an unclosed bracket makes headers into values). So in a
/// broken text each section is parsed by itself. A broken section takes its sub-tables with it: their parent is not known.
pub(super) fn sound_part<'t>(text: &'t str, report: &Report<'_>) -> Cow<'t, str> {
    if report_dots(text, report) {
        report.text_is_broken();
        return Cow::Borrowed("");
    }
    if DeTable::parse_recoverable(text).1.is_empty() {
        return Cow::Borrowed(text);
    }
    report.text_is_broken();
    let mut sound = String::with_capacity(text.len());
    let mut broken_path = None;
    for section in sections(text) {
        let path = header_path(section);
        let parent_broken = broken_path
            .and_then(|broken| path.strip_prefix(broken))
            .is_some_and(|rest| rest.starts_with('.'));
        let errors = DeTable::parse_recoverable(section).1;
        if errors.is_empty() && !parent_broken {
            broken_path = None;
            sound.push_str(section);
            continue;
        }
        if !parent_broken {
            broken_path = Some(path);
        }
        report_errors(section, sound.len(), &errors, report);
        let blank = |byte| if byte == b'\n' { '\n' } else { ' ' };
        sound.extend(section.bytes().map(blank));
    }
    // What is left are faults between sections: a table that stands twice.
    let errors = DeTable::parse_recoverable(&sound).1;
    report_errors(text, 0, &errors, report);
    Cow::Owned(sound)
}

/// Whether a line, other than a comment, has too many dots to be parsed; each is reported.
fn report_dots(text: &str, report: &Report<'_>) -> bool {
    let (mut start, mut found) = (0, false);
    for line in text.split_inclusive('\n') {
        let dots = line.bytes().filter(|byte| *byte == b'.').count();
        if dots > LINE_DOTS_MAX && !line.trim_start().starts_with('#') {
            found = true;
            report.fault(
                start,
                format!(
                    "more than {LINE_DOTS_MAX} dots on a line: no key is nested so deep, and texts need not have so many"
                ),
            );
        }
        start += line.len();
    }
    found
}

/// The first fault of each line. Where a bracket or quote stays open, the first alone: the others follow from it.
fn report_errors(section: &str, start: usize, errors: &[Error], report: &Report<'_>) {
    let end = section.trim_end().len();
    let place = |error: &Error| error.span().map_or(end, |span| span.start.min(end));
    let mut found: Vec<_> = errors.iter().map(|e| (place(e), e.message())).collect();
    found.sort_by_key(|(at, _)| *at);
    found.dedup_by(|(later, _), (earlier, _)| {
        !section
            .get(*earlier..*later)
            .is_some_and(|between| between.contains('\n'))
    });
    if errors.iter().any(|e| e.message().starts_with("unclosed")) {
        found.truncate(1);
    }
    for (at, message) in found {
        report.fault(start + at, format!("this is no TOML: {message}"));
    }
}

/// The text cut before every line that opens a table.
fn sections(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (mut length, mut first) = (0, true);
        for line in rest.split_inclusive('\n') {
            if !first && opens_table(line) {
                break;
            }
            length += line.len();
            first = false;
        }
        let (section, after) = rest.split_at(length);
        rest = after;
        Some(section)
    })
}

fn opens_table(line: &str) -> bool {
    let line = line.trim_start();
    let name = line.strip_prefix("[[").or_else(|| line.strip_prefix('['));
    name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

/// `editions.limits` of a section under `[editions.limits]`; empty for what stands before the first header.
fn header_path(section: &str) -> &str {
    let line = section.lines().next().unwrap_or_default().trim_start();
    let name = line.trim_start_matches('[');
    if name.len() == line.len() {
        return "";
    }
    name.split([']', '#']).next().unwrap_or_default().trim()
}

//! Tables for people: a replay's report, limits, and what other commands make of the parts.
//!
//! Absent on purpose: colours and the terminal's width, so that a file or a pipe gets what a terminal shows.

use comfy_table::{CellAlignment, Table, presets};
use indicatif::HumanCount;

use crate::admission::OperationKind;
use crate::proto::limit::Enforcement;
use crate::proto::source::Kind;
use crate::proto::{Limit, Source};
use crate::trace::{Report, Verdicts};

/// The report as text, with a line's end.
pub(super) fn of(report: &Report) -> String {
    let parts = [verdicts(&report.verdicts), usage(report), months(report)];
    together(parts.into_iter().chain([Some(rate(report))]))
}

/// Operations in the order of their list, not of the alphabet.
fn verdicts(verdicts: &Verdicts) -> Option<String> {
    let mut table = table(&["operation", "verdict", "count"]);
    for operation in OperationKind::ALL.map(OperationKind::name) {
        for (verdict, count) in verdicts.get(operation).into_iter().flatten() {
            table.add_row([operation, verdict, &shown(*count)]);
        }
    }
    finished(table, 2)
}

fn usage(report: &Report) -> Option<String> {
    let usage = &report.usage;
    let mut table = table(&["in the end", "count"]);
    table.add_row(["users", &shown(usage.users)]);
    table.add_row(["groups", &shown(usage.groups)]);
    table.add_row(["memberships", &shown(usage.memberships)]);
    table.add_row(["friend-list entries", &shown(usage.friend_entries)]);
    if let Some(user_days) = report.user_days {
        table.add_row(["user-days with a login", &shown(user_days)]);
    }
    finished(table, 1)
}

fn months(report: &Report) -> Option<String> {
    let mut table = table(&["month", "peak DAU", "peak groups"]);
    for month in &report.months {
        let (dau, groups) = (month.peak_dau.into(), month.peak_groups.into());
        table.add_row([month.month.to_string(), shown(dau), shown(groups)]);
    }
    finished(table, 1)
}

/// In whole numbers: operations a second of a run shorter than a microsecond are of no use.
fn rate(report: &Report) -> String {
    let (operations, elapsed) = (report.operations, report.elapsed);
    let per_second = u128::from(operations) * 1_000_000 / elapsed.as_micros().max(1);
    let per_second = u64::try_from(per_second).unwrap_or(u64::MAX);
    let noun = if operations == 1 {
        "operation"
    } else {
        "operations"
    };
    format!(
        "{} {noun} in {:.3} s: {} a second",
        shown(operations),
        elapsed.as_secs_f64(),
        shown(per_second)
    )
}

/// A table with its header.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(header.iter().copied());
    table
}

/// The table with its columns of numbers, from `numbers` on, to the right; nothing if it has no row.
pub(super) fn finished(mut table: Table, numbers: usize) -> Option<String> {
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    (!table.is_empty()).then(|| table.trim_fmt())
}

/// A count with its thousands apart.
pub(super) fn shown(count: u64) -> String {
    HumanCount(count).to_string()
}

/// Finished tables under each other, with a line's end.
pub(super) fn together(tables: impl IntoIterator<Item = Option<String>>) -> String {
    let tables: Vec<_> = tables.into_iter().flatten().collect();
    tables.join("\n\n") + "\n"
}

/// How much a limit allows.
pub(super) fn bound(limit: &Limit) -> String {
    limit.value.map_or_else(|| "unlimited".into(), shown)
}

/// Where a number comes from, like `edition pro`.
pub(super) fn origin(source: Option<&Source>) -> String {
    let Some(source) = source else {
        return String::new();
    };
    let kind = match source.kind() {
        Kind::Unspecified => return String::new(),
        Kind::Edition => "edition",
        Kind::AddOn => "add-on",
        Kind::Override => "override",
        Kind::GroupType => "group type",
        Kind::Budget => "budget",
    };
    format!("{kind} {}", source.name).trim_end().to_owned()
}

/// What is done when a limit is reached.
pub(super) fn enforcement(limit: &Limit) -> &'static str {
    match limit.enforcement() {
        Enforcement::Unspecified => "",
        Enforcement::Enforce => "enforced",
        Enforcement::Shadow => "shadow",
        Enforcement::Off => "off",
    }
}

//! A replay's report as tables for people.
//!
//! Absent on purpose: colours and the terminal's width, so that a file or a pipe gets what a terminal shows.

use comfy_table::{CellAlignment, Table, presets};
use indicatif::HumanCount;

use crate::admission::OperationKind;
use crate::trace::{Report, Verdicts};

/// The report as text, with a line's end.
pub(super) fn of(report: &Report) -> String {
    let parts = [verdicts(&report.verdicts), usage(report), months(report)];
    let mut text: String = parts
        .into_iter()
        .flatten()
        .map(|part| part + "\n\n")
        .collect();
    text += &rate(report);
    text
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
        "{} {noun} in {:.3} s: {} a second\n",
        shown(operations),
        elapsed.as_secs_f64(),
        shown(per_second)
    )
}

/// An empty table with its header.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(header.iter().copied());
    table
}

/// The table with its columns of numbers, from `numbers` on, to the right; nothing if it has no row.
fn finished(mut table: Table, numbers: usize) -> Option<String> {
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    (!table.is_empty()).then(|| table.trim_fmt())
}

fn shown(count: u64) -> String {
    HumanCount(count).to_string()
}

//! Bills as tables for people at a terminal.
//!
//! Absent on purpose: colours and the terminal's width, so that a file or a pipe gets what a terminal shows.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::words::{because, why};
use crate::catalog::Catalog;
use crate::rating::Bill;

/// Columns of numbers: quantity, unit price, amount.
const NUMBERS: std::ops::Range<usize> = 2..5;

/// The bills under each other, each with a line's end; nothing where there are none.
pub fn table(bills: &[Bill], catalog: &Catalog) -> String {
    let mut text = String::new();
    for bill in bills {
        let pushed = match bill.pushed {
            Some(day) => format!("pushed {day}"),
            None => "not pushed".to_owned(),
        };
        let (account, month, total) = (&bill.account, bill.month, bill.total);
        let currency = &catalog.currency;
        // Writing to a text never fails.
        let _ = writeln!(text, "{account} {month}: {total} {currency}, {pushed}");
        if !(bill.lines.is_empty() && bill.free.is_empty()) {
            let _ = writeln!(text, "{}", lines(bill, catalog));
        }
        text.push('\n');
    }
    if !bills.is_empty() {
        let _ = writeln!(text, "Prices by catalog {}", catalog.revision());
    }
    text
}

fn lines(bill: &Bill, catalog: &Catalog) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["app", "item", "quantity", "unit price", "amount", "because"]);
    for line in &bill.lines {
        table.add_row([
            line.app.to_string(),
            line.item.name().to_owned(),
            line.quantity.to_string(),
            line.unit_price.to_string(),
            line.amount.to_string(),
            because(line, catalog),
        ]);
    }
    for free in &bill.free {
        table.add_row([
            free.app.to_string(),
            free.item.name().to_owned(),
            String::new(),
            String::new(),
            "free".to_owned(),
            why(free.why),
        ]);
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        if NUMBERS.contains(&place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

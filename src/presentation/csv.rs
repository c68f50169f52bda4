//! Bills as CSV (RFC 4180): a row for each line, and one with the amount 0.00 for each thing that was free.

use std::fmt::Display;

use super::words::{because, why};
use crate::catalog::Catalog;
use crate::rating::Bill;

const HEADER: &str =
    "account,month,pushed,app,item,quantity,unit_price,amount,currency,because,catalog\r\n";

/// The bills, with a header.
pub fn csv(bills: &[Bill], catalog: &Catalog) -> String {
    let (revision, currency) = (catalog.revision(), &catalog.currency);
    let mut text = HEADER.to_owned();
    for bill in bills {
        let start = |app: &dyn Display, item: &dyn Display| {
            let pushed = bill.pushed.map(|day| day.to_string()).unwrap_or_default();
            let (account, month) = (bill.account.as_str(), bill.month.to_string());
            [
                account.to_owned(),
                month,
                pushed,
                app.to_string(),
                item.to_string(),
            ]
        };
        let end = |because: String| [currency.to_string(), because, revision.clone()];
        for line in &bill.lines {
            let sums = [
                line.quantity.to_string(),
                line.unit_price.to_string(),
                line.amount.to_string(),
            ];
            let start = start(&line.app, &line.item.name());
            row(
                &mut text,
                start
                    .iter()
                    .chain(&sums)
                    .chain(&end(because(line, catalog))),
            );
        }
        for free in &bill.free {
            let sums = [String::new(), String::new(), "0.00".to_owned()];
            let start = start(&free.app, &free.item.name());
            row(
                &mut text,
                start.iter().chain(&sums).chain(&end(why(free.why))),
            );
        }
    }
    text
}

fn row<'a>(text: &mut String, fields: impl Iterator<Item = &'a String>) {
    for (place, field) in fields.enumerate() {
        if place > 0 {
            text.push(',');
        }
        if field.contains([',', '"', '\r', '\n']) {
            text.push('"');
            text.push_str(&field.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(field);
        }
    }
    text.push_str("\r\n");
}

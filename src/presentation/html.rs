//! Bills as a page to print: self-contained HTML, a sheet of A4 for each bill that has anything to say.
//!
//! Invariant: no script, no address, no font from elsewhere; every text from outside is escaped.

use std::fmt::Write as _;

use super::words::{because, why};
use crate::catalog::Catalog;
use crate::rating::{Bill, Free, Line};

const STYLE: &str = include_str!("bill.css");

/// The bills as one document. `zone` is how the page names the zone of its months.
pub fn html(bills: &[Bill], catalog: &Catalog, zone: &str) -> String {
    let revision = catalog.revision();
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Bills</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    let told = |bill: &&Bill| !(bill.lines.is_empty() && bill.free.is_empty());
    for bill in bills.iter().filter(told) {
        sheet(&mut page, bill, catalog, &revision, zone);
    }
    if !bills.iter().any(|bill| told(&bill)) {
        page.push_str("<main><p>There is nothing to bill.</p></main>\n");
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn sheet(page: &mut String, bill: &Bill, catalog: &Catalog, revision: &str, zone: &str) {
    let account = escaped(bill.account.as_str());
    let currency = escaped(&catalog.currency);
    let (month, total) = (bill.month, bill.total);
    let pushed = match bill.pushed {
        Some(day) => format!("<dt>Pushed</dt><dd>{day}</dd>"),
        None => "<dt>Pushed</dt><dd>not pushed: nothing to pay</dd>".to_owned(),
    };
    // Writing to a text never fails.
    let _ = write!(
        page,
        "<main>\n<header>\n<h1>Bill <span>{month}</span></h1>\n<dl>\n\
         <dt>Account</dt><dd>{account}</dd>\n{pushed}\n\
         <dt>Total</dt><dd class=\"total\">{total} {currency}</dd>\n</dl>\n</header>\n"
    );
    if !bill.lines.is_empty() {
        page.push_str(
            "<table>\n<thead><tr><th>App</th><th>Item</th><th class=\"n\">Quantity</th>\
             <th class=\"n\">Unit price</th><th class=\"n\">Amount</th></tr></thead>\n<tbody>\n",
        );
        for it in &bill.lines {
            line(page, it, catalog);
        }
        let _ = write!(
            page,
            "</tbody>\n<tfoot><tr><th colspan=\"4\">Total</th>\
             <td class=\"n\">{total} {currency}</td></tr></tfoot>\n</table>\n"
        );
    }
    if !bill.free.is_empty() {
        page.push_str(
            "<h2>Free of charge</h2>\n<table>\n<thead><tr><th>App</th><th>Item</th>\
             <th>Why</th></tr></thead>\n<tbody>\n",
        );
        for it in &bill.free {
            free(page, it);
        }
        page.push_str("</tbody>\n</table>\n");
    }
    let _ = write!(
        page,
        "<footer>Calendar month {month} in UTC{}. Every line is rounded once, half up. \
         Prices by catalog <code>{revision}</code>.</footer>\n</main>\n",
        escaped(zone)
    );
}

fn line(page: &mut String, line: &Line, catalog: &Catalog) {
    let (app, item) = (line.app, line.item.title());
    let (quantity, unit_price, amount) = (line.quantity, line.unit_price, line.amount);
    let because = escaped(&because(line, catalog));
    let _ = writeln!(
        page,
        "<tr><td>{app}</td><td>{item}<small>{because}</small></td><td class=\"n\">{quantity}</td>\
         <td class=\"n\">{unit_price}</td><td class=\"n\">{amount}</td></tr>"
    );
}

fn free(page: &mut String, free: &Free) {
    let (app, item, why) = (free.app, free.item.title(), escaped(&why(free.why)));
    let _ = writeln!(page, "<tr><td>{app}</td><td>{item}</td><td>{why}</td></tr>");
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

//! A bill as a JSON object.
//!
//! Invariant: keys in a fixed order, the plain ones first in every detail; money and quantities are texts, so that no reader
//! rounds them.

use serde::Serialize;

use super::words::{because, why};
use crate::catalog::Catalog;
use crate::rating::{Bill, Free, Line};

/// How much is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// What is owed.
    Plain,
    /// Also why, what was free, and by which catalog.
    Full,
}

/// A bill, to be serialized.
#[derive(Debug, Serialize)]
pub struct BillJson<'a> {
    account: &'a str,
    month: String,
    pushed: Option<String>,
    total: String,
    lines: Vec<LineJson>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    more: Option<More<'a>>,
}

#[derive(Debug, Serialize)]
struct More<'a> {
    free: Vec<FreeJson>,
    currency: &'a str,
    catalog: &'a str,
}

#[derive(Debug, Serialize)]
struct LineJson {
    app: u32,
    item: &'static str,
    quantity: String,
    unit_price: String,
    amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

#[derive(Debug, Serialize)]
struct FreeJson {
    app: u32,
    item: &'static str,
    because: String,
}

impl<'a> BillJson<'a> {
    /// A bill made by a catalog of that revision.
    pub fn of(bill: &'a Bill, catalog: &'a Catalog, revision: &'a str, detail: Detail) -> Self {
        let more = || More {
            free: bill.free.iter().map(free).collect(),
            currency: &catalog.currency,
            catalog: revision,
        };
        Self {
            account: bill.account.as_str(),
            month: bill.month.to_string(),
            pushed: bill.pushed.map(|day| day.to_string()),
            total: bill.total.to_string(),
            lines: bill
                .lines
                .iter()
                .map(|it| line(it, catalog, detail))
                .collect(),
            more: match detail {
                Detail::Plain => None,
                Detail::Full => Some(more()),
            },
        }
    }
}

fn line(line: &Line, catalog: &Catalog, detail: Detail) -> LineJson {
    LineJson {
        app: line.app.get(),
        item: line.item.name(),
        quantity: line.quantity.to_string(),
        unit_price: line.unit_price.to_string(),
        amount: line.amount.to_string(),
        because: match detail {
            Detail::Plain => None,
            Detail::Full => Some(because(line, catalog)),
        },
    }
}

fn free(free: &Free) -> FreeJson {
    FreeJson {
        app: free.app.get(),
        item: free.item.name(),
        because: why(free.why),
    }
}

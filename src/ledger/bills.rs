//! Bills: one for an account and closed month, with its lines and with what was free. They never change.
//!
//! Invariant: a bill that is read is the one that was pushed, to the last line: rows that are missing, or a total that is not
//! the sum of the lines, are damage. Absent on purpose: how a bill comes about.

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::apps::app_id;
use super::fault::Fault;
use super::row::{Row, Table, Value};
use super::words::{self, Names};
use crate::catalog::Catalog;
use crate::id::{AccountId, SdkAppId};
use crate::money::{Money, Quantity};
use crate::rating::{Bill, Free, Item, Line};
use crate::time::{Day, Month};

static BILLS: Table = Table {
    name: "bills",
    columns: &[
        "month",
        "account",
        "pushed",
        "total",
        "line_count",
        "free_count",
    ],
    key: 2,
};
static LINES: Table = Table {
    name: "bill_lines",
    columns: &[
        "month",
        "account",
        "number",
        "sdk_app_id",
        "item",
        "quantity",
        "unit_price",
        "amount",
        "basis",
    ],
    key: 3,
};
static FREE: Table = Table {
    name: "bill_free",
    columns: &["month", "account", "number", "sdk_app_id", "item", "why"],
    key: 3,
};

/// A bill without its lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BillHead {
    /// Who pays.
    pub account: AccountId,
    /// The month it is for.
    pub month: Month,
    /// The day it was pushed; nothing for a bill of nothing.
    pub pushed: Option<Day>,
    /// The sum of its lines.
    pub total: Money,
}

/// Which bills.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BillPage {
    /// Of one account, or of all.
    pub account: Option<AccountId>,
    /// Of one month, or of all.
    pub month: Option<Month>,
    /// Only those that come after the bill of this month and account.
    pub after: Option<(Month, AccountId)>,
    /// Most bills.
    pub size: u32,
}

/// A bill's row.
struct Stored {
    head: BillHead,
    lines: i64,
    free: i64,
}

/// Adds bills.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    catalog: &Catalog,
    bills: &[Bill],
) -> Result<(), Fault> {
    let names = Names(catalog);
    let (mut heads, mut lines, mut free) = (Vec::new(), Vec::new(), Vec::new());
    for bill in bills {
        heads.push(head_row(bill)?);
        for (number, line) in (1..).zip(&bill.lines) {
            lines.push(line_row(bill, number, line, names)?);
        }
        let of_bill = (1..).zip(&bill.free);
        free.extend(of_bill.map(|(number, one)| free_row(bill, number, one)));
    }
    BILLS.insert(connection, heads).await?;
    LINES.insert(connection, lines).await?;
    FREE.insert(connection, free).await
}

fn head_row(bill: &Bill) -> Result<Vec<Value>, Fault> {
    let count = |count: usize| {
        i64::try_from(count)
            .map_err(|_| Fault::TooLarge(format!("a bill of {count} lines for {:?}", bill.account)))
    };
    Ok(vec![
        bill.month.to_string().into(),
        bill.account.as_str().into(),
        bill.pushed.map(|day| day.to_string()).into(),
        money(bill.total, "the total of a bill")?,
        count(bill.lines.len())?.into(),
        count(bill.free.len())?.into(),
    ])
}

fn line_row(bill: &Bill, number: i64, line: &Line, names: Names<'_>) -> Result<Vec<Value>, Fault> {
    let quantity = line.quantity.micros().ok_or_else(|| {
        let (app, item) = (line.app, line.item.name());
        Fault::TooLarge(format!(
            "a quantity of {} {item} of app {app}",
            line.quantity
        ))
    })?;
    Ok(vec![
        bill.month.to_string().into(),
        bill.account.as_str().into(),
        number.into(),
        i64::from(line.app.get()).into(),
        line.item.name().into(),
        quantity.into(),
        money(line.unit_price, "a price")?,
        money(line.amount, "the amount of a line")?,
        names.basis(&line.basis).into(),
    ])
}

fn free_row(bill: &Bill, number: i64, free: &Free) -> Vec<Value> {
    vec![
        bill.month.to_string().into(),
        bill.account.as_str().into(),
        number.into(),
        i64::from(free.app.get()).into(),
        free.item.name().into(),
        words::why(&free.why).into(),
    ]
}

/// An amount as it is stored.
pub(super) fn money(amount: Money, what: &str) -> Result<Value, Fault> {
    let micros = amount.micros();
    micros
        .map(Value::Number)
        .ok_or_else(|| Fault::TooLarge(format!("{what} of {amount}")))
}

/// Bills without their lines, the newest month first, and of a month by account.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    page: &BillPage,
) -> Result<Vec<BillHead>, Fault> {
    let mut query = BILLS.query();
    query.push(" WHERE true");
    if let Some(account) = &page.account {
        query.push(" AND account = ");
        query.push_bind(account.as_str().to_owned());
    }
    if let Some(month) = page.month {
        query.push(" AND month = ").push_bind(month.to_string());
    }
    if let Some((month, account)) = &page.after {
        query.push(" AND month <= ").push_bind(month.to_string());
        query.push(" AND (month < ").push_bind(month.to_string());
        query.push(" OR account > ");
        query.push_bind(account.as_str().to_owned()).push(")");
    }
    query.push(" ORDER BY month DESC, account LIMIT ");
    query.push_bind(page.size);
    let rows = BILLS.rows(query, connection).await?;
    let heads = rows.into_iter().map(stored);
    heads.map(|stored| Ok(stored?.head)).collect()
}

/// Every bill without its lines, by month and account; of one month if it is named.
pub(super) async fn heads(
    connection: &mut SqliteConnection,
    month: Option<Month>,
) -> Result<Vec<BillHead>, Fault> {
    let mut query = BILLS.query();
    if let Some(month) = month {
        query.push(" WHERE month = ").push_bind(month.to_string());
    }
    query.push(" ORDER BY month, account");
    let rows = BILLS.rows(query, connection).await?;
    let heads = rows.into_iter().map(stored);
    heads.map(|stored| Ok(stored?.head)).collect()
}

/// A bill, whole.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    catalog: &Catalog,
    account: &AccountId,
    month: Month,
) -> Result<Option<Bill>, Fault> {
    let Some(stored) = found(&mut *connection, account, month).await? else {
        return Ok(None);
    };
    let by_number = |table: &Table| {
        let mut query = of_bill(table, account, month);
        query.push(" ORDER BY number");
        query
    };
    let lines = LINES.rows(by_number(&LINES), &mut *connection).await?;
    let free = FREE.rows(by_number(&FREE), connection).await?;
    let lines = (1..).zip(lines);
    let lines = lines.map(|(number, row)| line(row, number, Names(catalog)));
    let free = (1..).zip(free).map(|(number, row)| free_of(row, number));
    let bill = Bill {
        account: stored.head.account,
        month,
        pushed: stored.head.pushed,
        total: stored.head.total,
        lines: lines.collect::<Result<_, _>>()?,
        free: free.collect::<Result<_, _>>()?,
    };
    let amounts = bill.lines.iter().map(|line| line.amount);
    let sum = amounts.fold(Money::ZERO, Money::plus);
    let counts = [bill.lines.len(), bill.free.len()].map(|count| i64::try_from(count).ok());
    if sum == bill.total && counts == [Some(stored.lines), Some(stored.free)] {
        Ok(Some(bill))
    } else {
        let what = format!("the bill of {account:?} for {month}");
        Err(Fault::Damaged(what))
    }
}

/// A bill without its lines.
pub(super) async fn head(
    connection: &mut SqliteConnection,
    account: &AccountId,
    month: Month,
) -> Result<Option<BillHead>, Fault> {
    let found = found(connection, account, month).await?;
    Ok(found.map(|stored| stored.head))
}

async fn found(
    connection: &mut SqliteConnection,
    account: &AccountId,
    month: Month,
) -> Result<Option<Stored>, Fault> {
    let query = of_bill(&BILLS, account, month);
    let found = BILLS.rows(query, connection).await?;
    found.into_iter().next().map(stored).transpose()
}

/// A query for the rows of one bill.
fn of_bill(table: &Table, account: &AccountId, month: Month) -> QueryBuilder<Sqlite> {
    let mut query = table.query();
    query.push(" WHERE month = ").push_bind(month.to_string());
    query.push(" AND account = ");
    query.push_bind(account.as_str().to_owned());
    query
}

fn stored(mut row: Row) -> Result<Stored, Fault> {
    let (month, account) = (row.text()?, row.text()?);
    let pushed = row.maybe_text()?;
    let pushed = pushed.map(|day| Day::parse(&day)).transpose().ok();
    let total = row.number()?;
    Ok(Stored {
        lines: row.number()?,
        free: row.number()?,
        head: BillHead {
            account: row.made(AccountId::new(&account).ok())?,
            month: row.made(Month::parse(&month).ok())?,
            pushed: row.made(pushed)?,
            total: row.made(Money::from_micros(total))?,
        },
    })
}

/// The app and item of a row of a bill, which must have that number.
fn of_app(row: &mut Row, number: i64) -> Result<(SdkAppId, Item), Fault> {
    let (_, _) = (row.text()?, row.text()?);
    let is_next = row.number()? == number;
    let (app, item) = (app_id(row)?, row.text()?);
    let item = Item::from_name(&item).filter(|_| is_next);
    Ok((app, row.made(item)?))
}

fn line(mut row: Row, number: i64, names: Names<'_>) -> Result<Line, Fault> {
    let (app, item) = of_app(&mut row, number)?;
    let quantity = row.number()?;
    let (unit_price, amount) = (row.number()?, row.number()?);
    let basis = names.basis_of(app, &row.text()?)?;
    Ok(Line {
        app,
        item,
        quantity: row.made(Quantity::from_micros(quantity))?,
        unit_price: row.made(Money::from_micros(unit_price))?,
        amount: row.made(Money::from_micros(amount))?,
        basis: row.made(basis)?,
    })
}

fn free_of(mut row: Row, number: i64) -> Result<Free, Fault> {
    let (app, item) = of_app(&mut row, number)?;
    let why = words::why_of(&row.text()?);
    let why = row.made(why)?;
    Ok(Free { app, item, why })
}

//! Rows with their sums, to and from the ledger: one way for every table.
//!
//! Invariant: what is handed out is what was written, or the row is damaged. Absent on purpose: what the values mean.

use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow, SqliteValueRef};
use sqlx::{Decode, QueryBuilder, Row as _, TypeInfo as _, ValueRef as _};

use super::fault::Fault;
use super::sum::{Cell, sum};

/// Most rows that one statement inserts: beyond some hundreds more make it no faster.
const ROWS_AT_ONCE: usize = 400;
/// Most values of one statement; SQLite takes 32,766.
const VALUES_AT_ONCE: usize = 8_000;

/// A table: its name, and its columns in the order of their sum, which is one more.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
    /// How many of the columns, from the first on, tell a row from the others.
    pub(super) key: usize,
}

/// A value of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Nothing,
    Number(i64),
    Text(String),
}

/// A row that was read and is whole; its values are taken in the order of the columns.
pub(super) struct Row {
    table: &'static Table,
    values: Vec<Value>,
    taken: usize,
}

impl Table {
    /// Adds rows.
    pub(super) async fn insert(
        &self,
        connection: &mut SqliteConnection,
        rows: impl IntoIterator<Item = Vec<Value>>,
    ) -> Result<(), Fault> {
        let mut rows = rows.into_iter();
        let fit = VALUES_AT_ONCE / (self.columns.len() + 1);
        loop {
            let some: Vec<_> = rows.by_ref().take(fit.min(ROWS_AT_ONCE)).collect();
            if some.is_empty() {
                return Ok(());
            }
            let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO ");
            query.push(self.name).push(" (");
            query.push(self.columns.join(", ")).push(", sum) ");
            query.push_values(some, |mut to, row| {
                let sum = self.sum(&row);
                for value in row.into_iter().chain([Value::Number(sum)]) {
                    match value {
                        Value::Nothing => to.push_bind(None::<i64>),
                        Value::Number(number) => to.push_bind(number),
                        Value::Text(text) => to.push_bind(text),
                    };
                }
            });
            query.build().execute(&mut *connection).await?;
        }
    }

    /// A query for its rows; to be ended by what rows are wanted, in which order.
    pub(super) fn query(&self) -> QueryBuilder<Sqlite> {
        let columns = self.columns.join(", ");
        QueryBuilder::new(format!("SELECT {columns}, sum FROM {}", self.name))
    }

    /// The rows of a query, each of them whole.
    pub(super) async fn rows(
        &'static self,
        mut query: QueryBuilder<Sqlite>,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<Row>, Fault> {
        let found = query.build().fetch_all(connection).await?;
        found.iter().map(|row| self.whole(row)).collect()
    }

    fn whole(&'static self, read: &SqliteRow) -> Result<Row, Fault> {
        let width = self.columns.len();
        let values = (0..width).map(|place| value(read.try_get_raw(place)?));
        let values = values.collect::<Result<_, Fault>>()?;
        self.row(values, &value(read.try_get_raw(width)?)?)
    }

    /// The row of these values, if that is their sum.
    pub(super) fn row(&'static self, values: Vec<Value>, sum: &Value) -> Result<Row, Fault> {
        let is_whole = *sum == Value::Number(self.sum(&values));
        let row = Row {
            table: self,
            values,
            taken: 0,
        };
        if is_whole {
            Ok(row)
        } else {
            Err(row.damaged())
        }
    }

    /// The number of the row that is added next, where they are numbered from 1.
    pub(super) async fn next_sequence(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<i64, Fault> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT max(sequence) FROM ");
        query.push(self.name);
        let last: Option<i64> = query.build_query_scalar().fetch_one(connection).await?;
        Ok(last.unwrap_or(0) + 1)
    }

    /// The sum of a row of it.
    pub(super) fn sum(&self, values: &[Value]) -> i64 {
        let cells: Vec<_> = values.iter().map(Cell::from).collect();
        sum(self.name, &cells)
    }
}

fn value(read: SqliteValueRef<'_>) -> Result<Value, Fault> {
    if read.is_null() {
        return Ok(Value::Nothing);
    }
    let decoded = match read.type_info().name() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(read).map(Value::Number),
        "TEXT" => <String as Decode<Sqlite>>::decode(read).map(Value::Text),
        other => Err(format!("a value of type {other}").into()),
    };
    decoded.map_err(|error| Fault::from(sqlx::Error::Decode(error)))
}

impl Row {
    /// That this row is not what was written.
    pub(super) fn damaged(&self) -> Fault {
        let key = self.values.iter().take(self.table.key);
        let key: Vec<_> = key.map(Value::told).collect();
        Fault::Damaged(format!("row {} of {}", key.join(", "), self.table.name))
    }

    fn next(&mut self) -> Value {
        let value = self.values.get(self.taken).cloned();
        self.taken += 1;
        value.unwrap_or(Value::Nothing)
    }

    /// The next value, a number or nothing.
    pub(super) fn maybe_number(&mut self) -> Result<Option<i64>, Fault> {
        match self.next() {
            Value::Nothing => Ok(None),
            Value::Number(number) => Ok(Some(number)),
            Value::Text(_) => Err(self.damaged()),
        }
    }

    /// The next value, a number.
    pub(super) fn number(&mut self) -> Result<i64, Fault> {
        self.maybe_number()?.ok_or_else(|| self.damaged())
    }

    /// The next value, text or nothing.
    pub(super) fn maybe_text(&mut self) -> Result<Option<String>, Fault> {
        match self.next() {
            Value::Nothing => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            Value::Number(_) => Err(self.damaged()),
        }
    }

    /// The next value, text.
    pub(super) fn text(&mut self) -> Result<String, Fault> {
        self.maybe_text()?.ok_or_else(|| self.damaged())
    }

    /// What is made of a value of it, if it can be.
    pub(super) fn made<T>(&self, made: Option<T>) -> Result<T, Fault> {
        made.ok_or_else(|| self.damaged())
    }
}

impl Value {
    fn told(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("{text:?}"),
        }
    }
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Nothing => Self::Nothing,
            Value::Number(number) => Self::Number(*number),
            Value::Text(text) => Self::Text(text),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

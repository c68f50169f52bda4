//! A configuration file as a tree of values that know their place, and getters that record what is wrong and go on.
//!
//! Invariant: a key that nobody asked for is a fault, a key that was required and is not there is one, and a document with
//! a fault yields nothing.
//! Absent on purpose: what the files mean; that is for `catalog_file` and `limits_file`.

use std::cell::{Cell, RefCell};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::report::Report;
use super::spelling::{hint, nearest};
use super::{FILE_BYTES_MAX, Fault, syntax};

/// Most characters of a name, title or reason.
const TEXT_CHARS_MAX: usize = 500;
/// Most characters of a value that a message quotes.
const QUOTED_CHARS_MAX: usize = 40;

/// Reads a file's text with `read`; every fault in the order of its place.
pub(super) fn read<T>(
    file: &str,
    text: &str,
    what: &'static str,
    read: impl FnOnce(&Section<'_>) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file is too large: it may have {FILE_BYTES_MAX} bytes");
        return Err(vec![Fault::at_start(file, message)]);
    }
    let report = Report::new(text);
    let sound = syntax::sound_part(text, &report);
    let (tree, _) = DeTable::parse_recoverable(&sound);
    let root = Section::new(what, 0, tree.get_ref(), &report);
    let made = read(&root);
    root.close();
    match made {
        Some(made) if report.is_clean() => Ok(made),
        _ => Err(report.faults(file)),
    }
}

/// A table: the getters note which keys were asked for.
pub(super) struct Section<'d> {
    what: &'static str,
    at: usize,
    table: &'d DeTable<'d>,
    report: &'d Report<'d>,
    asked: RefCell<Vec<&'d str>>,
    missing: RefCell<Vec<&'d str>>,
    all_asked: Cell<bool>,
}

impl<'d> Section<'d> {
    fn new(what: &'static str, at: usize, table: &'d DeTable<'d>, report: &'d Report<'d>) -> Self {
        Self {
            what,
            at,
            table,
            report,
            asked: RefCell::default(),
            missing: RefCell::default(),
            all_asked: Cell::new(false),
        }
    }

    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &'d str) -> Option<Value<'d>> {
        self.asked.borrow_mut().push(key);
        let (key, node) = self.table.get_key_value(key)?;
        Some(self.value(key.get_ref(), key.span().start, node))
    }

    /// The value of a key that must be there.
    pub(super) fn required<T>(
        &self,
        key: &'d str,
        read: impl FnOnce(Value<'d>) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key);
        if value.is_none() {
            self.missing.borrow_mut().push(key);
        }
        read(value?)
    }

    /// The value of a key, or `default` where it is left out.
    pub(super) fn optional<T>(
        &self,
        key: &'d str,
        default: T,
        read: impl FnOnce(Value<'d>) -> Option<T>,
    ) -> Option<T> {
        self.get(key).map_or(Some(default), read)
    }

    /// Every key with its value, for tables whose keys are names of other things.
    pub(super) fn entries(&self) -> impl Iterator<Item = Value<'d>> {
        self.all_asked.set(true);
        let value = |(key, node): (&'d Spanned<_>, _)| -> Value<'d> {
            self.value(DeString::as_ref(key.get_ref()), key.span().start, node)
        };
        self.table.iter().map(value)
    }

    /// Records what is wrong with the table as a whole, at its header.
    pub(super) fn fault(&self, message: impl Into<String>) {
        self.report.fault(self.at, message);
    }

    /// The line of the table's header.
    pub(super) fn line(&self) -> usize {
        self.report.line(self.at)
    }

    fn value(&self, key: &'d str, key_at: usize, node: &'d Spanned<DeValue<'d>>) -> Value<'d> {
        Value {
            key,
            key_at,
            node,
            report: self.report,
        }
    }

    /// Reports unknown and missing keys. A key that looks like a missing one is one fault, not two.
    fn close(self) {
        let asked = self.asked.into_inner();
        let mut missing = self.missing.into_inner();
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if self.all_asked.get() || asked.contains(&name) {
                continue;
            }
            let meant = nearest(name, &asked);
            missing.retain(|key| Some(*key) != meant);
            let hint = hint(meant, &asked);
            self.report.fault(
                key.span().start,
                format!("{} has no key {}{hint}", self.what, quoted(name)),
            );
        }
        for key in missing {
            let message = format!("{} lacks `{key}`: add it", self.what);
            self.report.fault_of_whole(self.at, message);
        }
    }
}

/// A value that knows its key and place.
#[derive(Clone, Copy)]
pub(super) struct Value<'d> {
    /// The key it stands under.
    pub(super) key: &'d str,
    key_at: usize,
    node: &'d Spanned<DeValue<'d>>,
    report: &'d Report<'d>,
}

impl<'d> Value<'d> {
    fn at(self) -> usize {
        self.node.span().start
    }

    /// The line of the value.
    pub(super) fn line(self) -> usize {
        self.report.line(self.at())
    }

    /// Records what is wrong with the value.
    pub(super) fn fault(self, message: impl Into<String>) {
        self.report.fault(self.at(), message);
    }

    /// Records that the key names nothing that is known.
    pub(super) fn unknown_key(self, what: &str, names: &[&str]) {
        let hint = hint(nearest(self.key, names), names);
        let message = format!("there is no {what} {}{hint}", quoted(self.key));
        self.report.fault_of_whole(self.key_at, message);
    }

    /// Records that the value names nothing that is known.
    pub(super) fn unknown_name(self, what: &str, name: &str, names: &[&str]) {
        let hint = hint(nearest(name, names), names);
        let message = format!("there is no {what} {}{hint}", quoted(name));
        self.report.fault_of_whole(self.at(), message);
    }

    /// Records that the value is none of a closed set of names.
    pub(super) fn wrong_name(self, name: &str, names: &[&str]) {
        let hint = hint(nearest(name, names), names);
        self.fault(format!("`{}` cannot be {}{hint}", self.key, quoted(name)));
    }

    /// Records that the value is not what it must be.
    pub(super) fn wrong(self, expected: &str) {
        let found = match self.node.get_ref() {
            DeValue::String(text) => quoted(text),
            DeValue::Integer(number) => shortened(&number.to_string()),
            DeValue::Float(number) => shortened(number.as_str()),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.fault(format!("`{}` must be {expected}; found {found}", self.key));
    }

    /// The string, if it is one.
    pub(super) fn as_str(self) -> Option<&'d str> {
        self.node.get_ref().as_str()
    }

    /// The whole number, if it is one.
    pub(super) fn as_number(self) -> Option<i128> {
        let number = self.node.get_ref().as_integer()?;
        i128::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// The time as it would be written in a string, if it is one.
    pub(super) fn as_time(self) -> Option<String> {
        let time = self.node.get_ref().as_datetime()?;
        Some(time.to_string())
    }

    /// `true` or `false`.
    pub(super) fn flag(self) -> Option<bool> {
        let flag = self.node.get_ref().as_bool();
        if flag.is_none() {
            self.wrong("true or false");
        }
        flag
    }

    /// A text for people: not blank, and not too long.
    pub(super) fn text(self) -> Option<&'d str> {
        let fits = |text: &&str| !text.trim().is_empty() && text.chars().count() <= TEXT_CHARS_MAX;
        let text = self.as_str().filter(fits);
        if text.is_none() {
            self.wrong(&format!("a text of 1 to {TEXT_CHARS_MAX} characters"));
        }
        text
    }

    /// A table, read with `read`.
    pub(super) fn table<T>(
        self,
        what: &'static str,
        read: impl FnOnce(&Section<'d>) -> Option<T>,
    ) -> Option<T> {
        let DeValue::Table(table) = self.node.get_ref() else {
            self.wrong("a table");
            return None;
        };
        let section = Section::new(what, self.at(), table, self.report);
        let made = read(&section);
        section.close();
        made
    }

    /// The items of a list, each read with `read`. One that yields nothing is left out: it has recorded why.
    pub(super) fn list<T>(
        self,
        expected: &str,
        read: impl FnMut(Value<'d>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let DeValue::Array(array) = self.node.get_ref() else {
            self.wrong(expected);
            return None;
        };
        let items = array.iter().map(|node| Value { node, ..self });
        Some(items.filter_map(read).collect())
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(&text.escape_debug().to_string()))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

//! The table: what was measured beside what it is compared with, the ratio, the target, and whether it is met.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use comfy_table::{CellAlignment, Table, presets};

/// The medians of several rounds.
pub struct Samples(Vec<f64>);

/// What a row is held to.
#[derive(Clone, Copy)]
pub enum Target {
    /// No more than this is good.
    AtMost(f64),
    /// No less than this is good.
    AtLeast(f64),
    /// For the record.
    None,
}

/// The rows so far.
pub struct Report(Table);

impl Samples {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn of(value: f64) -> Self {
        Self(vec![value])
    }

    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The ratios of rounds that were measured one after the other: what disturbs the machine for a while disturbs both.
    pub fn over(&self, other: &Self) -> Self {
        let pairs = self.0.iter().zip(other.0.iter().cycle());
        Self(pairs.map(|(a, b)| a / b).collect())
    }

    /// By how much each is more than its neighbour.
    pub fn less(&self, other: &Self) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(pairs.map(|(a, b)| a - b).collect())
    }

    fn range(&self) -> String {
        let low = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{} to {}", shown(low), shown(high))
    }
}

impl Report {
    /// A table in which what one column has is compared with what the other has.
    pub fn new([own, other]: [&str; 2]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        table.set_header(["measure", own, other, "ratio", "range", "target", ""]);
        for column in 1..6 {
            let column = table.column_mut(column).expect("a column");
            column.set_cell_alignment(CellAlignment::Right);
        }
        Self(table)
    }

    /// A row whose ratio is held to a target.
    pub fn compared(&mut self, name: &str, own: &Samples, other: &Samples, target: Target) {
        let ratios = own.over(other);
        let ratio = format!("{:.3}", ratios.median());
        let medians = [shown(own.median()), shown(other.median()), ratio];
        self.row(name, medians, &ratios, target);
    }

    /// A row that is held to a target by itself.
    pub fn alone(&mut self, name: &str, own: &Samples, target: Target) {
        let medians = [shown(own.median()), String::new(), String::new()];
        self.row(name, medians, own, target);
    }

    pub fn print(&self) {
        println!("{}", self.0.trim_fmt());
    }

    fn row(&mut self, name: &str, medians: [String; 3], held: &Samples, target: Target) {
        let value = held.median();
        let (target, is_met) = match target {
            Target::AtMost(most) => (format!("<= {}", shown(most)), Some(value <= most)),
            Target::AtLeast(least) => (format!(">= {}", shown(least)), Some(value >= least)),
            Target::None => (String::new(), None),
        };
        let word = is_met.map_or("", |is_met| if is_met { "pass" } else { "miss" });
        let [own, other, ratio] = medians;
        let cells = [name, &own, &other, &ratio, &held.range(), &target, word];
        // A run takes minutes: each row is shown as it comes.
        println!("{}", cells.join("  "));
        self.0.add_row(cells);
    }
}

/// Three digits that matter, or thereabouts.
fn shown(value: f64) -> String {
    match value.abs() {
        large if large >= 1e6 => format!("{:.2}M", value / 1e6),
        large if large >= 1e4 => format!("{:.0}k", value / 1e3),
        large if large >= 100.0 => format!("{value:.0}"),
        large if large >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The machine and what was built, in lines.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let mut text = format!(
        "{} processors, {}; {}\n",
        cores,
        model.unwrap_or("of unknown make"),
        compiler.unwrap_or_default().trim()
    );
    for name in ["tonic", "hyper", "h2", "tokio", "mimalloc"] {
        let _ = write!(text, "{name} {}, ", version(name));
    }
    text + "allocator mimalloc, transparent huge pages off"
}

fn version(name: &str) -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock.split_once(&format!("name = \"{name}\"\nversion = \""));
    entry.map_or("?", |(_, rest)| rest.split('"').next().unwrap_or("?"))
}

//! What does the gateway cost on the wire? Its server beside a stock tonic echo, measured in one run.
//!
//! `cargo bench --bench transport [-- [--quick] [--rounds N] [--seconds N] [--users N] [MEASURE...]]`, where a measure is
//! unary, streams, two-cores, start or generated; all of them if none is named.
//!
//! All load is made here, with a new random user and group in every operation: 1 million users, a group for ten of them, ten
//! memberships each to begin with; fresh joins come on top. Rounds of what is compared alternate; shown are medians, the median
//! of the ratios of neighbouring rounds, and the range of these ratios, or of the rounds where nothing is compared. Where it
//! says "one core", server and client share the first processor and the other is idle; what is divided is the processor's
//! time that the server's process takes. `--quick` has fewer users, fewer and shorter rounds: it shows that everything runs,
//! and its figures mean little. The exit status is 0 whatever was measured.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::cast_precision_loss,
    clippy::decimal_bitwise_operands,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::struct_field_names,
    reason = "a bench divides and averages, and may panic"
)]

#[path = "../common/mod.rs"]
mod common;

mod blast;
mod echo;
mod frames;
mod measures;
mod procs;
mod report;
mod stock;
mod talk;

use measures::Bench;
use report::Report;

/// A measure, by the name that runs it alone.
type Measure = (&'static str, fn(&Bench, &mut Report));

const MEASURES: [Measure; 5] = [
    ("unary", Bench::unary),
    ("streams", Bench::streams),
    ("two-cores", Bench::two_cores),
    ("start", Bench::start),
    ("generated", Bench::generated),
];

fn main() {
    stock::run_if_asked();
    common::settle_allocator();
    let is_quick = common::is_part("--quick");
    let (rounds, seconds, users) = if is_quick {
        (2, 1, 20_000)
    } else {
        (5, 4, 1_000_000)
    };
    let bench = Bench::new(
        number("--rounds").unwrap_or(rounds),
        number("--seconds").unwrap_or(seconds),
        number("--users").unwrap_or(users),
    );
    println!("{}", report::machine());
    let mut report = Report::new();
    let is_any_named = MEASURES.iter().any(|(name, _)| common::is_part(name));
    for (name, measure) in MEASURES {
        if !is_any_named || common::is_part(name) {
            measure(&bench, &mut report);
        }
    }
    report.print();
}

/// The number that follows a word on the command line.
fn number(word: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != word);
    arguments.nth(1)?.parse().ok()
}

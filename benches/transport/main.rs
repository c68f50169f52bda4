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
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::cast_precision_loss,
    clippy::decimal_bitwise_operands,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::struct_field_names,
    reason = "a bench divides and averages, shares parts with another, and may panic"
)]

#[path = "../common/mod.rs"]
mod common;

mod blast;
mod echo;
mod frames;
mod load;
mod measures;
mod procs;
mod report;
mod stock;
mod talk;

use std::time::Duration;

use load::Load;
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
    let (rounds, round, users) = if is_quick {
        (2, Duration::from_secs(1), 20_000)
    } else {
        (5, Duration::from_secs(4), 1_000_000)
    };
    let number = common::number_after;
    let bench = Bench {
        rounds: number("--rounds").unwrap_or(rounds),
        load: Load::new(
            number("--seconds").map_or(round, Duration::from_secs),
            number("--users").unwrap_or(users),
        ),
    };
    println!("{}", report::machine());
    let mut report = Report::new(["gateway", "echo"]);
    let is_any_named = MEASURES.iter().any(|(name, _)| common::is_part(name));
    for (name, measure) in MEASURES {
        if !is_any_named || common::is_part(name) {
            measure(&bench, &mut report);
        }
    }
    report.print();
}

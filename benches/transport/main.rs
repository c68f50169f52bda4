//! What does the gateway cost on the wire? Its server beside a stock tonic echo, measured in one run.
//!
//! `cargo bench --bench transport [-- --quick]`. All load is made here, with a new random user and group in every operation:
//! 1 million users, a group for ten of them, ten memberships each. Rounds of what is compared alternate; medians, and medians
//! of the ratios of neighbouring rounds. Where it says "one core", server and client share the first processor and the
//! other is idle: what is compared is the processor's time that the server's process takes. `--quick` has fewer users, fewer
//! and shorter rounds: it shows that everything runs, and its figures mean little. The exit status is 0 whatever was
//! measured.

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

fn main() {
    stock::run_if_asked();
    common::settle_allocator();
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let bench = if is_quick {
        Bench::new(2, 1, 20_000)
    } else {
        Bench::new(5, 4, 1_000_000)
    };
    println!("{}", report::machine());
    let mut report = Report::new();
    bench.one_core(&mut report);
    bench.two_cores(&mut report);
    bench.start(&mut report);
    report.print();
}

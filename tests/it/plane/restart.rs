//! A process that ends after every event: the next one has the same books, and puts the same in force.

use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use super::lived::{act, field, spread};
use super::rig::{Rig, Setup};
use crate::billing::generate::{Act, Step, scenario, steps};
use crate::billing::script;
use crate::support::at;

/// What is told after each line; `is_restarted` after each line, too.
fn told(lines: &[Value], is_restarted: bool) -> Vec<String> {
    let dir = TempDir::new().expect("a directory");
    let time = |line: &Value| at(field(line, "at").expect("a time"));
    let mut rig = Rig::open(Setup::default(), time(&lines[0]), dir.path());
    let mut all = Vec::new();
    for (place, line) in (1..).zip(lines) {
        rig.turn(time(line));
        rig.advance();
        let done = act(&rig, line, place).map_err(|error| error.to_string());
        if is_restarted {
            let now = rig.now;
            rig = Rig::open(rig.close(), now, dir.path());
        }
        let told = rig.told(&["acme", "beta"], &rig.gateway.app_ids());
        all.push(format!("{line}: {done:?}\n{told}"));
    }
    for (account, month) in ["acme", "beta"]
        .into_iter()
        .flat_map(|it| (1..=9).map(move |month| (it, month)))
    {
        let bill = rig.bill(account, &format!("2026-{month:02}"));
        all.push(bill.map_or_else(String::new, |bill| {
            format!("{} {:?} {:?}", script::told(&bill), bill.pushed, bill.free)
        }));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Usage apart, which is in the journal.
    #[test]
    fn a_restart_after_every_event_gives_the_same_books(mut steps in steps()) {
        steps.retain(|step: &Step| !matches!(step.act, Act::Usage { .. }));
        let text = spread(&scenario(&steps));
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for (restarted, whole) in told(&lines, true).into_iter().zip(told(&lines, false)) {
            prop_assert_eq!(restarted, whole);
        }
    }
}

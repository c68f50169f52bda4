//! Killed at random instants, over and over, on one directory: under load, and while it recovers.
//!
//! `tests/crash CYCLES` runs more of them.

use std::time::Duration;

use super::ledger::Counted;
use super::rig::{Ending, Fault, Rig, tell};

/// Cycles of a usual run; `QUOTAGATE_CYCLES` has others.
const CYCLES: u32 = 40;
/// Cycles at a level that is not the default.
const FEW: u32 = 8;
/// Snapshots come often.
const STORAGE: &str = "snapshot_mib = 1";

/// A number from the environment.
fn named(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

fn cycles(level: &'static str, count: u32, seed: u64) -> Result<Counted, Fault> {
    let mut rig = Rig::new(level, STORAGE, seed);
    rig.filled = u32::MAX;
    for cycle in 0..count {
        if cycle % 4 == 3 {
            let after = Duration::from_micros(u64::from(rig.dice.below(200)) * 200);
            rig.kill_at_start(after);
        }
        let least = if level == "memory" { 120 } else { 2 };
        let after = Duration::from_millis(least + u64::from(rig.dice.below(100)));
        rig.run(None, Ending::Killed(after))?;
    }
    // A few short cycles do not make the journal long enough, on a slow machine not even all.
    let mut more = if count >= CYCLES { 100 } else { 0 };
    while more > 0 && rig.snapshots().is_empty() {
        rig.run(None, Ending::Killed(Duration::from_secs(1)))?;
        more -= 1;
    }
    drop(rig.judge_now()?);
    if count >= CYCLES && rig.snapshots().is_empty() {
        return Err(rig.fault("no snapshot was taken"));
    }
    Ok(rig.ledger.counted)
}

fn play(level: &'static str, count: u32) {
    let seed = named("QUOTAGATE_SEED").unwrap_or(1);
    let counted = cycles(level, count, seed).unwrap_or_else(|fault| panic!("{fault}"));
    let Counted {
        allowed,
        denied,
        silent,
        ..
    } = counted;
    tell(&format!(
        "{count} cycles at level {level}, seed {seed}: {allowed} operations acknowledged, {denied} denied, {silent} \
         questions unanswered; 0 acknowledged lost, 0 over a limit"
    ));
    assert!(allowed > u64::from(count), "nothing was acknowledged");
    assert!(denied > u64::from(count), "no limit was reached");
    assert!(silent > 0, "nothing was in flight");
}

#[test]
fn random_kills_lose_nothing() {
    let count = named("QUOTAGATE_CYCLES").map_or(CYCLES, |it| u32::try_from(it).expect("fewer"));
    play("process", count);
}

#[test]
fn random_kills_lose_nothing_at_level_power() {
    play("power", FEW);
}

#[test]
fn random_kills_lose_but_the_last_moments_at_level_memory() {
    play("memory", FEW);
}

//! Recovery of the whole state: what was acknowledged is there again, whatever happened to the disk, and nothing else.

mod clock;
mod crash;
mod damage;
mod described;
mod failing;
mod golden;
mod mutated;
mod wide;
mod workload;
mod world;

/// How many seeds: those given, or as many as the variable says.
fn seeds(usual: u64) -> u64 {
    let told = std::env::var("RECOVERY_SEEDS").ok();
    told.and_then(|it| it.parse().ok()).unwrap_or(usual)
}

//! The rules of the domain, one scenario or row for each, named by its place in RULES.

mod budgets;
mod caps;
mod codes;
mod days;
mod explanations;
mod modes;
mod operations;
mod policy;

/// A group filled by RECORD up to a count; then one more is asked for.
fn filled(plan: &str, kind: &str, members: u32, next: &str) -> String {
    format!(
        "plan {plan}
         record create g {kind} u1 => any
         record join g u2..{members} => any
         record register v => any
         join g v => {next}"
    )
}

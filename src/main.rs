//! The `quotagate` program.
fn main() {}

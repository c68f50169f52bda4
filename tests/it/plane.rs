//! The plane over the books: a gateway, its ledger and the calls of operators, with the time passed in.

mod calls;
mod closing;
mod failing;
pub mod lived;
mod restart;
#[allow(dead_code, reason = "each test uses what it needs")]
mod rig;

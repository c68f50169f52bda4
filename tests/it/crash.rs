//! The program, killed at any instant and hurt by its disk: a judge on the clients' side knows what was acknowledged.
//!
//! Clients with a seeded mix of all operations note every question and whether its answer came. After each restart the judge
//! asks for all of it again: what was allowed is there, what was removed is gone, no limit is exceeded, every count is right.

mod caught;
mod closing;
mod cycles;
mod deed;
mod full;
mod injected;
mod judge;
mod ledger;
mod load;
mod program;
mod rig;
mod told;
mod trouble;

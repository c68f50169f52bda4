//! The server over its sockets: what it answers to right and wrong calls, what hostile peers can take, how it ends.

mod answers;
mod calendar;
mod control;
mod disk;
mod drain;
mod floods;
mod gate;
mod last_place;
mod limits;
mod money;
mod operators;
mod parser;
mod program;
mod raw;
mod reload;
mod slow;
mod subscriptions;
mod tools;
mod usage;
mod watch;
mod wrong;

//! A year lived through the real server, its sockets and its files, by a clock that is turned by hand: what people do, what falls due by
//! itself at which instant, every bill, and every call in the audit trail.

mod house;
mod story;

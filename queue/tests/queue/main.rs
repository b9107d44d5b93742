//! The hot path against a real database. `QUEUE_TEST_DATABASE_URL` names a server on which databases
//! may be made and dropped, by default the one on 127.0.0.1:55432.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::large_futures,
    reason = "a test may fail loudly"
)]

mod audit;
mod claims;
mod commits;
mod enqueues;
mod fencing;
mod harness;
mod messages;
mod migrations;
mod odd_text;
mod plans;
mod world;

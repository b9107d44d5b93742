//! Stepwell through its front door: real processes, a real Postgres, real HTTP agents.
//!
//! Every test has a database of its own, and every test that ends well checks the invariants over
//! that database (`harness::invariants`). Nothing sleeps in the hope that something has happened:
//! a test waits for a call, a status or a line, with a deadline.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::large_futures,
    clippy::needless_pass_by_value,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and tells why on standard error; JSON literals are given away; transactions of \
              its own are as long as it needs; tests hold the product to the clock of their own host"
)]

mod api;
mod auth;
mod command;
mod detached;
mod durability;
mod engine;
mod events;
mod events_out;
mod harness;
mod lost;
mod queue;
mod repository;
mod resources;
mod scenarios;
mod sql;
mod strangers;

//! The queue's own verbs against a real Postgres, where the front door shows too little: who claims
//! what, what one commit writes, which plan a statement has.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "numbers of a test are small"
)]

mod audit;
mod claims;
mod commits;
mod copies;
mod cuts;
mod enqueues;
mod far;
mod feed;
mod fencing;
mod messages;
mod odd_text;
mod partitions;
mod plans;
pub(crate) mod world;

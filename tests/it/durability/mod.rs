//! What is acknowledged survives, and what is done is not done again.

pub(crate) mod away;
mod clocks;
mod descriptors;
mod embedded;
mod failover;
mod fence;
mod killed;
mod migrations;
mod paused;
mod random;
mod start;
mod stopped;
mod strange;
mod strangers;
mod suspects;
mod thoughts;
mod together;

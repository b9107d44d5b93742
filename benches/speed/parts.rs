//! The unit tests of those rooms of the measurement that need no server: `cargo test` runs them.
#![allow(
    clippy::disallowed_methods,
    dead_code,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the measurement uses what is not used here, and the rest is as in it"
)]

mod arguments;
#[path = "pace/arrivals.rs"]
mod arrivals;
mod figures;
mod meter;
mod notes;
mod plots;
#[path = "../peers/standing.rs"]
mod standing;

mod tests {
    mod arguments;
    mod arrivals;
    mod axis;
    mod notes;
    mod plots;
    mod process;
    mod ratios;
    mod report;
    mod sizing;
    mod spread;
    mod standing;
}

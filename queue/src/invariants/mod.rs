//! What must be true of any database of ours at any moment between two commits, and what to do where it
//! is not.
//!
//! The list is [`checks`], with a statement for each in `queries/invariant/`. [`days`] cuts history into
//! pieces, and [`look`] asks each check of each piece in a statement of its own: so every answer is of one
//! snapshot, which is held for a second most often and never for longer than [`look::STATEMENT_MAX`], and a
//! history of any size is gone through. What only shows over time is seen by two looks ([`lasting`]). Tests look at everything after
//! each run, operators with `stepwell doctor --deep`, and the maintenance at yesterday, once a day
//! ([`daily`]). Nothing here changes anything.

mod checks;
mod daily;
mod days;
mod lasting;
mod look;

pub use daily::{Counted, Counts};

/// One thing that must be true.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// A stable word: the label of the metric.
    pub name: &'static str,
    /// What is true where all is well.
    pub means: &'static str,
    /// What an operator does about a breach.
    pub remedy: &'static str,
}

/// What a check came to.
#[derive(Clone, Debug)]
pub struct Found {
    pub check: Check,
    /// How often it does not hold.
    pub breaches: u64,
    /// The first of them, in words.
    pub examples: Vec<String>,
    /// Whether everything was looked at; else the database took too long, and there may be more.
    pub complete: bool,
}

impl Found {
    pub(super) const fn none(check: Check) -> Self {
        Self {
            check,
            breaches: 0,
            examples: Vec::new(),
            complete: true,
        }
    }

    /// Adds what was found in another piece.
    pub(super) fn add(&mut self, breaches: i64, examples: Vec<String>) {
        self.breaches += u64::try_from(breaches).unwrap_or_default();
        let room = look::EXAMPLES_MAX.saturating_sub(self.examples.len());
        self.examples.extend(examples.into_iter().take(room));
    }
}

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All that is kept.
    All,
    /// What is not over, and of history what began yesterday.
    Yesterday,
}

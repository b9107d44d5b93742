//! How much work the evaluations of one decision may do together.
//!
//! The evaluator itself has no bound, so the tree is rewritten ([`super::analyse`]) to report what
//! grows: every turn of a loop, every element of a list or map that is built, every sum, and whatever
//! looks through text or compares values ([`super::metered`]). All expressions of one call of `advance`
//! draw on one allowance, or hundreds of them would each take what one may. A call runs on one thread
//! from start to end, so its allowance is a cell of that thread.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cel::ExecutionError;

use crate::limits::{EXPRESSION_COST_INLINE, EXPRESSION_COST_MAX};

/// The function named in the error of an evaluation that spent too much.
pub(super) const SPENT: &str = "@spent";
/// The function named in the error of an evaluation that took too long.
pub(super) const STOPPED: &str = "@stopped";

/// Units after which it is looked whether the evaluation is to stop: some tenths of a millisecond.
const UNITS_PER_LOOK: u64 = 1_024;

/// What the expressions of one call of `advance` may cost together.
#[derive(Clone, Debug)]
pub struct Allowance {
    units: u64,
    /// Whether a step that has all of it and needs more fails. Otherwise it is left for a call that
    /// allows more.
    whole: bool,
    stop: Option<Arc<AtomicBool>>,
}

impl Allowance {
    /// All that a step may cost: [`EXPRESSION_COST_MAX`].
    #[must_use]
    pub const fn whole() -> Self {
        Self {
            units: EXPRESSION_COST_MAX,
            whole: true,
            stop: None,
        }
    }

    /// All that a step may cost, until `stop` says that it has taken too long.
    #[must_use]
    pub fn until(stop: Arc<AtomicBool>) -> Self {
        Self {
            stop: Some(stop),
            ..Self::whole()
        }
    }

    /// What may be done in between other work: [`EXPRESSION_COST_INLINE`] without what was done before.
    #[must_use]
    pub const fn inline(spent: u64) -> Self {
        Self {
            units: EXPRESSION_COST_INLINE.saturating_sub(spent),
            whole: false,
            stop: None,
        }
    }

    pub(crate) const fn is_nothing(&self) -> bool {
        self.units == 0
    }

    /// So many units.
    #[cfg(test)]
    pub(crate) const fn of(units: u64) -> Self {
        Self {
            units,
            whole: true,
            stop: None,
        }
    }
}

thread_local! {
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    static STOP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
    static IS_STOPPED: Cell<bool> = const { Cell::new(false) };
}

/// An allowance in use on this thread, until it is dropped.
#[derive(Debug)]
pub(crate) struct Meter {
    allowance: Allowance,
    /// What was left when the current step began.
    at_step: Cell<u64>,
}

impl Meter {
    /// Begins to count on this thread.
    pub(crate) fn begin(allowance: Allowance) -> Self {
        LEFT.set(Some(allowance.units));
        STOP.with_borrow_mut(|stop| stop.clone_from(&allowance.stop));
        IS_STOPPED.set(false);
        let at_step = Cell::new(allowance.units);
        Self { allowance, at_step }
    }

    /// Begins to count for one evaluation, where it is not part of something larger.
    pub(super) fn begin_alone() -> Option<Self> {
        let is_alone = LEFT.get().is_none();
        is_alone.then(|| Self::begin(Allowance::whole()))
    }

    /// Notes that what is evaluated from now on belongs together.
    pub(crate) fn next_step(&self) {
        self.at_step.set(left());
    }

    /// Says whether what was evaluated since [`Self::next_step`] failed for want of what others had spent
    /// before, or would fit into a larger allowance: it is to be tried again with a whole one.
    pub(crate) fn is_cut_short(&self) -> bool {
        let had_all = self.allowance.whole && self.at_step.get() == self.allowance.units;
        is_spent() && !had_all
    }

    /// Returns the units spent so far.
    pub(crate) fn spent(&self) -> u64 {
        self.allowance.units - left()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        LEFT.set(None);
        STOP.with_borrow_mut(|stop| *stop = None);
    }
}

fn left() -> u64 {
    LEFT.get().unwrap_or(0)
}

/// Says whether everything is spent. An `||` may have hidden the error.
pub(super) fn is_spent() -> bool {
    left() == 0
}

/// Says why nothing is left.
pub(super) fn why() -> ExecutionError {
    let function = if IS_STOPPED.get() { STOPPED } else { SPENT };
    ExecutionError::function_error(function, "")
}

/// Takes units from the allowance, before the work that they stand for is done.
pub(super) fn spend(units: u64) -> Result<(), ExecutionError> {
    let before = left();
    let mut after = before.saturating_sub(units);
    if before / UNITS_PER_LOOK != after / UNITS_PER_LOOK && is_to_stop() {
        IS_STOPPED.set(true);
        after = 0;
    }
    LEFT.set(Some(after));
    if after == 0 {
        return Err(why());
    }
    Ok(())
}

fn is_to_stop() -> bool {
    STOP.with_borrow(|stop| stop.as_ref().is_some_and(|s| s.load(Ordering::Relaxed)))
}

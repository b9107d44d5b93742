//! How much work an evaluation may do.
//!
//! The evaluator itself has no bound, so the tree is rewritten ([`super::analyse`]) to report what
//! grows: every turn of a loop, every element of a list or map that is built, every sum, and what
//! is compared inside a loop. An evaluation runs on one thread from start to end, so the budget is
//! a cell of that thread.

use std::cell::Cell;

use cel::ExecutionError;
use cel::common::types::{CelList, CelMap, CelOptional, CelString};
use cel::common::value::Val;

use crate::limits::EXPRESSION_COST_MAX;

/// The function named in the error of an evaluation that spent too much.
pub(super) const SPENT: &str = "@spent";

/// Bytes of text that count as one unit.
const TEXT_BYTES_PER_UNIT: usize = 64;

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Gives a new evaluation its budget.
pub(super) fn begin() {
    LEFT.set(EXPRESSION_COST_MAX);
}

/// Says whether the evaluation has spent everything. An `||` may have hidden the error.
pub(super) fn is_spent() -> bool {
    LEFT.get() == 0
}

/// Takes units from the budget.
pub(super) fn spend(units: u64) -> Result<(), ExecutionError> {
    let left = LEFT.get().saturating_sub(units);
    LEFT.set(left);
    if left == 0 {
        return Err(ExecutionError::function_error(SPENT, ""));
    }
    Ok(())
}

/// Returns the units that copying a value costs.
pub(super) fn weight(value: &dyn Val) -> u64 {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        text_weight(text.inner())
    } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        1 + list.iter().map(|v| weight(v.as_ref())).sum::<u64>()
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        1 + map
            .iter()
            .map(|(k, v)| weight(k.inner()) + weight(v.as_ref()))
            .sum::<u64>()
    } else if let Some(optional) = value.downcast_ref::<CelOptional<'_>>() {
        1 + optional.option().map_or(0, weight)
    } else {
        1
    }
}

/// Returns the units of a text.
pub(super) fn text_weight(text: &str) -> u64 {
    1 + (text.len() / TEXT_BYTES_PER_UNIT) as u64
}

//! Which steps have certainly finished when a step starts: those it waits for, and those they
//! waited for.

use super::StepNo;
use super::order::Order;

/// A set of steps for each step.
pub(super) struct Ancestors {
    /// A row of bits for each step, by place in the plan.
    rows: Vec<Vec<u64>>,
}

/// Gathers the ancestors of every step.
pub(super) fn ancestors(order: &Order) -> Ancestors {
    let numbers = order.numbers();
    let words = order.sorted.len().div_ceil(64);
    let mut rows = vec![vec![0_u64; words]; order.sorted.len()];
    for (place, &at) in order.sorted.iter().enumerate() {
        let mut row = vec![0_u64; words];
        for &need in &order.needs[at] {
            let need = usize::from(numbers[need]);
            row[need / 64] |= 1 << (need % 64);
            for (word, inherited) in row.iter_mut().zip(&rows[need]) {
                *word |= inherited;
            }
        }
        rows[place] = row;
    }
    Ancestors { rows }
}

impl Ancestors {
    /// Says whether `ancestor` has finished when `step` starts.
    pub(super) fn has(&self, step: StepNo, ancestor: StepNo) -> bool {
        let ancestor = usize::from(ancestor);
        self.rows[usize::from(step)][ancestor / 64] & (1 << (ancestor % 64)) != 0
    }
}

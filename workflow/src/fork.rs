//! What a new run takes over from one that is over.

use std::sync::Arc;

use crate::advance::runs_anew;
use crate::plan::StepNo;
use crate::{Plan, StepSnapshot, StepStatus};

/// Returns the steps whose results a fork keeps, as (place in the old plan, place in the new one):
/// those that completed, were not undone, and do not come after `from`. `rows` holds, for each step
/// of the old run, the row of its newest generation.
///
/// # Errors
/// The names of steps whose results would be kept and which the new plan does not have, or has with
/// another type.
pub fn kept(
    old: &Plan,
    rows: &[StepSnapshot],
    new: &Plan,
    from: &str,
) -> Result<Vec<(StepNo, StepNo)>, Vec<Arc<str>>> {
    let row = |n: StepNo| {
        let mut rows = rows.iter();
        rows.find(|row| row.key.step == n && row.key.item.is_none())
    };
    let is_undone = |n: &StepNo| {
        let undo = old.steps[usize::from(*n)].undo.and_then(row);
        let done = row(*n);
        undo.zip(done)
            .is_some_and(|(undo, done)| undo.attempt > 0 && undo.generation >= done.generation)
    };
    let places = 0..StepNo::try_from(old.forward).unwrap_or(StepNo::MAX);
    let undone: Vec<StepNo> = places.clone().filter(is_undone).collect();
    let anew = runs_anew(old, old.step_no(from), false, &undone);
    let anew_there = runs_anew(new, new.step_no(from), false, &[]);
    let (mut kept, mut missing) = (Vec::new(), Vec::new());
    for n in places {
        let completed = row(n).is_some_and(|row| row.status == StepStatus::Completed);
        if !completed || anew[usize::from(n)] {
            continue;
        }
        let planned = &old.steps[usize::from(n)];
        match new.step_no(&planned.name) {
            Some(there) if new.steps[usize::from(there)].word != planned.word => {
                missing.push(Arc::clone(&planned.name));
            }
            Some(there) if anew_there[usize::from(there)] => {}
            Some(there) => kept.push((n, there)),
            None => missing.push(Arc::clone(&planned.name)),
        }
    }
    if missing.is_empty() {
        Ok(kept)
    } else {
        Err(missing)
    }
}

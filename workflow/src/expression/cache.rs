//! The CEL form of a run's input and of its steps' outputs, made once and kept.
//!
//! Ten thousand items of a map that look at the same input must not each convert it. A kept value
//! remembers which JSON it was made of, so a cache can be slow but never wrong.

use std::fmt;
use std::sync::{Arc, OnceLock};

use cel::common::value::{CowVal, Val};
use serde_json::Value;

use super::{budget, json};
use crate::plan::StepNo;

/// What a run keeps for its expressions.
#[derive(Default)]
pub struct Cache {
    input: Kept,
    outputs: OnceLock<Box<[Kept]>>,
}

#[derive(Default)]
struct Kept(OnceLock<(Arc<Value>, Box<dyn Val>)>);

impl Cache {
    /// Lets go of a step's output, after it changed. Without this, expressions convert the new one
    /// again and again.
    pub fn forget(&mut self, step: StepNo) {
        if let Some(kept) = self
            .outputs
            .get_mut()
            .and_then(|outputs| outputs.get_mut(usize::from(step)))
        {
            *kept = Kept::default();
        }
    }

    /// Returns the input as a CEL value.
    pub(super) fn input<'b>(&'b self, input: &Arc<Value>) -> CowVal<'b, 'b> {
        self.input.get(input)
    }

    /// Returns a step's output as a CEL value. `steps` is the number of steps of the run.
    pub(super) fn output<'b>(
        &'b self,
        step: StepNo,
        steps: usize,
        output: &Arc<Value>,
    ) -> CowVal<'b, 'b> {
        let outputs = self
            .outputs
            .get_or_init(|| (0..steps).map(|_| Kept::default()).collect());
        match outputs.get(usize::from(step)) {
            Some(kept) => kept.get(output),
            None => CowVal::Owned(json::to_cel(output)),
        }
    }
}

impl Kept {
    fn get<'b>(&'b self, of: &Arc<Value>) -> CowVal<'b, 'b> {
        if let Some((made_of, value)) = self.0.get()
            && Arc::ptr_eq(made_of, of)
        {
            return CowVal::Borrowed(value.as_ref());
        }
        let made = json::to_cel(of);
        // What was not made to its end is not kept.
        if self.0.get().is_some() || budget::is_spent() {
            return CowVal::Owned(made);
        }
        let (_, value) = self.0.get_or_init(|| (Arc::clone(of), made));
        CowVal::Borrowed(value.as_ref())
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

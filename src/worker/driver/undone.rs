//! What was decided and is not yet committed.

use stepwell_queue::commit::StepWrite;
use stepwell_queue::detached::PutUp;
use stepwell_queue::inbox::Word;
use stepwell_queue::{Actor, Changes, End, NewRun};
use stepwell_workflow::{Attempt, Plan, Record, RunState, StepKey};
use uuid::Uuid;

#[derive(Debug, Default)]
pub(crate) struct Undone {
    pub(crate) records: Vec<Record>,
    /// May name a step more than once.
    pub(crate) touched: Vec<StepKey>,
    pub(crate) consumed: Vec<i64>,
    pub(crate) children: Vec<NewRun>,
    pub(crate) messages: Vec<(Uuid, Word, Actor)>,
    /// Attempts that others are to make.
    pub(crate) put_up: Vec<PutUp>,
    /// Attempts that others make and nobody waits for any more.
    pub(crate) recalled: Vec<StepKey>,
    /// Attempts that begin when all this is committed.
    pub(crate) starts: Vec<Attempt>,
    /// Whether it must be committed before anything else happens.
    pub(crate) must: bool,
}

impl Undone {
    /// Makes one commit of it; what is left are the starts. The steps it writes are in `touched`.
    pub(crate) fn changes(&mut self, state: &RunState, plan: &Plan, end: Option<End>) -> Changes {
        self.must = false;
        self.touched.sort_unstable();
        self.touched.dedup();
        // A list of items that was thrown away takes its items along.
        self.touched.retain(|&key| stored(state, key).is_some());
        let steps = self.touched.iter().filter_map(|&key| {
            Some(StepWrite {
                exists: stored(state, key)?,
                snapshot: state.snapshot(plan, key),
            })
        });
        // A word may have paused or resumed it; it is written whenever the job row is.
        let paused = (!self.consumed.is_empty() || end.is_some()).then_some(state.header.paused);
        Changes {
            run_id: state.header.id,
            generation: state.header.generation,
            steps: steps.collect(),
            records: std::mem::take(&mut self.records),
            consumed: std::mem::take(&mut self.consumed),
            started_at: None,
            children: std::mem::take(&mut self.children),
            messages: std::mem::take(&mut self.messages),
            put_up: std::mem::take(&mut self.put_up),
            recalled: std::mem::take(&mut self.recalled),
            recalls_all: false,
            sequence: state.header.sequence,
            end,
            paused,
            came_through: false,
            placed: plan.concurrency.is_some(),
        }
    }
}

/// Says whether a step's row exists in this generation; `None` when there is no such step.
pub(crate) fn stored(state: &RunState, key: StepKey) -> Option<bool> {
    let step = state.steps.get(usize::from(key.step))?;
    match key.item {
        None => Some(step.stored),
        Some(item) => Some(step.items.get(item as usize)?.stored),
    }
}

//! How the model driver answers a step that asks for a child, before anything is committed.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::driver::Driver;
use crate::{Decision, Effect, Event};

impl Driver {
    /// Answers for every child that was asked for, also those that an answer leads to.
    pub(super) fn answer(&mut self, decision: &mut Decision) {
        let mut answered = BTreeSet::new();
        while let Some(event) = self.next_answer(decision, &mut answered) {
            let next = self.run.advance(&self.plan, event, self.now);
            join(decision, next);
        }
    }

    /// Takes a refused child out of the decision.
    fn next_answer(&self, decision: &mut Decision, answered: &mut BTreeSet<Uuid>) -> Option<Event> {
        let asked = decision.effects.iter().enumerate();
        let (at, key, child_run_id, is_refused) = asked
            .filter_map(|(at, effect)| match effect {
                Effect::StartChild(child) => {
                    Some((at, child.key, child.run_id, child.workflow == "refused"))
                }
                _ => None,
            })
            .find(|(_, _, child, _)| !answered.contains(child))?;
        answered.insert(child_run_id);
        if !is_refused {
            return Some(Event::ChildStarted { key, child_run_id });
        }
        decision.effects.remove(at);
        Some(Event::ChildRefused {
            key,
            child_run_id,
            failure: self.refusal.clone(),
        })
    }
}

/// Adds what was decided next. What was to begin and is called off leaves no trace.
fn join(decision: &mut Decision, next: Decision) {
    decision.records.extend(next.records);
    decision.touched.extend(next.touched);
    decision.touched.sort_unstable();
    decision.touched.dedup();
    decision.commit_first |= next.commit_first;
    decision.more |= next.more;
    for effect in next.effects {
        let called_off = |begun: &Effect| match (begun, &effect) {
            (Effect::Start(attempt), Effect::Abort(key)) => attempt.key == *key,
            (Effect::StartChild(wanted), Effect::CancelChild { run_id, .. }) => {
                wanted.run_id == *run_id
            }
            (Effect::Detach { attempt, .. }, Effect::Recall(key)) => attempt.key == *key,
            _ => false,
        };
        match decision.effects.iter().position(called_off) {
            Some(at) => {
                decision.effects.remove(at);
            }
            None => decision.effects.push(effect),
        }
    }
}

//! What holds after each event, whatever it was.

use super::driver::Driver;
use crate::plan::Kind;
use crate::state::Tally;
use crate::{RunStatus, StepStatus};

impl Driver {
    pub(super) fn check(&self, after: &str) {
        let run = &self.run;
        if !run.status.is_terminal() {
            self.check_tally(after);
        }
        assert_eq!(run.in_flight(), self.calls.len(), "after {after}");
        assert!(run.in_flight() <= self.plan.max_parallel, "after {after}");
        for (n, planned) in (0..).zip(&self.plan.steps) {
            if let Kind::Map(map) = &planned.kind {
                let flying = self.calls.keys().filter(|key| key.step == n).count();
                assert!(flying <= map.max_parallel, "after {after}");
            }
        }
        if run.status.is_terminal() {
            assert!(self.calls.is_empty() && run.next_wake().is_none());
            assert!(
                run.steps[..self.plan.forward]
                    .iter()
                    .all(|s| s.status.is_terminal()),
                "after {after}"
            );
            self.check_undone(after);
            assert!(run.finished_at.is_some() || !run.begun, "after {after}");
        } else {
            let blocked = run.blocked_on(&self.plan);
            assert!(
                self.last.more
                    || run.in_flight() > 0
                    || run.next_wake().is_some()
                    || blocked.is_some(),
                "after {after} the run is stuck: {}",
                self.shows()
            );
            let rests = matches!(run.status, RunStatus::Waiting | RunStatus::Paused);
            let says = blocked.is_some() || run.in_flight() > 0 || !run.begun;
            assert!(!rests || says, "after {after} a run that rests says why");
        }
    }

    /// All that completed is undone, once each, and only in a run that did not complete.
    fn check_undone(&self, after: &str) {
        let run = &self.run;
        let given_up = |step: &crate::state::StepState| step.status == StepStatus::Failed;
        if run.steps.get(self.plan.forward).is_some_and(given_up) {
            return;
        }
        for (planned, step) in self.plan.steps.iter().zip(&run.steps) {
            let Some(undo) = planned.undo else { continue };
            let undone = run.steps[usize::from(undo)].status.is_terminal();
            let failed = run.status != RunStatus::Completed;
            let done = step.status == StepStatus::Completed;
            assert_eq!(undone, failed && done, "{} after {after}", planned.name);
        }
    }

    /// The running counts are what a fresh count gives.
    fn check_tally(&self, after: &str) {
        if self.run.is_undoing() {
            let begun = self.run.steps[self.plan.forward + 1..]
                .iter()
                .filter(|step| !step.status.is_terminal() && step.status != StepStatus::Pending);
            assert!(begun.count() <= 1, "one after the other, after {after}");
        }
        let tally = &self.run.tally;
        let fresh = Tally::count(&self.plan, &self.run.steps);
        assert_eq!(tally.open, fresh.open, "after {after}");
        assert_eq!(tally.needs_left, fresh.needs_left, "after {after}");
        assert!(tally.maps.keys().eq(fresh.maps.keys()), "after {after}");
        for (n, lanes) in &tally.maps {
            let counted = &fresh.maps[n];
            let items = &self.run.steps[usize::from(*n)].items;
            let taken = items.iter().filter(|item| item.lane).count();
            assert_eq!(lanes.taken, taken, "after {after}");
            assert_eq!(
                (lanes.left, lanes.failed, lanes.first_failed, lanes.bytes),
                (
                    counted.left,
                    counted.failed,
                    counted.first_failed,
                    counted.bytes
                ),
                "after {after}"
            );
        }
        for timer in &tally.timers {
            assert!(fresh.timers.contains(timer), "after {after}");
        }
        for (at, key) in &fresh.timers {
            let ready = tally.ready_calls.contains(&key.step)
                || tally.ready_pure.contains(&key.step)
                || key
                    .item
                    .is_some_and(|i| tally.maps[&key.step].again.contains(&i));
            assert!(
                tally.timers.contains(&(*at, *key)) || ready,
                "after {after}"
            );
        }
    }
}

//! How a driver lets go of its run: it is over, it waits for something far, or the worker stops.

use stepwell_queue::End;
use stepwell_queue::clock;
use stepwell_workflow::{RunState, StepKey, StepStatus, Time};

use super::{Driver, NEAR};

impl Driver {
    /// Returns how the run is let go of; `None` while there is something to do or to wait for here.
    pub(crate) fn end(&self) -> Option<End> {
        if self.state.status.is_terminal() {
            return Some(self.finished());
        }
        let asks = !self.wanted.is_empty();
        if let Some(blocked_on) = &self.held_back {
            let paused = self.state.header.paused;
            let why = self.state.blocked_on(&self.plan).filter(|_| paused);
            return Some(End::Released {
                wake_at: None,
                blocked_on: why.unwrap_or_else(|| blocked_on.clone()),
            });
        }
        if self.state.in_flight() > 0 || !self.landed.is_empty() || asks {
            return None;
        }
        let wake_at = self.state.next_wake();
        let blocked_on = self.state.blocked_on(&self.plan);
        match blocked_on {
            Some(blocked_on) if !is_near(wake_at) => Some(End::Released {
                wake_at,
                blocked_on,
            }),
            _ if self.state.draining => Some(End::GivenBack),
            _ => None,
        }
    }

    fn finished(&self) -> End {
        End::Finished {
            status: self.state.status,
            output: self.state.output.clone(),
            error: self.state.error.clone(),
            finished_at: self.state.finished_at.unwrap_or_else(clock::now),
            cancelled_by: self.state.cancelled_by.clone(),
            cancel_reason: self.state.cancel_reason.clone(),
            parent: self.state.header.parent.clone(),
        }
    }
}

fn is_near(wake_at: Option<Time>) -> bool {
    wake_at.is_some_and(|at| (at - clock::now()).to_std().unwrap_or_default() < NEAR)
}

/// Returns a step's status, if there is such a step.
pub(super) fn status_of(state: &RunState, key: StepKey) -> Option<StepStatus> {
    let step = state.steps.get(usize::from(key.step))?;
    match key.item {
        None => Some(step.status),
        Some(item) => Some(step.items.get(item as usize)?.status),
    }
}

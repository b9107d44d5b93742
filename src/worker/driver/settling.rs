//! Commits what was decided, and does what waited for the commit.

use std::sync::Arc;

use stepwell_queue::commit::StepWrite;
use stepwell_queue::{Committed, Committing};
use stepwell_workflow::{Event, Failure, RunStatus};

use super::{Driver, LINGER, ROWS_PER_COMMIT, ending, outright, undone};
use crate::worker::context::Gone;

/// Where a run stands when what was decided is on its way.
pub(super) enum Settled {
    GoesOn,
    Ended,
    /// All that is left is to hear that its last commit is made.
    Ending(Sent),
}

/// A commit on its way, and the number of its last record.
pub(super) struct Sent {
    committing: Committing,
    sequence: i64,
}

impl Driver {
    /// Looks up the children that are wanted, and tells their steps; those that can be started
    /// begin with the commit.
    async fn start_children(&mut self) {
        while self.undone.touched.len() < ROWS_PER_COMMIT
            && let Some(wanted) = self.wanted.pop_front()
        {
            let (key, child_run_id) = (wanted.key, wanted.run_id);
            // Boxed, because most runs have no children and all would carry its room.
            match Box::pin(self.prepare(&wanted)).await {
                Ok(child) => {
                    self.undone.children.push(child);
                    self.take_in(Event::ChildStarted { key, child_run_id });
                }
                Err(failure) => self.take_in(Event::ChildRefused {
                    key,
                    child_run_id,
                    failure,
                }),
            }
        }
    }

    /// Commits what must be committed and does what waited for it. The end of the run, or its being let go of, is
    /// put on its way and not waited for.
    pub(super) async fn settle(&mut self) -> Result<Settled, Gone> {
        self.start_children().await;
        let end = self.end();
        if end.is_none() && !self.undone.must {
            return Ok(Settled::GoesOn);
        }
        let over = end.is_some();
        let mut changes = self.undone.changes(&self.state, &self.plan, end);
        if self.suspect
            && changes
                .steps
                .iter()
                .any(|step| step.snapshot.status.is_terminal())
        {
            changes.came_through = true;
            self.suspect = false;
        }
        // Most runs are over before anybody asks when they began: their job rows are not written for it alone.
        // After a crash the start is found in the records.
        if !self.start_stored && (changes.writes_job() || self.begun.elapsed() >= LINGER) {
            changes.started_at = self.state.header.started_at;
            self.start_stored = changes.started_at.is_some();
        }
        let sequence = changes.sequence;
        let committing = self.context.committer.commit(changes);
        let sent = Sent {
            committing,
            sequence,
        };
        if over {
            return Ok(Settled::Ending(sent));
        }
        if !self.stored(sent).await? {
            return Ok(Settled::Ended);
        }
        self.idle_ticks = 0;
        // Others had the thread meanwhile.
        self.spent = 0;
        self.start_what_waited();
        self.listen_if_long();
        Ok(Settled::GoesOn)
    }

    /// Waits until it is stored; `false` when the database refused it and the run failed instead.
    pub(super) async fn stored(&mut self, sent: Sent) -> Result<bool, Gone> {
        match sent.committing.await {
            Committed::Done => {
                self.note_stored(sent.sequence);
                Ok(true)
            }
            Committed::Fenced | Committed::Unknown => Err(Gone),
            Committed::Refused(reason) => {
                let message = format!("the database refused a change of this run: {reason}");
                Box::pin(self.give_up(Failure::fatal("refused", message))).await?;
                Ok(false)
            }
        }
    }

    fn note_stored(&mut self, sequence: i64) {
        self.committed = sequence;
        let touched = std::mem::take(&mut self.undone.touched);
        self.state.mark_stored(&touched);
        for key in touched {
            if let Some(status) = ending::status_of(&self.state, key) {
                self.context.metrics.step_stored(status);
            }
        }
        if self.state.status.is_terminal() {
            self.context.metrics.run_finished(self.state.status);
        }
        if self.state.status.is_terminal() || self.state.is_undoing() {
            self.tell_agents();
        }
    }

    /// Tells the agents whose calls were aborted that nobody waits for this run any more. While a
    /// run goes on they are not told: the word is about all of a run's calls, not one.
    fn tell_agents(&mut self) {
        for agent in std::mem::take(&mut self.aborted) {
            let steps = Arc::clone(&self.context.steps);
            let origin = Arc::clone(&self.origin);
            self.context.errands.spawn(async move {
                steps.tell_aborted(&origin, &agent).await;
            });
        }
    }

    fn start_what_waited(&mut self) {
        for attempt in std::mem::take(&mut self.undone.starts) {
            if self.state.draining {
                self.take_in(Event::GivenBack {
                    key: attempt.key,
                    begun: false,
                });
            } else {
                self.launch(attempt);
            }
        }
    }

    /// Nothing moves and nothing is waited for: this must not be, and must not go on for ever.
    pub(super) async fn stuck(&mut self) -> Result<(), Gone> {
        let message = "nothing moves in this run and it waits for nothing; please report this";
        let failure = Failure::fatal("stuck", message);
        self.give_up(failure).await
    }

    /// What was decided cannot be done and would be decided again: the run fails, and with it the
    /// steps that were about to change. The other open ones are cancelled. Nothing is undone: that
    /// would be decided by the same plan.
    async fn give_up(&mut self, failure: Failure) -> Result<(), Gone> {
        tracing::error!(error = %failure.message, kind = %failure.kind, "the run fails");
        self.flights.abort_all();
        let mut touched = std::mem::take(&mut self.undone.touched);
        touched.sort_unstable();
        touched.dedup();
        let write = |key| {
            Some(StepWrite {
                exists: undone::stored(&self.state, key)?,
                snapshot: self.state.snapshot(&self.plan, key),
            })
        };
        let refused: Vec<_> = touched.iter().filter_map(|&key| write(key)).collect();
        let open = self.state.open_rows().filter(|key| !touched.contains(key));
        let open: Vec<_> = open.filter_map(write).collect();
        let header = &self.state.header;
        let steps = outright::Steps { refused, open };
        let mut changes = outright::fail(header, self.committed, failure, steps);
        changes.placed = self.plan.concurrency.is_some();
        // Children that were to be cancelled with what was refused.
        changes
            .messages
            .append(&mut std::mem::take(&mut self.undone.messages));
        match self.context.committer.commit(changes).await {
            Committed::Done => {
                self.context.metrics.run_finished(RunStatus::Failed);
                self.tell_agents();
                Ok(())
            }
            Committed::Refused(reason) => {
                let header = &self.state.header;
                let (id, generation) = (header.id, header.generation);
                let committer = &self.context.committer;
                committer.set_aside(id, generation, reason).await;
                Ok(())
            }
            Committed::Fenced | Committed::Unknown => Err(Gone),
        }
    }
}

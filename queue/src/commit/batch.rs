//! The rows of many drivers as columns, for `unnest`.

use std::collections::HashMap;

use stepwell_workflow::Time;
use uuid::Uuid;

use super::rows::{JobChange, MessageRow, Rows, StepRow, Turn};
use crate::NewRun;
use crate::audit::AuditColumns;
use crate::detached::DetachedRows;

/// Everything that one statement writes.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub(super) inserts: StepColumns<'a>,
    pub(super) updates: StepColumns<'a>,
    pub(super) records: AuditColumns<'a>,
    pub(super) jobs: JobColumns<'a>,
    pub(super) consumed: Vec<i64>,
    pub(super) messages: MessageColumns<'a>,
    pub(super) children: Vec<&'a NewRun>,
    /// Of the runs that change what others make.
    pub(super) detached: Vec<(Uuid, &'a DetachedRows)>,
    /// Runs that end with it and give a place back.
    pub(super) leaving: Vec<Uuid>,
    pub(super) drivers: usize,
    /// Runs that end with it, those of other workers not among them.
    pub(super) finished: usize,
}

#[derive(Debug, Default)]
pub(super) struct StepColumns<'a> {
    pub(super) run_id: Vec<Uuid>,
    pub(super) step: Vec<i16>,
    pub(super) item: Vec<i32>,
    pub(super) generation: Vec<i32>,
    pub(super) name: Vec<&'a str>,
    pub(super) kind: Vec<&'static str>,
    pub(super) status: Vec<&'static str>,
    pub(super) attempt: Vec<i16>,
    pub(super) max_attempts: Vec<i16>,
    pub(super) input: Vec<Option<&'a str>>,
    pub(super) output: Vec<Option<&'a str>>,
    pub(super) error: Vec<Option<&'a str>>,
    pub(super) started_at: Vec<Option<Time>>,
    pub(super) finished_at: Vec<Option<Time>>,
    pub(super) wake_at: Vec<Option<Time>>,
    pub(super) child_run_id: Vec<Option<Uuid>>,
}

#[derive(Debug, Default)]
pub(super) struct MessageColumns<'a> {
    pub(super) run_id: Vec<Uuid>,
    pub(super) kind: Vec<&'static str>,
    pub(super) payload: Vec<&'a str>,
    pub(super) actor: Vec<&'a str>,
    pub(super) request_id: Vec<Option<&'a str>>,
}

#[derive(Debug, Default)]
pub(super) struct JobColumns<'a> {
    pub(super) run_id: Vec<Uuid>,
    pub(super) turn: Vec<&'static str>,
    pub(super) sequence: Vec<i64>,
    pub(super) started_at: Vec<Option<Time>>,
    pub(super) generation: Vec<i32>,
    pub(super) status: Vec<Option<&'static str>>,
    pub(super) output: Vec<Option<&'a str>>,
    pub(super) error: Vec<Option<&'a str>>,
    pub(super) finished_at: Vec<Option<Time>>,
    pub(super) cancelled_by: Vec<Option<&'a str>>,
    pub(super) cancel_reason: Vec<Option<&'a str>>,
    pub(super) consumed: Vec<i32>,
    pub(super) added: Vec<i32>,
    pub(super) wake_at: Vec<Option<Time>>,
    pub(super) blocked_on: Vec<Option<&'a str>>,
    pub(super) paused: Vec<Option<bool>>,
    pub(super) deaths: Vec<i16>,
}

impl<'a> Batch<'a> {
    /// Gathers the rows of these drivers; each run occurs once.
    pub(super) fn of(rows: impl IntoIterator<Item = &'a Rows>) -> Self {
        let mut batch = Self::default();
        // For each job its own driver's change, if there is one, and the messages for it.
        let mut changes: HashMap<Uuid, (Option<&'a JobChange>, i32)> = HashMap::new();
        let mut messages = Vec::new();
        for rows in rows {
            batch.drivers += 1;
            for (row, exists) in &rows.steps {
                let columns = if *exists {
                    &mut batch.updates
                } else {
                    &mut batch.inserts
                };
                columns.push(rows.run_id, row);
            }
            for record in &rows.records {
                batch.records.push(rows.run_id, record);
            }
            batch.consumed.extend_from_slice(&rows.consumed);
            batch.children.extend(&rows.children);
            if !rows.detached.is_empty() {
                batch.detached.push((rows.run_id, &rows.detached));
            }
            batch.leaving.extend(rows.placed.then_some(rows.run_id));
            messages.extend(&rows.messages);
            if let Some(change) = &rows.change {
                batch.finished += usize::from(change.turn == Turn::Finished);
                changes.insert(rows.run_id, (Some(change), 0));
            }
        }
        for message in messages {
            let (change, added) = changes.entry(message.run_id).or_default();
            // Over with this very commit: nobody will read it.
            if change.is_none_or(|change| change.turn != Turn::Finished) {
                *added += 1;
                batch.messages.push(message);
            }
        }
        // In order, so that two statements take the same jobs in the same order.
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_unstable_by_key(|(run_id, _)| *run_id);
        for (run_id, (change, added)) in changes {
            batch
                .jobs
                .push(run_id, change.unwrap_or(JobChange::TOLD), added);
        }
        batch
    }

    /// The runs with rows that are there already and change with it.
    pub(super) fn runs_changed(&self) -> impl Iterator<Item = Uuid> {
        let jobs = self.jobs.run_id.iter().zip(&self.jobs.turn);
        let finished = jobs.filter(|(_, turn)| **turn == Turn::Finished.as_str());
        let finished = finished.map(|(run_id, _)| *run_id);
        finished.chain(self.updates.run_id.iter().copied())
    }

    /// Whether the lean statement can write it.
    pub(super) fn is_lean(&self) -> bool {
        self.updates.run_id.is_empty()
            && self.consumed.is_empty()
            && self.messages.run_id.is_empty()
            && self.jobs.deaths.iter().all(|deaths| *deaths == 0)
            && self
                .jobs
                .turn
                .iter()
                .all(|turn| [Turn::Kept.as_str(), Turn::Finished.as_str()].contains(turn))
    }
}

impl<'a> StepColumns<'a> {
    fn push(&mut self, run_id: Uuid, row: &'a StepRow) {
        self.run_id.push(run_id);
        self.step.push(row.step);
        self.item.push(row.item);
        self.generation.push(row.generation);
        self.name.push(&row.name);
        self.kind.push(row.kind);
        self.status.push(row.status);
        self.attempt.push(row.attempt);
        self.max_attempts.push(row.max_attempts);
        self.input.push(row.input.as_deref());
        self.output.push(row.output.as_deref());
        self.error.push(row.error.as_deref());
        self.started_at.push(row.started_at);
        self.finished_at.push(row.finished_at);
        self.wake_at.push(row.wake_at);
        self.child_run_id.push(row.child_run_id);
    }
}

impl<'a> MessageColumns<'a> {
    fn push(&mut self, row: &'a MessageRow) {
        self.run_id.push(row.run_id);
        self.kind.push(row.kind);
        self.payload.push(&row.payload);
        self.actor.push(&row.actor);
        self.request_id.push(row.request_id.as_deref());
    }
}

impl<'a> JobColumns<'a> {
    fn push(&mut self, run_id: Uuid, change: &'a JobChange, added: i32) {
        self.run_id.push(run_id);
        self.turn.push(change.turn.as_str());
        self.sequence.push(change.sequence);
        self.started_at.push(change.started_at);
        self.generation.push(change.generation);
        self.status.push(change.status);
        self.output.push(change.output.as_deref());
        self.error.push(change.error.as_deref());
        self.finished_at.push(change.finished_at);
        self.cancelled_by.push(change.cancelled_by.as_deref());
        self.cancel_reason.push(change.cancel_reason.as_deref());
        self.consumed.push(change.consumed);
        self.added.push(added);
        self.wake_at.push(change.wake_at);
        self.blocked_on.push(change.blocked_on.as_deref());
        self.paused.push(change.paused);
        self.deaths.push(change.deaths);
    }
}

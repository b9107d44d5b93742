//! The steps of a run: those that have rows, and those of the plan that have not begun. One whose attempt
//! a live worker makes elsewhere is running. `stepwell.v_steps` says the same of those that have rows.

mod page;

use serde_json::value::RawValue;
use sqlx::types::Json;
use stepwell_workflow::plan::{Kind, PlannedStep};
use stepwell_workflow::{Plan, RunStatus, StepStatus, Time};
use uuid::Uuid;

use super::standing::run_status;
use crate::page::length;
use crate::{Error, Store};

/// Where a step stands in its run: first by the plan, then, for the items of a map, by their
/// place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepPlace {
    pub step: i16,
    /// −1: the step itself.
    pub item: i32,
}

/// A step (or an item of a map) in its newest generation.
#[derive(Clone, Debug)]
pub struct RunStep {
    pub place: StepPlace,
    /// `score` or `score[17]`.
    pub name: String,
    /// The definition's word for its type.
    pub kind: String,
    pub status: StepStatus,
    pub generation: i32,
    /// The last attempt begun; 0: none.
    pub attempt: i16,
    pub max_attempts: i16,
    pub input: Option<Box<RawValue>>,
    pub output: Option<Box<RawValue>>,
    pub error: Option<Box<RawValue>>,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    /// When a delay, a backoff or a wait's patience ends.
    pub wake_at: Option<Time>,
    pub child_run_id: Option<Uuid>,
    /// Whose worker makes its attempt elsewhere, else whose wrote the row.
    pub worker_id: Option<Uuid>,
    /// The signal, the topic or the queue that it waits for, or its items do.
    pub awaits: Option<String>,
}

/// One page.
#[derive(Debug)]
pub struct StepPage {
    pub steps: Vec<RunStep>,
    /// Whether there are more after it.
    pub more: bool,
}

impl Store {
    /// Lists the steps of a run after `after`, in the order of the plan. `None`: there is no such
    /// run.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the run's version no longer compiles.
    pub async fn run_steps(
        &self,
        run_id: Uuid,
        after: Option<StepPlace>,
        limit: i64,
    ) -> Result<Option<StepPage>, Error> {
        let Some(run) = sqlx::query!(
            r#"select workflow_id, version, generation, status::text as "status!"
               from stepwell.run where id = $1"#,
            run_id
        )
        .fetch_optional(&self.lookups)
        .await?
        else {
            return Ok(None);
        };
        let over = run_status(&run.status).is_some_and(RunStatus::is_terminal);
        let planned = self
            .planned(run.workflow_id, run.version)
            .await?
            .ok_or_else(|| Error::Corrupt(format!("run {run_id}: its version is gone")))?;
        let start = after.unwrap_or(StepPlace { step: -1, item: 0 });
        let rows = sqlx::query!(
            r#"select distinct on (s.step, s.item)
                      s.step, s.item, s.name, s.kind, s.status::text as "status!", s.generation, s.attempt,
                      s.max_attempts, s.input as "input: Json<Box<RawValue>>",
                      s.output as "output: Json<Box<RawValue>>",
                      s.error as "error: Json<Box<RawValue>>",
                      s.started_at, s.finished_at, s.wake_at, s.child_run_id, s.worker_id,
                      d.lane as "lane?", maker.id as "maker?"
               from stepwell.step s
               left join stepwell.detached d
                   on d.run_id = s.run_id and d.step = s.step and d.item = s.item
                   and d.generation = s.generation and s.status = 'waiting'
               left join stepwell.worker maker
                   on maker.id = d.worker_id and maker.status in ('alive', 'draining')
                   and maker.seen_at > now() - maker.dead_after_ms * interval '1 ms'
               where s.run_id = $1 and (s.step, s.item) > ($2, $3)
               order by s.step, s.item, s.generation desc limit $4"#,
            run_id,
            start.step,
            start.item,
            limit + 1,
        )
        .fetch(&self.lookups);
        let (rows, more) = crate::page::take(rows, limit, |row| {
            length(row.input.as_ref()) + length(row.output.as_ref()) + length(row.error.as_ref())
        })
        .await?;
        let mut begun = Vec::with_capacity(rows.len());
        for row in rows {
            begun.push(RunStep {
                place: StepPlace {
                    step: row.step,
                    item: row.item,
                },
                // Its driver wrote that it waits; the row of the attempt says who makes it.
                status: if row.maker.is_some() {
                    StepStatus::Running
                } else {
                    step_status(&row.status).ok_or_else(|| {
                        Error::Corrupt(format!("run {run_id}: step status {}", row.status))
                    })?
                },
                awaits: row.lane.or_else(|| page::awaits(&planned.plan, row.step)),
                name: row.name,
                kind: row.kind,
                generation: row.generation,
                attempt: row.attempt,
                max_attempts: row.max_attempts,
                input: row.input.map(|json| json.0),
                output: row.output.map(|json| json.0),
                error: row.error.map(|json| json.0),
                started_at: row.started_at,
                finished_at: row.finished_at,
                wake_at: row.wake_at,
                child_run_id: row.child_run_id,
                worker_id: row.maker.or(row.worker_id),
            });
        }
        let absent = page::Absent {
            plan: &planned.plan,
            generation: run.generation,
            // A run that is over will begin no step.
            status: if over {
                StepStatus::Skipped
            } else {
                StepStatus::Pending
            },
        };
        let limit = usize::try_from(limit).unwrap_or(0);
        let mut page = page::fill(begun, more, start, limit, &absent);
        self.add_policies(&planned.plan, &mut page.steps).await;
        Ok(Some(page))
    }

    /// Shows how many attempts the agents allow that have not been called yet. What is not known
    /// keeps the default.
    async fn add_policies(&self, plan: &Plan, steps: &mut [RunStep]) {
        for step in steps.iter_mut().filter(|step| step.attempt == 0) {
            let planned = usize::try_from(step.place.step)
                .ok()
                .and_then(|n| plan.steps.get(n));
            let Some(PlannedStep {
                kind: Kind::Agent { agent, .. },
                retry: None,
                ..
            }) = planned
            else {
                continue;
            };
            if let Ok(Some(target)) = self.agent_target(agent).await {
                step.max_attempts = i16::try_from(target.retry.max_attempts).unwrap_or(i16::MAX);
            }
        }
    }
}

/// Reads the word of a status column.
pub(super) fn step_status(word: &str) -> Option<StepStatus> {
    use StepStatus as S;
    [
        S::Pending,
        S::Running,
        S::Waiting,
        S::Paused,
        S::Completed,
        S::Failed,
        S::Cancelled,
        S::TimedOut,
        S::Skipped,
    ]
    .into_iter()
    .find(|status| status.as_str() == word)
}

//! What a run came to, in numbers: bounded, however many items its maps have.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use stepwell_workflow::plan::Kind;
use stepwell_workflow::{Plan, RunStatus, StepStatus};
use uuid::Uuid;

use super::Run;
use crate::{Error, Store, transaction};

/// Values of a map's results that are told apart, the most frequent first.
pub const VALUES_MAX: i64 = 20;
/// Bytes of a value that is told: beyond it, it is one of the others.
const VALUE_BYTES_MAX: i32 = 256;

/// A run in numbers.
#[derive(Debug)]
pub struct Report {
    pub run: Run,
    /// Every step of the plan, in its order.
    pub steps: Vec<StepReport>,
}

/// One step.
#[derive(Debug)]
pub struct StepReport {
    pub name: Arc<str>,
    /// The definition's word for its type.
    pub kind: &'static str,
    pub status: StepStatus,
    /// Attempts begun; of a map, those of its items.
    pub attempts: i64,
    /// Of the step; of a map, of its items.
    pub durations: Option<Durations>,
    /// Of a map.
    pub items: Option<ItemsReport>,
}

/// How long things took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Durations {
    pub min: f64,
    pub median: f64,
    pub max: f64,
    pub sum: f64,
}

/// The items of a map.
#[derive(Debug, Default)]
pub struct ItemsReport {
    pub total: i64,
    /// Statuses that occur.
    pub by_status: BTreeMap<&'static str, i64>,
    /// What completed items came to, at most [`VALUES_MAX`], the most frequent first.
    pub values: Vec<(Box<RawValue>, i64)>,
    /// Completed items that came to something else, or to something long.
    pub other_values: i64,
}

struct Line {
    step: i16,
    of_items: bool,
    total: i64,
    attempts: i64,
    pending: i64,
    running: i64,
    waiting: i64,
    paused: i64,
    completed: i64,
    failed: i64,
    cancelled: i64,
    timed_out: i64,
    skipped: i64,
    min_ms: Option<f64>,
    median_ms: Option<f64>,
    max_ms: Option<f64>,
    sum_ms: Option<f64>,
}

impl Line {
    fn by_status(&self) -> BTreeMap<&'static str, i64> {
        use StepStatus as S;
        [
            (S::Pending, self.pending),
            (S::Running, self.running),
            (S::Waiting, self.waiting),
            (S::Paused, self.paused),
            (S::Completed, self.completed),
            (S::Failed, self.failed),
            (S::Cancelled, self.cancelled),
            (S::TimedOut, self.timed_out),
            (S::Skipped, self.skipped),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| (status.as_str(), count))
        .collect()
    }

    fn durations(&self) -> Option<Durations> {
        Some(Durations {
            min: self.min_ms?,
            median: self.median_ms?,
            max: self.max_ms?,
            sum: self.sum_ms?,
        })
    }
}

struct Value {
    step: i16,
    value: Option<String>,
    count: i64,
}

impl Store {
    /// Reports on a run; `None`: there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn run_report(&self, run_id: Uuid) -> Result<Option<Report>, Error> {
        let Some(run) = self.run(run_id).await? else {
            return Ok(None);
        };
        let planned = self
            .planned(run.workflow_id, run.version)
            .await?
            .ok_or_else(|| Error::Corrupt(format!("run {run_id}: its version is gone")))?;
        let mut connection = self.lookups.acquire().await?;
        let mut transaction = transaction::begin(&mut connection).await?;
        // Both statements count the same rows.
        sqlx::query!("set transaction isolation level repeatable read, read only")
            .execute(&mut *transaction)
            .await?;
        let lines = sqlx::query_file_as!(Line, "queries/run/report.sql", run_id)
            .fetch_all(&mut *transaction)
            .await?;
        let values = if lines.iter().any(|line| line.of_items) {
            sqlx::query_file_as!(
                Value,
                "queries/run/report_values.sql",
                run_id,
                VALUES_MAX,
                VALUE_BYTES_MAX,
            )
            .fetch_all(&mut *transaction)
            .await?
        } else {
            Vec::new()
        };
        transaction.commit().await?;
        let steps = steps(&planned.plan, run.status, &lines, values);
        Ok(Some(Report { run, steps }))
    }
}

/// Puts the numbers to the steps of the plan.
fn steps(plan: &Plan, run: RunStatus, lines: &[Line], values: Vec<Value>) -> Vec<StepReport> {
    let absent = if run.is_terminal() {
        StepStatus::Skipped
    } else {
        StepStatus::Pending
    };
    let mut by_step: BTreeMap<i16, Vec<Value>> = BTreeMap::new();
    for value in values {
        by_step.entry(value.step).or_default().push(value);
    }
    let mut reports = Vec::with_capacity(plan.steps.len());
    for (step, number) in plan.steps.iter().zip(0_i16..) {
        let line = |of_items: bool| {
            lines
                .iter()
                .find(|line| line.step == number && line.of_items == of_items)
        };
        let status = line(false)
            .and_then(|own| own.by_status().into_keys().next())
            .and_then(super::steps::step_status)
            .unwrap_or(absent);
        let is_map = matches!(step.kind, Kind::Map(_));
        let counted = line(is_map);
        let items = is_map.then(|| {
            let mut items = ItemsReport::default();
            if let Some(line) = counted {
                items.total = line.total;
                items.by_status = line.by_status();
            }
            for value in by_step.remove(&number).unwrap_or_default() {
                match value
                    .value
                    .and_then(|text| RawValue::from_string(text).ok())
                {
                    Some(json) => items.values.push((json, value.count)),
                    None => items.other_values += value.count,
                }
            }
            items
        });
        reports.push(StepReport {
            name: Arc::clone(&step.name),
            kind: step.word,
            status,
            attempts: counted.map_or(0, |line| line.attempts),
            durations: counted.and_then(Line::durations),
            items,
        });
    }
    reports
}

//! Reads back what was stored of runs that were begun before.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use sqlx::PgConnection;
use stepwell_workflow::{Failure, StepKey, StepSnapshot, StepStatus};
use uuid::Uuid;

use crate::Error;
use crate::day::On;

/// Reads the steps of these runs. A run whose rows cannot be read has an `Err` in its place.
pub(crate) async fn steps(
    connection: &mut PgConnection,
    on: On,
    run_ids: &[Uuid],
) -> Result<HashMap<Uuid, Result<Vec<StepSnapshot>, String>>, Error> {
    let rows = sqlx::query_file!("queries/load_steps.sql", run_ids)
        .fetch_all(on.connection(connection))
        .await?;
    let mut loaded: HashMap<Uuid, Result<Vec<StepSnapshot>, String>> = HashMap::new();
    for row in rows {
        let run_id = row.run_id;
        let name = row.name.clone();
        let read = || -> Result<StepSnapshot, String> {
            Ok(StepSnapshot {
                key: StepKey {
                    step: number(row.step)?,
                    item: u32::try_from(row.item).ok(),
                },
                name: row.name,
                kind: kind(&row.kind)?,
                generation: row.generation,
                status: step_status(&row.status)?,
                attempt: number(row.attempt)?,
                max_attempts: number(row.max_attempts)?,
                input: value(row.input)?,
                output: value(row.output)?,
                error: failure(row.error)?,
                started_at: row.started_at,
                finished_at: row.finished_at,
                wake_at: row.wake_at,
                child_run_id: row.child_run_id,
            })
        };
        let read = read().map_err(|problem| format!("step {name}: {problem}"));
        let of_run = loaded.entry(run_id).or_insert_with(|| Ok(Vec::new()));
        match (of_run.as_mut(), read) {
            (Ok(steps), Ok(step)) => steps.push(step),
            (Ok(_), Err(problem)) => *of_run = Err(problem),
            (Err(_), _) => {}
        }
    }
    Ok(loaded)
}

fn number<T: TryFrom<i16>>(stored: i16) -> Result<T, String> {
    T::try_from(stored).map_err(|_| format!("{stored} is out of range"))
}

/// Parses stored JSON. Postgres takes numbers and depths that we do not.
pub(super) fn value(json: Option<String>) -> Result<Option<Arc<Value>>, String> {
    json.map(|json| serde_json::from_str(&json).map(Arc::new))
        .transpose()
        .map_err(|error| error.to_string())
}

fn failure(json: Option<String>) -> Result<Option<Failure>, String> {
    json.map(|json| serde_json::from_str(&json))
        .transpose()
        .map_err(|error| error.to_string())
}

fn step_status(word: &str) -> Result<StepStatus, String> {
    serde_json::from_value(Value::from(word)).map_err(|error| error.to_string())
}

/// The definition's words for types of steps.
const KINDS: [&str; 13] = [
    "agent",
    "http",
    "webhook",
    "delay",
    "transform",
    "decide",
    "map",
    "wait",
    "workflow",
    "emit",
    "task",
    "external",
    "undo",
];

fn kind(word: &str) -> Result<&'static str, String> {
    KINDS
        .into_iter()
        .find(|known| *known == word)
        .ok_or_else(|| format!("there is no type {word}"))
}

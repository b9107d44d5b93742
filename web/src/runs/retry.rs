//! POST `/api/v1/runs/{id}/retry`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_queue::Actor;
use stepwell_queue::inbox::Retried;

use super::id::RunId;
use super::wire::Run;
use super::{get, over};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::body::MaybeBody;
use crate::example::Example;
use crate::problem::{Fault, Kind, Problem};
use crate::query::{Nothing, Query};

/// From where a run is tried again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "RetryInput"))]
pub struct RetryInput {
    /// This step and those after it run again, also where they completed.
    #[serde(default)]
    pub(crate) from_step: Option<String>,
    /// Every step runs again.
    #[serde(default)]
    #[salvo(schema(default = false))]
    pub(crate) reset: bool,
}

impl Example for RetryInput {
    fn example() -> Value {
        json!({"from_step": "charge"})
    }
}

/// Retries a failed, cancelled or timed-out run: its next generation goes on from what did not
/// complete.
#[endpoint(
    operation_id = "retry_run",
    responses((status_code = 409, description = "The run completed, is not over, or another live run has its dedupe key.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn retry_run(
    app: App,
    caller: Caller,
    id: RunId,
    _query: Query<Nothing>,
    body: MaybeBody<RetryInput>,
) -> Result<Accepted<Run>> {
    Ok(Accepted::Now {
        body: retry(&app, id, body.0, caller.0).await?,
        location: None,
    })
}

/// Retries a run, whatever door it was asked through.
///
/// # Errors
/// 404 without such a run, 409 when it cannot be retried, 422 for a step that it does not have.
pub(crate) async fn retry(app: &App, id: RunId, input: RetryInput, actor: Actor) -> Result<Run> {
    let RetryInput { from_step, reset } = input;
    if let Some(step) = &from_step {
        check_step(app, id, step, reset).await?;
    }
    match app.store.retry(id.0, from_step, reset, actor).await? {
        Retried::Accepted { .. } => get::find(app, id).await,
        Retried::NotFound => Err(id.unknown()),
        Retried::Completed => Err(over(stepwell_workflow::RunStatus::Completed)),
        Retried::NotOver(_) => {
            let status = get::find(app, id).await?.status;
            Err(Problem::new(
                Kind::StateConflict,
                format!("The run is {status}; only one that is over can be retried."),
            ))
        }
        Retried::Duplicate { run_id } => Err(Problem::new(
            Kind::StateConflict,
            format!("The run {run_id} has taken over the dedupe_key and is not over yet."),
        )),
    }
}

/// Only a step of the run's version can be begun from.
async fn check_step(app: &App, id: RunId, step: &str, reset: bool) -> Result<()> {
    if reset {
        let detail = "give from_step or reset, not both";
        return Err(Problem::invalid(vec![Fault::at("/from_step", detail)]));
    }
    let run = get::find(app, id).await?;
    let planned = app.store.planned(run.workflow_id, run.version).await?;
    let planned = planned
        .ok_or_else(|| Problem::internal(format!("the version of run {} is gone", run.id)))?;
    if planned.plan.step_no(step).is_none() {
        let detail = format!("the workflow has no step {step:?}");
        return Err(Problem::invalid(vec![Fault::at("/from_step", detail)]));
    }
    Ok(())
}

//! POST `/api/v1/runs/{id}/fork`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_queue::fork::{Forked, Why};
use stepwell_queue::{NewRun, PlannedVersion, Run as Stored};
use stepwell_workflow::RunStatus;

use super::id::RunId;
use super::order::ExecuteInput;
use super::wire::Run;
use super::{get, place};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::body::MaybeBody;
use crate::example::Example;
use crate::idempotency::IdempotencyKey;
use crate::json::{Json, given};
use crate::problem::{Fault, Faults, Kind, Problem};
use crate::query::{Nothing, Query};

/// What a new run does otherwise than the one that it is forked from.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "ForkInput"))]
pub struct ForkInput {
    /// This step and those after it run; what completed before them is kept. Absent: everything runs.
    #[serde(default)]
    from_step: Option<String>,
    /// In place of the run's input.
    #[serde(default, deserialize_with = "given")]
    #[salvo(schema(value_type = Json, required = false))]
    input: Option<Json>,
    /// In place of the run's version. It must have the steps whose results are kept.
    #[serde(default)]
    #[salvo(schema(minimum = 1))]
    version: Option<i32>,
}

impl Example for ForkInput {
    fn example() -> Value {
        json!({"from_step": "score", "version": 2})
    }
}

/// Starts a new run from the results of one that is over, which is not touched.
///
/// Steps that completed before `from_step` and were not undone are kept as they are, with their
/// outputs: nothing of them is run again or compensated by the new run.
#[endpoint(
    operation_id = "fork_run",
    responses((status_code = 409, description = "The run is not over, its workflow is inactive, or there is no place under the concurrency key.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn fork_run(
    app: App,
    caller: Caller,
    id: RunId,
    _query: Query<Nothing>,
    body: MaybeBody<ForkInput>,
    key: IdempotencyKey,
) -> Result<Accepted<Run>> {
    let ForkInput {
        from_step,
        input,
        version,
    } = body.0;
    let original = get::stored(&app, id).await?;
    let workflow = original.workflow_id.to_string();
    let version = version.or(Some(original.version));
    let planned = place::find(&app, &workflow, version, None).await?;
    if let Some(step) = &from_step
        && planned.plan.step_no(step).is_none()
    {
        let detail = format!(
            "version {} of the workflow has no step {step:?}",
            planned.version
        );
        return Err(Problem::invalid(vec![Fault::at("/from_step", detail)]));
    }
    let run = anew(original, input, &planned, &caller).await?;
    let location = place::location(&run);
    let fresh = Run {
        forked_from: Some(id.0),
        ..Run::fresh(&run)
    };
    let idempotency = key.with(202, Some(location.clone()), &fresh)?;
    let why = Why::Fork { from_step };
    match app
        .store
        .fork(id.0, run, &planned, why, idempotency)
        .await?
    {
        Forked::Created => Ok(Accepted::Now {
            body: fresh,
            location: Some(location),
        }),
        Forked::Replayed(answer) => Ok(Accepted::Before(answer)),
        other => Err(refused(other, id)),
    }
}

/// Makes the order for a run like one that there was.
pub(super) async fn anew(
    original: Stored,
    input: Option<Json>,
    planned: &PlannedVersion,
    caller: &Caller,
) -> Result<NewRun> {
    let order = ExecuteInput {
        input: input.or(original.input.map(Json)),
        priority: Some(original.priority.into()),
        queue: Some(original.queue),
        labels: Some(original.labels),
        ..ExecuteInput::default()
    };
    place::check(order, planned, &caller.0, "input").await
}

/// Tells why there is no new run.
pub(super) fn refused(forked: Forked, id: RunId) -> Problem {
    match forked {
        Forked::KeyReused => IdempotencyKey::reused(),
        Forked::NotFound => id.unknown(),
        Forked::NotOver(_) => not_over(),
        Forked::Full { key, most } => place::full(&key, most),
        Forked::Missing(steps) => {
            let faults = steps.into_iter().map(|step| {
                let detail = format!(
                    "the version has no step {step:?} of the same type, whose result would be kept"
                );
                Fault::at("/version", detail)
            });
            Problem::invalid(faults.collect::<Faults>())
        }
        Forked::Created | Forked::Replayed(_) => {
            Problem::internal("a run that was made is told as refused")
        }
    }
}

/// The problem of a run that may still change.
fn not_over() -> Problem {
    let over = [
        RunStatus::Completed,
        RunStatus::Failed,
        RunStatus::Cancelled,
        RunStatus::TimedOut,
    ]
    .map(RunStatus::as_str);
    Problem::new(
        Kind::StateConflict,
        format!(
            "The run is not over ({}): wait for its end, or cancel it.",
            over.join(", ")
        ),
    )
}

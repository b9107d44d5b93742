//! POST `/api/v1/runs/{id}/signals/{name}`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_queue::Actor;
use stepwell_queue::inbox::Word;
use stepwell_workflow::plan::Refusal;

use super::get;
use super::id::RunId;
use super::pause::tell;
use super::wire::Run;
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::body::MaybeBody;
use crate::example::Example;
use crate::path;
use crate::payload;
use crate::problem::{Fault, Faults, Kind, Problem};
use crate::query::{Nothing, Query};

/// What a signal carries.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "SignalInput"))]
pub struct SignalInput {
    /// The output of the step that waits for the signal; null when absent.
    #[serde(default)]
    payload: Value,
}

impl Example for SignalInput {
    fn example() -> Value {
        json!({"payload": {"approved": true}})
    }
}

/// Sends a signal to a run. It is kept until a step of the run waits for it.
///
/// An approval is decided by the signal of its step, with a payload of `{"choice": "approve",
/// "comment": "…"}`: the choice is one of those that are shown in the input of the step.
#[endpoint(
    operation_id = "signal_run",
    responses(
        (status_code = 403, description = "The signal decides an approval, and the caller is not among its approvers.", body = Problem, content_type = "application/problem+json"),
        (status_code = 409, description = "The run is over.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn signal_run(
    app: App,
    caller: Caller,
    id: RunId,
    name: path::Word,
    _query: Query<Nothing>,
    body: MaybeBody<SignalInput>,
) -> Result<Accepted<Run>> {
    Ok(Accepted::Now {
        body: signal(&app, id, name.0, (body.0.payload, "/payload"), caller.0).await?,
        location: None,
    })
}

/// Sends a signal to a run, whatever door it was asked through; the payload with its place there.
///
/// # Errors
/// 404 without such a run, 409 when it is over, 422 for a payload beyond the bounds or that does not
/// decide the approval that it is for.
pub(crate) async fn signal(
    app: &App,
    id: RunId,
    name: String,
    (payload, at): (Value, &str),
    actor: Actor,
) -> Result<Run> {
    let mut faults = Faults::new();
    if !payload::bound(&payload, at, &mut faults) {
        return Err(Problem::invalid(faults));
    }
    check_answer(app, id, &name, (&payload, at), &actor.name).await?;
    tell(app, id, Word::Signal { name, payload }, actor).await
}

/// A signal that answers an approval must be one of its choices, by one of its approvers.
async fn check_answer(
    app: &App,
    id: RunId,
    name: &str,
    (payload, at): (&Value, &str),
    actor: &str,
) -> Result<()> {
    let run = get::stored(app, id).await?;
    let Some(planned) = app.store.planned(run.workflow_id, run.version).await? else {
        return Ok(());
    };
    let Some(approval) = planned.plan.approval(name) else {
        return Ok(());
    };
    approval
        .check(payload, actor)
        .map_err(|refusal| match refusal {
            Refusal::NotAnApprover => Problem::new(
                Kind::Forbidden,
                format!("{actor:?} is not among the approvers of {name:?}."),
            ),
            Refusal::Invalid(findings) => {
                let faults = findings
                    .into_iter()
                    .map(|finding| Fault::at(format!("{at}{}", finding.pointer), finding.detail));
                Problem::invalid(faults.collect::<Faults>())
            }
        })
}

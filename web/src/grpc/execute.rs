//! `ExecuteWorkflow`.

use futures::StreamExt as _;
use prost::Message as _;
use stepwell_queue::Actor;
use stepwell_workflow::Time;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response};
use uuid::Uuid;

use super::update::{first, updates};
use super::wire::execute_workflow_request::Payload;
use super::wire::{ExecuteWorkflowRequest, ExecutionStatus, ExecutionUpdate};
use super::{Updates, value};
use crate::App;
use crate::body::{escape, storable};
use crate::events::run::watch;
use crate::idempotency::IdempotencyKey;
use crate::json::Json;
use crate::problem::{Fault, Faults, Problem};
use crate::runs::answer::Progress;
use crate::runs::id::RunId;
use crate::runs::order::ExecuteInput;
use crate::runs::place::{self, Named, Wait};

/// Starts an execution as POST `/workflows/{id}/execute` does, and follows it.
pub(super) async fn execute(
    app: &App,
    request: Request<ExecuteWorkflowRequest>,
    actor: Actor,
) -> Result<Response<Updates>, Problem> {
    let key = key(&request, &actor)?;
    let asked = request.into_inner();
    let (workflow, order, input_field, faults) = order(asked);
    let named = Named {
        workflow: &workflow,
        pointer: Some("/workflow_id"),
    };
    let run = place::ready(app, named, order, &actor, input_field, faults).await?;
    let (begin, replayed) = match place::place(app, run, &key, Wait(None)).await? {
        Progress::Done(run) | Progress::Accepted { body: run, .. } => (first(&run), false),
        Progress::Before(stored) => (again(&stored)?, true),
    };
    let id = Uuid::try_parse(&begin.execution_id).map_err(Problem::internal)?;
    // The run is durable: whatever goes wrong with following it, its id is told first.
    let rest = match watch(app, RunId(id), begin.sequence).await {
        Ok(Some(watch)) => updates(app, watch, ExecutionStatus::Pending, actor),
        Ok(None) => futures::stream::empty().boxed(),
        Err(problem) => {
            let status = super::refuse(&problem, &actor);
            futures::stream::iter([Err(status)]).boxed()
        }
    };
    let begin = futures::stream::iter([Ok(begin)]);
    let mut response = Response::new(begin.chain(rest).boxed());
    if replayed {
        let metadata = response.metadata_mut();
        metadata.insert("idempotency-replayed", MetadataValue::from_static("true"));
    }
    Ok(response)
}

fn key(
    request: &Request<ExecuteWorkflowRequest>,
    actor: &Actor,
) -> Result<IdempotencyKey, Problem> {
    let Some(value) = request.metadata().get("idempotency-key") else {
        return Ok(IdempotencyKey(None));
    };
    let scope = format!("{} gRPC ExecuteWorkflow", actor.name);
    IdempotencyKey::of(value.as_bytes(), scope, &request.get_ref().encode_to_vec())
}

/// The first update again, from the answer that was kept for the key.
fn again(stored: &stepwell_queue::new_run::Answer) -> Result<ExecutionUpdate, Problem> {
    #[derive(serde::Deserialize)]
    struct Kept {
        id: Uuid,
        workflow_name: String,
        triggered_by: String,
        created_at: Time,
    }
    let kept: Kept = serde_json::from_str(stored.body.get()).map_err(Problem::internal)?;
    Ok(ExecutionUpdate {
        execution_id: kept.id.to_string(),
        sequence: 1,
        status: ExecutionStatus::Pending.into(),
        r#type: "run.created".to_owned(),
        time: Some(super::execution::timestamp(kept.created_at)),
        workflow: kept.workflow_name,
        actor: kept.triggered_by,
        ..ExecutionUpdate::default()
    })
}

/// Says it as REST does, so that the same checks see it: the workflow, the order, the field of the
/// input, and what cannot be said.
fn order(asked: ExecuteWorkflowRequest) -> (String, ExecuteInput, &'static str, Faults) {
    let mut faults = unstorable(&asked);
    let (input, input_field) = match asked.payload {
        None => (None, "input"),
        Some(Payload::Input(given)) => (value::raw(given, "/input", &mut faults), "input"),
        Some(Payload::InputJson(text)) => {
            let raw = value::read(&text, "/input_json", &mut faults);
            (raw, "input_json")
        }
    };
    let run_at = asked.run_at.map(|at| {
        let nanos = u32::try_from(at.nanos).ok();
        nanos.and_then(|nanos| Time::from_timestamp(at.seconds, nanos))
    });
    if run_at == Some(None) {
        faults.push(Fault::at("/run_at", "is not a time"));
    }
    let order = ExecuteInput {
        input: input.map(Json),
        version: asked.version,
        run_at: run_at.flatten(),
        priority: asked.priority.map(i64::from),
        queue: asked.queue,
        labels: Some(asked.labels),
        timeout_ms: asked.timeout_ms,
        dedupe_key: asked.dedupe_key,
        callback_url: asked.callback_url,
    };
    (asked.workflow_id, order, input_field, faults)
}

/// Texts that cannot be stored. JSON is for [`value`], and a queue or the key of a label has no such
/// characters at all.
fn unstorable(asked: &ExecuteWorkflowRequest) -> Faults {
    let mut faults = Faults::new();
    storable::text(&asked.workflow_id, "/workflow_id", &mut faults);
    let texts = [
        ("/dedupe_key", &asked.dedupe_key),
        ("/callback_url", &asked.callback_url),
    ];
    for (at, text) in texts {
        storable::text(text.as_deref().unwrap_or_default(), at, &mut faults);
    }
    for (key, value) in &asked.labels {
        let at = format!("/labels/{}", escape(key));
        storable::text(value, &at, &mut faults);
    }
    faults
}

//! POST `/api/v1/runs/batch`.

use std::collections::{HashMap, HashSet};

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::{Enqueued, NewRun, PlannedVersion};
use uuid::Uuid;

use super::check::Occasion;
use super::limits::BATCH_RUNS_MAX;
use super::order::RunInput;
use super::place;
use super::wire::fresh_status;
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::apart;
use crate::body::Body;
use crate::clock::now;
use crate::example::Example;
use crate::idempotency::IdempotencyKey;
use crate::problem::{Fault, Faults, Problem};
use crate::query::{Nothing, Query};

/// Runs to be started, all or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "BatchInput"))]
pub struct BatchInput {
    /// Up to 10,000.
    #[salvo(schema(min_items = 1, max_items = 10_000))]
    runs: Vec<RunInput>,
}

impl Example for BatchInput {
    fn example() -> Value {
        json!({"runs": [
            {"workflow": "my-workflow", "input": {"user": "Ada"}},
            {"workflow": "my-workflow", "input": {"user": "Alan"}, "priority": 5},
        ]})
    }
}

/// The runs that were started, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Batch"))]
pub struct Batch {
    items: Vec<BatchItem>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "BatchItem"))]
pub struct BatchItem {
    id: Uuid,
    /// `pending`, or `waiting` with `run_at`.
    status: &'static str,
}

impl Example for Batch {
    fn example() -> Value {
        json!({"items": [
            {"id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "status": "pending"},
            {"id": "0199b6d2-3c1f-7a53-9b31-52c8f0a7d6e2", "status": "pending"},
        ]})
    }
}

/// Starts up to 10,000 runs, all or none.
///
/// The body may have up to 32 MiB. What is wrong is told at once, up to 100 things, each with its place
/// (`/runs/17/input/age`): an unknown or inactive workflow as well.
#[endpoint(
    operation_id = "create_runs",
    responses((status_code = 409, description = "A live run has one of the dedupe keys.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn create_runs(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<BatchInput>,
    key: IdempotencyKey,
) -> Result<Accepted<Batch>> {
    let wanted = body.0.runs;
    if !(1..=BATCH_RUNS_MAX).contains(&wanted.len()) {
        let detail = format!("must have 1 to {BATCH_RUNS_MAX} runs, not {}", wanted.len());
        return Err(Problem::invalid(vec![Fault::at("/runs", detail)]));
    }
    let found = resolve(&app, &wanted).await?;
    let occasion = Occasion {
        actor: &caller.0,
        now: now(),
        input_field: "input",
        signs: app.store.keeps_secrets(),
    };
    let size = wanted.iter().map(RunInput::size).sum();
    let runs = apart::by_size(size, || check(wanted, &found, &occasion)).await??;
    let items = runs.iter().map(|run| BatchItem {
        id: run.id,
        status: fresh_status(run).as_str(),
    });
    let body = Batch {
        items: items.collect(),
    };
    let idempotency = key.with(202, None, &body)?;
    match app.store.enqueue_batch(runs, idempotency).await? {
        Enqueued::Created => Ok(Accepted::Now {
            body,
            location: None,
        }),
        other => place::refused(other).map(Accepted::Before),
    }
}

/// What a workflow and version, as they were asked for, turn out to be.
enum Target {
    Planned(PlannedVersion),
    NoVersion,
    NoWorkflow,
}

type Targets = HashMap<(String, Option<i32>), Target>;

/// Looks up each workflow once, however many runs name it.
async fn resolve(app: &App, wanted: &[RunInput]) -> Result<Targets> {
    let distinct: HashSet<(&str, Option<i32>)> = wanted
        .iter()
        .map(|run| (run.workflow.as_str(), run.version))
        .collect();
    let mut targets = Targets::with_capacity(distinct.len());
    for (workflow, version) in distinct {
        let target = match app.store.resolve(workflow, version).await? {
            Some(planned) => Target::Planned(planned),
            None if version.is_some() && app.store.resolve(workflow, None).await?.is_some() => {
                Target::NoVersion
            }
            None => Target::NoWorkflow,
        };
        targets.insert((workflow.to_owned(), version), target);
    }
    Ok(targets)
}

/// Checks all of them; one bad run refuses all.
fn check(wanted: Vec<RunInput>, targets: &Targets, occasion: &Occasion<'_>) -> Result<Vec<NewRun>> {
    let mut faults = Faults::new();
    let mut runs = Vec::with_capacity(wanted.len());
    let mut dedupe_keys = HashSet::new();
    for (index, run) in wanted.into_iter().enumerate() {
        if faults.is_over() {
            break;
        }
        let pointer = format!("/runs/{index}");
        let (workflow, order) = run.split();
        let asked = (workflow, order.version);
        let planned = match targets.get(&asked) {
            Some(Target::Planned(planned)) if planned.active => Some(planned),
            Some(Target::Planned(_)) => {
                let detail = format!("the workflow {:?} is inactive", asked.0);
                faults.push(Fault::at(format!("{pointer}/workflow"), detail));
                None
            }
            Some(Target::NoVersion) => {
                faults.push(place::no_version(&asked.0, &pointer));
                None
            }
            Some(Target::NoWorkflow) | None => {
                let detail = format!("there is no workflow {:?}", asked.0);
                faults.push(Fault::at(format!("{pointer}/workflow"), detail));
                None
            }
        };
        let Some(run) = order.check(planned, occasion, &pointer, &mut faults) else {
            continue;
        };
        if let Some(key) = &run.dedupe_key
            && !dedupe_keys.insert((run.workflow_id, key.clone()))
        {
            let detail = "another run of this batch has the same key";
            faults.push(Fault::at(format!("{pointer}/dedupe_key"), detail));
        }
        runs.push(run);
    }
    if faults.is_empty() {
        Ok(runs)
    } else {
        Err(Problem::invalid(faults))
    }
}

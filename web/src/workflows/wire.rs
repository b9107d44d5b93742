//! Workflows as clients send and see them.

use std::collections::BTreeMap;

use salvo::oapi::schema::SchemaType;
use salvo::oapi::{BasicType, Components, Object, RefOr, Schema, ToSchema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use stepwell_queue::workflow;
use uuid::Uuid;

use crate::agents::wire::RetryConfig;
use crate::answer::Result;
use crate::example::Example;
use crate::json::Json;
use crate::moment::Moment;
use crate::problem::Problem;

/// A definition as a client sent it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Document(pub Box<RawValue>);

/// The shape of [`Document`], for the OpenAPI document alone: reading it is the work of
/// [`super::check`], which finds everything that is wrong and not only the first thing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "WorkflowInput"))]
#[expect(dead_code, reason = "only its shape is used")]
struct DocumentShape {
    /// The slug; made of the name when absent.
    #[salvo(schema(pattern = "^[A-Za-z0-9_-]{1,128}$"))]
    id: Option<String>,
    #[salvo(schema(max_length = 200))]
    name: String,
    description: Option<String>,
    /// `active` (the default when new) or `inactive`: takes no new runs.
    #[salvo(schema(value_type = Option<Activity>))]
    status: Option<String>,
    /// JSON Schema 2020-12 of the input of runs.
    #[salvo(schema(value_type = InputSchema, required = false))]
    input_schema: Option<Json>,
    /// What a run puts out: JSON with `${…}`; without it, the output of the last step.
    output: Option<Json>,
    #[salvo(schema(min_items = 1, max_items = 1_000))]
    steps: Vec<StepShape>,
    /// Milliseconds that a run may take.
    #[salvo(schema(minimum = 1, maximum = 31_622_400_000_i64))]
    timeout_ms: Option<i64>,
    /// Attempts in flight at once in a run.
    #[salvo(schema(minimum = 1, maximum = 1_000))]
    max_parallel: Option<i64>,
    /// Steps that run, one after the other, when a run has failed or timed out and is undone.
    #[salvo(schema(value_type = Vec<FailureStepShape>, required = false))]
    on_failure: Option<Json>,
    #[salvo(schema(value_type = ConcurrencyShape, required = false))]
    concurrency: Option<Json>,
    labels: Option<BTreeMap<String, String>>,
}

/// Whether a workflow takes new runs.
#[derive(ToSchema)]
#[salvo(schema(name = "WorkflowStatus", rename_all = "snake_case"))]
#[expect(dead_code, reason = "only its shape is used")]
enum Activity {
    Active,
    Inactive,
}

/// JSON Schema is an object, or `true` or `false`.
struct InputSchema;

impl ToSchema for InputSchema {
    fn to_schema(_components: &mut Components) -> RefOr<Schema> {
        let kinds = [BasicType::Object, BasicType::Boolean, BasicType::Null];
        Object::new()
            .schema_type(SchemaType::from_iter(kinds))
            .into()
    }
}

/// One step. A field that is not needed is left out, not null.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "WorkflowStep"))]
#[expect(dead_code, reason = "only its shape is used")]
pub(super) struct StepShape {
    /// Unique in the workflow.
    #[salvo(schema(pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"))]
    name: String,
    /// `agent`, `http`, `webhook`, `delay`, `transform`, `decide`, `map`, `wait`, `workflow`,
    /// `emit`, `external` or `task`.
    r#type: String,
    /// What the type needs.
    #[salvo(schema(value_type = BTreeMap<String, Json>, required = false))]
    config: Option<Json>,
    /// The steps that must have finished; absent: the one before; `[]`: starts at once.
    #[salvo(schema(value_type = Vec<String>, required = false))]
    needs: Option<Vec<String>>,
    /// Another way to order: equal numbers run together, after all lower ones.
    #[salvo(schema(value_type = i64, required = false))]
    sequence: Option<i64>,
    /// `sync` or `async`: the later ones do not wait for it.
    #[salvo(schema(value_type = ExecutionType, required = false))]
    execution_type: Option<String>,
    /// A CEL expression; the step is skipped when it is false.
    #[salvo(schema(value_type = String, required = false))]
    when: Option<String>,
    /// How often and when attempts are made again.
    #[salvo(schema(value_type = RetryConfig, required = false))]
    retry: Option<Json>,
    /// Milliseconds that one attempt may take.
    #[salvo(schema(value_type = i64, required = false, minimum = 1, maximum = 31_622_400_000_i64))]
    timeout_ms: Option<i64>,
    /// `fail`, `continue` or `skip_rest`.
    #[salvo(schema(value_type = OnError, required = false))]
    on_error: Option<String>,
    /// `at_least_once` or `at_most_once`.
    #[salvo(schema(value_type = Delivery, required = false))]
    delivery: Option<String>,
    /// Workers of this queue make the attempts.
    #[salvo(schema(value_type = String, required = false, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
    queue: Option<String>,
    /// Of a task: its place in the list of steps, from 0.
    #[salvo(schema(minimum = 0))]
    position: Option<i64>,
    /// What undoes the step when its run does not complete.
    #[salvo(schema(value_type = CompensationShape, required = false))]
    compensate: Option<Json>,
}

/// What undoes a step that completed, when its run fails, times out or is cancelled. Its expressions
/// also see `step.input`, `step.output` and `error`.
#[derive(ToSchema)]
#[salvo(schema(name = "Compensation"))]
#[expect(dead_code, reason = "only its shape is used")]
struct CompensationShape {
    /// `agent`, `http`, `webhook`, `transform`, `decide`, `task` or `emit`.
    r#type: String,
    /// What the type needs.
    #[salvo(schema(value_type = BTreeMap<String, Json>, required = false))]
    config: Option<Json>,
    /// How often and when attempts are made again.
    #[salvo(schema(value_type = RetryConfig, required = false))]
    retry: Option<Json>,
    /// Milliseconds that one attempt may take.
    #[salvo(schema(value_type = i64, required = false, minimum = 1, maximum = 31_622_400_000_i64))]
    timeout_ms: Option<i64>,
    /// `at_least_once` or `at_most_once`.
    #[salvo(schema(value_type = Delivery, required = false))]
    delivery: Option<String>,
}

/// A step that runs when a run has failed or timed out. Its expressions also see `error`.
#[derive(ToSchema)]
#[salvo(schema(name = "FailureStep"))]
#[expect(dead_code, reason = "only its shape is used")]
struct FailureStepShape {
    /// Unique in the workflow.
    #[salvo(schema(pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"))]
    name: String,
    /// `agent`, `http`, `webhook`, `transform`, `decide`, `task` or `emit`.
    r#type: String,
    /// What the type needs.
    #[salvo(schema(value_type = BTreeMap<String, Json>, required = false))]
    config: Option<Json>,
    /// A CEL expression; the step is skipped when it is false.
    #[salvo(schema(value_type = String, required = false))]
    when: Option<String>,
    /// How often and when attempts are made again.
    #[salvo(schema(value_type = RetryConfig, required = false))]
    retry: Option<Json>,
    /// Milliseconds that one attempt may take.
    #[salvo(schema(value_type = i64, required = false, minimum = 1, maximum = 31_622_400_000_i64))]
    timeout_ms: Option<i64>,
    /// `at_least_once` or `at_most_once`.
    #[salvo(schema(value_type = Delivery, required = false))]
    delivery: Option<String>,
}

/// How many runs with the same key there may be at once.
#[derive(ToSchema)]
#[salvo(schema(name = "Concurrency"))]
#[expect(dead_code, reason = "only its shape is used")]
struct ConcurrencyShape {
    /// A CEL expression over `input`; absent: all runs of the workflow have the same key.
    #[salvo(schema(value_type = String, required = false))]
    key: Option<String>,
    #[salvo(schema(minimum = 1, maximum = 10_000))]
    limit: i64,
    /// Of one run too many: `queue` (it waits for its turn; the default), `cancel_running` (the
    /// oldest are cancelled) or `reject` (409).
    #[salvo(schema(value_type = OnLimit, required = false))]
    on_limit: Option<String>,
}

/// What becomes of one run too many.
#[derive(ToSchema)]
#[salvo(schema(name = "OnLimit", rename_all = "snake_case"))]
#[expect(dead_code, reason = "only its shape is used")]
enum OnLimit {
    Queue,
    CancelRunning,
    Reject,
}

/// Whether the later steps wait for this one.
#[derive(ToSchema)]
#[salvo(schema(name = "ExecutionType", rename_all = "snake_case"))]
#[expect(dead_code, reason = "only its shape is used")]
enum ExecutionType {
    Sync,
    Async,
}

/// What the failure of a step does to the run.
#[derive(ToSchema)]
#[salvo(schema(name = "OnError", rename_all = "snake_case"))]
#[expect(dead_code, reason = "only its shape is used")]
enum OnError {
    Fail,
    Continue,
    SkipRest,
}

/// Whether an attempt may be made again after a crash.
#[derive(ToSchema)]
#[salvo(schema(name = "Delivery", rename_all = "snake_case"))]
#[expect(dead_code, reason = "only its shape is used")]
enum Delivery {
    AtLeastOnce,
    AtMostOnce,
}

impl ToSchema for Document {
    fn to_schema(components: &mut Components) -> RefOr<Schema> {
        DocumentShape::to_schema(components)
    }
}

impl Example for Document {
    fn example() -> Value {
        json!({
            "id": "my-workflow", "name": "Demo Workflow", "description": "A sample workflow",
            "steps": steps(),
        })
    }
}

fn steps() -> Value {
    json!([
        {"name": "delay", "type": "delay", "config": {"duration": 2}},
        {"name": "notify", "type": "webhook", "config": {
            "url": "http://127.0.0.1:9000/post", "method": "POST",
            "headers": {"Content-Type": "application/json"},
            "body": {"message": "Hello ${input.user}"}}},
    ])
}

/// What of a definition belongs to a version.
#[derive(Debug, Deserialize)]
struct Content {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    input_schema: Option<Json>,
    #[serde(default)]
    output: Option<Json>,
    steps: Json,
    #[serde(default)]
    timeout_ms: Option<i64>,
    #[serde(default)]
    max_parallel: Option<i64>,
}

/// A workflow with its latest version.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Workflow"))]
pub struct Workflow {
    pub id: Uuid,
    /// Unique among the workflows that are not deleted; stands in paths in place of the id.
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub version: i32,
    /// `active` or `inactive`.
    pub status: &'static str,
    /// JSON Schema 2020-12 of the input of runs, or null.
    #[salvo(schema(value_type = Json))]
    pub input_schema: Option<Json>,
    /// What a run puts out, or null.
    #[salvo(schema(value_type = Json))]
    pub output: Option<Json>,
    /// As they were written.
    #[salvo(schema(value_type = Vec<StepShape>))]
    pub steps: Json,
    pub timeout_ms: Option<i64>,
    pub max_parallel: Option<i64>,
    pub labels: BTreeMap<String, String>,
    /// SHA-256 of what decides how runs behave.
    pub content_hash: String,
    pub created_at: Moment,
    pub updated_at: Moment,
}

impl Workflow {
    /// Takes a workflow apart for the client.
    ///
    /// # Errors
    /// A fault of ours, if what is stored is no definition.
    pub fn of(workflow: workflow::Workflow) -> Result<Self> {
        let content = content(&workflow.definition)?;
        Ok(Self {
            id: workflow.id,
            slug: workflow.slug,
            name: workflow.name,
            description: workflow.description,
            version: workflow.version,
            status: if workflow.active {
                "active"
            } else {
                "inactive"
            },
            input_schema: content.input_schema,
            output: content.output,
            steps: content.steps,
            timeout_ms: content.timeout_ms,
            max_parallel: content.max_parallel,
            labels: workflow.labels,
            content_hash: workflow.content_hash,
            created_at: workflow.created_at.into(),
            updated_at: workflow.updated_at.into(),
        })
    }
}

impl Example for Workflow {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "slug": "my-workflow",
            "name": "Demo Workflow", "description": "A sample workflow", "version": 1,
            "status": "active", "input_schema": null, "output": null, "steps": steps(),
            "timeout_ms": null, "max_parallel": null, "labels": {"team": "payments"},
            "content_hash": "6f1c4f3f2b6f6c0f0a8d6b3f0d8a4f6e8c1b7a5d9e2f4c6b8a0d1e3f5a7c9b2d",
            "created_at": "2026-03-01T12:00:00.000Z", "updated_at": "2026-03-01T12:00:00.000Z",
        })
    }
}

/// One immutable version of a workflow.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "WorkflowVersion"))]
pub struct Version {
    pub workflow_id: Uuid,
    pub version: i32,
    /// The name at the time.
    pub name: String,
    pub description: Option<String>,
    /// JSON Schema 2020-12 of the input of runs, or null.
    #[salvo(schema(value_type = Json))]
    pub input_schema: Option<Json>,
    /// What a run puts out, or null.
    #[salvo(schema(value_type = Json))]
    pub output: Option<Json>,
    /// As they were written.
    #[salvo(schema(value_type = Vec<StepShape>))]
    pub steps: Json,
    pub timeout_ms: Option<i64>,
    pub max_parallel: Option<i64>,
    pub content_hash: String,
    /// Who wrote it.
    pub created_by: String,
    pub created_at: Moment,
}

impl Version {
    /// Takes a version apart for the client.
    ///
    /// # Errors
    /// As [`Workflow::of`].
    pub fn of(workflow_id: Uuid, version: workflow::Version) -> Result<Self> {
        let content = content(&version.definition)?;
        Ok(Self {
            workflow_id,
            version: version.version,
            name: content.name,
            description: content.description,
            input_schema: content.input_schema,
            output: content.output,
            steps: content.steps,
            timeout_ms: content.timeout_ms,
            max_parallel: content.max_parallel,
            content_hash: version.content_hash,
            created_by: version.created_by,
            created_at: version.created_at.into(),
        })
    }
}

impl Example for Version {
    fn example() -> Value {
        json!({
            "workflow_id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "version": 1,
            "name": "Demo Workflow", "description": "A sample workflow", "input_schema": null,
            "output": null, "steps": steps(), "timeout_ms": null, "max_parallel": null,
            "content_hash": "6f1c4f3f2b6f6c0f0a8d6b3f0d8a4f6e8c1b7a5d9e2f4c6b8a0d1e3f5a7c9b2d",
            "created_by": "anonymous", "created_at": "2026-03-01T12:00:00.000Z",
        })
    }
}

fn content(definition: &RawValue) -> Result<Content> {
    serde_json::from_str(definition.get()).map_err(Problem::internal)
}

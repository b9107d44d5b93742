//! The shape of a definition, for the OpenAPI document alone: reading it is the work of
//! [`super::check`], which finds everything that is wrong and not only the first thing.

use std::collections::BTreeMap;

use salvo::oapi::schema::SchemaType;
use salvo::oapi::{BasicType, Components, Object, RefOr, Schema, ToSchema};
use serde::Deserialize;

use crate::agents::wire::RetryConfig;
use crate::json::Json;

/// A definition.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "WorkflowInput"))]
#[expect(dead_code, reason = "only its shape is used")]
pub(super) struct DocumentShape {
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
pub(super) struct FailureStepShape {
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
pub(super) struct ConcurrencyShape {
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
#[salvo(schema(name = "StepDelivery", rename_all = "snake_case"))]
#[expect(dead_code, reason = "only its shape is used")]
enum Delivery {
    AtLeastOnce,
    AtMostOnce,
}

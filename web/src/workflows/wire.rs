//! Workflows as clients send and see them.

use std::collections::BTreeMap;

use salvo::oapi::{Components, RefOr, Schema, ToSchema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use stepwell_queue::workflow;
use uuid::Uuid;

use super::shape::{ConcurrencyShape, DocumentShape, FailureStepShape, StepShape};
use crate::answer::Result;
use crate::example::Example;
use crate::json::Json;
use crate::moment::Moment;
use crate::problem::Problem;

/// A definition as a client sent it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Document(pub Box<RawValue>);

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
    #[serde(default = "none")]
    on_failure: Json,
    #[serde(default)]
    concurrency: Option<Json>,
}

/// No steps: what is left out is told as the list that it means.
fn none() -> Json {
    Json(RawValue::from_string("[]".to_owned()).unwrap_or_default())
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
    /// Steps that run, one after the other, when a run has failed or timed out and is undone; `[]`
    /// when there are none.
    #[salvo(schema(value_type = Vec<FailureStepShape>))]
    pub on_failure: Json,
    /// How many runs with the same key there may be at once, or null: any number.
    #[salvo(schema(value_type = Option<ConcurrencyShape>))]
    pub concurrency: Option<Json>,
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
            on_failure: content.on_failure,
            concurrency: content.concurrency,
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
            "timeout_ms": null, "max_parallel": null, "on_failure": [], "concurrency": null,
            "labels": {"team": "payments"},
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
    /// Steps that run, one after the other, when a run has failed or timed out and is undone; `[]`
    /// when there are none.
    #[salvo(schema(value_type = Vec<FailureStepShape>))]
    pub on_failure: Json,
    /// How many runs with the same key there may be at once, or null: any number.
    #[salvo(schema(value_type = Option<ConcurrencyShape>))]
    pub concurrency: Option<Json>,
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
            on_failure: content.on_failure,
            concurrency: content.concurrency,
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
            "on_failure": [], "concurrency": null,
            "content_hash": "6f1c4f3f2b6f6c0f0a8d6b3f0d8a4f6e8c1b7a5d9e2f4c6b8a0d1e3f5a7c9b2d",
            "created_by": "anonymous", "created_at": "2026-03-01T12:00:00.000Z",
        })
    }
}

fn content(definition: &RawValue) -> Result<Content> {
    serde_json::from_str(definition.get()).map_err(Problem::internal)
}

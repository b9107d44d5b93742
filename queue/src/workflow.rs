//! Workflows and their immutable versions.
//!
//! A workflow is its identity (slug, name, labels, status) and a chain of versions. A version never
//! changes: what is compiled from it may be kept for as long as there is room. Only "which version
//! is the latest" goes stale, and that is looked up again after five seconds or a hint.

mod agents;
mod cache;
mod create;
mod delete;
mod get;
mod list;
mod lock;
mod names;
mod record;
mod replace;
mod resolve;
pub(crate) mod secrets;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use stepwell_workflow::{Plan, Time};
use uuid::Uuid;

use crate::Actor;
use crate::new_run::{Answer, Idempotency};

pub(crate) use cache::Cache;
pub use delete::Deleted;
pub use list::{WorkflowFilter, WorkflowPage};
pub(crate) use record::ENTITY;
pub use replace::Replaced;
pub use secrets::Secrets;
pub use versions::VersionPage;

/// A compiled version, shared by all runs of it in this process.
#[derive(Clone, Debug)]
pub struct PlannedVersion {
    pub workflow_id: Uuid,
    /// The slug.
    pub workflow_name: Arc<str>,
    pub version: i32,
    /// Whether the workflow takes new runs; up to date only when it comes from `resolve`.
    pub active: bool,
    pub plan: Arc<Plan>,
}

/// A workflow with its latest version.
#[derive(Clone, Debug)]
pub struct Workflow {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub active: bool,
    pub labels: BTreeMap<String, String>,
    pub version: i32,
    /// The document as it was written, without `id` and `status`.
    pub definition: Box<RawValue>,
    pub content_hash: String,
    /// Rises with every change, also of those that make no version: the ETag.
    pub revision: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

/// One immutable version.
#[derive(Clone, Debug)]
pub struct Version {
    pub version: i32,
    pub definition: Box<RawValue>,
    pub content_hash: String,
    pub created_by: String,
    pub created_at: Time,
}

/// What a client wants a workflow to be. Its definition is already checked.
#[derive(Clone, Debug)]
pub struct WorkflowText {
    pub name: String,
    pub description: Option<String>,
    /// `None`: as it is; active when new.
    pub active: Option<bool>,
    pub labels: BTreeMap<String, String>,
    /// The document as it was written, without `id` and `status`.
    /// Its secrets are masked.
    pub definition: Box<RawValue>,
    /// Of the masked definition.
    pub content_hash: String,
    pub secrets: Secrets,
    /// The agents that it names, by name or id.
    pub agents: Vec<String>,
}

/// A workflow to be made.
#[derive(Clone, Debug)]
pub struct NewWorkflow {
    /// UUIDv7, made at `created_at`.
    pub id: Uuid,
    pub slug: String,
    pub text: WorkflowText,
    pub actor: Actor,
    pub created_at: Time,
    pub idempotency: Option<Idempotency>,
}

/// What came of making a workflow.
#[derive(Clone, Debug)]
pub enum Created {
    Done,
    /// Another workflow has this slug.
    SlugTaken,
    /// These agents were deleted or renamed since the definition was checked.
    AgentsGone(Vec<String>),
    /// The idempotency key was used before, with the same request: the first answer.
    Replayed(Answer),
    /// The idempotency key was used before, with another request.
    KeyReused,
    /// There is no master key to encrypt its secrets with.
    NoMasterKey,
}

impl NewWorkflow {
    /// Returns the workflow as it will be once it is made.
    #[must_use]
    pub fn workflow(&self) -> Workflow {
        Workflow {
            id: self.id,
            slug: self.slug.clone(),
            name: self.text.name.clone(),
            description: self.text.description.clone(),
            active: self.text.active.unwrap_or(true),
            labels: self.text.labels.clone(),
            version: 1,
            definition: self.text.definition.clone(),
            content_hash: self.text.secrets.hash(&self.text.content_hash),
            revision: 1,
            created_at: self.created_at,
            updated_at: self.created_at,
        }
    }
}

/// The word of the status column.
const fn status_word(active: bool) -> &'static str {
    if active { "active" } else { "inactive" }
}

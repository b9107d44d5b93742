//! One workflow, as it stands.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sqlx::types::Json;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::Workflow;
use crate::{Error, Store};

/// A workflow joined with its latest version.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) active: bool,
    pub(super) labels: Json<BTreeMap<String, String>>,
    pub(super) version: i32,
    pub(super) definition: Json<Box<RawValue>>,
    pub(super) content_hash: String,
    pub(super) revision: i64,
    pub(super) created_at: Time,
    pub(super) updated_at: Time,
}

impl From<Row> for Workflow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            description: row.description,
            active: row.active,
            labels: row.labels.0,
            version: row.version,
            definition: row.definition.0,
            content_hash: row.content_hash,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Store {
    /// Finds a workflow that is not deleted, by slug or id.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn workflow(&self, slug_or_id: &str) -> Result<Option<Workflow>, Error> {
        let id = Uuid::parse_str(slug_or_id).ok();
        let row = sqlx::query_as!(
            Row,
            r#"select w.id, w.slug, w.name, w.description, w.status = 'active' as "active!",
                      w.labels as "labels: Json<BTreeMap<String, String>>",
                      v.version, v.definition as "definition: Json<Box<RawValue>>", v.content_hash,
                      w.revision, w.created_at, w.updated_at
               from stepwell.workflow w
               join stepwell.workflow_version v
                 on v.workflow_id = w.id and v.version = w.latest_version
               where w.deleted_at is null and (w.id = $1 or ($1 is null and w.slug = $2))"#,
            id,
            slug_or_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(Workflow::from))
    }
}

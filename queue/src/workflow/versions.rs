//! The versions of a workflow.

use serde_json::value::RawValue;
use sqlx::types::Json;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::Version;
use crate::{Error, Store, page};

/// One page of versions, newest first.
#[derive(Debug)]
pub struct VersionPage {
    pub versions: Vec<Version>,
    /// Whether there are older ones.
    pub more: bool,
}

struct Row {
    version: i32,
    definition: Json<Box<RawValue>>,
    content_hash: String,
    created_by: String,
    created_at: Time,
}

impl From<Row> for Version {
    fn from(row: Row) -> Self {
        Self {
            version: row.version,
            definition: row.definition.0,
            content_hash: row.content_hash,
            created_by: row.created_by,
            created_at: row.created_at,
        }
    }
}

impl Store {
    /// Lists the versions below `before`, newest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn workflow_versions(
        &self,
        workflow_id: Uuid,
        before: Option<i32>,
        limit: i64,
    ) -> Result<VersionPage, Error> {
        let rows = sqlx::query_as!(
            Row,
            r#"select version, definition as "definition: Json<Box<RawValue>>", content_hash,
                      created_by, created_at
               from stepwell.workflow_version
               where workflow_id = $1 and ($2::int is null or version < $2)
               order by version desc limit $3"#,
            workflow_id,
            before,
            limit + 1,
        )
        .fetch(&self.pool);
        let size = |row: &Row| row.definition.get().len();
        let (rows, more) = page::take(rows, limit, size).await?;
        let versions = rows.into_iter().map(Version::from).collect();
        Ok(VersionPage { versions, more })
    }

    /// Reads one version.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn workflow_version(
        &self,
        workflow_id: Uuid,
        version: i32,
    ) -> Result<Option<Version>, Error> {
        let row = sqlx::query_as!(
            Row,
            r#"select version, definition as "definition: Json<Box<RawValue>>", content_hash,
                      created_by, created_at
               from stepwell.workflow_version where workflow_id = $1 and version = $2"#,
            workflow_id,
            version
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(Version::from))
    }
}

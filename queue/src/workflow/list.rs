//! Workflows, page by page, newest or oldest first.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

use super::Workflow;
use super::get::Row;
use crate::{Error, Store, page};

/// Which workflows are listed.
#[derive(Clone, Debug, Default)]
pub struct WorkflowFilter {
    /// A part of the name or slug, whatever its case.
    pub name: Option<String>,
    pub active: Option<bool>,
    /// All of these labels with these values.
    pub labels: BTreeMap<String, String>,
    pub oldest_first: bool,
    /// The last id of the page before.
    pub after: Option<Uuid>,
    pub offset: i64,
    pub limit: i64,
}

/// One page.
#[derive(Debug)]
pub struct WorkflowPage {
    pub workflows: Vec<Workflow>,
    /// Whether there are more after it.
    pub more: bool,
}

impl Store {
    /// Lists workflows that are not deleted.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn workflows(&self, filter: &WorkflowFilter) -> Result<WorkflowPage, Error> {
        let rows = sqlx::query_as!(
            Row,
            r#"select w.id, w.slug, w.name, w.description, w.status = 'active' as "active!",
                      w.labels as "labels: Json<BTreeMap<String, String>>",
                      v.version, v.definition as "definition: Json<Box<RawValue>>", v.content_hash,
                      w.revision, w.created_at, w.updated_at
               from stepwell.workflow w
               join stepwell.workflow_version v
                 on v.workflow_id = w.id and v.version = w.latest_version
               where w.deleted_at is null
                 and ($1::text is null or strpos(lower(w.name), lower($1)) > 0
                                       or strpos(lower(w.slug), lower($1)) > 0)
                 and ($2::text is null or w.status = $2)
                 and w.labels @> $3
                 and ($4::uuid is null or case when $5 then w.id > $4 else w.id < $4 end)
               order by case when $5 then w.id end, case when not $5 then w.id end desc
               offset $6 limit $7"#,
            filter.name,
            filter.active.map(super::status_word),
            Json(&filter.labels) as _,
            filter.after,
            filter.oldest_first,
            filter.offset,
            filter.limit + 1,
        )
        .fetch(&self.pool);
        let size = |row: &Row| row.definition.get().len();
        let (rows, more) = page::take(rows, filter.limit, size).await?;
        Ok(WorkflowPage {
            workflows: rows.into_iter().map(Into::into).collect(),
            more,
        })
    }

    /// Counts what [`Store::workflows`] would list, up to `most`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_workflows(&self, filter: &WorkflowFilter, most: i64) -> Result<i64, Error> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from (
                   select from stepwell.workflow w
                   where w.deleted_at is null
                     and ($1::text is null or strpos(lower(w.name), lower($1)) > 0
                                           or strpos(lower(w.slug), lower($1)) > 0)
                     and ($2::text is null or w.status = $2)
                     and w.labels @> $3
                   limit $4) found"#,
            filter.name,
            filter.active.map(super::status_word),
            Json(&filter.labels) as _,
            most,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(count)
    }
}

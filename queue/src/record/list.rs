//! Records, one by one and page by page.

use serde_json::value::RawValue;
use sqlx::types::Json;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::Record;
use crate::run::bounds::smallest_id;
use crate::{Error, Store, page};

/// What records are sorted by; equals by their id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordSort {
    #[default]
    CreatedAt,
    Status,
    Category,
    Source,
}

/// Which records are listed.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Any of these; none: all.
    pub statuses: Vec<String>,
    pub category: Option<String>,
    pub source: Option<String>,
    /// From this millisecond on.
    pub created_after: Option<Time>,
    /// Before this millisecond.
    pub created_before: Option<Time>,
    pub sort: RecordSort,
    pub ascending: bool,
    /// The sort key and id of the last entry of the page before.
    pub after: Option<(String, Uuid)>,
    pub offset: i64,
    pub limit: i64,
}

/// One page.
#[derive(Debug)]
pub struct RecordPage {
    pub records: Vec<Record>,
    /// Whether there are more after it.
    pub more: bool,
}

struct Row {
    id: Uuid,
    source: String,
    category: String,
    status: String,
    payload: Json<Box<RawValue>>,
    run_id: Option<Uuid>,
    created_by: String,
    created_at: Time,
    updated_at: Time,
}

impl From<Row> for Record {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            source: row.source,
            category: row.category,
            status: row.status,
            payload: row.payload.0,
            run_id: row.run_id,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl RecordSort {
    /// The word that the statement knows.
    const fn word(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::Status => "status",
            Self::Category => "category",
            Self::Source => "source",
        }
    }
}

impl Store {
    /// Lists records.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn records(&self, filter: &RecordFilter) -> Result<RecordPage, Error> {
        let (key, id) = filter.after.clone().unzip();
        let rows = sqlx::query_file_as!(
            Row,
            "queries/record/list.sql",
            &filter.statuses,
            filter.category,
            filter.source,
            filter.created_after.map(smallest_id),
            filter.created_before.map(smallest_id),
            filter.sort.word(),
            filter.ascending,
            key,
            id,
            filter.offset,
            filter.limit + 1,
        )
        .fetch(&self.pool);
        let size = |row: &Row| row.payload.get().len();
        let (rows, more) = page::take(rows, filter.limit, size).await?;
        Ok(RecordPage {
            records: rows.into_iter().map(Into::into).collect(),
            more,
        })
    }

    /// Counts what [`Store::records`] would list, up to `most`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_records(&self, filter: &RecordFilter, most: i64) -> Result<i64, Error> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from (
                   select from stepwell.record
                   where (cardinality($1::text[]) = 0 or status = any ($1))
                     and ($2::text is null or category = $2)
                     and ($3::text is null or source = $3)
                     and ($4::uuid is null or id >= $4)
                     and ($5::uuid is null or id < $5)
                   limit $6) found"#,
            &filter.statuses,
            filter.category,
            filter.source,
            filter.created_after.map(smallest_id),
            filter.created_before.map(smallest_id),
            most,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(count)
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn record(&self, id: Uuid) -> Result<Option<Record>, Error> {
        let row = sqlx::query_as!(
            Row,
            r#"select id, source, category, status, payload as "payload: Json<Box<RawValue>>", run_id,
                      created_by, created_at, updated_at
               from stepwell.record where id = $1"#,
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(Record::from))
    }
}

//! Schedules are read, one or a page of them.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sqlx::PgConnection;
use sqlx::types::Json;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::Schedule;
use crate::{Error, Store};

/// What a list of schedules is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleSort {
    /// By id, which is the same: ids are made of the time.
    CreatedAt,
    Name,
}

/// Which schedules, in which order, and from where.
#[derive(Clone, Debug)]
pub struct ScheduleFilter<'a> {
    pub status: Option<&'a str>,
    pub name: Option<&'a str>,
    /// As the schedule names it.
    pub workflow: Option<&'a str>,
    pub sort: ScheduleSort,
    pub descending: bool,
    /// The name (when that is the order) and id of the last schedule of the page before.
    pub after: Option<(&'a str, Uuid)>,
    pub offset: i64,
    pub limit: i64,
}

struct Row {
    id: Uuid,
    name: String,
    workflow: String,
    version: Option<i32>,
    input: Json<Box<RawValue>>,
    cron: String,
    time_zone: String,
    overlap: String,
    catch_up: i32,
    labels: Json<BTreeMap<String, String>>,
    queue: String,
    priority: i16,
    status: String,
    next_at: Option<Time>,
    last_at: Option<Time>,
    last_run_id: Option<Uuid>,
    last_error: Option<String>,
    revision: i64,
    sequence: i64,
    created_at: Time,
    updated_at: Time,
}

impl From<Row> for Schedule {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            workflow: row.workflow,
            version: row.version,
            input: row.input.0,
            cron: row.cron,
            time_zone: row.time_zone,
            overlap: row.overlap,
            catch_up: row.catch_up,
            labels: row.labels.0,
            queue: row.queue,
            priority: row.priority,
            status: row.status,
            next_at: row.next_at,
            last_at: row.last_at,
            last_run_id: row.last_run_id,
            last_error: row.last_error,
            revision: row.revision,
            sequence: row.sequence,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Store {
    /// Finds a schedule by id or name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn schedule(&self, name_or_id: &str) -> Result<Option<Schedule>, Error> {
        let row = sqlx::query_as!(
            Row,
            r#"select id, name, workflow, version, input as "input: Json<Box<RawValue>>", cron, time_zone,
                      overlap, catch_up, labels as "labels: Json<BTreeMap<String, String>>", queue, priority,
                      status, next_at, last_at, last_run_id, last_error, revision, sequence, created_at,
                      updated_at
               from stepwell.schedule where name = $1 or id = $2 order by id = $2 desc limit 1"#,
            name_or_id,
            Uuid::try_parse(name_or_id).ok().unwrap_or_default(),
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(Schedule::from))
    }

    /// Lists schedules, and says whether there are more.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn schedules(
        &self,
        filter: &ScheduleFilter<'_>,
    ) -> Result<(Vec<Schedule>, bool), Error> {
        let rows = sqlx::query_file_as!(
            Row,
            "queries/schedule/list.sql",
            filter.status,
            filter.name,
            filter.workflow,
            filter.sort == ScheduleSort::Name,
            filter.descending,
            filter.after.map(|(name, _)| name),
            filter.after.map(|(_, id)| id),
            filter.limit + 1,
            filter.offset,
        )
        .fetch(&self.pool);
        let size = |row: &Row| row.input.get().len();
        let (rows, more) = crate::page::take(rows, filter.limit, size).await?;
        Ok((rows.into_iter().map(Schedule::from).collect(), more))
    }

    /// Counts schedules, up to `at_most`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_schedules(
        &self,
        filter: &ScheduleFilter<'_>,
        at_most: i64,
    ) -> Result<i64, Error> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from (
                   select from stepwell.schedule
                   where ($1::text is null or status = $1) and ($2::text is null or name = $2)
                     and ($3::text is null or workflow = $3)
                   limit $4
               ) counted"#,
            filter.status,
            filter.name,
            filter.workflow,
            at_most,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(count)
    }
}

/// Takes a schedule's row for the length of the transaction.
pub(super) async fn locked(
    connection: &mut PgConnection,
    name_or_id: &str,
) -> Result<Option<Schedule>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, name, workflow, version, input as "input: Json<Box<RawValue>>", cron, time_zone,
                  overlap, catch_up, labels as "labels: Json<BTreeMap<String, String>>", queue, priority,
                  status, next_at, last_at, last_run_id, last_error, revision, sequence, created_at,
                  updated_at
           from stepwell.schedule where name = $1 or id = $2 order by id = $2 desc limit 1
           for update"#,
        name_or_id,
        Uuid::try_parse(name_or_id).ok().unwrap_or_default(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Schedule::from))
}

/// Takes the row of a schedule that is due and as it was looked at; `None` when another process is
/// at it, or was.
pub(super) async fn due(
    connection: &mut PgConnection,
    seen: &Schedule,
    now: Time,
) -> Result<Option<Schedule>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, name, workflow, version, input as "input: Json<Box<RawValue>>", cron, time_zone,
                  overlap, catch_up, labels as "labels: Json<BTreeMap<String, String>>", queue, priority,
                  status, next_at, last_at, last_run_id, last_error, revision, sequence, created_at,
                  updated_at
           from stepwell.schedule where id = $1 and revision = $2 and next_at <= $3
           for update skip locked"#,
        seen.id,
        seen.revision,
        now,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Schedule::from))
}

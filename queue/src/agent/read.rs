//! Agents are read, one or a page of them.

use sqlx::PgConnection;
use sqlx::types::Json;
use stepwell_workflow::Time;
use stepwell_workflow::retry::RetryPolicy;
use uuid::Uuid;

use super::Agent;
use crate::{Error, Store};

/// What a list of agents is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentSort {
    /// By id, which is the same: ids are made of the time.
    CreatedAt,
    Name,
}

/// Which agents, in which order, and from where.
#[derive(Clone, Debug)]
pub struct AgentFilter<'a> {
    pub status: Option<&'a str>,
    pub name: Option<&'a str>,
    /// Whether deleted ones are listed too.
    pub deleted: bool,
    pub sort: AgentSort,
    pub descending: bool,
    /// The name (when that is the order) and id of the last agent of the page before.
    pub after: Option<(&'a str, Uuid)>,
    pub offset: i64,
    pub limit: i64,
}

struct Row {
    id: Uuid,
    name: String,
    url: String,
    health_path: Option<String>,
    description: Option<String>,
    auth_type: String,
    timeout_ms: i64,
    retry_config: Json<RetryPolicy>,
    max_concurrency: Option<i32>,
    cancel: bool,
    status: String,
    revision: i64,
    created_at: Time,
    updated_at: Time,
    deleted_at: Option<Time>,
}

impl From<Row> for Agent {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            url: row.url,
            health_path: row.health_path,
            description: row.description,
            auth_type: row.auth_type,
            timeout_ms: row.timeout_ms,
            retry_config: row.retry_config.0,
            max_concurrency: row.max_concurrency,
            cancel: row.cancel,
            status: row.status,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
        }
    }
}

impl Store {
    /// Finds an agent by id or name; deleted ones are not found.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn agent(&self, name_or_id: &str) -> Result<Option<Agent>, Error> {
        let row = sqlx::query_as!(
            Row,
            r#"select id, name, url, health_path, description, auth_type, timeout_ms,
                      retry_config as "retry_config: Json<RetryPolicy>", max_concurrency, cancel,
                      status, revision, created_at, updated_at, deleted_at
               from stepwell.agent
               where (name = $1 or id = $2) and deleted_at is null
               order by id = $2 desc
               limit 1"#,
            name_or_id,
            Uuid::try_parse(name_or_id).ok().unwrap_or_default(),
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(Agent::from))
    }

    /// Lists agents.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn agents(&self, filter: &AgentFilter<'_>) -> Result<Vec<Agent>, Error> {
        let rows = sqlx::query_file_as!(
            Row,
            "queries/agent/list.sql",
            filter.status,
            filter.name,
            filter.deleted,
            filter.sort == AgentSort::Name,
            filter.descending,
            filter.after.map(|(name, _)| name),
            filter.after.map(|(_, id)| id),
            filter.limit,
            filter.offset,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Agent::from).collect())
    }

    /// Counts agents, up to `at_most`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_agents(&self, filter: &AgentFilter<'_>, at_most: i64) -> Result<i64, Error> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from (
                   select from stepwell.agent
                   where ($1::text is null or status = $1) and ($2::text is null or name = $2)
                     and ($3 or deleted_at is null)
                   limit $4
               ) counted"#,
            filter.status,
            filter.name,
            filter.deleted,
            at_most,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(count)
    }
}

/// Reads an agent inside a transaction.
pub(super) async fn by_id(connection: &mut PgConnection, id: Uuid) -> Result<Option<Agent>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, name, url, health_path, description, auth_type, timeout_ms,
                  retry_config as "retry_config: Json<RetryPolicy>", max_concurrency, cancel,
                  status, revision, created_at, updated_at, deleted_at
           from stepwell.agent where id = $1"#,
        id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Agent::from))
}

/// Finds an agent by id or name and holds its row to the end of the transaction.
pub(super) async fn locked(
    connection: &mut PgConnection,
    name_or_id: &str,
) -> Result<Option<Agent>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, name, url, health_path, description, auth_type, timeout_ms,
                  retry_config as "retry_config: Json<RetryPolicy>", max_concurrency, cancel,
                  status, revision, created_at, updated_at, deleted_at
           from stepwell.agent
           where (name = $1 or id = $2) and deleted_at is null
           order by id = $2 desc
           limit 1
           for update"#,
        name_or_id,
        Uuid::try_parse(name_or_id).ok().unwrap_or_default(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Agent::from))
}

//! Workers as an operator sees them, newest first. What they are, `stepwell.v_workers` says, to everybody.

use std::collections::BTreeMap;

use sqlx::types::Json;
use stepwell_workflow::Time;
use uuid::Uuid;

use crate::{Error, Store};

/// One registration of a worker.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: Uuid,
    pub name: String,
    pub version: String,
    pub queues: Vec<String>,
    pub slots: i32,
    /// Runs held, by the database.
    pub running: i32,
    /// `alive`, `draining`, `dead` or `gone`. One that is silent for too long is dead here, also
    /// before somebody marks it so.
    pub status: String,
    pub registered_at: Time,
    pub seen_at: Time,
    pub ended_at: Option<Time>,
    /// By so much its host's clock is ahead of the database's, once that is known.
    pub clock_skew_ms: Option<i32>,
    /// Runs taken up in a second, lately, by queue.
    pub rates: BTreeMap<String, f64>,
}

/// Which workers are listed.
#[derive(Clone, Debug, Default)]
pub struct MemberFilter {
    /// Any of these; none: those that live.
    pub statuses: Vec<String>,
    /// Those that claim from this queue.
    pub queue: Option<String>,
    pub oldest_first: bool,
    /// The last id of the page before.
    pub after: Option<Uuid>,
    pub offset: i64,
    pub limit: i64,
}

/// One page.
#[derive(Debug)]
pub struct MemberPage {
    pub workers: Vec<Member>,
    /// Whether there are more after it.
    pub more: bool,
}

struct Row {
    id: Uuid,
    name: String,
    version: String,
    queues: Vec<String>,
    slots: i32,
    running: i32,
    status: String,
    registered_at: Time,
    seen_at: Time,
    ended_at: Option<Time>,
    clock_skew_ms: Option<i32>,
    rates: Json<BTreeMap<String, f64>>,
}

impl From<Row> for Member {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            version: row.version,
            queues: row.queues,
            slots: row.slots,
            running: row.running,
            status: row.status,
            registered_at: row.registered_at,
            seen_at: row.seen_at,
            ended_at: row.ended_at,
            clock_skew_ms: row.clock_skew_ms,
            rates: row.rates.0,
        }
    }
}

impl Store {
    /// Lists workers.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn workers(&self, filter: &MemberFilter) -> Result<MemberPage, Error> {
        let mut workers: Vec<Member> = sqlx::query_file_as!(
            Row,
            "queries/worker_list.sql",
            &filter.statuses,
            filter.queue,
            filter.after,
            filter.oldest_first,
            filter.offset,
            filter.limit + 1,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Member::from)
        .collect();
        let limit = usize::try_from(filter.limit).unwrap_or(0);
        let more = workers.len() > limit;
        workers.truncate(limit);
        Ok(MemberPage { workers, more })
    }

    /// Reads one worker.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn worker(&self, id: Uuid) -> Result<Option<Member>, Error> {
        let row = sqlx::query_as!(
            Row,
            r#"select id as "id!", name as "name!", version as "version!", queues as "queues!", slots as "slots!",
                      running as "running!", status as "status!", registered_at as "registered_at!",
                      seen_at as "seen_at!", ended_at, clock_skew_ms, rates as "rates!: Json<BTreeMap<String, f64>>"
               from stepwell.v_workers where id = $1"#,
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(Member::from))
    }
}

//! What a worker needs to call an agent, kept for a few seconds.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use sqlx::types::Json;
use stepwell_workflow::retry::RetryPolicy;
use uuid::Uuid;

use super::{Auth, credentials};
use crate::memory::Memory;
use crate::{Error, Store};

/// How long an agent may be out of date where no hint comes through.
const FRESH: Duration = Duration::from_secs(5);
/// Agents kept at once: more than anybody registers, few enough to forget about.
const KEPT_MAX: u64 = 10_000;

/// What a worker needs to call an agent.
#[derive(Clone, Debug)]
pub struct AgentTarget {
    pub id: Uuid,
    pub name: String,
    pub url: String,
    pub auth: Auth,
    pub timeout: Duration,
    pub retry: Arc<RetryPolicy>,
    /// Whether the agent wants to hear of cancelled runs (`DELETE {url}/runs/{run_id}`).
    pub cancel: bool,
    pub active: bool,
    /// Calls that it takes at once, from all workers together; `None`: as many as there are.
    pub max_concurrency: Option<u32>,
}

/// The targets of this process, by name or id as they were asked for.
#[derive(Clone, Debug)]
pub(crate) struct Targets(Arc<Memory<String, Arc<AgentTarget>>>);

impl Targets {
    pub(crate) fn new() -> Self {
        let kept = Cache::builder().max_capacity(KEPT_MAX).time_to_live(FRESH);
        Self(Arc::new(Memory::new(kept.build())))
    }

    /// Forgets all of them: an agent changed, and that happens seldom.
    pub(crate) fn forget(&self) {
        self.0.forget();
    }
}

impl Store {
    /// Finds an agent by name or id. Cached; a change is seen by its hint, at the latest after five
    /// seconds. Deleted agents are not found.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Corrupt`] when its credentials cannot be decrypted.
    pub async fn agent_target(&self, name_or_id: &str) -> Result<Option<Arc<AgentTarget>>, Error> {
        self.heed_changes();
        let load = self.read_target(name_or_id);
        self.agents.0.get(name_or_id.to_owned(), load).await
    }

    async fn read_target(&self, name_or_id: &str) -> Result<Option<Arc<AgentTarget>>, Error> {
        let row = sqlx::query!(
            r#"select id, name, url, auth_type, auth_secret, timeout_ms,
                      retry_config as "retry_config: Json<RetryPolicy>", cancel, status, max_concurrency
               from stepwell.agent
               where (name = $1 or id = $2) and deleted_at is null
               order by id = $2 desc
               limit 1"#,
            name_or_id,
            Uuid::try_parse(name_or_id).ok().unwrap_or_default(),
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let cipher = self.cipher()?;
        let auth = credentials::open(
            cipher.as_ref(),
            row.id,
            &row.auth_type,
            row.auth_secret.as_deref(),
        )?;
        Ok(Some(Arc::new(AgentTarget {
            id: row.id,
            name: row.name,
            url: row.url,
            auth,
            timeout: Duration::from_millis(u64::try_from(row.timeout_ms).unwrap_or_default()),
            retry: Arc::new(row.retry_config.0),
            cancel: row.cancel,
            active: row.status == "active",
            max_concurrency: row
                .max_concurrency
                .and_then(|most| u32::try_from(most).ok()),
        })))
    }
}

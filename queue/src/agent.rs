//! Agents: HTTP services that steps can call. A file for each thing that is done with them.

mod change;
mod credentials;
mod read;
mod target;
mod usage;

use stepwell_workflow::Time;
use stepwell_workflow::retry::RetryPolicy;
use uuid::Uuid;

use crate::Revision;
use crate::new_run::Answer;

pub use change::NewAgent;
pub use credentials::{Auth, Credentials};
pub use read::{AgentFilter, AgentSort};
pub use target::AgentTarget;
pub(crate) use target::Targets;

/// The entity type of audit records and hints.
pub(crate) const ENTITY: &str = "agent";

/// An agent as it is kept. Its credentials stay encrypted.
#[derive(Clone, Debug)]
pub struct Agent {
    pub id: Uuid,
    pub name: String,
    pub url: String,
    pub health_path: Option<String>,
    pub description: Option<String>,
    /// `none`, `bearer`, `api_key` or `basic`.
    pub auth_type: String,
    pub timeout_ms: i64,
    pub retry_config: RetryPolicy,
    pub max_concurrency: Option<i32>,
    /// Whether it wants to hear of cancelled runs.
    pub cancel: bool,
    /// `active` or `inactive`.
    pub status: String,
    /// 1, 2, 3 …: the number of its changes.
    pub revision: i64,
    pub created_at: Time,
    pub updated_at: Time,
    pub deleted_at: Option<Time>,
}

impl Agent {
    /// Returns the agent as it will be kept.
    #[must_use]
    pub fn fresh(id: Uuid, at: Time, agent: &NewAgent) -> Self {
        let auth_type = match &agent.credentials {
            Credentials::Set(auth) => auth.kind(),
            Credentials::Keep(kind) => kind,
        };
        Self {
            id,
            name: agent.name.clone(),
            url: agent.url.clone(),
            health_path: agent.health_path.clone(),
            description: agent.description.clone(),
            auth_type: auth_type.into(),
            timeout_ms: agent.timeout_ms,
            retry_config: agent.retry_config.clone(),
            max_concurrency: agent.max_concurrency,
            cancel: agent.cancel,
            status: agent.status.into(),
            revision: 1,
            created_at: at,
            updated_at: at,
            deleted_at: None,
        }
    }
}

/// What came of a change to an agent.
#[derive(Debug)]
pub enum Changed {
    /// Done, audited and committed.
    Done(Box<Agent>),
    /// The idempotency key was used before, with the same request: the first answer.
    Replayed(Answer),
    /// The idempotency key was used before, with another request.
    KeyReused,
    /// There is no such agent, or it is deleted.
    NotFound,
    /// Another agent has the name.
    NameTaken,
    /// The agent is not at one of the expected revisions.
    Stale { revision: Revision },
    /// Active workflows use it: their slugs.
    InUse(Vec<String>),
    /// Another kind of authentication needs credentials of its own.
    CredentialsNeeded,
    /// The URL leads to another origin than before, where what is kept must not go.
    CredentialsNeededThere,
    /// There is no master key to encrypt the credentials with.
    NoMasterKey,
}

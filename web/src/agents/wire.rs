//! Agents as clients send and see them.

use salvo::oapi::schema::OneOf;
use salvo::oapi::{BasicType, Components, Object, RefOr, Schema, ToSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::agent;
use stepwell_workflow::retry::{RetryOn, RetryPolicy};
use uuid::Uuid;

use crate::example::Example;
use crate::moment::Moment;

/// What a client sees in place of credentials, and may send back to keep them.
pub use stepwell_workflow::secrets::MASK;

/// An agent to be: what POST and PUT take.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "AgentInput"))]
pub struct AgentInput {
    /// Unique among the agents that are not deleted.
    #[salvo(schema(
        max_length = 100,
        pattern = "^[A-Za-z0-9]([A-Za-z0-9 ._-]*[A-Za-z0-9])?$"
    ))]
    pub name: String,
    /// Where steps are sent: http or https.
    #[salvo(schema(max_length = 2048))]
    pub url: String,
    /// The path on the same host that tells of its health.
    #[serde(default)]
    pub health_path: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    /// `none` (the default), `bearer`, `api_key` or `basic`.
    #[serde(default = "none")]
    #[salvo(schema(value_type = AuthType))]
    pub auth_type: String,
    /// `bearer`: {token}; `api_key`: {key, header?}; `basic`: {username, password}. Stored
    /// encrypted, never shown. With PUT, absent or `"•••"` keeps what is stored.
    #[serde(default)]
    pub auth_config: Option<Value>,
    /// Milliseconds that one attempt may take.
    #[serde(default = "timeout")]
    #[salvo(schema(minimum = 1, maximum = 86_400_000, default = 30_000))]
    pub timeout_ms: i64,
    /// How often and when attempts are made again.
    #[serde(default)]
    pub retry_config: RetryConfig,
    /// Attempts in flight at once; null is no limit.
    #[serde(default)]
    #[salvo(schema(minimum = 1, maximum = 100_000))]
    pub max_concurrency: Option<i64>,
    /// Whether it wants to hear of cancelled runs, by `DELETE {url}/runs/{run_id}`.
    #[serde(default)]
    pub cancel: bool,
    /// `active` (the default) or `inactive`.
    #[serde(default = "active")]
    #[salvo(schema(value_type = AgentStatus))]
    pub status: String,
}

/// How an agent is told who calls.
#[derive(ToSchema)]
#[salvo(schema(name = "AuthType", rename_all = "snake_case"))]
#[expect(dead_code, reason = "only its shape is used")]
enum AuthType {
    None,
    Bearer,
    ApiKey,
    Basic,
}

/// Whether steps may call an agent.
#[derive(ToSchema)]
#[salvo(schema(name = "AgentStatus", rename_all = "snake_case"))]
#[expect(dead_code, reason = "only its shape is used")]
enum AgentStatus {
    Active,
    Inactive,
}

fn none() -> String {
    "none".into()
}

fn active() -> String {
    "active".into()
}

const fn timeout() -> i64 {
    30_000
}

impl Example for AgentInput {
    fn example() -> Value {
        json!({
            "name": "billing", "url": "https://billing.internal/run", "health_path": "/health",
            "auth_type": "bearer", "auth_config": {"token": "s3cret"}, "timeout_ms": 30000,
            "retry_config": {"max_attempts": 5, "retry_on": ["5xx", "timeout", 429]},
        })
    }
}

/// How often and when an attempt is made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[salvo(schema(name = "RetryConfig"))]
pub struct RetryConfig {
    /// Attempts in all.
    #[salvo(schema(minimum = 1, maximum = 100))]
    pub max_attempts: u32,
    /// Milliseconds before the second attempt.
    #[salvo(schema(minimum = 0, maximum = 2_592_000_000_i64))]
    pub initial_interval_ms: u64,
    /// What each interval is multiplied by for the next.
    #[salvo(schema(minimum = 1, maximum = 100))]
    pub backoff_coefficient: f64,
    /// The longest interval, milliseconds.
    #[salvo(schema(minimum = 0, maximum = 2_592_000_000_i64))]
    pub max_interval_ms: u64,
    /// The share of the interval that is drawn at random.
    #[salvo(schema(minimum = 0, maximum = 1))]
    pub jitter: f64,
    /// Status codes, `"4xx"`, `"5xx"`, `"timeout"`, `"connect"`; absent: what the step type calls
    /// retryable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(max_items = 50))]
    pub retry_on: Option<Vec<RetryOnEntry>>,
}

/// A status code or a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "must be a status code, or a word such as \"5xx\""
)]
pub enum RetryOnEntry {
    Status(u16),
    Word(String),
}

impl ToSchema for RetryOnEntry {
    fn to_schema(_components: &mut Components) -> RefOr<Schema> {
        let status = Object::with_type(BasicType::Integer)
            .minimum(100)
            .maximum(599);
        let word =
            Object::with_type(BasicType::String).enum_values(["4xx", "5xx", "timeout", "connect"]);
        OneOf::new().item(status).item(word).into()
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        RetryPolicy::default().into()
    }
}

impl From<RetryPolicy> for RetryConfig {
    fn from(policy: RetryPolicy) -> Self {
        let entry = |on| match on {
            RetryOn::Status(status) => RetryOnEntry::Status(status),
            RetryOn::Word(word) => RetryOnEntry::Word(word),
        };
        Self {
            max_attempts: policy.max_attempts,
            initial_interval_ms: policy.initial_interval_ms,
            backoff_coefficient: policy.backoff_coefficient,
            max_interval_ms: policy.max_interval_ms,
            jitter: policy.jitter,
            retry_on: policy
                .retry_on
                .map(|on| on.into_iter().map(entry).collect()),
        }
    }
}

impl From<RetryConfig> for RetryPolicy {
    fn from(config: RetryConfig) -> Self {
        let entry = |on| match on {
            RetryOnEntry::Status(status) => RetryOn::Status(status),
            RetryOnEntry::Word(word) => RetryOn::Word(word),
        };
        Self {
            max_attempts: config.max_attempts,
            initial_interval_ms: config.initial_interval_ms,
            backoff_coefficient: config.backoff_coefficient,
            max_interval_ms: config.max_interval_ms,
            jitter: config.jitter,
            retry_on: config
                .retry_on
                .map(|on| on.into_iter().map(entry).collect()),
        }
    }
}

/// A registered HTTP service that steps can call.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Agent"))]
pub struct Agent {
    pub id: Uuid,
    pub name: String,
    pub url: String,
    pub health_path: Option<String>,
    pub description: Option<String>,
    /// `none`, `bearer`, `api_key` or `basic`.
    pub auth_type: String,
    /// `"•••"` when there are credentials, else null. They are never shown.
    pub auth_config: Option<String>,
    pub timeout_ms: i64,
    pub retry_config: RetryConfig,
    pub max_concurrency: Option<i64>,
    pub cancel: bool,
    /// `active` or `inactive`.
    pub status: String,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub deleted_at: Option<Moment>,
}

impl From<agent::Agent> for Agent {
    fn from(agent: agent::Agent) -> Self {
        Self {
            id: agent.id,
            name: agent.name,
            url: agent.url,
            health_path: agent.health_path,
            description: agent.description,
            auth_config: (agent.auth_type != "none").then(|| MASK.into()),
            auth_type: agent.auth_type,
            timeout_ms: agent.timeout_ms,
            retry_config: agent.retry_config.into(),
            max_concurrency: agent.max_concurrency.map(Into::into),
            cancel: agent.cancel,
            status: agent.status,
            created_at: agent.created_at.into(),
            updated_at: agent.updated_at.into(),
            deleted_at: agent.deleted_at.map(Moment::from),
        }
    }
}

impl Example for Agent {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "name": "billing",
            "url": "https://billing.internal/run", "health_path": "/health", "description": null,
            "auth_type": "bearer", "auth_config": MASK, "timeout_ms": 30000,
            "retry_config": {"max_attempts": 3, "initial_interval_ms": 1000,
                "backoff_coefficient": 2.0, "max_interval_ms": 60000, "jitter": 0.1},
            "max_concurrency": null, "cancel": false, "status": "active",
            "created_at": "2026-03-01T12:00:00.000Z", "updated_at": "2026-03-01T12:00:00.000Z",
            "deleted_at": null,
        })
    }
}

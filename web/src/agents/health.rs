//! GET `/api/v1/agents/{id}/health`.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::agent::AgentTarget;

use crate::App;
use crate::actor::Caller;
use crate::answer::{Found, Result};
use crate::clock::now;
use crate::example::Example;
use crate::limits::AGENT_HEALTH_TIMEOUT;
use crate::moment::Moment;
use crate::path::NameOrId;
use crate::problem::{Kind, Problem};
use crate::query::{Nothing, Query};

/// Calls agents. The process brings it along: what may be called and how is not the server's to say.
pub trait AskAgents: Debug + Send + Sync + 'static {
    /// Asks an agent how it is.
    fn ask(&self, question: Question) -> BoxFuture<'static, Heard>;
}

/// Whom to ask, and how long to wait.
#[derive(Clone, Debug)]
pub struct Question {
    pub agent: Arc<AgentTarget>,
    /// On the agent's host; absent: the agent's own URL.
    pub health_path: Option<String>,
    pub request_id: String,
    pub patience: Duration,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It answered with this HTTP status.
    Answered { status: u16 },
    /// It did not answer in time, or not at all.
    Silent,
    /// It may not be called from here: why.
    Refused(String),
}

/// How an agent is.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "AgentHealth"))]
pub struct AgentHealth {
    /// `healthy`, `unhealthy` or `unreachable`.
    status: &'static str,
    /// What it answered; null when it did not.
    http_status: Option<u16>,
    /// Until the answer, or until it was given up.
    latency_ms: u64,
    checked_at: Moment,
}

impl Example for AgentHealth {
    fn example() -> Value {
        json!({"status": "healthy", "http_status": 200, "latency_ms": 12,
            "checked_at": "2026-03-01T12:00:00.000Z"})
    }
}

/// Calls an agent now and says how it is.
///
/// With a `health_path`, GET of it is healthy at 2xx. Without one, GET of the agent's `url` is
/// healthy at any status below 500: it need not answer to GET. The agent's credentials and its
/// `timeout_ms` apply, for ten seconds at most.
#[endpoint(
    operation_id = "get_agent_health",
    responses((status_code = 409, description = "Its address may not be called from here.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn get_agent_health(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
) -> Result<Found<AgentHealth>> {
    let unknown = || Problem::not_found("agent", &id.0);
    let agent = app.store.agent(&id.0).await?.ok_or_else(unknown)?;
    let target = app.store.agent_target(&agent.id.to_string()).await?;
    let target = target.ok_or_else(unknown)?;
    let by_path = agent.health_path.is_some();
    let question = Question {
        patience: target.timeout.min(AGENT_HEALTH_TIMEOUT),
        agent: target,
        health_path: agent.health_path,
        request_id: caller.0.request_id.unwrap_or_default(),
    };
    let ask = app
        .agents
        .as_ref()
        .ok_or_else(|| Problem::internal("this process calls no agents"))?;
    let (checked_at, begun) = (now(), Instant::now());
    let heard = ask.ask(question).await;
    let latency_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, http_status) = match heard {
        Heard::Answered { status } if is_well(status, by_path) => ("healthy", Some(status)),
        Heard::Answered { status } => ("unhealthy", Some(status)),
        Heard::Silent => ("unreachable", None),
        Heard::Refused(why) => {
            return Err(Problem::new(
                Kind::StateConflict,
                format!("The agent cannot be called from here: {why}."),
            ));
        }
    };
    Ok(Found(AgentHealth {
        status,
        http_status,
        latency_ms,
        checked_at: checked_at.into(),
    }))
}

fn is_well(status: u16, by_path: bool) -> bool {
    if by_path {
        (200..300).contains(&status)
    } else {
        status < 500
    }
}

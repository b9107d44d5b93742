//! POST `/api/v1/agents`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::agent::{self, Changed};

use super::wire::{Agent, AgentInput};
use super::{check, refused};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Created, Result};
use crate::body::Body;
use crate::clock::{self, now};
use crate::etag;
use crate::idempotency::IdempotencyKey;
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Registers an agent.
///
/// Its credentials are stored encrypted and never shown again.
#[endpoint(
    operation_id = "create_agent",
    responses((status_code = 409, description = "Another agent has this name.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn create_agent(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<AgentInput>,
    key: IdempotencyKey,
) -> Result<Created<Agent>> {
    let agent = check::check(body.0, app.store.keeps_secrets(), false)?;
    let (id, at) = (clock::id(), now());
    let first = Agent::from(agent::Agent::fresh(id, at, &agent));
    let location = format!("/api/v1/agents/{id}");
    let key = key.with(201, Some(location.clone()), &first)?;
    match app
        .store
        .create_agent(id, at, &agent, &caller.0, key.as_ref())
        .await?
    {
        Changed::Done(agent) => Ok(Created::Now {
            etag: etag::tag(agent.id, agent.revision),
            body: Agent::from(*agent),
            location,
        }),
        Changed::Replayed(answer) => Ok(Created::Before(answer)),
        other => Err(refused(other, &agent.name)),
    }
}

//! PUT and DELETE `/api/v1/agents/{id}`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::agent::Changed;

use super::wire::{Agent, AgentInput};
use super::{check, refused};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Gone, Result, Tagged};
use crate::body::Body;
use crate::etag::{self, IfMatch};
use crate::path::NameOrId;
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Replaces an agent.
///
/// Fields that are left out get their defaults, except credentials, which are kept. A body that
/// changes nothing leaves the agent and its `ETag` as they are.
#[endpoint(
    operation_id = "replace_agent",
    responses((status_code = 409, description = "Another agent has this name, or active workflows use the old one.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn replace_agent(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
    if_match: IfMatch,
    body: Body<AgentInput>,
) -> Result<Tagged<Agent>> {
    let agent = check::check(body.0, app.store.keeps_secrets(), true)?;
    let changed = app
        .store
        .replace_agent(&id.0, &agent, if_match.revisions(), &caller.0)
        .await?;
    match changed {
        Changed::Done(agent) => Ok(Tagged {
            etag: etag::tag(agent.id, agent.revision),
            body: Agent::from(*agent),
        }),
        other => Err(refused(other, &id.0)),
    }
}

/// Deletes an agent. It is kept for the record; its name is free again.
///
/// Refused while the latest version of an active workflow uses it.
#[endpoint(
    operation_id = "delete_agent",
    responses((status_code = 409, description = "Active workflows use it.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn delete_agent(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
    if_match: IfMatch,
) -> Result<Gone> {
    match app
        .store
        .delete_agent(&id.0, if_match.revisions(), &caller.0)
        .await?
    {
        Changed::Done(_) => Ok(Gone),
        other => Err(refused(other, &id.0)),
    }
}

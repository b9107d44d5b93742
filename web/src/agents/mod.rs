//! `/api/v1/agents`.

pub mod change;
pub mod check;
pub mod create;
pub mod health;
pub mod read;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;
use stepwell_queue::agent::Changed;

use crate::etag;
use crate::idempotency::IdempotencyKey;
use crate::problem::{Fault, Kind, Problem};

/// Returns the routes of agents.
#[must_use]
pub fn routes() -> Router {
    Router::with_path("agents")
        .oapi_tag("Agents")
        .post(create::create_agent)
        .get(read::list_agents)
        .push(
            Router::with_path("{id}")
                .get(read::get_agent)
                .put(change::replace_agent)
                .delete(change::delete_agent)
                .push(Router::with_path("health").get(health::get_agent_health)),
        )
}

/// The problem of a change that was not made. Those that were made or replayed are not asked here.
fn refused(changed: Changed, name: &str) -> Problem {
    match changed {
        Changed::NotFound => Problem::not_found("agent", name),
        Changed::NameTaken => Problem::new(Kind::NameTaken, "Another agent has this name.")
            .with_errors(vec![Fault::at("/name", "is the name of another agent")]),
        Changed::Stale { revision } => etag::stale(revision),
        Changed::InUse(slugs) => Problem::new(
            Kind::InUse,
            format!(
                "These active workflows use the agent: {}.",
                slugs.join(", ")
            ),
        ),
        Changed::KeyReused => IdempotencyKey::reused(),
        Changed::CredentialsNeededThere => Problem::invalid(vec![Fault::at(
            "/auth_config",
            "must be given again: url leads to another host, and what is kept was given for the one before",
        )]),
        Changed::CredentialsNeeded => Problem::invalid(vec![Fault::at(
            "/auth_config",
            "this auth_type needs credentials of its own",
        )]),
        Changed::NoMasterKey => {
            Problem::invalid(vec![Fault::at("/auth_type", check::NO_MASTER_KEY)])
        }
        Changed::Done(_) | Changed::Replayed(_) => {
            Problem::internal("a change that was made is told as one that was not")
        }
    }
}

//! `/api/v1/schedules`.

pub mod change;
pub mod check;
pub mod create;
pub mod now;
pub mod pause;
pub mod read;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;
use stepwell_queue::schedule::Changed;

use crate::etag;
use crate::idempotency::IdempotencyKey;
use crate::problem::{Fault, Kind, Problem};

/// Returns the routes of schedules.
#[must_use]
pub fn routes() -> Router {
    let schedule = Router::with_path("{id}")
        .get(read::get_schedule)
        .put(change::replace_schedule)
        .delete(change::delete_schedule)
        .push(Router::with_path("pause").post(pause::pause_schedule))
        .push(Router::with_path("resume").post(pause::resume_schedule))
        .push(Router::with_path("run").post(now::run_schedule));
    Router::with_path("schedules")
        .oapi_tag("Schedules")
        .post(create::create_schedule)
        .get(read::list_schedules)
        .push(schedule)
}

/// The problem of a change that was not made. Those that were made or replayed are not asked here.
fn refused(changed: &Changed, name: &str) -> Problem {
    match changed {
        Changed::NotFound => Problem::not_found("schedule", name),
        Changed::NameTaken => Problem::new(Kind::NameTaken, "Another schedule has this name.")
            .with_errors(vec![Fault::at("/name", "is the name of another schedule")]),
        Changed::Stale { revision } => etag::stale(*revision),
        Changed::KeyReused => IdempotencyKey::reused(),
        Changed::Done(_) | Changed::Replayed(_) => {
            Problem::internal("a change that was made is told as one that was not")
        }
    }
}

//! POST `/api/v1/schedules/{id}/run`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::schedule::{NowRun, Started};

use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::idempotency::IdempotencyKey;
use crate::path::NameOrId;
use crate::problem::{Kind, Problem};
use crate::query::{Nothing, Query};
use crate::runs::place::location;
use crate::runs::wire::Run;

/// Starts a run of a schedule now, besides its firings.
///
/// A paused schedule runs too, and the run before need not be over.
#[endpoint(
    operation_id = "run_schedule",
    responses((status_code = 409, description = "Its workflow is gone or inactive, or does not take its input.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn run_schedule(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
    key: IdempotencyKey,
) -> Result<Accepted<Run>> {
    let run = match app.store.ready_now(&id.0, &caller.0).await? {
        NowRun::Ready(run) => *run,
        NowRun::NotFound => return Err(Problem::not_found("schedule", &id.0)),
        NowRun::Refused(why) => {
            return Err(Problem::new(
                Kind::StateConflict,
                format!("The schedule can make no run: {why}."),
            ));
        }
    };
    let (body, location) = (Run::fresh(&run), location(&run));
    let key = key.with(202, Some(location.clone()), &body)?;
    match app.store.start_now(&id.0, &run, key.as_ref()).await? {
        Started::Done => Ok(Accepted::Now {
            body,
            location: Some(location),
        }),
        Started::Replayed(answer) => Ok(Accepted::Before(answer)),
        Started::KeyReused => Err(IdempotencyKey::reused()),
        Started::NotFound => Err(Problem::not_found("schedule", &id.0)),
    }
}

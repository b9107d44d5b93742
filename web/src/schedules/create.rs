//! POST `/api/v1/schedules`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::schedule::{self, Changed};

use super::wire::{Schedule, ScheduleInput};
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

/// Makes a schedule: it starts a run of its workflow whenever its time comes.
///
/// Each firing happens once, however many processes there are. Where the clock goes forward, a
/// pattern that names its hours and minutes fires when the gap is over; where it goes back, at the
/// first of the two. A pattern with `*` for hours or minutes follows the time that passes.
#[endpoint(
    operation_id = "create_schedule",
    responses((status_code = 409, description = "Another schedule has this name.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn create_schedule(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<ScheduleInput>,
    key: IdempotencyKey,
) -> Result<Created<Schedule>> {
    let (id, at) = (clock::id(), now());
    let new = check::check(&app, body.0, at).await?;
    let first = Schedule::from(schedule::Schedule::fresh(id, at, &new));
    let location = format!("/api/v1/schedules/{id}");
    let key = key.with(201, Some(location.clone()), &first)?;
    match app
        .store
        .create_schedule(id, at, &new, &caller.0, key.as_ref())
        .await?
    {
        Changed::Done(schedule) => Ok(Created::Now {
            etag: etag::tag(schedule.id, schedule.revision),
            body: Schedule::from(*schedule),
            location,
        }),
        Changed::Replayed(answer) => Ok(Created::Before(answer)),
        other => Err(refused(&other, &new.name)),
    }
}

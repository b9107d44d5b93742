//! POST `/api/v1/schedules/{id}/pause` and `/resume`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::schedule::Changed;

use super::refused;
use super::wire::Schedule;
use crate::App;
use crate::actor::Caller;
use crate::answer::{Result, Tagged};
use crate::clock::now;
use crate::etag;
use crate::path::NameOrId;
use crate::query::{Nothing, Query};

/// Pauses a schedule: it does not fire until it is resumed. Runs go on.
#[endpoint(operation_id = "pause_schedule")]
pub async fn pause_schedule(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
) -> Result<Tagged<Schedule>> {
    set(&app, &caller, &id, true).await
}

/// Resumes a schedule, from now on: what would have fired meanwhile does not count as missed.
#[endpoint(operation_id = "resume_schedule")]
pub async fn resume_schedule(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
) -> Result<Tagged<Schedule>> {
    set(&app, &caller, &id, false).await
}

async fn set(app: &App, caller: &Caller, id: &NameOrId, pause: bool) -> Result<Tagged<Schedule>> {
    match app
        .store
        .pause_schedule(&id.0, now(), pause, &caller.0)
        .await?
    {
        Changed::Done(schedule) => Ok(Tagged {
            etag: etag::tag(schedule.id, schedule.revision),
            body: Schedule::from(*schedule),
        }),
        other => Err(refused(&other, &id.0)),
    }
}

//! PUT and DELETE `/api/v1/schedules/{id}`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::schedule::Changed;

use super::wire::{Schedule, ScheduleInput};
use super::{check, refused};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Gone, Result, Tagged};
use crate::body::Body;
use crate::clock::now;
use crate::etag::{self, IfMatch};
use crate::path::NameOrId;
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Replaces a schedule.
///
/// Fields that are left out get their defaults. When its pattern, time zone or status changes, the
/// next firing is counted from now.
#[endpoint(
    operation_id = "replace_schedule",
    responses((status_code = 409, description = "Another schedule has this name.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn replace_schedule(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
    if_match: IfMatch,
    body: Body<ScheduleInput>,
) -> Result<Tagged<Schedule>> {
    let at = now();
    let new = check::check(&app, body.0, at).await?;
    let changed = app
        .store
        .replace_schedule(&id.0, at, &new, if_match.revisions(), &caller.0)
        .await?;
    match changed {
        Changed::Done(schedule) => Ok(Tagged {
            etag: etag::tag(schedule.id, schedule.revision),
            body: Schedule::from(*schedule),
        }),
        other => Err(refused(&other, &id.0)),
    }
}

/// Deletes a schedule. The runs that it made stay.
#[endpoint(operation_id = "delete_schedule")]
pub async fn delete_schedule(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
    if_match: IfMatch,
) -> Result<Gone> {
    match app
        .store
        .delete_schedule(&id.0, if_match.revisions(), &caller.0)
        .await?
    {
        Changed::Done(_) => Ok(Gone),
        other => Err(refused(&other, &id.0)),
    }
}

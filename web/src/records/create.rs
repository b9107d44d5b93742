//! POST `/api/v1/records`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::record::{Created as Made, NewRecord};

use super::run;
use super::wire::{Record, RecordInput, check_word};
use crate::App;
use crate::actor::Caller;
use crate::answer::Result;
use crate::body::Body;
use crate::clock::{self, now};
use crate::idempotency::IdempotencyKey;
use crate::made::Made as Answer;
use crate::payload;
use crate::problem::{Faults, Kind, Problem};
use crate::query::{Nothing, Query};

/// Takes in a record.
///
/// It is `pending` until it is processed, by hand or, where its route says `auto`, at once: then it is
/// `processing` already. A payload that the route's workflow does not take, or a workflow that is
/// inactive, leaves the record pending: processing it by hand tells why.
#[endpoint(operation_id = "create_record")]
pub async fn create_record(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<RecordInput>,
    key: IdempotencyKey,
) -> Result<Answer<Record>> {
    let input = body.0;
    let mut faults = Faults::new();
    check_word(&input.source, "/source", &mut faults);
    check_word(&input.category, "/category", &mut faults);
    let payload = input.payload.0;
    payload::read(&payload, "/payload", &mut faults);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let id = clock::id();
    let route = app.store.route_of(&input.category, &input.source).await?;
    let run = match route.filter(|route| route.auto) {
        None => None,
        Some(route) => match run::of(&app, &route, id, payload.clone(), &caller.0).await {
            Ok(run) => Some(run),
            Err(problem) if stays_pending(problem.kind()) => {
                tracing::warn!(record_id = %id, workflow = route.workflow, "the record stays pending");
                None
            }
            Err(problem) => return Err(problem),
        },
    };
    let mut new = NewRecord {
        id,
        source: input.source,
        category: input.category,
        payload,
        run,
        actor: caller.0,
        created_at: now(),
        idempotency: None,
    };
    let body = Record::from(new.record());
    let location = format!("/api/v1/records/{id}");
    new.idempotency = key.with(201, Some(location.clone()), &body)?;
    match app.store.create_record(&new).await? {
        Made::Done => Ok(Answer::Now { body, location }),
        Made::Replayed(answer) => Ok(Answer::Before(answer)),
        Made::KeyReused => Err(IdempotencyKey::reused()),
    }
}

/// What stands in the way of the run, not of the record.
const fn stays_pending(kind: Kind) -> bool {
    matches!(kind, Kind::NotFound | Kind::StateConflict | Kind::Invalid)
}

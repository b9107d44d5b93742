//! The run that processes a record: its route's workflow, on the record's payload.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use stepwell_queue::record::{LABEL, Route};
use stepwell_queue::{Actor, NewRun};
use uuid::Uuid;

use crate::App;
use crate::answer::Result;
use crate::json::Json;
use crate::runs::order::ExecuteInput;
use crate::runs::place;

/// Makes the run, checked like any other.
///
/// # Errors
/// 409 when the workflow is inactive, 404 when it is deleted, 422 when the payload breaks its schema.
pub(super) async fn of(
    app: &App,
    route: &Route,
    record_id: Uuid,
    payload: Box<RawValue>,
    actor: &Actor,
) -> Result<NewRun> {
    let workflow = route.workflow_id.to_string();
    let planned = place::find(app, &workflow, None, None).await?;
    let order = ExecuteInput {
        input: Some(Json(payload)),
        labels: Some(BTreeMap::from([(LABEL.to_owned(), record_id.to_string())])),
        ..ExecuteInput::default()
    };
    place::check(order, &planned, actor, "payload").await
}

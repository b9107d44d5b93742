//! A run of a workflow with `concurrency` begins when it has a place under its key.

use stepwell_queue::place::Place;
use stepwell_queue::workflow::PlannedVersion;
use stepwell_workflow::{BlockedOn, Failure, RunHeader};

use crate::worker::context::{self, Context};

/// What the run waits for, before it may begin.
const KIND: &str = "concurrency";

/// Asks for the place of a run; says what it waits for where there is none.
pub(super) async fn take(
    context: &Context,
    version: &PlannedVersion,
    header: &RunHeader,
) -> Result<Option<BlockedOn>, Failure> {
    let Some(concurrency) = &version.plan.concurrency else {
        return Ok(None);
    };
    let key = version.plan.concurrency_key(&header.input);
    let key =
        key.map_err(|problem| Failure::fatal("expression", format!("concurrency: {problem}")))?;
    let ask = || {
        let (most, on_limit) = (concurrency.limit, concurrency.on_limit);
        let store = &context.store;
        store.take_place(header.id, header.workflow_id, &key, most, on_limit)
    };
    match context::read(ask).await {
        Ok(Place::Held) => Ok(None),
        Ok(Place::Waits) => Ok(Some(BlockedOn {
            kind: KIND,
            since: header.created_at,
            until: None,
            detail: Some(key.clone()),
        })),
        Err(error) => Err(Failure::retryable(
            "place",
            format!("the place under the concurrency key could not be asked for: {error}"),
        )),
    }
}

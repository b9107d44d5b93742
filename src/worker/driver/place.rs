//! A run of a workflow with `concurrency` begins when it has a place under its key.

use stepwell_queue::Claimed;
use stepwell_queue::inbox::Word;
use stepwell_queue::place::Place;
use stepwell_queue::workflow::PlannedVersion;
use stepwell_workflow::plan::OnLimit;
use stepwell_workflow::{BlockedOn, Failure};

use super::thinking;
use crate::worker::context::{self, Context};

/// What the run waits for, before it may begin.
const KIND: &str = "concurrency";

/// Asks for the place of a run; says what it waits for where there is none. One that came by a door
/// which could not count is refused here, where its workflow says so.
pub(super) async fn take(
    context: &Context,
    version: &PlannedVersion,
    claimed: &Claimed,
) -> Result<Option<BlockedOn>, Failure> {
    let Some(concurrency) = &version.plan.concurrency else {
        return Ok(None);
    };
    let header = &claimed.header;
    let compute = || version.plan.concurrency_key(&header.input);
    let key = thinking::by_size(&header.input, compute).await;
    let key =
        key.map_err(|problem| Failure::fatal("expression", format!("concurrency: {problem}")))?;
    let ask = || {
        let (most, on_limit) = (concurrency.limit, concurrency.on_limit);
        let store = &context.store;
        store.take_place(header.id, header.workflow_id, &key, most, on_limit)
    };
    match context::read(ask).await {
        Ok(Place::Held) => Ok(None),
        Ok(Place::Waits) if concurrency.on_limit == OnLimit::Reject && is_unchecked(claimed) => {
            let most = concurrency.limit;
            let message = format!(
                "{most} runs with the concurrency key `{key}` are under way, and no more may be"
            );
            Err(Failure::retryable("concurrency_limit", message))
        }
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

/// Says whether the run came by SQL, and nothing has looked at it yet.
fn is_unchecked(claimed: &Claimed) -> bool {
    let mut words = claimed.messages.iter().map(|message| &message.word);
    words.any(|word| matches!(word, Word::Check))
}

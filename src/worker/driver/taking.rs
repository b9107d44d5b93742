//! Takes up a run that was claimed; one that cannot be driven fails.

use std::sync::Arc;

use stepwell_queue::commit::StepWrite;
use stepwell_queue::inbox::Word;
use stepwell_queue::workflow::PlannedVersion;
use stepwell_queue::{Claimed, Committed};
use stepwell_workflow::limits::DEATHS_MAX;
use stepwell_workflow::{Failure, RunHeader, RunStatus};

use super::elsewhere::add_policies;
use super::parting::Parting;
use super::{Driver, outright, place, thinking};
use crate::worker::context::{self, Context, Gone};

/// Drives it until its last commit is on its way; `None` when that was waited for.
pub(super) async fn hold(context: Arc<Context>, claimed: Claimed) -> Result<Option<Parting>, Gone> {
    let (workflow_id, version) = (claimed.header.workflow_id, claimed.header.version);
    let planned = match unpoisoned(&claimed) {
        // Most runs have a version that another run of this worker had before.
        Ok(()) => match context.store.planned_before(workflow_id, version).await {
            Some(planned) => Ok(planned),
            // Boxed, so that the driver does not carry its room to the end.
            None => Box::pin(plan_of(&context, &claimed.header)).await,
        },
        Err(failure) => Err(failure),
    };
    match planned {
        Ok(version) => {
            let mut claimed = claimed;
            if !claimed.messages.is_empty() {
                let messages = &mut claimed.messages;
                Box::pin(add_policies(&context, &version.plan, messages)).await;
            }
            let placed = version.plan.concurrency.is_some();
            let place = if placed {
                // Boxed for the same reason.
                match Box::pin(place::take(&context, &version, &claimed)).await {
                    Ok(place) => place,
                    Err(failure) => {
                        Box::pin(fail(&context, claimed, failure, placed)).await?;
                        return Ok(None);
                    }
                }
            } else {
                None
            };
            // Boxed, as it may outlive this future.
            let mut driver = if compares_much(&version, &claimed) {
                let input = Arc::clone(&claimed.header.input);
                let make = || Box::new(Driver::new(context, version, claimed, place));
                Box::pin(thinking::by_size(&input, make)).await
            } else {
                Box::new(Driver::new(context, version, claimed, place))
            };
            let last = driver.run().await?;
            Ok(last.map(|last| Parting::new(driver, last)))
        }
        Err(failure) => {
            Box::pin(fail(&context, claimed, failure, false)).await?;
            Ok(None)
        }
    }
}

/// Says whether the input is compared with a schema before the run begins.
fn compares_much(version: &PlannedVersion, claimed: &Claimed) -> bool {
    let mut words = claimed.messages.iter().map(|message| &message.word);
    version.plan.input_schema.is_some()
        && words.any(|word| matches!(word, Word::Check | Word::Retry { .. }))
}

/// `advance` ends a run whose workers keep dying. When even that breaks its driver, the run must
/// not go round for ever.
fn unpoisoned(claimed: &Claimed) -> Result<(), Failure> {
    let deaths = claimed.deaths;
    if deaths <= DEATHS_MAX {
        return Ok(());
    }
    let message =
        format!("{deaths} drivers broke or died with this run, even when all they did was end it");
    Err(Failure::fatal("poisoned", message))
}

/// Fails the run. `placed`: it may have a place under a concurrency key, which is given back.
async fn fail(
    context: &Context,
    claimed: Claimed,
    failure: Failure,
    placed: bool,
) -> Result<(), Gone> {
    tracing::error!(error = %failure.message, kind = %failure.kind, "the run cannot be driven: it fails");
    let header = &claimed.header;
    let open = claimed.steps.into_iter().filter(|row| {
        // Rows of an earlier generation are over with it.
        row.generation == header.generation && !row.status.is_terminal()
    });
    let open = open.map(|snapshot| StepWrite {
        exists: true,
        snapshot,
    });
    let steps = outright::Steps {
        open: open.collect(),
        ..outright::Steps::default()
    };
    let mut changes = outright::fail(header, header.sequence, failure, steps);
    changes.placed = placed;
    match context.committer.commit(changes).await {
        Committed::Done => context.metrics.run_finished(RunStatus::Failed),
        Committed::Refused(reason) => {
            let (id, generation) = (header.id, header.generation);
            let committer = &context.committer;
            committer.set_aside(id, generation, reason).await;
        }
        Committed::Fenced | Committed::Unknown => return Err(Gone),
    }
    Ok(())
}

async fn plan_of(context: &Context, header: &RunHeader) -> Result<PlannedVersion, Failure> {
    let ask = || context.store.planned(header.workflow_id, header.version);
    let name = &header.workflow_name;
    let version = header.version;
    match context::read(ask).await {
        Ok(Some(planned)) => Ok(planned),
        Ok(None) => Err(Failure::fatal(
            "definition",
            format!("version {version} of the workflow `{name}` is not stored"),
        )),
        Err(error) => Err(Failure::fatal(
            "definition",
            format!("version {version} of the workflow `{name}` cannot be read: {error}"),
        )),
    }
}

//! Takes up a run that was claimed; one that cannot be driven fails.

use std::sync::Arc;

use stepwell_queue::workflow::PlannedVersion;
use stepwell_queue::{Claimed, Committed};
use stepwell_workflow::limits::DEATHS_MAX;
use stepwell_workflow::{Failure, RunHeader, RunStatus};

use super::elsewhere::add_policies;
use super::{Driver, outright};
use crate::worker::context::{self, Context, Gone};

pub(super) async fn hold(context: Arc<Context>, claimed: Claimed) -> Result<(), Gone> {
    let planned = match unpoisoned(&claimed) {
        // Boxed, so that the driver does not carry its room to the end.
        Ok(()) => Box::pin(plan_of(&context, &claimed.header)).await,
        Err(failure) => Err(failure),
    };
    match planned {
        Ok(version) => {
            let mut claimed = claimed;
            let messages = &mut claimed.messages;
            Box::pin(add_policies(&context, &version.plan, messages)).await;
            Driver::new(context, version, claimed).run().await
        }
        Err(failure) => fail(&context, &claimed.header, failure).await,
    }
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

async fn fail(context: &Context, header: &RunHeader, failure: Failure) -> Result<(), Gone> {
    tracing::error!(error = %failure.message, kind = %failure.kind, "the run cannot be driven: it fails");
    let changes = outright::fail(header, header.sequence, failure, Vec::new());
    match context.committer.commit(changes).await {
        Committed::Done => context.metrics.run_finished(RunStatus::Failed),
        Committed::Refused(reason) => tracing::error!(reason, "the end was refused"),
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

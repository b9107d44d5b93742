//! Claimed jobs that no driver can take up: the run cannot be read, or is gone.

use stepwell_workflow::{Failure, Record, RunStatus};
use uuid::Uuid;

use super::take::Unreadable;
use crate::link::Link;
use crate::{Changes, End, Error};

/// Ends a run that cannot be read.
pub(super) fn failed(run: Unreadable) -> Changes {
    let failure = Failure::fatal(
        "corrupt",
        format!("what is stored cannot be read: {}", run.problem),
    );
    let sequence = run.sequence + 1;
    Changes {
        run_id: run.run_id,
        generation: run.generation,
        records: vec![Record {
            sequence,
            step: None,
            action: "run.failed",
            before: None,
            after: Some(RunStatus::Failed.as_str()),
            detail: Some(serde_json::json!({ "error": failure })),
            actor: None,
            request_id: None,
        }],
        recalls_all: true,
        sequence,
        end: Some(End::Finished {
            status: RunStatus::Failed,
            output: None,
            error: Some(failure),
            finished_at: chrono::Utc::now(),
            cancelled_by: None,
            cancel_reason: None,
            parent: run.parent,
        }),
        ..Changes::default()
    }
}

/// Removes jobs whose run is gone with its partition.
pub(super) async fn drop_jobs(
    link: &mut Link,
    worker_id: Uuid,
    run_ids: &[Uuid],
) -> Result<(), Error> {
    sqlx::query!(
        "with jobs as (
             delete from stepwell.job where run_id = any ($1) and worker_id = $2 returning run_id)
         delete from stepwell.detached d using jobs j where d.run_id = j.run_id",
        run_ids,
        worker_id
    )
    .execute(link.get().await?)
    .await?;
    Ok(())
}

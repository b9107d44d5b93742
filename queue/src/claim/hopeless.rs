//! Claimed runs are handed over to their drivers, but for those that none can take up: the run cannot be
//! read, or is gone.

use std::sync::Arc;

use stepwell_workflow::{Failure, Record, RunStatus};
use uuid::Uuid;

use super::desk::Desk;
use super::take::{Taken, Unreadable};
use crate::link::Link;
use crate::worker::Driving;
use crate::{Changes, Committed, End, Error};

impl Desk {
    /// Passes claimed runs on, and sees to those that no driver can take up.
    pub(super) async fn hand_over(&mut self, taken: Taken) {
        let life = &self.life;
        life.store
            .desk
            .counters
            .claimed_runs
            .add(taken.claimed.len());
        if !taken.claimed.is_empty() {
            self.buffer.fill(taken.claimed);
        }
        for run in taken.unreadable {
            tracing::error!(run_id = %run.run_id, problem = run.problem, "a stored run cannot be read; failing it");
            let (life, committer) = (Arc::clone(life), self.committer.clone());
            life.tasks.clone().spawn(async move {
                let _driving = Driving::new(Arc::clone(&life), run.run_id);
                let (id, generation) = (run.run_id, run.generation);
                if let Committed::Refused(reason) = committer.commit(failed(run)).await {
                    committer.set_aside(id, generation, reason).await;
                }
            });
        }
        if taken.orphans.is_empty() {
            return;
        }
        tracing::error!(runs = ?taken.orphans, "jobs without a run are dropped");
        if let Err(error) = drop_jobs(&mut self.link, life.id, &taken.orphans).await {
            tracing::warn!(%error, "they could not be dropped");
            life.doubt();
        }
    }
}

/// Ends a run that cannot be read.
fn failed(run: Unreadable) -> Changes {
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
            finished_at: crate::clock::now(),
            cancelled_by: None,
            cancel_reason: None,
            parent: run.parent,
        }),
        ..Changes::default()
    }
}

/// Removes jobs whose run is gone with its partition.
async fn drop_jobs(link: &mut Link, worker_id: Uuid, run_ids: &[Uuid]) -> Result<(), Error> {
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

//! A run's records as a stream of updates, until its end.

use futures::StreamExt as _;
use stepwell_queue::Actor;
use stepwell_queue::feed::{FeedRecord, RunWatch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Updates;
use super::execution::{error, status, step_status, text, timestamp};
use super::wire::{ExecutionStatus, ExecutionUpdate, StepUpdate};
use crate::App;
use crate::json::Json;
use crate::moment::retell;
use crate::problem::{Kind, Problem};
use crate::runs::trail::DETAIL_TIMES;
use crate::runs::wire::Run;

/// The end that has an output, and that nobody retries.
const COMPLETED: &str = "run.completed";

/// The first update of an execution that was started just now.
pub(super) fn first(run: &Run) -> ExecutionUpdate {
    ExecutionUpdate {
        execution_id: run.id.to_string(),
        sequence: 1,
        status: ExecutionStatus::Pending.into(),
        r#type: "run.created".to_owned(),
        time: Some(timestamp(run.created_at.time())),
        workflow: run.workflow_name.clone(),
        actor: run.triggered_by.clone(),
        ..ExecutionUpdate::default()
    }
}

/// Streams what a watch hears. Nothing is read ahead of a client but the watch's own buffer.
pub(super) fn updates(
    app: &App,
    watch: RunWatch,
    last_known: ExecutionStatus,
    actor: Actor,
) -> Updates {
    let following = Following {
        app: app.clone(),
        actor,
        watch,
        begun: last_known != ExecutionStatus::Pending,
        status: last_known,
        over: false,
    };
    futures::stream::unfold(following, |mut following| async {
        let next = following.next().await?;
        following.over |= next.is_err();
        Some((next, following))
    })
    .boxed()
}

struct Following {
    app: App,
    /// Who watches: a refusal names the request.
    actor: Actor,
    watch: RunWatch,
    /// Of the execution, as of the last update.
    status: ExecutionStatus,
    /// Whether anything of it ran yet.
    begun: bool,
    over: bool,
}

impl Following {
    async fn next(&mut self) -> Option<Result<ExecutionUpdate, Status>> {
        if self.over {
            return None;
        }
        let shutdown: &CancellationToken = &self.app.shutdown;
        let watched = tokio::select! {
            () = shutdown.cancelled() => None,
            watched = self.watch.next() => watched,
        };
        let Some(watched) = watched else {
            let words = "The server stops. Watch the execution from the last sequence.";
            let stopped = Problem::new(Kind::Unavailable, words);
            return Some(Err(super::refuse(&stopped, &self.actor)));
        };
        let mut update = self.update(&watched.record);
        if watched.last {
            self.over = true;
            // By now somebody may have retried the run, unless it completed.
            update.error = error(watched.record.error().map(Json).as_ref());
            if watched.record.action == COMPLETED {
                match self.app.store.run(watched.record.entity_id).await {
                    Ok(Some(run)) => update.output_json = text(run.output.map(Json)),
                    // Retention was faster.
                    Ok(None) => {}
                    Err(error) => {
                        return Some(Err(super::refuse(&error.into(), &self.actor)));
                    }
                }
            }
        }
        Some(Ok(update))
    }

    fn update(&mut self, record: &FeedRecord) -> ExecutionUpdate {
        let word: Option<String> = record
            .after
            .as_ref()
            .and_then(|after| serde_json::from_str(after.get()).ok());
        let step = record.step.clone().map(|name| StepUpdate {
            name,
            status: word
                .as_deref()
                .and_then(step_status)
                .unwrap_or_default()
                .into(),
        });
        if step.is_none()
            && let Some(status) = word.as_deref().and_then(status)
        {
            self.begun = match status {
                ExecutionStatus::Running => true,
                // Of the next generation nothing has run.
                ExecutionStatus::Pending => false,
                _ => self.begun,
            };
            self.status = match status {
                // That a run begins to wait is no record of its own, so the stream never tells it.
                ExecutionStatus::Waiting if self.begun => ExecutionStatus::Running,
                ExecutionStatus::Waiting => ExecutionStatus::Pending,
                other => other,
            };
        }
        let detail = record.detail.clone();
        ExecutionUpdate {
            execution_id: record.entity_id.to_string(),
            sequence: record.sequence,
            status: self.status.into(),
            r#type: record.action.clone(),
            time: Some(timestamp(record.at)),
            workflow: record.workflow_name.clone().unwrap_or_default(),
            step,
            actor: record.actor.clone(),
            detail_json: detail.map_or_else(String::new, |detail| {
                retell(detail, DETAIL_TIMES).get().to_owned()
            }),
            ..ExecutionUpdate::default()
        }
    }
}

//! A run's records as a stream of updates, until its end.

use futures::StreamExt as _;
use stepwell_queue::feed::{FeedRecord, RunWatch};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::Updates;
use super::execution::{error, status, step_status, text, timestamp};
use super::wire::{ExecutionStatus, ExecutionUpdate, StepUpdate};
use crate::App;
use crate::json::Json;
use crate::moment::retell;
use crate::runs::trail::DETAIL_TIMES;
use crate::runs::wire::Run;

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
pub(super) fn updates(app: &App, watch: RunWatch, last_known: ExecutionStatus) -> Updates {
    let following = Following {
        app: app.clone(),
        watch,
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
    watch: RunWatch,
    /// Of the execution, as of the last update.
    status: ExecutionStatus,
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
            return Some(Err(Status::new(Code::Unavailable, words)));
        };
        let mut update = self.update(&watched.record);
        if watched.last {
            self.over = true;
            match self.app.store.run(watched.record.entity_id).await {
                Ok(Some(run)) => {
                    update.error = error(run.error.map(Json).as_ref());
                    update.output_json = text(run.output.map(Json));
                }
                // Retention was faster.
                Ok(None) => {}
                Err(error) => {
                    let actor = stepwell_queue::Actor::default();
                    return Some(Err(super::refuse(&error.into(), &actor)));
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
            self.status = status;
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

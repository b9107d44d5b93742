//! What updates say of an execution, and how its end is told to others.

use serde_json::json;
use stepwell_web::grpc::wire::{
    CancelExecutionRequest, ExecutionStatus, GetWorkflowStatusRequest, WatchExecutionRequest,
};

use super::grpc::{connect, next, order, rest};
use super::sse::waiting;
use crate::events_out::callbacks::is_told;
use crate::harness::{Agent, with_app};

#[tokio::test]
async fn an_execution_that_waits_runs_in_its_updates_also_after_a_pause() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let mut client = connect(app).await;
        let mut stream = client
            .execute_workflow(order("w", "{}"))
            .await
            .unwrap()
            .into_inner();
        let id = next(&mut stream).await.unwrap().execution_id;
        app.api.reaches(&id, "waiting").await;
        for (verb, status) in [("pause", "paused"), ("resume", "waiting")] {
            app.api
                .post(&format!("runs/{id}/{verb}"), json!({}))
                .await
                .of(202);
            app.api.reaches(&id, status).await;
        }
        let standing = GetWorkflowStatusRequest {
            execution_id: id.clone(),
        };
        let standing = client
            .get_workflow_status(standing)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(standing.status(), ExecutionStatus::Waiting);
        let cancel = CancelExecutionRequest {
            execution_id: id.clone(),
            reason: Some("enough".into()),
        };
        client.cancel_execution(cancel).await.unwrap();
        let watched = WatchExecutionRequest {
            execution_id: id,
            after_sequence: 1,
        };
        let mut again = client.watch_execution(watched).await.unwrap().into_inner();
        for updates in [rest(&mut stream).await, rest(&mut again).await] {
            for update in &updates {
                let expected = match update.r#type.as_str() {
                    "run.paused" => ExecutionStatus::Paused,
                    "run.cancelled" => ExecutionStatus::Cancelled,
                    _ => ExecutionStatus::Running,
                };
                assert_eq!(update.status(), expected, "{update:?}");
            }
            let end = updates.last().unwrap();
            assert_eq!(end.r#type, "run.cancelled");
            assert_eq!(end.error, None, "why is the cancel's reason");
        }
    })
    .await;
}

#[tokio::test]
async fn the_end_of_an_execution_is_told_at_its_callback_url() {
    with_app(async |app| {
        let steps = json!([{"name": "s", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("w", steps).await;
        let agent = Agent::start().await;
        let mut client = connect(app).await;
        let mut asked = order("w", "{}");
        asked.callback_url = Some("ftp://x/".into());
        let refused = client.execute_workflow(asked.clone()).await.unwrap_err();
        assert!(refused.message().contains("/callback_url"), "{refused:?}");
        asked.callback_url = Some(agent.url("/over"));
        let stream = client.execute_workflow(asked).await.unwrap();
        let updates = rest(&mut stream.into_inner()).await;
        let told = is_told(&agent.called("/over", 1).await);
        assert_eq!(told["type"], "stepwell.run.completed");
        assert_eq!(told["subject"], updates[0].execution_id);
    })
    .await;
}

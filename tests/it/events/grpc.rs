//! The gRPC door: the same rules as REST, and streams that survive their clients.

use serde_json::json;
use stepwell_web::grpc::wire::execute_workflow_request::Payload;
use stepwell_web::grpc::wire::workflow_service_client::WorkflowServiceClient;
use stepwell_web::grpc::wire::{
    CancelExecutionRequest, ExecuteWorkflowRequest, ExecutionStatus, ExecutionUpdate,
    GetWorkflowStatusRequest, RetryExecutionRequest, SignalExecutionRequest, WatchExecutionRequest,
    signal_execution_request, step_update,
};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Streaming};
use tonic_types::StatusExt as _;

use super::sse::waiting;
use crate::harness::{App, PATIENCE, with_app};

/// Where the newest process takes gRPC calls.
pub(super) async fn address(app: &App) -> String {
    let line = app.processes.last().unwrap().said("gRPC").await;
    line.split_whitespace().last().unwrap().to_owned()
}

pub(crate) async fn connect(app: &App) -> WorkflowServiceClient<Channel> {
    let endpoint = format!("http://{}", address(app).await);
    let channel = Endpoint::from_shared(endpoint).unwrap().connect().await;
    WorkflowServiceClient::new(channel.unwrap())
}

pub(crate) fn order(workflow: &str, input: &str) -> ExecuteWorkflowRequest {
    ExecuteWorkflowRequest {
        workflow_id: workflow.into(),
        payload: Some(Payload::InputJson(input.into())),
        ..ExecuteWorkflowRequest::default()
    }
}

pub(crate) async fn next(stream: &mut Streaming<ExecutionUpdate>) -> Option<ExecutionUpdate> {
    let next = tokio::time::timeout(PATIENCE, stream.message());
    next.await.expect("the stream says something").unwrap()
}

pub(crate) async fn rest(stream: &mut Streaming<ExecutionUpdate>) -> Vec<ExecutionUpdate> {
    let mut updates = Vec::new();
    while let Some(update) = next(stream).await {
        updates.push(update);
    }
    updates
}

#[tokio::test]
async fn an_execution_is_streamed_from_pending_to_its_end() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let mut client = connect(app).await;
        let mut request = Request::new(order("w", r#"{"n": 9007199254740993}"#));
        request
            .metadata_mut()
            .insert("x-request-id", "r-1".parse().unwrap());
        let response = client.execute_workflow(request).await.unwrap();
        assert_eq!(response.metadata().get("x-request-id").unwrap(), "r-1");
        let mut stream = response.into_inner();
        let first = next(&mut stream).await.unwrap();
        assert_eq!(first.status(), ExecutionStatus::Pending);
        assert_eq!((first.sequence, first.r#type.as_str()), (1, "run.created"));
        let id = first.execution_id;
        let mut sequence = 1;
        loop {
            let update = next(&mut stream).await.unwrap();
            sequence += 1;
            assert_eq!(update.sequence, sequence);
            assert_eq!(update.status(), ExecutionStatus::Running);
            if let Some(step) = update.step
                && step.status() == step_update::Status::Waiting
            {
                assert_eq!(step.name, "ask");
                break;
            }
        }
        let status = GetWorkflowStatusRequest {
            execution_id: id.clone(),
        };
        let standing = client.get_workflow_status(status.clone()).await.unwrap();
        let standing = standing.into_inner();
        assert_eq!(standing.input_json, r#"{"n": 9007199254740993}"#);
        client
            .signal_execution(SignalExecutionRequest {
                execution_id: id.clone(),
                name: "go".into(),
                payload: Some(signal_execution_request::Payload::ValueJson("[1]".into())),
            })
            .await
            .unwrap();
        let last = rest(&mut stream).await;
        let types: Vec<_> = last.iter().map(|update| update.r#type.as_str()).collect();
        assert_eq!(
            types,
            [
                "signal.received",
                "step.completed",
                "step.completed",
                "run.completed"
            ]
        );
        let end = last.last().unwrap();
        assert_eq!(end.status(), ExecutionStatus::Completed);
        let over = client
            .get_workflow_status(status)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(over.status(), ExecutionStatus::Completed);
        assert_eq!(over.output_json, end.output_json);
        assert_eq!((over.steps_total, over.steps_done), (2, 2));
        // The same audit, whatever the door.
        let trail = app.api.audit(&id).await;
        assert_eq!(trail[0]["request_id"], "r-1");
        assert_eq!(trail.len() as i64, end.sequence);
        // And again, from any place.
        for after in [0, 2, end.sequence] {
            let watch = WatchExecutionRequest {
                execution_id: id.clone(),
                after_sequence: after,
            };
            let mut again = client.watch_execution(watch).await.unwrap().into_inner();
            let updates = rest(&mut again).await;
            let sequences: Vec<_> = updates.iter().map(|update| update.sequence).collect();
            assert_eq!(sequences, (after + 1..=end.sequence).collect::<Vec<_>>());
        }
    })
    .await;
}

#[tokio::test]
async fn executions_are_cancelled_retried_and_not_started_twice() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let mut client = connect(app).await;
        let keyed = |input: &str| {
            let mut request = Request::new(order("w", input));
            let metadata = request.metadata_mut();
            metadata.insert("idempotency-key", "k-1".parse().unwrap());
            request
        };
        let mut stream = client
            .execute_workflow(keyed("{}"))
            .await
            .unwrap()
            .into_inner();
        let id = next(&mut stream).await.unwrap().execution_id;
        let again = client.execute_workflow(keyed("{}")).await.unwrap();
        assert_eq!(
            again.metadata().get("idempotency-replayed").unwrap(),
            "true"
        );
        let mut again = again.into_inner();
        assert_eq!(next(&mut again).await.unwrap().execution_id, id);
        let other = client.execute_workflow(keyed("[]")).await.unwrap_err();
        assert_eq!(other.code(), Code::InvalidArgument);
        // A client that goes away stops nothing.
        drop((stream, again));
        app.api.reaches(&id, "waiting").await;
        let cancel = CancelExecutionRequest {
            execution_id: id.clone(),
            reason: Some("enough".into()),
        };
        client.cancel_execution(cancel.clone()).await.unwrap();
        let run = app.api.finished(&id).await;
        assert_eq!(
            (&run["status"], &run["cancel_reason"]),
            (&json!("cancelled"), &json!("enough"))
        );
        let cancelled = client.cancel_execution(cancel).await.unwrap().into_inner();
        assert_eq!(cancelled.status(), ExecutionStatus::Cancelled);
        let retry = RetryExecutionRequest {
            execution_id: id.clone(),
            ..RetryExecutionRequest::default()
        };
        let retried = client
            .retry_execution(retry.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(retried.generation, 2);
        let busy = client.retry_execution(retry).await.unwrap_err();
        assert_eq!(busy.code(), Code::FailedPrecondition);
        app.api
            .post(&format!("runs/{id}/signals/go"), json!({}))
            .await
            .of(202);
        app.api.finished(&id).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_said_with_details() {
    with_app(async |app| {
        let schema =
            json!({"input_schema": {"type": "object", "properties": {"age": {"type": "integer"}}}});
        app.api.workflow_with("w", waiting(), schema).await;
        let mut client = connect(app).await;
        let mut wrong = order("w", r#"{"age": "old"}"#);
        wrong.priority = Some(1_000);
        let status = client.execute_workflow(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "INVALID");
        let violations = &details.bad_request().unwrap().field_violations;
        let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["/priority", "/input_json/age"]);
        let status = client.execute_workflow(order("w", "{")).await.unwrap_err();
        assert!(
            status.get_error_details().bad_request().is_some(),
            "{status:?}"
        );
        let status = client
            .execute_workflow(order("nobody", "{}"))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        for id in ["x", "01890000-0000-7000-8000-000000000000"] {
            let asked = GetWorkflowStatusRequest {
                execution_id: id.into(),
            };
            let status = client.get_workflow_status(asked).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{id}");
            let asked = WatchExecutionRequest {
                execution_id: id.into(),
                after_sequence: 0,
            };
            let status = client.watch_execution(asked).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{id}");
        }
        let mut odd = Request::new(order("w", "{}"));
        odd.metadata_mut()
            .insert("x-request-id", "a b".parse().unwrap());
        let status = client.execute_workflow(odd).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let runs = app.api.get("runs").await.of(200).body;
        assert_eq!(runs["items"], json!([]), "nothing was started");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_tells_its_streams_to_go_elsewhere() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let mut client = connect(app).await;
        let mut stream = client
            .execute_workflow(order("w", "{}"))
            .await
            .unwrap()
            .into_inner();
        let id = next(&mut stream).await.unwrap().execution_id;
        let mut server = app.processes.pop().unwrap();
        assert!(server.stop().await.success(), "{}", server.log());
        let end = loop {
            match tokio::time::timeout(PATIENCE, stream.message())
                .await
                .unwrap()
            {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the execution is not over"),
                Err(status) => break status,
            }
        };
        assert_eq!(end.code(), Code::Unavailable);
        let details = end.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "UNAVAILABLE");
        assert!(details.retry_info().is_some());
        app.up().await;
        app.api
            .post(&format!("runs/{id}/signals/go"), json!({}))
            .await
            .of(202);
        app.api.finished(&id).await;
    })
    .await;
}

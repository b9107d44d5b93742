//! What the gRPC door lets in is what REST lets in, and every refusal says why in the same way.

use prost_types::Value;
use prost_types::value::Kind;
use serde_json::json;
use stepwell_web::grpc::wire::execute_workflow_request::Payload;
use stepwell_web::grpc::wire::{
    CancelExecutionRequest, ExecuteWorkflowRequest, RetryExecutionRequest, SignalExecutionRequest,
    signal_execution_request,
};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::grpc::{address, connect, order};
use super::sse::waiting;
use crate::auth::{KEYS, key};
use crate::harness::{App, with_app};

/// Fails unless the status says that what was sent is wrong; gives the places.
#[track_caller]
fn places(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_error_details();
    assert!(details.error_info().is_some(), "{status:?}");
    let violations = &details.bad_request().unwrap().field_violations;
    violations.iter().map(|v| v.field.clone()).collect()
}

fn text(text: &str) -> Value {
    Value {
        kind: Some(Kind::StringValue(text.into())),
    }
}

#[tokio::test]
async fn what_cannot_be_stored_does_not_come_in() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let mut client = connect(app).await;
        let with = |change: &dyn Fn(&mut ExecuteWorkflowRequest)| {
            let mut asked = order("w", "{}");
            change(&mut asked);
            asked
        };
        let deep = format!("{}1{}", "[".repeat(101), "]".repeat(101));
        let deeper = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        let odd = [
            (order("w", r#"{"a": ["\u0000"]}"#), "/input_json/a/0"),
            (order("w", r#"{"\u0000": 1}"#), "/input_json"),
            (order("w", r#"{"a": "\ud800"}"#), "/input_json"),
            (order("w", r#"{"a": 1e99999999999}"#), "/input_json"),
            (order("w", &deep), "/input_json"),
            (order("w", &deeper), "/input_json"),
            (
                with(&|w| w.payload = Some(Payload::Input(text("a\0b")))),
                "/input",
            ),
            (with(&|w| w.workflow_id = "a\0b".into()), "/workflow_id"),
            (with(&|w| w.queue = Some("a\0b".into())), "/queue"),
            (with(&|w| w.dedupe_key = Some("a\0b".into())), "/dedupe_key"),
            (
                with(&|w| w.callback_url = Some("http://a.example/\0".into())),
                "/callback_url",
            ),
            (
                with(&|w| w.labels = [("k".to_owned(), "a\0b".to_owned())].into()),
                "/labels/k",
            ),
            (
                with(&|w| w.labels = [("a\0b".to_owned(), "v".to_owned())].into()),
                "/labels/a\0b",
            ),
        ];
        for (asked, place) in odd {
            let status = client.execute_workflow(asked).await.unwrap_err();
            assert_eq!(places(&status), [place]);
        }
        assert_eq!(app.api.get("runs").await.of(200).body["items"], json!([]));

        let execution_id = app.api.start("w", json!({})).await;
        app.api.reaches(&execution_id, "waiting").await;
        let signal = |name: &str, payload| SignalExecutionRequest {
            execution_id: execution_id.clone(),
            name: name.into(),
            payload: Some(payload),
        };
        let json = |json: &str| signal_execution_request::Payload::ValueJson(json.into());
        let long = format!("\"{}\"", "x".repeat(5 << 20));
        let odd = [
            (
                signal("go", signal_execution_request::Payload::Value(text("\0"))),
                "/value",
            ),
            (signal("go", json(r#"{"a": "\u0000"}"#)), "/value_json/a"),
            (signal("go", json("1e99999999999")), "/value_json"),
            (signal("go", json(r#""\ud800""#)), "/value_json"),
            (signal("go", json(&deep)), "/value_json"),
            (signal("go", json(&long)), "/value_json"),
            (signal("g\0", json("1")), "/name"),
            (signal("", json("1")), "/name"),
        ];
        for (asked, place) in odd {
            let status = client.signal_execution(asked).await.unwrap_err();
            assert_eq!(places(&status), [place]);
        }
        // By REST neither, and no statement fails of it.
        let path = format!("runs/{execution_id}/signals");
        app.api
            .post(&format!("{path}/g%00"), json!({}))
            .await
            .problem(400);
        let deep: serde_json::Value = serde_json::from_str(&deep).unwrap();
        let refused = app
            .api
            .post(&format!("{path}/go"), json!({"payload": deep}))
            .await;
        refused.problem(422).finds("/payload", "levels deep");

        let cancel = CancelExecutionRequest {
            execution_id: execution_id.clone(),
            reason: Some("a\0b".into()),
        };
        let status = client.cancel_execution(cancel).await.unwrap_err();
        assert_eq!(places(&status), ["/reason"]);
        let retry = RetryExecutionRequest {
            execution_id: execution_id.clone(),
            from_step: Some("a\0b".into()),
            reset: false,
        };
        let status = client.retry_execution(retry).await.unwrap_err();
        assert_eq!(places(&status), ["/from_step"]);
        let cast = "select count(*) from stepwell.run where input::jsonb is not null";
        assert_eq!(app.database.number(cast).await, 1);
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_listed_whatever_is_not_found() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let mut client = connect(app).await;
        let mut wrong = order("w", "{");
        (wrong.version, wrong.priority) = (Some(-1), Some(500));
        let status = client.execute_workflow(wrong.clone()).await.unwrap_err();
        assert_eq!(places(&status), ["/version", "/input_json", "/priority"]);
        wrong.workflow_id = "nobody".into();
        let status = client.execute_workflow(wrong).await.unwrap_err();
        assert_eq!(
            places(&status),
            ["/workflow_id", "/input_json", "/priority"]
        );

        let wrong = |workflow: &str| json!({"workflow": workflow, "version": 99, "priority": 500});
        let refused = app.api.post("runs", wrong("w")).await.problem(422);
        assert_eq!(refused.pointers(), ["/priority", "/version"]);
        let refused = app.api.post("runs", wrong("nobody")).await.problem(422);
        assert_eq!(refused.pointers(), ["/priority", "/workflow"]);
        let batch = json!({"runs": [wrong("w"), wrong("nobody"), {"workflow": "w"}]});
        let refused = app.api.post("runs/batch", batch).await.problem(422);
        let expected = [
            "/runs/0/priority",
            "/runs/0/version",
            "/runs/1/priority",
            "/runs/1/workflow",
        ];
        assert_eq!(refused.pointers(), expected);
        let body = json!({"version": 99, "priority": 500});
        let refused = app
            .api
            .post("workflows/w/execute", body.clone())
            .await
            .problem(422);
        assert_eq!(refused.pointers(), ["/priority", "/version"]);
        // What the path names has to be there before anything else is looked at.
        app.api
            .post("workflows/nobody/execute", body)
            .await
            .problem(404);
        app.api
            .post("runs", json!({"workflow": "nobody"}))
            .await
            .problem(404);

        let mut odd = Request::new(order("w", "{}"));
        let long = "x".repeat(300).parse().unwrap();
        odd.metadata_mut().insert("idempotency-key", long);
        let status = client.execute_workflow(odd).await.unwrap_err();
        assert_eq!(places(&status), ["/metadata/idempotency-key"]);
        assert_eq!(app.api.get("runs").await.of(200).body["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn the_choice_of_an_approval_is_checked_where_it_stands() {
    with_app(async |app| {
        let ask =
            json!([{"name": "ask", "type": "wait", "config": {"approval": {"prompt": "ok?"}}}]);
        app.api.workflow("w", ask).await;
        let execution_id = app.api.start("w", json!({})).await;
        app.api.reaches(&execution_id, "waiting").await;
        let asked = SignalExecutionRequest {
            execution_id,
            name: "ask".into(),
            payload: Some(signal_execution_request::Payload::ValueJson("{}".into())),
        };
        let status = connect(app)
            .await
            .signal_execution(asked)
            .await
            .unwrap_err();
        let places = places(&status);
        assert!(!places.is_empty(), "{status:?}");
        for place in places {
            assert!(place.starts_with("/value_json"), "{place}");
        }
    })
    .await;
}

/// A message of these bytes, as it goes over the wire; gives the status.
async fn raw(app: &App, call: &str, message: &[u8]) -> Status {
    let http = reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let url = format!(
        "http://{}/stepwell.v1.WorkflowService/{call}",
        address(app).await
    );
    let request = http.build().unwrap().post(url);
    let request = request
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let answer = request
        .body([&[0], &length[..], message].concat())
        .send()
        .await
        .unwrap();
    Status::from_header_map(answer.headers()).expect("a status")
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_the_same_way() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let reason = |status: &Status| {
            let details = status.get_error_details();
            let info = details
                .error_info()
                .unwrap_or_else(|| panic!("no details: {status:?}"));
            assert!(!info.metadata["request_id"].is_empty());
            info.reason.clone()
        };
        let huge = format!("\"{}\"", "x".repeat(10 << 20));
        let status = connect(app)
            .await
            .execute_workflow(order("w", &huge))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert_eq!(reason(&status), "TOO_LARGE");
        assert!(status.get_error_details().retry_info().is_none());
        let status = raw(app, "GetWorkflowStatus", b"\xff\xff\xff").await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert_eq!(reason(&status), "MALFORMED_BODY");
        let status = raw(app, "Nothing", b"").await;
        assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
        assert_eq!(reason(&status), "METHOD_NOT_ALLOWED");
    })
    .await;
}

#[tokio::test]
async fn what_is_left_of_a_budget_is_told_as_by_rest() {
    let app = App::separate(0, &[KEYS, ("STEPWELL_RATE_LIMIT", "3")]).await;
    let (one, viewer) = (
        key(&app, "one", "operator").await,
        key(&app, "two", "viewer").await,
    );
    let mut client = connect(&app).await;
    let ask = |key: &str| {
        let mut request = Request::new(CancelExecutionRequest {
            execution_id: "01890000-0000-7000-8000-000000000000".into(),
            reason: None,
        });
        request
            .metadata_mut()
            .insert("x-api-key", key.parse().unwrap());
        request
    };
    let figure = |status: &Status, name: &str| {
        let value = status
            .metadata()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned());
        value.unwrap_or_default()
    };
    for left in ["2", "1", "0"] {
        let status = client.cancel_execution(ask(&one)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(figure(&status, "ratelimit-limit"), "3");
        assert_eq!(figure(&status, "ratelimit-remaining"), left);
        assert_eq!(figure(&status, "ratelimit-policy"), "3;w=60");
    }
    let status = client.cancel_execution(ask(&one)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert_eq!(figure(&status, "ratelimit-remaining"), "0");
    assert_eq!(figure(&status, "ratelimit-limit"), "3");
    let wait = status
        .get_error_details()
        .retry_info()
        .unwrap()
        .retry_delay
        .unwrap()
        .as_secs();
    assert!((2..=20).contains(&wait), "{wait}");
    assert!(
        status.message().contains(&format!("in {wait} s")),
        "{status:?}"
    );
    // What may not be done counts as well.
    let status = client.cancel_execution(ask(&viewer)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    assert_eq!(figure(&status, "ratelimit-remaining"), "2");
    app.finish().await;
}

//! Attempts of tasks, and what an agent receives.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::Duration;

use serde_json::{Value, json};
use stepwell_queue::store::StoreOptions;
use stepwell_workflow::StepKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::*;
use crate::worker::seats::Seats;
use crate::worker::tasks::{TaskCall, TaskError};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Steps on a store that is never asked.
fn steps(tasks: Registry) -> Arc<Steps> {
    let store = Store::open(StoreOptions {
        url: "postgres://nobody@127.0.0.1:9/nowhere".into(),
        pool_max: 1,
        acquire_timeout: Duration::from_secs(1),
        listen: false,
        retention: stepwell_queue::retention::Retention::default(),
        master_key: None,
    });
    Arc::new(Steps {
        seats: Seats::default(),
        store: store.unwrap(),
        outbound: Outbound::new(true, 8).unwrap(),
        tasks,
        timeout: Duration::from_secs(5),
        public_url: "http://127.0.0.1:8080".to_owned(),
        metrics: Arc::default(),
    })
}

fn origin() -> Arc<Origin> {
    let request_id = Some("request-1".to_owned());
    let traceparent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let origin = Origin::new(Uuid::nil(), "orders".into(), request_id, Some(&traceparent));
    Arc::new(origin)
}

fn attempt(task: &str, input: Value) -> Attempt {
    Attempt {
        key: StepKey::step(0),
        name: "charge".to_owned(),
        attempt: 2,
        generation: 1,
        call: Call::Task {
            task: task.into(),
            input: Arc::new(input),
        },
        timeout: Some(Duration::from_millis(50)),
    }
}

async fn outcome(tasks: Registry, attempt: Attempt) -> (bool, Outcome) {
    match steps(tasks).begin(&origin(), attempt) {
        Begun::Landed(outcome) => (true, outcome),
        Begun::InFlight(attempt) => (false, attempt.running.await),
    }
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed { failure, .. } => failure,
        other => panic!("expected a failure, got {other:?}"),
    }
}

#[tokio::test]
async fn a_task_that_needs_no_waiting_ends_where_the_driver_stands() {
    let mut tasks = Registry::default();
    tasks.add("key".to_owned(), |call: TaskCall| async move {
        Ok(json!([
            call.idempotency_key(),
            call.attempt,
            call.input["n"]
        ]))
    });
    let (at_once, outcome) = outcome(tasks, attempt("key", json!({"n": 7}))).await;
    assert!(at_once);
    let key = format!("{}/charge/1", Uuid::nil());
    assert_eq!(outcome, Outcome::Completed(json!([key, 2, 7])));
}

#[tokio::test]
async fn a_task_that_waits_goes_on_when_polled() {
    let mut tasks = Registry::default();
    tasks.add("nap".to_owned(), |_| async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(Value::Null)
    });
    let (at_once, outcome) = outcome(tasks, attempt("nap", json!({}))).await;
    assert!(!at_once);
    assert_eq!(outcome, Outcome::Completed(Value::Null));
}

#[tokio::test]
async fn a_task_that_takes_too_long_times_out_and_hears_of_it() {
    let (heard, told) = std::sync::mpsc::channel();
    let mut tasks = Registry::default();
    tasks.add("stall".to_owned(), move |call: TaskCall| {
        let heard = heard.clone();
        async move {
            tokio::spawn(async move {
                call.cancelled.cancelled().await;
                heard.send(()).unwrap();
            });
            std::future::pending().await
        }
    });
    let (_, outcome) = outcome(tasks, attempt("stall", json!({}))).await;
    assert!(matches!(outcome, Outcome::TimedOut { after, .. } if after.as_millis() == 50));
    let told = tokio::task::spawn_blocking(move || told.recv_timeout(Duration::from_secs(5)));
    told.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_panic_is_the_failure_of_its_attempt() {
    let mut tasks = Registry::default();
    tasks.add("at_once".to_owned(), |call: TaskCall| async move {
        assert!(call.input.is_null(), "no such {}", "luck");
        Ok(Value::Null)
    });
    let (_, outcome) = outcome(tasks, attempt("at_once", json!(1))).await;
    let failure = failure(outcome);
    assert_eq!(failure.kind, "panic");
    assert!(failure.message.contains("no such luck"), "{failure:?}");
}

#[tokio::test]
async fn a_task_that_is_not_here_names_those_that_are() {
    let mut tasks = Registry::default();
    tasks.add("charge".to_owned(), |_| async { Ok(Value::Null) });
    let (_, outcome) = outcome(tasks, attempt("refund", json!({}))).await;
    let failure = failure(outcome);
    assert_eq!(failure.kind, "unknown_task");
    assert!(!failure.retryable);
    assert!(failure.message.contains("charge"), "{failure:?}");
}

#[tokio::test]
async fn types_are_read_and_written() {
    let mut tasks = Registry::default();
    tasks.add_typed("sum".to_owned(), |numbers: Vec<i64>, _| async move {
        let sum: i64 = numbers.iter().sum();
        if sum == 0 {
            return Err(TaskError::retryable("nothing yet").after(Duration::from_secs(3)));
        }
        Ok(sum)
    });
    let tasks = steps(tasks);
    let run = |input| match tasks.begin(&origin(), attempt("sum", input)) {
        Begun::Landed(outcome) => outcome,
        Begun::InFlight(_) => panic!("it does not wait"),
    };
    assert_eq!(run(json!([1, 2])), Outcome::Completed(json!(3)));
    assert!(!failure(run(json!({}))).retryable);
    let Outcome::Failed {
        failure,
        retry_after,
        ..
    } = run(json!([]))
    else {
        panic!("it fails")
    };
    assert!(failure.retryable);
    assert_eq!(retry_after, Some(Duration::from_secs(3)));
}

/// Takes one request and answers it; returns its head, in lower case.
async fn head(listener: &tokio::net::TcpListener) -> String {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        assert_ne!(socket.read_buf(&mut head).await.unwrap(), 0);
    }
    let answer = b"HTTP/1.1 204 Done\r\nconnection: close\r\n\r\n";
    socket.write_all(answer).await.unwrap();
    String::from_utf8(head).unwrap().to_lowercase()
}

#[tokio::test]
async fn every_attempt_of_a_webhook_carries_request_id_and_trace() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let steps = steps(Registry::default());
    let mut parents = Vec::new();
    for number in 1..=2 {
        let call = Call::Http {
            method: "POST".into(),
            url: url.clone(),
            headers: Vec::new(),
            body: None,
            expect_status: Vec::new(),
            sign: None,
        };
        let attempt = Attempt {
            call,
            attempt: number,
            timeout: None,
            ..attempt("", Value::Null)
        };
        let Begun::InFlight(called) = steps.begin(&origin(), attempt) else {
            panic!("a call takes its time")
        };
        let (head, outcome) = tokio::join!(head(&listener), called.running);
        assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
        assert!(head.contains("\r\nx-request-id: request-1\r\n"), "{head}");
        let (_, parent) = head
            .split_once(&format!("\r\ntraceparent: 00-{TRACE}-"))
            .unwrap();
        parents.push(parent[..16].to_owned());
    }
    assert_ne!(parents[0], parents[1]);
    assert!(!parents.contains(&"b7ad6b7169203331".to_owned()));
}

#[tokio::test]
async fn an_agents_attempt_waits_while_the_database_is_away() {
    let call = Call::Agent {
        agent: "scorer".into(),
        input: Arc::new(Value::Null),
    };
    let attempt = Attempt {
        call,
        ..attempt("", Value::Null)
    };
    let Begun::InFlight(called) = steps(Registry::default()).begin(&origin(), attempt) else {
        panic!("a call takes its time")
    };
    // The store of these tests gives up after a second.
    let waited = tokio::time::timeout(Duration::from_millis(2_500), called.running).await;
    assert!(waited.is_err(), "{waited:?}");
}

//! Functions in a worker that a user built on the library.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use serde_json::json;
use stepwell::queue::Store;
use stepwell::queue::store::StoreOptions;
use stepwell::worker::{Runtime, TaskCall, TaskError};
use tokio_util::sync::CancellationToken;

use crate::harness::{App, PATIENCE, Process, until};

/// An example, which `cargo test` builds next to the binary.
fn example(name: &str) -> PathBuf {
    let bin = PathBuf::from(env!("CARGO_BIN_EXE_stepwell"));
    let path = bin.parent().unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "cargo build --example {name} comes first: {}",
        path.display()
    );
    path
}

#[tokio::test]
async fn the_example_worker_runs_its_functions() {
    let app = App::separate(0, &[]).await;
    let steps = json!([
        {"name": "charge", "type": "task", "config": {"task": "charge", "input": {"amount_cents": "${input.cents}"}}},
        {"name": "receipt", "type": "task", "config": {"task": "receipt", "input": "${steps.charge.output.amount_cents}"}},
    ]);
    app.api.workflow("order", steps).await;
    let variables = [("DATABASE_URL", app.database.url.as_str())];
    let mut worker = Process::spawn_program(&example("own_worker"), "own_worker", &[], &variables);
    let run = app.api.execute("order", json!({"cents": 1_250})).await;
    assert_eq!(
        (&run["status"], &run["output"]["text"]),
        (&json!("completed"), &json!("Charged: 1250")),
        "{run}"
    );
    let charge = app.api.step(run["id"].as_str().unwrap(), "charge").await;
    assert_eq!(
        charge["output"]["id"],
        format!("{}/charge/1", run["id"].as_str().unwrap())
    );
    let run = app.api.execute("order", json!({"cents": 0})).await;
    assert_eq!(
        (&run["status"], &run["error"]["type"]),
        (&json!("failed"), &json!("task_error")),
        "{run}"
    );
    worker.signal(Signal::SIGINT);
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());
    app.finish().await;
}

/// A worker in this process, with functions that misbehave.
struct Worker {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), stepwell::worker::RuntimeError>>,
    attempts: Arc<AtomicUsize>,
    dropped: Arc<AtomicBool>,
}

struct SetWhenDropped(Arc<AtomicBool>);

impl Drop for SetWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Worker {
    fn start(app: &App) -> Self {
        let attempts = Arc::new(AtomicUsize::new(0));
        let dropped = Arc::new(AtomicBool::new(false));
        let (shaky, hung) = (attempts.clone(), dropped.clone());
        let store = Store::open(StoreOptions::new(app.database.url.clone())).unwrap();
        let runtime = Runtime::builder(store)
            .task("panics", |_: TaskCall| async move { panic!("on purpose") })
            .task("shaky", move |call: TaskCall| {
                shaky.fetch_add(1, Ordering::SeqCst);
                async move {
                    if call.attempt < 3 {
                        Err(TaskError::retryable("not yet"))
                    } else {
                        Ok(json!(call.attempt))
                    }
                }
            })
            .task("hangs", move |_: TaskCall| {
                let guard = SetWhenDropped(hung.clone());
                async move {
                    let _guard = guard;
                    std::future::pending::<()>().await;
                    Ok(json!(null))
                }
            })
            .build()
            .unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(runtime.run(stop.clone()));
        Self {
            stop,
            task,
            attempts,
            dropped,
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

async fn workflow(app: &App, task: &str) {
    let retry = json!({"max_attempts": 3, "initial_interval_ms": 10});
    let steps = json!([{"name": "t", "type": "task", "config": {"task": task, "input": {}}, "retry": retry}]);
    app.api.workflow(task, steps).await;
}

#[tokio::test]
async fn a_panic_fails_the_step_and_not_the_worker() {
    let app = App::separate(0, &[]).await;
    let worker = Worker::start(&app);
    workflow(&app, "panics").await;
    workflow(&app, "shaky").await;
    let run = app.api.execute("panics", json!({})).await;
    assert_eq!(
        (&run["status"], &run["error"]["type"]),
        (&json!("failed"), &json!("panic")),
        "{run}"
    );
    let run = app.api.execute("shaky", json!({})).await;
    assert_eq!(
        (&run["status"], &run["output"]),
        (&json!("completed"), &json!(3)),
        "{run}"
    );
    assert_eq!(worker.attempts.load(Ordering::SeqCst), 3);
    worker.end().await;
    app.finish().await;
}

#[tokio::test]
async fn a_cancelled_function_is_dropped() {
    let app = App::separate(0, &[]).await;
    let worker = Worker::start(&app);
    workflow(&app, "hangs").await;
    let run = app.api.start("hangs", json!({})).await;
    app.api.reaches(&run, "running").await;
    app.api
        .post(&format!("runs/{run}/cancel"), json!({}))
        .await
        .of(202);
    assert_eq!(app.api.finished(&run).await["status"], "cancelled");
    until("the function is dropped", PATIENCE, async || {
        worker.dropped.load(Ordering::SeqCst).then_some(())
    })
    .await;
    worker.end().await;
    app.finish().await;
}

#[tokio::test]
async fn a_task_that_no_worker_knows_fails_with_its_name() {
    let app = App::separate(0, &[]).await;
    let worker = Worker::start(&app);
    workflow(&app, "unheard-of").await;
    let run = app.api.execute("unheard-of", json!({})).await;
    assert_eq!(run["status"], "failed", "{run}");
    assert!(
        run["error"]["message"]
            .as_str()
            .unwrap()
            .contains("unheard-of"),
        "{run}"
    );
    worker.end().await;
    app.finish().await;
}

//! A worker is killed in the middle of a run.

use serde_json::{Value, json};

use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, Reply};

/// Steps `one`, `two` … that each call the path of their name.
async fn chain(app: &App, agent: &Agent, names: &[&str], more: Value) {
    let mut steps = Vec::new();
    for name in names {
        app.api.agent(name, &agent.url(&format!("/{name}"))).await;
        let mut step = json!({"name": name, "type": "agent", "config": {"agent": name}});
        step.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        steps.push(step);
    }
    app.api.workflow("w", json!(steps)).await;
}

#[tokio::test]
async fn another_worker_finishes_and_repeats_no_completed_step() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/two", |call| {
        if call.number == 1 {
            Reply::Never
        } else {
            Reply::ok()
        }
    });
    chain(&app, &agent, &["one", "two", "three"], json!({})).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/two", 1).await;
    app.api.audit_says(&run, "step.completed", "one").await;
    app.processes[1].kill().await;
    app.worker();
    let done = app.api.finished(&run).await;
    assert_eq!(
        (&done["status"], &done["generation"]),
        (&json!("completed"), &json!(1)),
        "{done}"
    );
    let counts = ["/one", "/two", "/three"].map(|path| agent.calls(path).len());
    assert_eq!(counts, [1, 2, 1]);
    let two = agent.calls("/two");
    assert_eq!(
        two[0].header("idempotency-key"),
        two[1].header("idempotency-key")
    );
    let dead = "select count(*) from stepwell.worker where status = 'dead'";
    assert_eq!(app.database.number(dead).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_worker_that_is_there_takes_over_by_itself() {
    let mut app = App::separate(2, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/one", |call| {
        if call.number <= 10 {
            Reply::Never
        } else {
            Reply::ok()
        }
    });
    chain(&app, &agent, &["one", "two"], json!({})).await;
    let mut runs = Vec::new();
    for _ in 0..10 {
        runs.push(app.api.start("w", json!({})).await);
    }
    agent.called("/one", 10).await;
    // Which of the two has which run is left to chance: both are killed, one after the other.
    app.processes[1].kill().await;
    app.worker();
    app.processes[2].kill().await;
    for run in &runs {
        assert_eq!(app.api.finished(run).await["status"], "completed");
    }
    assert_eq!(
        agent.calls("/two").len(),
        10,
        "each run's second step ran once"
    );
    app.finish().await;
}

#[tokio::test]
async fn at_most_once_is_lost_rather_than_repeated() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/one", |_| Reply::Never);
    chain(&app, &agent, &["one"], json!({"delivery": "at_most_once"})).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/one", 1).await;
    app.processes[1].kill().await;
    app.worker();
    let done = app.api.finished(&run).await;
    assert_eq!(
        (&done["status"], &done["error"]["type"]),
        (&json!("failed"), &json!("lost")),
        "{done}"
    );
    assert_eq!(agent.calls("/one").len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_run_that_kills_three_workers_is_poisoned() {
    let mut app = App::separate(0, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/one", |_| Reply::Never);
    chain(&app, &agent, &["one"], json!({})).await;
    let run = app.api.start("w", json!({})).await;
    for death in 1..=3 {
        let worker = app.worker();
        agent.called("/one", death).await;
        app.processes[worker].kill().await;
    }
    app.worker();
    let done = app.api.finished(&run).await;
    assert_eq!(
        (&done["status"], &done["error"]["type"]),
        (&json!("failed"), &json!("poisoned")),
        "{done}"
    );
    assert_eq!(
        agent.calls("/one").len(),
        3,
        "it is not tried a fourth time"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_map_goes_on_where_it_was() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/a", |call| {
        Reply::Held(Box::new(Reply::Json(200, call.body["input"].clone())))
    });
    app.api.agent("a", &agent.url("/a")).await;
    let step = json!({"type": "agent", "config": {"agent": "a", "input": "${item}"}});
    let map = json!({"items": "${input}", "max_parallel": 2, "step": step});
    app.api
        .workflow("w", json!([{"name": "m", "type": "map", "config": map}]))
        .await;
    let run = app.api.start("w", json!([0, 1, 2, 3, 4, 5])).await;
    agent.called("/a", 2).await;
    agent.release_first("/a", 2);
    app.api.audit_says(&run, "step.completed", "m[0]").await;
    app.api.audit_says(&run, "step.completed", "m[1]").await;
    agent.called("/a", 4).await;
    app.processes[1].kill().await;
    agent.release("/a");
    app.worker();
    let done = app.api.finished(&run).await;
    assert_eq!(done["output"], json!([0, 1, 2, 3, 4, 5]), "{done}");
    let of = |item: i64| {
        agent
            .calls("/a")
            .iter()
            .filter(|c| c.body["input"] == item)
            .count()
    };
    assert_eq!((of(0), of(1)), (1, 1), "completed items are not run again");
    app.finish().await;
}

#[tokio::test]
async fn an_acknowledged_cancel_survives_the_worker() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/one", |_| Reply::Never);
    chain(&app, &agent, &["one"], json!({})).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/one", 1).await;
    app.processes[1].kill().await;
    app.api
        .post(&format!("runs/{run}/cancel"), json!({}))
        .await
        .of(202);
    app.worker();
    assert_eq!(app.api.finished(&run).await["status"], "cancelled");
    assert_eq!(agent.calls("/one").len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_killed_api_loses_no_acknowledged_run() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    chain(&app, &agent, &["one"], json!({})).await;
    let acknowledged = std::sync::Mutex::new(Vec::new());
    let posts = async {
        loop {
            let request = app
                .api
                .request(reqwest::Method::POST, "workflows/w/execute");
            let Ok(answer) = request.json(&json!({})).send().await else {
                return;
            };
            let Ok(body) = answer.json::<Value>().await else {
                return;
            };
            acknowledged
                .lock()
                .unwrap()
                .push(body["id"].as_str().unwrap().to_owned());
        }
    };
    let kill = async {
        agent.called("/one", 20).await;
        app.processes[0].signal(nix::sys::signal::Signal::SIGKILL);
    };
    futures::future::join(posts, kill).await;
    app.processes[0].exit().await;
    app.api().await;
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() >= 10, "{}", acknowledged.len());
    for run in &acknowledged {
        assert_eq!(app.api.finished(run).await["status"], "completed");
    }
    app.finish().await;
}

//! The command line: what it does through the API, and what it says to mistakes.

mod deep;
mod errors;
mod examine;
mod show;

use serde_json::{Value, json};

use crate::harness::process::{EXIT_FAILED, EXIT_OK, EXIT_USAGE};
use crate::harness::{Agent, App, Process, Reply, with_app};

/// Runs a command against the app's API; gives its exit code and all that it said.
async fn stepwell(app: &App, arguments: &[&str]) -> (Option<i32>, Process) {
    let server = app.api.url("/");
    let mut process = Process::spawn(arguments[0], arguments, &[("STEPWELL_SERVER", &server)]);
    let code = process.exit().await.code();
    (code, process)
}

async fn answers(app: &App, arguments: &[&str]) -> Value {
    let (code, process) = stepwell(app, arguments).await;
    assert_eq!(code, Some(EXIT_OK), "{arguments:?}: {}", process.log());
    serde_json::from_str(&process.output()).unwrap_or_else(|_| panic!("{}", process.log()))
}

#[tokio::test]
async fn apply_is_idempotent_and_sees_changes() {
    with_app(async |app| {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let write =
            |name: &str, body: &Value| std::fs::write(path(name), body.to_string()).unwrap();
        write(
            "agent.json",
            &json!({"name": "a", "url": "http://127.0.0.1:9/"}),
        );
        let step = json!({"name": "s", "type": "agent", "config": {"agent": "a"}});
        write(
            "workflow.json",
            &json!({"id": "w", "name": "w", "steps": [step]}),
        );
        let (workflow, agent) = (path("workflow.json"), path("agent.json"));
        let apply = ["apply", "--json", "-f", &workflow, &agent];
        let first = answers(app, &apply).await;
        assert_eq!(first.as_array().unwrap().len(), 2, "{first}");
        let again = answers(app, &apply).await;
        assert!(again.to_string().contains("unchanged"), "{again}");
        assert_eq!(app.api.get("workflows/w").await.of(200).body["version"], 1);
        let step = json!({"name": "t", "type": "agent", "config": {"agent": "a"}});
        write(
            "workflow.json",
            &json!({"id": "w", "name": "w", "steps": [step]}),
        );
        answers(app, &apply).await;
        assert_eq!(app.api.get("workflows/w").await.of(200).body["version"], 2);
        write(
            "workflow.json",
            &json!({"id": "w", "name": "w", "steps": [{"name": "x"}]}),
        );
        let (code, process) = stepwell(app, &apply).await;
        assert_eq!(code, Some(EXIT_FAILED));
        assert!(process.log().contains("/steps/0"), "{}", process.log());
    })
    .await;
}

#[tokio::test]
async fn runs_are_started_watched_listed_cancelled_and_retried() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/a", |call| {
            if call.number == 1 {
                Reply::Json(400, json!({}))
            } else {
                Reply::ok()
            }
        });
        app.api.agent("a", &agent.url("/a")).await;
        let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]);
        app.api.workflow("w", steps).await;
        let input = r#"{"user": "Ada"}"#;
        let start = ["run", "start", "w", "--input", input, "--watch", "--json"];
        let (code, process) = stepwell(app, &start).await;
        assert_eq!(code, Some(EXIT_FAILED), "the run failed: {}", process.log());
        let output = process.output();
        let lines: Vec<Value> = output
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let (run, events) = lines.split_last().unwrap();
        let types: Vec<_> = events.iter().map(|event| event["type"].clone()).collect();
        let expected = ["run.created", "run.started", "step.failed", "run.failed"];
        assert_eq!(types, expected, "a line for each event, and then the run");
        let id = run["id"].as_str().unwrap();
        assert_eq!(
            (&run["status"], &run["input"]),
            (&json!("failed"), &json!({"user": "Ada"}))
        );
        answers(app, &["run", "retry", id, "--json"]).await;
        let (code, process) = stepwell(app, &["run", "watch", id]).await;
        assert_eq!(code, Some(EXIT_OK), "{}", process.log());
        let output = process.output();
        assert!(output.contains("step.failed          s"), "{output}");
        assert!(output.contains("run.retry_requested"), "{output}");
        assert!(output.contains("status    completed"), "{output}");
        let got = answers(app, &["run", "get", id, "--json"]).await;
        assert_eq!(got["generation"], 2);
        let list = answers(app, &["run", "list", "--status", "completed", "--json"]).await;
        assert!(list.to_string().contains(id), "{list}");
        agent.on("/a", |_| Reply::Never);
        let second = answers(app, &["run", "start", "w", "--json"]).await;
        let second = second["id"].as_str().unwrap();
        agent.called("/a", 3).await;
        answers(
            app,
            &["run", "cancel", second, "--reason", "enough", "--json"],
        )
        .await;
        let over = app.api.finished(second).await;
        assert_eq!(
            (&over["status"], &over["cancel_reason"]),
            (&json!("cancelled"), &json!("enough"))
        );
        let (code, process) = stepwell(app, &["run", "retry", id]).await;
        assert_eq!(
            code,
            Some(EXIT_FAILED),
            "a completed run: {}",
            process.log()
        );
        let nobody = "01890000-0000-7000-8000-000000000000";
        let (code, _) = stepwell(app, &["run", "get", nobody]).await;
        assert_eq!(code, Some(EXIT_FAILED));
    })
    .await;
}

#[tokio::test]
async fn apply_takes_a_directory() {
    with_app(async |app| {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, body: &Value| {
            std::fs::write(directory.path().join(name), body.to_string()).unwrap();
        };
        let path = directory.path().display().to_string();
        let (code, process) = stepwell(app, &["apply", "-f", &path]).await;
        assert_eq!(code, Some(EXIT_FAILED), "{}", process.log());
        write(
            "a.json",
            &json!({"name": "a", "url": "http://127.0.0.1:9/"}),
        );
        write("notes.txt", &json!("not for us"));
        let step = json!({"name": "s", "type": "agent", "config": {"agent": "a"}});
        write(
            "w.json",
            &json!([{"id": "w", "name": "w", "steps": [step]}]),
        );
        let applied = answers(app, &["apply", "--json", "-f", &path]).await;
        let names: Vec<_> = applied
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["name"])
            .collect();
        assert_eq!(names, ["a", "w"]);
        // Nothing comes from the standard input of a test.
        let (code, process) = stepwell(app, &["apply", "-f", "-"]).await;
        assert_eq!(code, Some(EXIT_FAILED), "{}", process.log());
        assert!(
            process.log().contains("standard input"),
            "{}",
            process.log()
        );
    })
    .await;
}

#[tokio::test]
async fn runs_are_listed_by_every_filter() {
    with_app(async |app| {
        let steps = json!([{"name": "s", "type": "transform", "config": {"value": 1}}]);
        for name in ["one", "two"] {
            app.api.workflow(name, steps.clone()).await;
        }
        let order = json!({"input": {}, "labels": {"team": "a"}, "queue": "default"});
        let run = app
            .api
            .post("workflows/one/execute", order)
            .await
            .of(202)
            .body;
        app.api.finished(run["id"].as_str().unwrap()).await;
        let second = app
            .api
            .post("workflows/two/execute", json!({}))
            .await
            .of(202)
            .body;
        app.api.finished(second["id"].as_str().unwrap()).await;
        let ids = async |filters: &[&str]| -> Vec<Value> {
            let mut arguments = vec!["run", "list", "--json"];
            arguments.extend(filters);
            let page = answers(app, &arguments).await;
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|run| run["id"].clone())
                .collect()
        };
        let newest_first = vec![second["id"].clone(), run["id"].clone()];
        assert_eq!(
            ids(&["--status", "completed", "--queue", "default"]).await,
            newest_first
        );
        assert_eq!(ids(&["--workflow", "one"]).await, newest_first[1..]);
        assert_eq!(ids(&["--label", "team:a"]).await, newest_first[1..]);
        let time = second["created_at"].as_str().unwrap();
        assert_eq!(ids(&["--created-before", time]).await, newest_first[1..]);
        assert_eq!(ids(&["--created-after", time]).await, newest_first[..1]);
        assert!(
            ids(&["--parent", run["id"].as_str().unwrap()])
                .await
                .is_empty()
        );
        let page = answers(app, &["run", "list", "--json", "--limit", "1"]).await;
        let cursor = page["next_cursor"].as_str().unwrap();
        assert_eq!(ids(&["--cursor", cursor]).await, newest_first[1..]);
    })
    .await;
}

/// Runs a command that must not start anything.
async fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut process = Process::spawn("refused", arguments, variables);
    let code = process.exit().await.code();
    assert_eq!(
        code,
        Some(EXIT_USAGE),
        "{arguments:?} {variables:?}: {}",
        process.log()
    );
    assert!(
        process.output().is_empty() || arguments.is_empty(),
        "{}",
        process.output()
    );
    process.log()
}

#[tokio::test]
async fn mistakes_are_refused_with_a_hint() {
    let nowhere = ("DATABASE_URL", "postgres://127.0.0.1:9/x");
    refused(&["dance"], &[]).await;
    refused(&["up", "--prot", "1"], &[]).await;
    assert!(refused(&["api"], &[]).await.contains("DATABASE_URL"));
    let said = refused(&["api"], &[nowhere, ("STEPWELL_HTTP_PROT", "1")]).await;
    assert!(said.contains("STEPWELL_HTTP_PROT"), "{said}");
    let said = refused(&["api", "--host", "0.0.0.0"], &[nowhere]).await;
    assert!(said.contains("--insecure"), "{said}");
    let said = refused(&["worker", "--concurrency", "0"], &[nowhere]).await;
    assert!(said.contains("concurrency"), "{said}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("stepwell.toml");
    std::fs::write(&file, "[server]\nprot = 1\n").unwrap();
    let file = file.display().to_string();
    let said = refused(&["api", "--config", &file], &[nowhere]).await;
    assert!(said.contains("prot") && said.contains("line 2"), "{said}");
}

#[tokio::test]
async fn flags_win_over_variables_over_the_file() {
    with_app(async |app| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("stepwell.toml");
        let port = crate::harness::port::free();
        std::fs::write(
            &file,
            format!("[server]\nport = {port}\n[process]\nenvironment = \"file\"\n"),
        )
        .unwrap();
        let file = file.display().to_string();
        let url = app.database.url.clone();
        for (flags, variable, expected) in [
            (&[][..], None, "file"),
            (&[], Some("variable"), "variable"),
            (&["--environment", "flag"], Some("variable"), "flag"),
        ] {
            let mut arguments = vec!["api", "--config", &file];
            arguments.extend(flags);
            let mut variables = vec![("DATABASE_URL", url.as_str())];
            variables.extend(variable.map(|value| ("STEPWELL_ENVIRONMENT", value)));
            let mut process = Process::spawn("api", &arguments, &variables);
            let client = crate::harness::Client::new(port);
            crate::harness::app::ready(&client, std::slice::from_mut(&mut process)).await;
            assert_eq!(
                client.get("/version").await.of(200).body["environment"],
                expected
            );
            assert_eq!(process.stop().await.code(), Some(EXIT_OK));
        }
    })
    .await;
}

//! Commands that look and change nothing: doctor, health, the schema's version, completions.

use serde_json::{Value, json};

use super::{answers, refused, stepwell};
use crate::harness::process::{EXIT_FAILED, EXIT_OK};
use crate::harness::{PATIENCE, Process, until, with_app};

#[tokio::test]
async fn the_doctor_tells_what_is_well_and_what_is_not() {
    with_app(async |app| {
        let variables = app.variables();
        let mut variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let examined = async |variables: &[(&str, &str)]| -> (Option<i32>, Value) {
            let mut process = Process::spawn("doctor", &["doctor", "--json"], variables);
            let code = process.exit().await.code();
            let answer = serde_json::from_str(&process.output());
            (code, answer.unwrap_or_else(|_| panic!("{}", process.log())))
        };
        let state = |answer: &Value, check: &str| {
            let all = answer["checks"].as_array().unwrap();
            let found = all.iter().find(|one| one["check"] == check);
            found.unwrap_or_else(|| panic!("{check}: {answer}"))["state"].clone()
        };
        until("the worker is there", PATIENCE, async || {
            let alive = "select count(*) from stepwell.worker where status = 'alive'";
            (app.database.number(alive).await == 1).then_some(())
        })
        .await;
        let (code, well) = examined(&variables).await;
        for check in [
            "master key",
            "database",
            "server version",
            "clock",
            "schema version",
            "partitions",
            "default partitions",
            "dead workers",
            "workers' clocks",
            "workers",
            "queues served",
            "oldest due run",
        ] {
            assert_eq!(state(&well, check), "ok", "{check}: {well}");
        }
        // Tests run without fsync, which is what a doctor is there to find.
        let durable = state(&well, "durability") == "ok";
        assert_eq!(
            code,
            Some(if durable { EXIT_OK } else { EXIT_FAILED }),
            "{well}"
        );
        assert_eq!(well["healthy"], durable);
        // For people: a line each.
        let mut process = Process::spawn("doctor", &["doctor"], &variables);
        process.exit().await;
        assert!(
            process.output().contains("ok    schema version"),
            "{}",
            process.log()
        );
        // A key that cannot be read, and a database that is not there.
        variables.push(("STEPWELL_MASTER_KEY_FILE", "/nowhere"));
        let (code, answer) = examined(&variables).await;
        assert_eq!(
            (code, state(&answer, "master key")),
            (Some(EXIT_FAILED), json!("fail"))
        );
        let away = [("DATABASE_URL", "postgres://stepwell@127.0.0.1:9/stepwell")];
        let (code, answer) = examined(&away).await;
        assert_eq!(
            (code, state(&answer, "database")),
            (Some(EXIT_FAILED), json!("fail"))
        );
        assert_eq!(state(&answer, "master key"), "warn");
        let told = answer.to_string();
        assert!(told.contains("check DATABASE_URL"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn health_is_an_exit_code() {
    with_app(async |app| {
        let ready = app.api.url("/health/ready");
        let (code, process) = stepwell(app, &["health", &ready]).await;
        assert_eq!(code, Some(EXIT_OK), "{}", process.log());
        let answer = answers(app, &["health", &ready, "--json"]).await;
        assert_eq!(
            (&answer["healthy"], &answer["http_status"]),
            (&json!(true), &json!(200))
        );
        let (code, _) = stepwell(app, &["health", &app.api.url("/nowhere")]).await;
        assert_eq!(code, Some(EXIT_FAILED));
        let (code, _) = stepwell(app, &["health", "http://127.0.0.1:9/health"]).await;
        assert_eq!(code, Some(EXIT_FAILED));
        refused(&["health", "not a url"], &[]).await;
    })
    .await;
}

#[tokio::test]
async fn migrations_are_told_as_json() {
    with_app(async |app| {
        let variables = [("DATABASE_URL", app.database.url.as_str())];
        let mut process = Process::spawn("status", &["migrate", "status", "--json"], &variables);
        assert_eq!(
            process.exit().await.code(),
            Some(EXIT_OK),
            "{}",
            process.log()
        );
        let status: Value = serde_json::from_str(&process.output()).unwrap();
        assert_eq!(status["standing"], "current");
        assert_eq!(status["migrations"][0]["applied"], true);
        let away = [("DATABASE_URL", "postgres://stepwell@127.0.0.1:9/stepwell")];
        let mut process = Process::spawn("status", &["migrate", "status"], &away);
        assert_eq!(
            process.exit().await.code(),
            Some(EXIT_FAILED),
            "{}",
            process.log()
        );
        refused(&["migrate", "status"], &[]).await;
        refused(&["migrate", "sideways"], &[]).await;
    })
    .await;
}

#[tokio::test]
async fn shells_learn_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let mut process = Process::spawn("completions", &["completions", shell], &[]);
        assert_eq!(
            process.exit().await.code(),
            Some(EXIT_OK),
            "{}",
            process.log()
        );
        let script = process.output();
        for word in ["migrate", "doctor", "completions", "idempotency-key"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        assert!(
            !script.contains("postgres-guard"),
            "{shell} offers what is not for people"
        );
    }
    refused(&["completions", "cobol"], &[]).await;
}

#[tokio::test]
async fn a_measurement_leaves_nothing_but_its_history() {
    with_app(async |app| {
        let variables = app.variables();
        let variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let few = [
            "bench",
            "--runs",
            "30",
            "--steps",
            "2",
            "--singles",
            "3",
            "--json",
        ];
        let mut process = Process::spawn("bench", &few, &variables);
        assert_eq!(
            process.exit().await.code(),
            Some(EXIT_OK),
            "{}",
            process.log()
        );
        let told: Value = serde_json::from_str(&process.output()).unwrap();
        assert_eq!((&told["runs"], &told["steps"]), (&json!(30), &json!(2)));
        for pointer in [
            "/enqueue_runs_per_second",
            "/drain_steps_per_second",
            "/single_run_ms/p95",
        ] {
            let figure = told.pointer(pointer).unwrap().as_f64().unwrap();
            assert!(figure > 0.0, "{told}");
        }
        let completed =
            "select count(*) from stepwell.run where status = 'completed' and steps_total = 2";
        assert_eq!(app.database.number(completed).await, 33);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.job")
                .await,
            0
        );
        let live = app.api.get("workflows").await.of(200);
        assert_eq!(live.body["items"], json!([]));
    })
    .await;
}

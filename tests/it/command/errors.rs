//! How commands fail: with the right code, and for machines in JSON.

use serde_json::{Value, json};

use super::{refused, stepwell};
use crate::harness::process::{EXIT_FAILED, EXIT_OK, EXIT_USAGE};
use crate::harness::{Database, Process, with_app};

/// The one object that a command said besides its answer.
#[track_caller]
fn error(process: &Process) -> Value {
    let log = process.log();
    let said = log.strip_prefix(&process.output()).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    serde_json::from_str(said).unwrap_or_else(|_| panic!("{said}"))
}

#[tokio::test]
async fn machines_are_told_of_errors_in_json() {
    with_app(async |app| {
        let nobody = "01890000-0000-7000-8000-000000000000";
        let (code, process) = stepwell(app, &["run", "get", nobody, "--json"]).await;
        assert_eq!(code, Some(EXIT_FAILED), "{}", process.log());
        let problem = error(&process);
        assert_eq!(problem["type"], "urn:stepwell:problem:not-found");
        assert_eq!(problem["status"], 404);
        assert!(problem["request_id"].is_string(), "{problem}");
        let (code, process) = stepwell(app, &["dance", "--json"]).await;
        assert_eq!(code, Some(EXIT_USAGE), "{}", process.log());
        assert_eq!(error(&process)["type"], "urn:stepwell:problem:usage");
        let (code, process) = stepwell(app, &["key", "list", "--json"]).await;
        assert_eq!(code, Some(EXIT_USAGE), "{}", process.log());
        let problem = error(&process);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("DATABASE_URL"), "{problem}");
        let (code, process) = stepwell(app, &["apply", "--json", "-f", "/nowhere.json"]).await;
        assert_eq!(code, Some(EXIT_FAILED), "{}", process.log());
        assert_eq!(error(&process)["type"], "urn:stepwell:problem:failed");
    })
    .await;
}

#[tokio::test]
async fn what_was_applied_is_told_also_when_the_rest_was_refused() {
    with_app(async |app| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("all.json");
        let apply = async |all: Value| {
            std::fs::write(&file, all.to_string()).unwrap();
            let file = file.display().to_string();
            let (code, process) = stepwell(app, &["apply", "--json", "-f", &file]).await;
            assert_eq!(code, Some(EXIT_FAILED), "{}", process.log());
            let told: Value = serde_json::from_str(&process.output()).unwrap();
            let told = told.as_array().unwrap().clone();
            let outcomes = told.iter().map(|one| one["outcome"].clone());
            (outcomes.collect::<Vec<_>>(), told, error(&process))
        };
        let good = json!({"name": "good", "url": "http://127.0.0.1:9/"});
        let bad = json!({"name": "bad", "url": "ftp://x/"});
        let (outcomes, told, problem) = apply(json!([good, bad])).await;
        assert_eq!(outcomes, ["created", "refused"]);
        assert_eq!(told[1]["problem"]["errors"][0]["pointer"], "/url");
        assert_eq!(problem, told[1]["problem"]);

        let workflow = |name: &str| json!({"id": name, "name": name, "steps": [{"name": "s", "type": "nothing"}]});
        let (outcomes, _, problem) = apply(json!([good, workflow("v"), workflow("w")])).await;
        assert_eq!(outcomes, ["unchanged", "refused", "refused"]);
        assert_eq!(problem["type"], "urn:stepwell:problem:failed");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_argument_is_one_wherever_it_is_noticed() {
    with_app(async |app| {
        for wrong in [
            &["--status", "nope"][..],
            &["--limit", "0"],
            &["--limit", "201"],
            &["--label", "x"],
            &["--label", "a b:x"],
            &["--parent", "x"],
            &["--cursor", "xx"],
            &["--created-after", "yesterday"],
            &["--created-before", "2026-03-01"],
        ] {
            let arguments = [&["run", "list"], wrong].concat();
            let (code, process) = stepwell(app, &arguments).await;
            assert_eq!(code, Some(EXIT_USAGE), "{wrong:?}: {}", process.log());
        }
    })
    .await;
}

#[tokio::test]
async fn a_single_fault_is_told_once_and_many_without_ado() {
    with_app(async |app| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("agent.json");
        let said = async |agent: Value| {
            std::fs::write(&file, agent.to_string()).unwrap();
            let file = file.display().to_string();
            stepwell(app, &["apply", "-f", &file]).await.1.log()
        };
        let one = said(json!({"name": "a", "url": "ftp://x/"})).await;
        assert_eq!(one.matches("http").count(), 2, "one sentence: {one}");
        assert_eq!(one.lines().count(), 1, "{one}");
        let two = said(json!({"name": "a", "url": "ftp://x/", "timeout_ms": 0})).await;
        assert!(two.contains("2 things are wrong:\n"), "{two}");
        assert_eq!(two.lines().count(), 3, "{two}");
    })
    .await;
}

#[tokio::test]
async fn the_database_may_be_named_after_the_verb() {
    let database = Database::migrated().await;
    let url = database.url.as_str();
    for arguments in [
        &["migrate", "status", "--database-url", url][..],
        &["migrate", "--database-url", url, "status"],
        &["key", "list", "--database-url", url],
        &[
            "key",
            "create",
            "--name",
            "a",
            "--role",
            "viewer",
            "--database-url",
            url,
        ],
        &["key", "revoke", "a", "--database-url", url],
    ] {
        // What stands on the command line wins, wherever.
        let elsewhere = [("DATABASE_URL", "postgres://127.0.0.1:9/x")];
        let mut process = Process::spawn("named", arguments, &elsewhere);
        let code = process.exit().await.code();
        assert_eq!(code, Some(EXIT_OK), "{arguments:?}: {}", process.log());
    }
    for verb in [["migrate", "status"], ["key", "list"], ["secret", "rotate"]] {
        let mut process = Process::spawn("help", &[verb[0], verb[1], "--help"], &[]);
        process.exit().await;
        assert!(process.output().contains("--database-url"), "{verb:?}");
    }
    database.drop_it().await;
}

#[tokio::test]
async fn an_empty_variable_is_not_set() {
    let database = Database::migrated().await;
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("STEPWELL_DATABASE_POOL_MAX", ""),
        ("STEPWELL_MASTER_KEY", ""),
        ("STEPWELL_LOG_FORMAT", ""),
        ("STEPWELL_CONFIG", ""),
    ];
    let mut process = Process::spawn("empty", &["key", "list", "--json"], &variables);
    let code = process.exit().await.code();
    assert_eq!(code, Some(EXIT_OK), "{}", process.log());
    let said = refused(
        &["api"],
        &[("DATABASE_URL", ""), ("STEPWELL_HTTP_PORT", "")],
    )
    .await;
    assert!(said.contains("no database is named"), "{said}");
    let said = refused(&["api"], &[("STEPWELL_HTTP_PROT", "")]).await;
    assert!(said.contains("STEPWELL_HTTP_PROT"), "{said}");
    database.drop_it().await;
}

#[tokio::test]
async fn an_api_does_not_listen_over_a_schema_that_is_not_its_own() {
    let database = Database::empty().await;
    let arguments = ["api", "--port", "0"];
    let mut process = Process::spawn("api", &arguments, &[("DATABASE_URL", &database.url)]);
    let code = process.exit().await.code();
    assert_eq!(code, Some(EXIT_FAILED), "{}", process.log());
    assert_eq!(process.output(), "");
    assert!(
        process.log().contains("stepwell migrate up"),
        "{}",
        process.log()
    );
    database.drop_it().await;
}

//! Definitions that are wrong: every finding is listed, with its place, and nothing is stored.

use serde_json::{Value, json};

use crate::harness::{Answer, App, with_app};

async fn refused(app: &App, steps: Value) -> Answer {
    let body = json!({"id": "w", "name": "w", "steps": steps});
    let validated = app.api.post("workflows/validate", body.clone()).await;
    let answer = app.api.post("workflows", body).await.problem(422);
    // Validation finds the same; whether that is a 200 with findings or a 422 is its contract.
    assert!([200, 422].contains(&validated.status), "{}", validated.raw);
    for error in answer.body["errors"].as_array().unwrap() {
        assert!(
            validated.raw.contains(error["pointer"].as_str().unwrap()),
            "{}",
            validated.raw
        );
    }
    assert_eq!(
        app.database
            .number("select count(*) from stepwell.workflow")
            .await,
        0
    );
    answer
}

fn transform(name: &str, more: Value) -> Value {
    let mut step = json!({"name": name, "type": "transform", "config": {"value": 1}});
    step.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    step
}

#[tokio::test]
async fn a_sound_definition_has_no_findings_and_is_not_stored() {
    with_app(async |app| {
        let body = json!({"id": "w", "name": "w", "steps": [transform("a", json!({}))]});
        let answer = app.api.post("workflows/validate", body).await.of(200);
        assert_eq!(answer.body["valid"], true, "{}", answer.raw);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.workflow")
                .await,
            0
        );
    })
    .await;
}

#[tokio::test]
async fn a_cycle_is_found() {
    with_app(async |app| {
        let steps = json!([
            transform("a", json!({"needs": ["c"]})),
            transform("b", json!({"needs": ["a"]})),
            transform("c", json!({"needs": ["b"]}))
        ]);
        let answer = refused(app, steps).await;
        answer.finds("/steps/0/needs", "wait for each other");
        let steps = json!([transform("a", json!({"needs": ["a"]}))]);
        refused(app, steps).await;
    })
    .await;
}

#[tokio::test]
async fn all_findings_are_listed_not_only_the_first() {
    with_app(async |app| {
        let steps = json!([
            transform("a", json!({"needs": ["nobody"]})),
            transform("a", json!({})),
            {"name": "1st", "type": "transform", "config": {"value": 1}},
            {"name": "x", "type": "dance", "config": {}},
            {"name": "y", "type": "transform", "config": {"value": "${1 +}"}},
            {"name": "z", "type": "agent", "config": {"agent": "unknown"}},
        ]);
        let answer = refused(app, steps).await;
        let pointers = answer.pointers();
        for place in [
            "/steps/0/needs/0",
            "/steps/1/name",
            "/steps/2/name",
            "/steps/3/type",
            "/steps/4/config/value",
            "/steps/5/config/agent",
        ] {
            assert!(
                pointers.iter().any(|p| p == place),
                "{place} in {}",
                answer.raw
            );
        }
    })
    .await;
}

#[tokio::test]
async fn needs_and_sequence_do_not_mix() {
    with_app(async |app| {
        let steps = json!([
            transform("a", json!({"sequence": 1})),
            transform("b", json!({"needs": ["a"]}))
        ]);
        refused(app, steps).await;
    })
    .await;
}

#[tokio::test]
async fn expressions_are_checked_when_saved() {
    with_app(async |app| {
        for (value, why) in [
            ("${steps.nobody.output}", "nobody"),
            ("${steps.b.output}", "b"),
            ("${input.}", ""),
            ("${unknown_name}", "unknown_name"),
            ("${item}", "item"),
            ("${nope(1)}", "nope"),
            ("${1", ""),
        ] {
            let steps = json!([
                {"name": "a", "type": "transform", "config": {"value": value}},
                transform("b", json!({})),
            ]);
            let answer = refused(app, steps).await;
            answer.finds("/steps/0/config/value", why);
        }
        let steps = json!([
            transform("a", json!({"when": "1 + 1"})),
            transform("b", json!({"when": "(("}))
        ]);
        let answer = refused(app, steps).await;
        answer.finds("/steps/1/when", "");
    })
    .await;
}

#[tokio::test]
async fn deep_and_long_expressions_are_refused() {
    with_app(async |app| {
        let deep = format!("${{{}1{}}}", "(".repeat(500), ")".repeat(500));
        let long = format!("${{{}}}", "1+".repeat(3_000) + "1");
        for value in [deep, long] {
            let steps = json!([{"name": "a", "type": "transform", "config": {"value": value}}]);
            refused(app, steps).await.finds("/steps/0/config/value", "");
        }
        // Text nested deeper than anybody writes must not bring the process down either.
        let nested = "[".repeat(20_000) + &"]".repeat(20_000);
        let answer = app
            .api
            .post_raw("workflows", "application/json", nested)
            .await;
        answer.problem(400);
        app.api.get("/health/live").await.of(200);
    })
    .await;
}

#[tokio::test]
async fn configuration_that_a_type_needs_is_asked_for() {
    with_app(async |app| {
        for (kind, config) in [
            ("agent", json!({})),
            ("http", json!({"method": "GET"})),
            ("webhook", json!({})),
            ("delay", json!({})),
            ("delay", json!({"duration": -1})),
            ("delay", json!({"duration": "two minutes"})),
            ("transform", json!({})),
            ("decide", json!({})),
            ("decide", json!({"rules": [{"value": 1}]})),
            ("map", json!({"items": "${input.x}"})),
            ("wait", json!({})),
            ("workflow", json!({})),
            ("task", json!({})),
        ] {
            let body = json!({"id": "w", "name": "w", "steps": [{"name": "s", "type": kind, "config": config}]});
            let answer = app.api.post("workflows", body).await;
            assert!([400, 422].contains(&answer.status), "{kind} {config}: {}", answer.raw);
            let status = answer.status;
            let answer = answer.problem(status);
            assert!(answer.pointers().iter().all(|p| p.starts_with("/steps/0/config")), "{}", answer.raw);
        }
        assert_eq!(app.database.number("select count(*) from stepwell.workflow").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_key_of_config_is_refused() {
    with_app(async |app| {
        let steps =
            json!([{"name": "s", "type": "delay", "config": {"duration": 1, "durration": 2}}]);
        let answer = app
            .api
            .post("workflows", json!({"id": "w", "name": "w", "steps": steps}))
            .await;
        assert!([400, 422].contains(&answer.status), "{}", answer.raw);
        answer.finds("/steps/0/config/durration", "");
    })
    .await;
}

#[tokio::test]
async fn limits_are_told() {
    with_app(async |app| {
        let many: Vec<_> = (0..1_001)
            .map(|n| transform(&format!("s{n}"), json!({})))
            .collect();
        let answer = refused(app, json!(many)).await;
        assert!(
            answer.raw.contains("1000") || answer.raw.contains("1,000"),
            "{}",
            answer.raw
        );
        refused(app, json!([])).await;
        let large =
            json!([{"name": "s", "type": "transform", "config": {"value": "x".repeat(1 << 20)}}]);
        let answer = app
            .api
            .post("workflows", json!({"id": "w", "name": "w", "steps": large}))
            .await;
        assert!([413, 422].contains(&answer.status), "{}", answer.raw);
        let retry = json!([transform("s", json!({"retry": {"max_attempts": 0}}))]);
        refused(app, retry)
            .await
            .finds("/steps/0/retry/max_attempts", "");
        let error = json!([transform("s", json!({"on_error": "shrug"}))]);
        refused(app, error).await.finds("/steps/0/on_error", "");
        let negative = json!([transform("s", json!({"timeout_ms": 0}))]);
        refused(app, negative)
            .await
            .finds("/steps/0/timeout_ms", "");
    })
    .await;
}

#[tokio::test]
async fn a_schema_that_is_none_is_refused() {
    with_app(async |app| {
        let body = json!({"id": "w", "name": "w", "input_schema": {"type": "nonsense"},
            "steps": [transform("a", json!({}))]});
        let answer = app.api.post("workflows", body).await.problem(422);
        assert!(answer.pointers()[0].starts_with("/input_schema"), "{}", answer.raw);
        // A schema must not fetch what it names.
        let body = json!({"id": "w", "name": "w", "input_schema": {"$ref": "http://127.0.0.1:9/x.json"},
            "steps": [transform("a", json!({}))]});
        app.api.post("workflows", body).await.problem(422);
    })
    .await;
}

#[tokio::test]
async fn a_version_that_there_is_not_is_found() {
    with_app(async |app| {
        app.api
            .workflow("child", json!([transform("a", json!({}))]))
            .await;
        let calls = |workflow: &str, version: i32| {
            let config = json!({"workflow": workflow, "version": version});
            let steps = json!([{"name": "s", "type": "workflow", "config": config}]);
            json!({"id": "w", "name": "w", "steps": steps})
        };
        let answer = app
            .api
            .post("workflows", calls("child", 9))
            .await
            .problem(422);
        answer.finds("/steps/0/config/version", "no version 9");
        let answer = app
            .api
            .post("workflows", calls("nobody", 9))
            .await
            .problem(422);
        assert_eq!(answer.pointers(), ["/steps/0/config/workflow"]);
        app.api.post("workflows", calls("child", 1)).await.of(201);
    })
    .await;
}

#[tokio::test]
async fn a_url_holds_no_credentials() {
    with_app(async |app| {
        let url = "http://user:secret@127.0.0.1:9/";
        let step = json!([{"name": "h", "type": "http", "config": {"url": url}}]);
        refused(app, step)
            .await
            .finds("/steps/0/config/url", "credentials");
        let agent = json!({"name": "a", "url": url});
        let refused = app.api.post("agents", agent).await.problem(422);
        refused.finds("/url", "use auth_type basic");
        let hook = json!({"url": url, "event_types": ["stepwell.run.completed"]});
        let refused = app.api.post("subscriptions", hook).await.problem(422);
        refused.finds("/url", "deliveries are signed");
        assert!(!refused.raw.contains("auth_type"), "{}", refused.raw);
        // Filled in, it is found when it is called.
        let step = json!([{"name": "h", "type": "http", "config": {"url": "${input.url}"}}]);
        app.api.workflow("w", step).await;
        let run = app.api.execute("w", json!({ "url": url })).await;
        assert_eq!(
            (&run["status"], &run["error"]["type"]),
            (&json!("failed"), &json!("invalid_url"))
        );
        assert!(!run["error"].to_string().contains("secret"), "{run}");
    })
    .await;
}

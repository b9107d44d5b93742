//! Everything that is wrong is told with SQLSTATE, message, detail and hint, and nothing is written.

use serde_json::{Value, json};

use crate::harness::{App, with_app};
use crate::sql::psql::Psql;

const INVALID: &str = "22023";
const NOT_FOUND: &str = "P0002";
const STATE: &str = "55000";

async fn workflows(app: &App) {
    let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
    app.api.workflow("w", steps.clone()).await;
    app.api
        .workflow_with("off", steps.clone(), json!({"status": "inactive"}))
        .await;
    app.api.workflow("gone", steps).await;
    app.api.delete("workflows/gone").await.of(204);
}

#[tokio::test]
async fn execute_says_what_is_wrong() {
    let app = App::separate(0, &[]).await;
    workflows(&app).await;
    let psql = Psql::new(&app.database);
    let nested = |levels: usize| format!("'{}{}'", "[".repeat(levels), "]".repeat(levels));
    let cases: &[(&str, &str, &[&str])] = &[
        ("'x', '{}'", NOT_FOUND, &["no workflow x"]),
        ("'gone', '{}'", NOT_FOUND, &["no workflow gone", "deleted"]),
        ("null, '{}'", NOT_FOUND, &["no workflow without a name"]),
        (
            "'0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41', '{}'",
            NOT_FOUND,
            &["no workflow"],
        ),
        ("'a''b', '{}'", NOT_FOUND, &["a'b"]),
        ("'off', '{}'", STATE, &["inactive"]),
        (
            r#"'w', '{}', '{"version": 2}'"#,
            INVALID,
            &["no version 2", "latest is 1"],
        ),
        (
            r#"'w', '{}', '{"version": 1.5}'"#,
            INVALID,
            &["options.version", "integer"],
        ),
        (
            r#"'w', '{}', '{"version": "1"}'"#,
            INVALID,
            &["options.version", "integer"],
        ),
        (
            r#"'w', '{}', '{"colour": 1}'"#,
            INVALID,
            &["no option colour", "priority"],
        ),
        ("'w', '{}', '[]'", INVALID, &["object", "array"]),
        (
            r#"'w', '{}', '{"priority": 101}'"#,
            INVALID,
            &["priority", "from -100 to 100, not 101"],
        ),
        (
            r#"'w', '{}', '{"priority": -9223372036854775808}'"#,
            INVALID,
            &["priority"],
        ),
        (
            r#"'w', '{}', '{"timeout_ms": 0}'"#,
            INVALID,
            &["timeout_ms"],
        ),
        (
            r#"'w', '{}', '{"timeout_ms": 31622400001}'"#,
            INVALID,
            &["timeout_ms"],
        ),
        (
            r#"'w', '{}', '{"run_at": "tomorrow"}'"#,
            INVALID,
            &["run_at", "tomorrow"],
        ),
        (
            r#"'w', '{}', '{"run_at": "2026-02-30T00:00:00Z"}'"#,
            INVALID,
            &["run_at"],
        ),
        (
            r#"'w', '{}', '{"run_at": "2126-01-01T00:00:00Z"}'"#,
            INVALID,
            &["366 days ahead"],
        ),
        (
            r#"'w', '{}', '{"queue": "a b"}'"#,
            INVALID,
            &["queue", "a b"],
        ),
        (
            r#"'w', '{}', '{"dedupe_key": ""}'"#,
            INVALID,
            &["dedupe_key"],
        ),
        (
            r#"'w', '{}', '{"labels": {"a": 1}}'"#,
            INVALID,
            &["labels.a", "string"],
        ),
        (
            r#"'w', '{}', '{"labels": []}'"#,
            INVALID,
            &["labels", "object"],
        ),
        (
            r#"'w', '{}', '{"request_id": "a b"}'"#,
            INVALID,
            &["request id"],
        ),
        ("'w', '1e309'", INVALID, &["input", "too large"]),
        (
            "'w', to_jsonb(repeat('x', 4 << 20))",
            INVALID,
            &["input", "4194304"],
        ),
    ];
    for (arguments, state, words) in cases {
        let refusal = psql.refused(&format!("select stepwell.execute({arguments});"));
        refusal.is(state, words);
        assert!(!refusal.hint.is_empty(), "{refusal:?}");
    }
    psql.refused(&format!("select stepwell.execute('w', {});", nested(101)))
        .is(INVALID, &["100 levels"]);
    psql.run(&format!(
        "begin; select stepwell.execute('w', {}); rollback;",
        nested(100)
    ));
    let many = psql.refused(
        r#"select stepwell.execute('w', '1e309', '{"priority": 101, "queue": "", "labels": {"": "x"}, "timeout_ms": -1}');"#,
    );
    many.is(
        INVALID,
        &[
            "5 rules",
            "priority",
            "queue",
            "labels",
            "timeout_ms",
            "input",
        ],
    );
    // What is unknown, of the wrong type or out of bounds hides nothing else.
    let many = psql.refused(
        r#"select stepwell.execute('w', '1e309', '{"colour": 1, "size": 2, "version": 77, "priority": "5", "run_at": "soon", "queue": "a b",
            "labels": [], "timeout_ms": 1.5, "dedupe_key": "", "request_id": "a b", "traceparent": 5}');"#,
    );
    many.is(
        INVALID,
        &[
            "12 rules",
            "no option colour; there are",
            "no option size",
            "no version 77; its latest is 1",
            "options.priority must be of type integer, not \"5\"",
            "options.run_at",
            "options.queue",
            "options.labels must be of type object, not []",
            "options.timeout_ms must be of type integer, not 1.5",
            "options.dedupe_key",
            "options.request_id",
            "options.traceparent must be of type string, not 5",
            "input has a number",
        ],
    );
    for table in ["run", "job", "inbox", "dedupe"] {
        assert_eq!(
            app.database
                .number(&format!("select count(*) from stepwell.{table}"))
                .await,
            0,
            "{table}"
        );
    }
    app.finish().await;
}

/// The last value that is taken and the first that is not are the same at both doors.
#[tokio::test]
async fn the_bounds_are_those_of_the_api() {
    let app = App::separate(0, &[]).await;
    workflows(&app).await;
    let psql = Psql::new(&app.database);
    let year_ms = 366_i64 * 86_400_000;
    let labels = |n: usize| -> Value {
        json!({"labels": (0..n).map(|n| (n.to_string(), "x".into())).collect::<serde_json::Map<_, _>>()})
    };
    let text = |n: usize| "ü".repeat(n);
    let cases = [
        (json!({"priority": 100}), json!({"priority": 101})),
        (json!({"priority": -100}), json!({"priority": -101})),
        (json!({"timeout_ms": 1}), json!({"timeout_ms": 0})),
        (
            json!({"timeout_ms": year_ms}),
            json!({"timeout_ms": year_ms + 1}),
        ),
        (
            json!({"queue": "q".repeat(64)}),
            json!({"queue": "q".repeat(65)}),
        ),
        (json!({"queue": "9._-"}), json!({"queue": "-9"})),
        (
            json!({"dedupe_key": text(255)}),
            json!({"dedupe_key": text(256)}),
        ),
        (labels(64), labels(65)),
        (
            json!({"labels": {"k".repeat(63): ""}}),
            json!({"labels": {"k".repeat(64): ""}}),
        ),
        (
            json!({"labels": {"k": text(255)}}),
            json!({"labels": {"k": text(256)}}),
        ),
        (
            json!({"labels": {"a/b._-9": "x"}}),
            json!({"labels": {"ü": "x"}}),
        ),
        (json!({"version": 1}), json!({"version": 0})),
        (
            json!({"version": null, "labels": null}),
            json!({"version": 2}),
        ),
        (
            json!({"run_at": "2020-01-01T00:00:00.123+01:00"}),
            json!({"run_at": "2020-01-01"}),
        ),
    ];
    for (taken, refused) in cases {
        let call = |options: &Value| {
            format!("begin; select stepwell.execute('w', '{{}}', $json${options}$json$); rollback;")
        };
        app.api
            .post("workflows/w/execute", taken.clone())
            .await
            .of(202);
        // What the first door has taken the second would be refused.
        psql.run("delete from stepwell.dedupe;");
        psql.run(&call(&taken));
        let status = app
            .api
            .post("workflows/w/execute", refused.clone())
            .await
            .status;
        assert!(status == 422 || status == 400, "{status} for {refused}");
        psql.refused(&call(&refused)).is(INVALID, &[]);
    }
    app.finish().await;
}

#[tokio::test]
async fn commands_say_what_is_wrong() {
    with_app(async |app| {
        workflows(app).await;
        let psql = Psql::new(&app.database);
        let id = psql.run("select stepwell.execute('w', '{}');");
        app.api.finished(&id).await;
        let nobody = "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41";
        for command in [
            "cancel_run({})",
            "retry_run({})",
            "signal_run({}, 'go')",
            "pause_run({})",
            "resume_run({})",
        ] {
            let call = |run: &str| format!("select stepwell.{};", command.replace("{}", run));
            psql.refused(&call(&format!("'{nobody}'")))
                .is(NOT_FOUND, &["no run", nobody]);
            psql.refused(&call("null"))
                .is("22004", &["must not be null"]);
            psql.refused(&call("'abc'")).is("22P02", &["abc"]);
            psql.refused(&call(&format!("'{id}'")))
                .is(STATE, &[&id, "is over: completed"]);
        }
        for (call, words) in [
            ("cancel_run(R, repeat('ü', 1001))", &["reason", "1000"][..]),
            ("signal_run(R, '')", &["name", "1 to 64"]),
            ("signal_run(R, null)", &["name"]),
            ("signal_run(R, repeat('x', 65))", &["name"]),
            ("signal_run(R, 'go', '1e309')", &["payload", "too large"]),
            (r#"retry_run(R, '{"from_step": "z"}')"#, &["from_step", "z"]),
            (
                r#"retry_run(R, '{"from_step": "t", "reset": true}')"#,
                &["not both"],
            ),
            (r#"retry_run(R, '{"reset": 1}')"#, &["reset", "boolean"]),
            (
                r#"retry_run(R, '{"again": true}')"#,
                &["no option again", "from_step, reset"],
            ),
            ("retry_run(R, '[]')", &["object"]),
            (
                r#"retry_run(R, '{"again": true, "reset": 1, "from_step": "z"}')"#,
                &["3 rules", "no option again", "options.reset", "no step 'z'"],
            ),
        ] {
            let refusal = psql.refused(&format!(
                "select stepwell.{};",
                call.replace('R', &format!("'{id}'"))
            ));
            refusal.is(INVALID, words);
        }
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.inbox")
                .await,
            0
        );
    })
    .await;
}

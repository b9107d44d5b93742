//! Decisions by rules, as in the eligibility check of `examples/`.

use serde_json::{Value, json};

use crate::harness::with_app;

fn eligibility() -> Value {
    json!([{"name": "decide", "type": "decide", "config": {
        "rules": [
            {"when": "input.income > input.limit * 0.9 && input.income < input.limit * 1.1",
             "value": "NEEDS_REVIEW", "reason": "income ${input.income} is within 10 % of ${input.limit}"},
            {"when": "input.income <= input.limit", "value": "ELIGIBLE", "reason": "below the limit"},
        ],
        "default": "NOT_ELIGIBLE",
    }}])
}

#[tokio::test]
async fn the_first_rule_that_holds_decides() {
    with_app(async |app| {
        app.api.workflow("eligibility", eligibility()).await;
        for (income, value, rule) in [
            (500.0, "ELIGIBLE", json!(1)),
            (1_050.0, "NEEDS_REVIEW", json!(0)),
            (2_000.0, "NOT_ELIGIBLE", Value::Null),
        ] {
            let run = app
                .api
                .execute("eligibility", json!({"income": income, "limit": 1_000.0}))
                .await;
            assert_eq!(run["status"], "completed", "{run}");
            assert_eq!(run["output"]["value"], value, "{run}");
            assert_eq!(run["output"]["rule"], rule, "{run}");
            if value == "NEEDS_REVIEW" {
                assert_eq!(
                    run["output"]["reason"],
                    "income 1050.0 is within 10 % of 1000.0"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn whole_and_broken_numbers_compare() {
    with_app(async |app| {
        app.api.workflow("eligibility", eligibility()).await;
        for (income, value) in [
            (500, "ELIGIBLE"),
            (1_050, "NEEDS_REVIEW"),
            (2_000, "NOT_ELIGIBLE"),
        ] {
            let run = app
                .api
                .execute("eligibility", json!({"income": income, "limit": 1_000}))
                .await;
            assert_eq!(run["output"]["value"], value, "{run}");
        }
    })
    .await;
}

#[tokio::test]
async fn no_rule_and_no_default_is_null_and_a_broken_rule_fails() {
    with_app(async |app| {
        let config = json!({"rules": [{"when": "input.a", "value": 1}]});
        app.api
            .workflow(
                "w",
                json!([{"name": "d", "type": "decide", "config": config}]),
            )
            .await;
        let run = app.api.execute("w", json!({"a": false})).await;
        assert_eq!(
            (&run["status"], &run["output"]["value"]),
            (&json!("completed"), &Value::Null),
            "{run}"
        );
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(
            (&run["status"], &run["error"]["type"]),
            (&json!("failed"), &json!("expression")),
            "{run}"
        );
    })
    .await;
}

//! A run that fails outright leaves nothing behind that goes on.

use serde_json::json;

use crate::harness::{Agent, Reply, with_app};

#[tokio::test]
async fn what_the_database_refuses_ends_the_run_and_all_that_belongs_to_it() {
    with_app(async |app| {
        app.database
            .run(
                "create function public.refuse() returns trigger language plpgsql as
                 $$ begin raise exception 'not this one' using errcode = 'check_violation'; end $$",
            )
            .await;
        app.database
            .run(
                "create trigger refuse before insert or update on stepwell.step for each row
                 when (new.name = 'bad' and new.status = 'completed') execute function public.refuse()",
            )
            .await;
        let agent = Agent::start().await;
        agent.on("/slow", |_| Reply::Never);
        agent.on("/bad", |_| Reply::held());
        for name in ["slow", "bad"] {
            app.api.agent(name, &agent.url(&format!("/{name}"))).await;
        }
        let wait = json!({"name": "s", "type": "wait", "config": {"signal": "go"}});
        app.api.workflow("kid", json!([wait])).await;
        let call = |name: &str| {
            json!({"name": name, "type": "agent", "needs": [], "config": {"agent": name}})
        };
        let steps = json!([
            {"name": "kid", "type": "workflow", "needs": [], "config": {"workflow": "kid", "input": {}}},
            {"name": "ask", "type": "wait", "needs": [], "config": {"signal": "go"}},
            call("slow"),
            call("bad"),
            {"name": "last", "type": "transform", "config": {"value": 1}},
        ]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        app.api.audit_says(&run, "step.started", "bad").await;
        app.api.audit_says(&run, "step.started", "slow").await;
        let kid = app.api.get(&format!("runs?parent_id={run}")).await.of(200);
        let kid = kid.text("/items/0/id");
        app.api.reaches(&kid, "waiting").await;
        agent.release("/bad");
        let over = app.api.finished(&run).await;
        assert_eq!(over["status"], "failed", "{over}");
        assert_eq!(over["error"]["type"], "refused", "{over}");
        agent.aborted("/slow", 1).await;
        let kid = app.api.finished(&kid).await;
        assert_eq!(kid["status"], "cancelled", "{kid}");
        // The last one came to its end in the change that was refused.
        assert_eq!(
            app.api.statuses(&run).await,
            ["kid=cancelled", "ask=cancelled", "slow=cancelled", "bad=failed", "last=failed"]
        );
    })
    .await;
}

#[tokio::test]
async fn an_answer_of_too_many_values_fails_its_step() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let numbers = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
        let kind = || vec![("content-type", "application/json".to_owned())];
        agent.on("/many", move |_| {
            Reply::Raw(200, kind(), numbers(1_000_000))
        });
        agent.on("/some", move |_| Reply::Raw(200, kind(), numbers(999_000)));
        app.api.agent("many", &agent.url("/many")).await;
        app.api.agent("some", &agent.url("/some")).await;
        let url = agent.url("/many");
        let steps = json!([
            {"name": "agent", "type": "agent", "on_error": "continue", "config": {"agent": "many"}},
            {"name": "http", "type": "http", "on_error": "continue", "config": {"method": "GET", "url": url}},
            {"name": "fits", "type": "agent", "config": {"agent": "some"}},
            {"name": "say", "type": "transform", "config": {"value":
                ["${steps.agent.error}", "${steps.http.error}", "${steps.fits.output[998999]}"]}},
        ]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        let over = app.api.finished(&run).await;
        assert_eq!(over["status"], "completed", "{over}");
        for (n, kind) in [(0, "agent_response"), (1, "response_too_large")] {
            let error = &over["output"][n];
            assert_eq!(error["type"], kind, "{error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("1000000 values"), "{message}");
        }
        assert_eq!(over["output"][2], 1);
        assert_eq!(agent.calls("/many").len(), 2, "it is not asked again");
    })
    .await;
}

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

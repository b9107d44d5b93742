//! An agent is never gone while an active workflow names it, whoever was at it at the same time.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{App, with_app};

/// Enough for each order of the two to happen.
const ROUNDS: usize = 60;

fn naming(agent: &str) -> Value {
    // Alone, and inside of a map.
    json!([
        {"name": "s", "type": "agent", "config": {"agent": agent}},
        {"name": "m", "type": "map", "config": {"items": "${[1]}", "step":
            {"type": "agent", "config": {"agent": agent}}}},
    ])
}

/// Active workflows whose latest version names an agent that is not there.
async fn orphans(app: &App) -> i64 {
    app.database
        .number(
            "select count(*) from stepwell.workflow w
             join stepwell.workflow_version v on v.workflow_id = w.id and v.version = w.latest_version
             where w.deleted_at is null and w.status = 'active'
               and v.definition #>> '{steps,0,type}' = 'agent'
               and not exists (select from stepwell.agent a where a.deleted_at is null
                   and v.definition #>> '{steps,0,config,agent}' in (a.name, a.id::text))",
        )
        .await
}

/// Runs both at once; either the workflow was refused, or the agent stays.
async fn race(
    app: &App,
    write: impl AsyncFn(usize, &str) -> crate::harness::Answer,
    end: impl AsyncFn(&str) -> crate::harness::Answer,
) {
    let (mut refused, mut kept) = (0, 0);
    for round in 0..ROUNDS {
        let agent = format!("agent-{round}");
        let id = app.api.agent(&agent, "http://127.0.0.1:9/").await;
        // By its name and by its id.
        let named = if round % 2 == 0 { &agent } else { &id };
        let (written, ended) = tokio::join!(write(round, named), end(&agent));
        if written.status == 422 {
            refused += 1;
            written
                .problem(422)
                .finds("/steps/0/config/agent", "there is no agent");
        } else {
            assert!([200, 201].contains(&written.status), "{}", written.raw);
            kept += 1;
            ended.problem(409);
        }
        assert_eq!(orphans(app).await, 0, "in round {round}");
    }
    assert!(refused + kept == ROUNDS, "{refused} refused, {kept} kept");
}

#[tokio::test]
async fn creating_a_workflow_and_deleting_its_agent_do_not_cross() {
    with_app(async |app| {
        let app = &*app;
        race(
            app,
            async |round, agent| {
                let body = json!({"id": format!("w-{round}"), "name": "w", "steps": naming(agent)});
                app.api.post("workflows", body).await
            },
            async |agent| app.api.delete(&format!("agents/{agent}")).await,
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn replacing_a_workflow_and_deleting_its_agent_do_not_cross() {
    with_app(async |app| {
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("w", steps).await;
        let app = &*app;
        race(
            app,
            async |round, agent| {
                let body = json!({"id": "w", "name": format!("w {round}"), "steps": naming(agent)});
                app.api.put("workflows/w", body).await
            },
            async |agent| app.api.delete(&format!("agents/{agent}")).await,
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_deletion_waits_for_the_workflow_that_is_being_written() {
    with_app(async |app| {
        app.api.agent("a", "http://127.0.0.1:9/").await;
        let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]);
        // Somebody else holds the slug, so that the creation stops after it has the agent.
        let mut other = app.database.pool.begin().await.unwrap();
        sqlx::query(
            "insert into stepwell.workflow (id, slug, name, latest_version)
             values (gen_random_uuid(), 'w', 'w', 1)",
        )
        .execute(&mut *other)
        .await
        .unwrap();
        let body = json!({"id": "w", "name": "w", "steps": steps});
        let create = app
            .api
            .request(Method::POST, "workflows")
            .json(&body)
            .send();
        let create = tokio::spawn(create);
        let waiting = async |count: i64| {
            crate::harness::until(
                "somebody waits for a lock",
                crate::harness::PATIENCE,
                async || {
                    let waiting = "select count(*) from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock'";
                    (app.database.number(waiting).await == count).then_some(())
                },
            )
            .await;
        };
        waiting(1).await;
        let delete = tokio::spawn(app.api.request(Method::DELETE, "agents/a").send());
        waiting(2).await;
        other.rollback().await.unwrap();
        assert_eq!(create.await.unwrap().unwrap().status(), 201);
        assert_eq!(delete.await.unwrap().unwrap().status(), 409);
    })
    .await;
}

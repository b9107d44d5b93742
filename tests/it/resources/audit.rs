//! The audit log by time, with its filters.

use serde_json::json;

use crate::harness::with_app;
use crate::queue::world::World;

#[tokio::test]
async fn the_log_is_read_newest_first_page_by_page() {
    with_app(async |app| {
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        let workflow = app.api.workflow("w", steps).await;
        for _ in 0..3 {
            app.api.execute("w", json!({})).await;
        }
        app.api
            .post("queues/default/pause", json!({}))
            .await
            .of(200);
        let newest = app.api.get("audit?limit=1").await.of(200).body;
        assert_eq!(newest["items"][0]["action"], "queue.paused");
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app
                .api
                .get(&format!("audit?limit=4{cursor}"))
                .await
                .of(200)
                .body;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 4);
            seen.extend(items.iter().map(|r| r["id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let count = app
            .database
            .number("select count(*) from stepwell.audit")
            .await;
        assert_eq!(i64::try_from(seen.len()).unwrap(), count);
        assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");

        let of = async |query: &str| {
            let page = app.api.get(&format!("audit?{query}")).await.of(200).body;
            let items = page["items"].as_array().unwrap().clone();
            items
                .iter()
                .map(|r| r["action"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("entity_type=workflow").await, ["workflow.created"]);
        assert_eq!(
            of(&format!("entity_id={workflow}")).await,
            ["workflow.created"]
        );
        assert_eq!(of("action=run.completed").await.len(), 3);
        assert_eq!(
            of("actor=anonymous&entity_type=run").await,
            ["run.created"; 3]
        );
        assert!(of("actor=nobody").await.is_empty());
        assert!(of("to=2020-01-01T00:00:00Z").await.is_empty());
        assert!(of("from=2100-01-01T00:00:00Z").await.is_empty());
        assert_eq!(
            of("from=2020-01-01T00:00:00Z&entity_type=workflow")
                .await
                .len(),
            1
        );
        app.api.get("audit?cursor=x").await.problem(400);
        app.api.get("audit?entity_id=x").await.problem(400);
        app.api
            .post("queues/default/resume", json!({}))
            .await
            .of(200);
    })
    .await;
}

/// A window of time reads the pages of that time, and no other day.
#[tokio::test]
async fn a_window_of_time_is_found_by_its_pages() {
    let world = World::new().await;
    world
        .db
        .run(
            "insert into stepwell.audit (id, entity_type, entity_id, sequence, action, actor)
             select stepwell.uuid7_bound(now() - (300000 - n) * interval '20 ms'), 'run', gen_random_uuid(), 1, 'run.created', 't'
             from generate_series(1, 300000) n",
        )
        .await;
    world.db.run("vacuum analyze stepwell.audit").await;
    let sql = "explain (analyze, costs off, timing off)
        select * from stepwell.audit where id >= stepwell.uuid7_bound(now() - interval '31 min')
            and id < stepwell.uuid7_bound(now() - interval '30 min') and actor = 't' order by id desc limit 50";
    let plan: Vec<String> = sqlx::query_scalar(sql)
        .fetch_all(&world.db.pool)
        .await
        .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("Bitmap Index Scan"), "{plan}");
    assert!(!plan.contains("Seq Scan"), "{plan}");
    world.end().await;
}

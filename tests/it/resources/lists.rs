//! The plans of lists of runs, with 100,000 runs of which few fit: whatever the filter, a page reads
//! about as many rows as it shows.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::queue::world::World;

const RUNS: usize = 100_000;
/// Rows that one page may read, its own 51 among them: a twentieth of the table.
const ROWS_MAX: f64 = RUNS as f64 / 20.0;
/// The newest runs, which are not over: completed ones are looked for behind them.
const LIVE: usize = RUNS / 10;

async fn fill(world: &World) {
    let db = &world.db;
    db.run(&format!(
        "create table ids as select (overlay(gen_random_uuid()::text placing
            regexp_replace(lpad(to_hex((extract(epoch from now()) * 1000)::bigint - {RUNS} + n), 12, '0'),
                           '^(.{{8}})(.{{4}})$', '\\1-\\2-7') from 1 for 15))::uuid as id, n
         from generate_series(1, {RUNS}) as n order by n"
    ))
    .await;
    // The last tenth lives. What is rare lies far from both ends.
    db.run(&format!(
        "insert into stepwell.run (id, workflow_id, workflow_name, version, status, queue, steps_total, labels, parent_id,
                                   triggered_by, created_at, finished_at)
         select id, case when n % 20000 = 9000 then '{wf}' else '{nil}' end::uuid, 'w', 1,
                case when n > {live} then 'pending' when n % 20000 = 10000 then 'failed'
                     when n % 20000 = 11000 then 'cancelled' when n % 20000 = 12000 then 'timed_out' else 'completed' end::stepwell.run_status,
                case when n % 20000 = 9000 then 'rare' else 'default' end, 1,
                case when n % 10 = 0 then jsonb_build_object('team', 't' || n % 7, 'order', n::text) end,
                case when n % 20000 = 9000 then '{wf}'::uuid end, 't', now(), case when n <= {live} then now() end
         from ids order by n",
        wf = Uuid::max(),
        nil = Uuid::nil(),
        live = RUNS - LIVE,
    ))
    .await;
    db.run("insert into stepwell.run_outcome select status, id, workflow_id from stepwell.run where status in ('failed', 'cancelled', 'timed_out')").await;
    db.run(&format!(
        "insert into stepwell.job (run_id, queue, state, worker_id, blocked_on, paused, started_at)
         select id, 'default', case n % 2500 when 1 then 'leased' when 2 then 'parked' when 3 then 'parked' else 'ready' end::stepwell.job_state,
                case when n % 2500 = 1 then id end, case when n % 2500 in (2, 3) then '{{}}'::json end, n % 2500 = 3,
                case when n % 2500 in (1, 2, 3, 4) then now() end
         from ids where n > {}",
        RUNS - LIVE
    ))
    .await;
    db.run("vacuum analyze").await;
}

/// Adds up what the scans of a plan have read, thrown away or not.
fn rows_read(plan: &serde_json::Value, sum: &mut f64) {
    if plan["Node Type"]
        .as_str()
        .is_some_and(|node| node.contains("Scan"))
    {
        let number = |field: &str| plan[field].as_f64().unwrap_or(0.0);
        *sum += (number("Actual Rows")
            + number("Rows Removed by Filter")
            + number("Rows Removed by Index Recheck"))
            * number("Actual Loops");
    }
    for child in plan["Plans"].as_array().into_iter().flatten() {
        rows_read(child, sum);
    }
}

#[tokio::test]
async fn every_filter_reads_few_rows() {
    let world = World::new().await;
    fill(&world).await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut connection = PgConnection::connect(&world.db.url).await.unwrap();
    connection
        .execute("set jit = off; set plan_cache_mode = force_custom_plan")
        .await
        .unwrap();
    let read =
        |name: &str| std::fs::read_to_string(folder.join("queue/queries/run").join(name)).unwrap();
    // What sqlx alone understands: the types of columns.
    let plain = |sql: String| {
        let mut rest = sql.as_str();
        let mut plain = String::new();
        while let Some((before, after)) = rest.split_once(" as \"") {
            plain.push_str(before);
            rest = after.split_once('"').map_or("", |(_, after)| after);
        }
        plain + rest
    };
    let list = plain(read("list.sql"));
    let prepare = format!("prepare list as {list}");
    connection.execute(AssertSqlSafe(prepare)).await.unwrap();
    let nil = format!("'{}'", Uuid::nil());
    let rare = format!("'{}'", Uuid::max());
    let middle = world
        .db
        .text("select quote_literal(id) from ids where n = 50000")
        .await
        .unwrap();
    let mut cases: Vec<(String, usize, String)> = [
        "pending",
        "running",
        "waiting",
        "paused",
        "completed",
        "failed",
        "cancelled",
        "timed_out",
        "failed,running",
    ]
    .iter()
    .map(|word| (format!("status {word}"), 1, format!("'{{{word}}}'")))
    .collect();
    for (name, place, value) in [
        ("nothing", 1, "null"),
        ("workflow", 2, nil.as_str()),
        ("rare workflow", 2, &rare),
        ("created after", 3, &middle),
        ("created before", 4, &middle),
        ("rare label", 5, "'{\"order\": \"50000\"}'"),
        ("label", 5, "'{\"team\": \"t1\"}'"),
        ("queue", 6, "'default'"),
        ("rare queue", 6, "'rare'"),
        ("queue of nobody", 6, "'nobody'"),
        ("parent", 7, &rare),
        ("cursor", 8, &middle),
    ] {
        cases.push((name.to_owned(), place, value.to_owned()));
    }
    let mut slow = Vec::new();
    for (name, place, value) in &cases {
        for oldest_first in ["false", "true"] {
            let mut given = ["null"; 8];
            given[place - 1] = value;
            let execute = format!(
                "explain (analyze, format json, timing off) execute list ({}, 0, 51, {oldest_first}, false)",
                given.join(", ")
            );
            let plan: serde_json::Value = sqlx::query_scalar(AssertSqlSafe(execute))
                .persistent(false)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            let mut rows = 0.0;
            rows_read(&plan[0]["Plan"], &mut rows);
            let behind = if name == "status completed" {
                LIVE as f64
            } else {
                0.0
            };
            if rows > ROWS_MAX + behind {
                slow.push(format!("{name}, oldest first {oldest_first}: {rows} rows"));
            }
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
    connection.close().await.unwrap();
    world.end().await;
}

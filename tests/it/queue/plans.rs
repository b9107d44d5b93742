//! The plans of the hot statements, with 100,000 finished runs in history, 100,000 waiting and 100,000
//! timed jobs: index scans only, and of the partitions only the one that is meant.

mod claim;
mod days;

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::queue::world::World;

const ROWS: usize = 100_000;

/// The settings of `link.rs`.
const STEADY: &str = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_bitmapscan = off;
    set enable_hashjoin = off; set enable_mergejoin = off; set jit = off";

fn query(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["queries", "queue/queries"]
        .iter()
        .find_map(|path| std::fs::read_to_string(folder.join(path).join(name)).ok())
        .unwrap()
}

async fn fill(world: &World) {
    let db = &world.db;
    db.run(&format!(
        "create table ids as select (overlay(gen_random_uuid()::text placing
            regexp_replace(lpad(to_hex((extract(epoch from now()) * 1000)::bigint - n / 10), 12, '0'),
                           '^(.{{8}})(.{{4}})$', '\\1-\\2-7') from 1 for 15))::uuid as id, n
         from generate_series(1, {}) as n",
        3 * ROWS
    ))
    .await;
    db.run(&format!(
        "insert into stepwell.run (id, workflow_id, workflow_name, version, status, queue, steps_total, triggered_by, created_at, finished_at)
         select id, '{}', 'w', 1, case when n <= {ROWS} then 'completed' else 'pending' end::stepwell.run_status, 'default', 1, 't', now(),
                case when n <= {ROWS} then now() end from ids",
        Uuid::nil()
    ))
    .await;
    db.run(&format!(
        "insert into stepwell.step (run_id, step, generation, name, kind, status, attempt, max_attempts)
         select id, 0, 1, 's', 'task', 'completed', 1, 1 from ids where n <= {ROWS}"
    ))
    .await;
    db.run(
        "insert into stepwell.audit (id, entity_type, entity_id, sequence, action, actor)
            select id, 'run', id, 1, 'run.created', 't' from ids",
    )
    .await;
    db.run(&format!(
        "insert into stepwell.job (run_id, queue, state, run_at)
         select id, 'default', case when n <= {r2} then 'ready' else 'timed' end::stepwell.job_state,
                case when n > {r2} then now() + interval '1 hour' end from ids where n > {ROWS}",
        r2 = 2 * ROWS
    ))
    .await;
    db.run("insert into stepwell.inbox (run_id, kind, actor) select id, 'pause', 't' from ids where n % 100 = 0").await;
    db.run("insert into stepwell.idempotency (scope, key, fingerprint, status, body) select 's', n::text, '', 1, '1' from ids").await;
    db.run("insert into stepwell.dedupe (workflow_id, key, run_id) select id, 'k', id from ids")
        .await;
    db.run(&format!(
        "insert into stepwell.place (workflow_id, run_id, most, key)
         select '{}', id, 1, (n % 1000)::text from ids where n > {ROWS}",
        Uuid::nil()
    ))
    .await;
    db.run("insert into stepwell.seat (agent_id, number) select id, 1 from ids")
        .await;
    db.run(&format!(
        "insert into stepwell.worker (id, name, version, queues, slots, dead_after_ms) values ('{}', 'w', '1', '{{}}', 1, 20000)",
        Uuid::nil()
    ))
    .await;
    db.run("insert into stepwell.worker (id, name, version, queues, slots, dead_after_ms, status, ended_at, freed_at)
            select id, 'w', '1', '{}', 1, 20000, 'gone', now(), now() from ids limit 2000").await;
    db.run("vacuum analyze").await;
}

/// Explains a prepared statement with these parameters, the others null, without keeping its effect.
async fn explain(connection: &mut PgConnection, sql: &str, given: &[(usize, &str)]) -> String {
    let given: BTreeMap<_, _> = given.iter().copied().collect();
    let count = (1..100).rev().find(|n| {
        let mut rest = sql;
        let name = format!("${n}");
        while let Some(at) = rest.find(&name) {
            rest = &rest[at + name.len()..];
            if !rest.starts_with(|c: char| c.is_ascii_digit()) {
                return true;
            }
        }
        false
    });
    let arguments: Vec<_> = (1..=count.unwrap())
        .map(|n| *given.get(&n).unwrap_or(&"null"))
        .collect();
    let prepare = format!("prepare hot as {}", sql.trim().trim_end_matches(';'));
    connection.execute("begin").await.unwrap();
    connection.execute(AssertSqlSafe(prepare)).await.unwrap();
    let execute = format!(
        "explain (analyze, costs off, timing off) execute hot ({})",
        arguments.join(", ")
    );
    let lines: Vec<String> = sqlx::query_scalar(AssertSqlSafe(execute))
        .persistent(false)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    connection
        .execute("rollback; deallocate hot")
        .await
        .unwrap();
    lines.join("\n")
}

/// Fails on a scan of a whole table, and when more than one partition of a table was looked into.
fn check(name: &str, plan: &str) {
    let mut touched: BTreeMap<String, usize> = BTreeMap::new();
    for line in plan.lines() {
        assert!(!line.contains("Seq Scan on"), "{name}: {line}\n{plan}");
        let Some((scan, rest)) = line.split_once(" on ") else {
            continue;
        };
        if !scan.contains("Scan") || line.contains("never executed") {
            continue;
        }
        let table = rest.split_whitespace().next().unwrap_or_default();
        if let Some((parent, _)) = table
            .rsplit_once("_2")
            .filter(|_| table.chars().any(|c| c.is_ascii_digit()))
        {
            *touched.entry(parent.to_owned()).or_default() += 1;
        }
    }
    for (table, partitions) in touched {
        assert!(
            partitions <= 2,
            "{name}: {partitions} scans of partitions of {table}\n{plan}"
        );
    }
}

#[tokio::test]
async fn hot_statements_use_their_indexes() {
    let world = World::new().await;
    fill(&world).await;
    let finished = world
        .db
        .text("select id::text from ids where n = 1")
        .await
        .unwrap();
    let waiting = world
        .db
        .text(&format!("select id::text from ids where n = {}", ROWS + 1))
        .await
        .unwrap();
    let timed = world
        .db
        .text(&format!(
            "select id::text from ids where n = {}",
            2 * ROWS + 1
        ))
        .await
        .unwrap();
    let nil = format!("'{}'", Uuid::nil());
    let one = |id: &str| format!("'{{{id}}}'");
    let mut steady = PgConnection::connect(&world.db.url).await.unwrap();
    steady.execute(STEADY).await.unwrap();

    claim::check_plans(&world, &mut steady).await;

    let ids = one(&finished);
    for name in ["load_steps.sql", "run_headers.sql"] {
        check(
            name,
            &explain(&mut steady, &query(name), &[(1, &ids)]).await,
        );
    }
    check(
        "poll_inbox",
        &explain(&mut steady, &query("poll_inbox.sql"), &[(1, &ids)]).await,
    );

    world
        .db
        .run(&format!(
            "update stepwell.job set state = 'leased', worker_id = {nil} where run_id = '{waiting}'"
        ))
        .await;
    let run_ids = one(&waiting);
    let commit = [
        (1, nil.as_str()),
        (2, "1"),
        (3, &run_ids),
        (4, "'{0}'"),
        (5, "'{-1}'"),
        (6, "'{1}'"),
        (7, "'{s}'"),
        (8, "'{task}'"),
        (9, "'{completed}'"),
        (10, "'{1}'"),
        (11, "'{1}'"),
        (12, "'{null}'"),
        (13, "'{null}'"),
        (14, "'{null}'"),
        (15, "'{null}'"),
        (16, "'{null}'"),
        (17, "'{null}'"),
        (18, "'{null}'"),
        (19, &run_ids),
        (20, &run_ids),
        (21, "'{2}'"),
        (22, "'{null}'"),
        (23, "'{x}'"),
        (24, "'{null}'"),
        (25, "'{null}'"),
        (26, "'{null}'"),
        (27, "'{t}'"),
        (28, "'{null}'"),
        (29, &run_ids),
        (30, "'{finished}'"),
        (31, "'{2}'"),
        (32, "'{null}'"),
        (33, "'{1}'"),
        (34, "'{completed}'"),
        (35, "'{null}'"),
        (36, "'{null}'"),
        (37, "'{now}'"),
        (38, "'{null}'"),
        (39, "'{null}'"),
    ];
    // The audit record must not have the id of the one that is there.
    let audit_ids = one(&Uuid::now_v7().to_string());
    let mut lean = commit.to_vec();
    lean[18].1 = &audit_ids;
    let plan = explain(&mut steady, &query("commit_lean.sql"), &lean).await;
    check("commit_lean", &plan);
    assert!(plan.contains("job_pkey"), "{plan}");

    let plan = explain(&mut steady, &query("commit_steps.sql"), &lean[..28]).await;
    check("commit_steps", &plan);

    // The changes of jobs, with the worker before them.
    let mut jobs = vec![lean[0]];
    jobs.extend(lean[28..].iter().map(|(n, value)| (n - 27, *value)));
    let plan = explain(&mut steady, &query("commit_jobs.sql"), &jobs).await;
    check("commit_jobs", &plan);
    assert!(plan.contains("job_pkey"), "{plan}");

    let told = one(&timed);
    let known = one(&finished);
    let both = format!("'{{{waiting},{timed}}}'");
    let mut full = lean.clone();
    full.truncate(28);
    full.extend([
        (29, both.as_str()),
        (30, "'{finished,told}'"),
        (31, "'{2,0}'"),
        (32, "'{null,null}'"),
        (33, "'{1,0}'"),
        (34, "'{completed,null}'"),
        (35, "'{null,null}'"),
        (36, "'{null,null}'"),
        (37, "'{now,null}'"),
        (38, "'{null,null}'"),
        (39, "'{null,null}'"),
        (40, "'{0,0}'"),
        (41, "'{0,1}'"),
        (42, "'{null,null}'"),
        (43, "'{null,null}'"),
        (44, "'{null,null}'"),
        (45, "'{0,0}'"),
        (46, known.as_str()),
        (47, "'{0}'"),
        (48, "'{-1}'"),
        (49, "'{1}'"),
        (50, "'{completed}'"),
        (51, "'{2}'"),
        (52, "'{2}'"),
        (53, "'{null}'"),
        (54, "'{null}'"),
        (55, "'{null}'"),
        (56, "'{null}'"),
        (57, "'{null}'"),
        (58, "'{null}'"),
        (59, "'{null}'"),
        (60, "'{1}'"),
        (61, told.as_str()),
        (62, "'{pause}'"),
        (63, "'{1}'"),
        (64, "'{t}'"),
        (65, "'{null}'"),
    ]);
    check(
        "commit",
        &explain(&mut steady, &query("commit.sql"), &full).await,
    );

    // Statements of the ordinary pool, as the planner makes them for the values at hand.
    let mut plain = PgConnection::connect(&world.db.url).await.unwrap();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        plain
            .execute(AssertSqlSafe(format!("set plan_cache_mode = {mode}")))
            .await
            .unwrap();
        let id = format!("'{waiting}'");
        let plan = explain(
            &mut plain,
            &query("send.sql"),
            &[
                (1, &id),
                (2, "'pause'"),
                (3, "'{}'"),
                (4, "'t'"),
                (5, "null"),
            ],
        )
        .await;
        check("send", &plan);
        let unbegun = format!("'{timed}'");
        let audit_id = format!("'{}'", Uuid::now_v7());
        let plan = explain(
            &mut plain,
            &query("cancel_unbegun.sql"),
            &[(1, &unbegun), (3, "'t'"), (5, &audit_id), (6, "'{}'")],
        )
        .await;
        check("cancel_unbegun", &plan);
        let of_key = [(1, nil.as_str()), (2, "'7'")];
        let plan = explain(&mut plain, &query("place/admit.sql"), &of_key).await;
        check("admit", &plan);
        let plan = explain(&mut plain, &query("place/wake.sql"), &[(1, &unbegun)]).await;
        check("wake", &plan);
        let seats = [(1, unbegun.as_str()), (2, nil.as_str()), (3, "3"), (4, "3")];
        let plan = explain(&mut plain, &query("seat/take.sql"), &seats).await;
        check("take seats", &plan);
        let reserve = [
            (1, "'{0}'"),
            (2, run_ids.as_str()),
            (3, run_ids.as_str()),
            (4, "'{d}'"),
            (5, "'{s}'"),
            (6, "'{new}'"),
            (7, "'{x}'"),
            (8, "'{1}'"),
            (9, "'{null}'"),
            (10, "'{1}'"),
        ];
        check(
            "reserve",
            &explain(&mut plain, &query("reserve.sql"), &reserve).await,
        );
        let beat = [(1, nil.as_str()), (2, "1"), (3, "'{}'")];
        let plan = explain(&mut plain, &query("heartbeat.sql"), &beat).await;
        check("heartbeat", &plan);
    }
    steady.close().await.unwrap();
    plain.close().await.unwrap();
    world.end().await;
}

//! The plans of the views over 200,000 finished runs and 30,000 live ones: they read by index, and a page
//! no more than it shows.

use sqlx::AssertSqlSafe;

use crate::harness::Database;
use crate::sql::psql::Psql;

async fn fill(db: &Database) {
    db.run(
        "create table ids as
         select overlay(stepwell.uuid7_bound(now() - n * interval '10 ms')::text placing substr(stepwell.uuid7()::text, 15) from 15)::uuid as id, n
         from generate_series(1, 230000) as n",
    )
    .await;
    for sql in [
        "insert into stepwell.run (id, workflow_id, workflow_name, version, status, queue, steps_total, triggered_by, created_at, finished_at)
         select id, '00000000-0000-0000-0000-000000000000', 'w', 1,
                (case when n % 23 < 3 then 'pending' when n % 2300 = 7 then 'timed_out' when n % 23 = 7 then 'failed' else 'completed' end)::stepwell.run_status,
                case when n % 10 = 0 then 'slow' else 'default' end, 1, 't', now(), case when n % 23 >= 3 then now() end from ids",
        "insert into stepwell.run_outcome select status, id, workflow_id from stepwell.run where status in ('failed', 'timed_out')",
        "insert into stepwell.step (run_id, step, generation, name, kind, status, attempt, max_attempts)
         select id, 0, 1, 's', 'task', 'completed', 1, 1 from ids where n % 23 >= 3",
        "insert into stepwell.audit (id, entity_type, entity_id, sequence, action, actor)
         select id, 'run', id, 1, 'run.created', 't' from ids",
        "insert into stepwell.job (run_id, queue, state, run_at, blocked_on, paused)
         select id, case when n % 10 = 0 then 'slow' else 'default' end,
                (case n % 23 when 0 then 'ready' when 1 then 'timed' else 'parked' end)::stepwell.job_state,
                case when n % 23 = 1 then now() + interval '1 hour' end,
                case when n % 23 = 2 then json_build_object('kind', 'signal', 'since', now(), 'until', null, 'detail', 'go') end,
                n % 2300 = 2
         from ids where n % 23 < 3",
        "insert into stepwell.queue (name, id, max_running, revision) values ('slow', gen_random_uuid(), 1, 1)",
        "vacuum analyze",
    ] {
        db.run(sql).await;
    }
}

async fn explain(db: &Database, sql: &str) -> String {
    let lines: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "explain (analyze, costs off, timing off, summary off) {sql}"
    )))
    .persistent(false)
    .fetch_all(&db.pool)
    .await
    .unwrap();
    lines.join("\n")
}

/// Rows that scans of these tables gave or threw away, over all loops.
fn rows_read(plan: &str) -> u64 {
    let number = |text: &str, after: &str| -> Option<u64> {
        let rest = text.split_once(after)?.1;
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    };
    let mut read = 0;
    let mut loops = 1;
    for line in plan.lines() {
        if line.contains("Scan") && line.contains(" on ") && line.contains("actual") {
            loops = number(line, "loops=").unwrap_or(1);
            read += number(line, "rows=").unwrap_or(0) * loops;
        } else if let Some(removed) = number(line, "Rows Removed by Filter: ") {
            read += removed * loops;
        }
    }
    read
}

#[tokio::test]
async fn views_read_little_of_much() {
    let database = Database::migrated().await;
    fill(&database).await;
    let id = async |condition: &str| {
        database
            .text(&format!(
                "select id::text from ids where {condition} limit 1"
            ))
            .await
            .unwrap()
    };
    let (finished, live, due) = (
        id("n % 23 = 5").await,
        id("n % 23 = 2").await,
        id("n % 23 = 0").await,
    );
    for (sql, most) in [
        (
            format!("select * from stepwell.v_runs where id = '{finished}'"),
            5,
        ),
        (
            format!("select * from stepwell.v_runs where id = '{live}'"),
            5,
        ),
        (
            format!("select * from stepwell.v_steps where run_id = '{finished}'"),
            5,
        ),
        (
            format!("select * from stepwell.v_blocked where run_id = '{live}'"),
            5,
        ),
        (
            format!("select * from stepwell.v_blocked where run_id = '{due}'"),
            5,
        ),
        (
            format!("select * from stepwell.v_audit where entity_id = '{finished}'"),
            5,
        ),
        (
            "select * from stepwell.v_runs order by id desc limit 50".into(),
            300,
        ),
        (
            "select * from stepwell.v_runs where status = 'completed' order by id desc limit 50"
                .into(),
            400,
        ),
        (
            "select * from stepwell.v_runs where status = 'failed' order by id desc limit 50"
                .into(),
            3_000,
        ),
        (
            "select * from stepwell.v_runs where status = 'waiting' order by id desc limit 50"
                .into(),
            3_000,
        ),
        (
            "select * from stepwell.v_runs where queue = 'slow' order by id desc limit 50".into(),
            3_000,
        ),
        // A status that is rare among the runs: the jobs, or those that did not complete, at the most once.
        (
            "select * from stepwell.v_live where status = 'waiting' order by id desc limit 50"
                .into(),
            1_000,
        ),
        (
            "select * from stepwell.v_live where status = 'paused' order by id desc limit 50"
                .into(),
            32_000,
        ),
        (
            "select * from stepwell.v_failed where status = 'failed' order by id desc limit 50"
                .into(),
            12_000,
        ),
        (
            "select * from stepwell.v_failed where status = 'timed_out' order by id limit 50"
                .into(),
            12_000,
        ),
        ("select * from stepwell.v_blocked limit 50".into(), 1_000),
        // The jobs once, never the runs.
        ("select * from stepwell.v_queues".into(), 35_000),
        ("select * from stepwell.v_workers".into(), 35_000),
    ] {
        let plan = explain(&database, &sql).await;
        let read = rows_read(&plan);
        assert!(read <= most, "{sql} reads {read} rows\n{plan}");
        let whole = plan.lines().find(|line| {
            line.contains("Seq Scan on")
                && !line.contains("never executed")
                && !line.contains("actual rows=0 ")
                && ["run_2", "run_default", "step_", "audit_"]
                    .iter()
                    .any(|table| line.contains(&format!(" on {table}")))
        });
        assert!(whole.is_none(), "{sql}: {whole:?}\n{plan}");
    }
    views_of_few_agree(&database).await;
    functions_read_no_table_whole(&database).await;
    database.drop_it().await;
}

/// What `v_live` and `v_failed` say of a run is what `v_runs` says, and they say it of the same runs.
async fn views_of_few_agree(database: &Database) {
    for (view, statuses) in [
        ("v_live", "('pending', 'running', 'waiting', 'paused')"),
        ("v_failed", "('failed', 'cancelled', 'timed_out')"),
    ] {
        let differing = database
            .text(&format!(
                "select count(*)::text
                 from (select id, f::text as words from stepwell.{view} f) f
                 full join (select id, r::text as words from stepwell.v_runs r where status in {statuses}) r using (id)
                 where f.words is distinct from r.words"
            ))
            .await;
        assert_eq!(differing.as_deref(), Some("0"), "{view}");
    }
}

/// What both doors call does not pass over a large table, whatever plan it has.
async fn functions_read_no_table_whole(database: &Database) {
    let psql = Psql::new(database);
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let read = psql.after(&format!("set plan_cache_mode = {mode}")).run(
            "begin;
             select count(stepwell.cancel_run(id, 'unbegun')) from (select id from ids where n % 23 = 0 limit 5) i;
             select count(stepwell.cancel_run(id)), count(stepwell.signal_run(id, 'go'))
             from (select id from ids where n % 23 = 2 limit 5) i;
             select count(stepwell.retry_run(id)) from (select id from ids where n % 23 = 7 limit 5) i;
             select string_agg(relname, ', ') from pg_stat_xact_all_tables
             where schemaname = 'stepwell' and seq_tup_read > 0 and relname ~ '^(run_2|step_|audit_|job)';",
        );
        assert_eq!(read.trim_end(), "5\n5|5\n5", "{mode}");
    }
}

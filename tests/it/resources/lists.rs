//! The plans of lists of runs, with 100,000 runs of which few fit: whatever the filter, a page reads
//! about as many rows as it shows. Rows are counted, not milliseconds: how busy the machine is does not
//! matter.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::queue::world::World;

const RUNS: usize = 100_000;
/// Rows that one page may read, its own 51 among them: a twentieth of the table.
const ROWS_MAX: f64 = RUNS as f64 / 20.0;
/// What is looked up beside a status before it counts as much, as in `list.sql`: read once, and gone
/// through twice to see that it is much.
const MUCH: f64 = 3.0 * 10_001.0;
/// To count how much goes together with a status of live runs, one side may be read whole.
const COUNTED: f64 = 1.5 * RUNS as f64;
/// The most that a client can skip, and what it may cost: each place that is read gives as many.
const OFFSET: usize = 10_000;
const SKIPPED: f64 = 2.5 * OFFSET as f64;
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
                case when n > {live} then 'pending' when n % 10 = 5 then 'failed'
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
        "insert into stepwell.job (run_id, queue, state, worker_id, blocked_on, paused, started_at, fresh)
         select id, 'default', case n % 2500 when 1 then 'leased' when 2 then 'parked' when 3 then 'parked' else 'ready' end::stepwell.job_state,
                case when n % 2500 = 1 then id end, case when n % 2500 in (2, 3) then '{{}}'::json end, n % 2500 = 3,
                case when n % 2500 in (1, 2, 3, 4) then now() end, n % 2500 not in (1, 2, 3, 4)
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

/// One list: its parameters by their place in the statement, and the rows it may read.
struct Case {
    name: &'static str,
    given: Vec<(usize, String)>,
    most: f64,
}

/// Every filter alone, and some in pairs that a plan could be wrong about.
fn cases(middle: &str) -> Vec<Case> {
    let nil = format!("'{}'", Uuid::nil());
    let rare = format!("'{}'", Uuid::max());
    let mut cases = Vec::new();
    let mut add = |name, given: &[(usize, &str)], most: f64| {
        let given = given.iter().map(|(n, value)| (*n, (*value).to_owned()));
        cases.push(Case {
            name,
            given: given.collect(),
            most,
        });
    };
    let label = "'{\"team\": \"t1\"}'";
    let rare_label = "'{\"order\": \"50000\"}'";
    for (name, word) in [
        ("running", "'{running}'"),
        ("paused", "'{paused}'"),
        ("failed", "'{failed}'"),
        ("cancelled", "'{cancelled}'"),
        ("timed out", "'{timed_out}'"),
        ("failed or running", "'{failed,running}'"),
    ] {
        add(name, &[(1, word)], ROWS_MAX);
    }
    // A walk in the order of ids passes the live ones.
    for (name, word) in [
        ("pending", "'{pending}'"),
        ("waiting", "'{waiting}'"),
        ("completed", "'{completed}'"),
        ("completed or failed", "'{completed,failed}'"),
    ] {
        add(name, &[(1, word)], ROWS_MAX + LIVE as f64);
    }
    add("nothing", &[], ROWS_MAX);
    add("workflow", &[(2, &nil)], ROWS_MAX);
    add("rare workflow", &[(2, &rare)], ROWS_MAX);
    add("created after", &[(3, middle)], ROWS_MAX);
    add("created before", &[(4, middle)], ROWS_MAX);
    add("label", &[(5, label)], ROWS_MAX);
    add("rare label", &[(5, rare_label)], ROWS_MAX);
    add("queue", &[(6, "'default'")], ROWS_MAX);
    add("rare queue", &[(6, "'rare'")], ROWS_MAX);
    add("queue of nobody", &[(6, "'nobody'")], ROWS_MAX);
    add("parent", &[(7, &rare)], ROWS_MAX);
    // What fits few runs is looked up, whatever the status.
    for (name, word) in [
        ("failed, rare workflow", "'{failed}'"),
        ("pending, rare workflow", "'{pending}'"),
        ("completed, rare workflow", "'{completed}'"),
    ] {
        add(name, &[(1, word), (2, &rare)], ROWS_MAX);
    }
    add(
        "waiting, rare label",
        &[(1, "'{waiting}'"), (5, rare_label)],
        ROWS_MAX,
    );
    add(
        "pending, rare queue",
        &[(1, "'{pending}'"), (6, "'rare'")],
        ROWS_MAX,
    );
    add("paused, parent", &[(1, "'{paused}'"), (7, &rare)], ROWS_MAX);
    // What fits many is found out first, and the walk is that of the status.
    for (name, word) in [
        ("failed, workflow", "'{failed}'"),
        ("running, workflow", "'{running}'"),
        ("paused, workflow", "'{paused}'"),
        ("pending, workflow", "'{pending}'"),
    ] {
        add(name, &[(1, word), (2, &nil)], MUCH + LIVE as f64 + ROWS_MAX);
    }
    add(
        "failed, label",
        &[(1, "'{failed}'"), (5, label)],
        MUCH + ROWS_MAX,
    );
    add(
        "pending, queue",
        &[(1, "'{pending}'"), (6, "'default'")],
        MUCH + LIVE as f64 + ROWS_MAX,
    );
    add(
        "failed, created before",
        &[(1, "'{failed}'"), (4, middle)],
        ROWS_MAX,
    );
    add("workflow, label", &[(2, &nil), (5, label)], ROWS_MAX);
    add(
        "rare workflow, queue",
        &[(2, &rare), (6, "'default'")],
        ROWS_MAX,
    );
    cases
}

/// Sums up what the execution of this statement reads.
async fn read_by(connection: &mut PgConnection, execute: &str) -> f64 {
    let explain = format!("explain (analyze, format json, timing off) execute {execute}");
    let plan: serde_json::Value = sqlx::query_scalar(AssertSqlSafe(explain))
        .persistent(false)
        .fetch_one(connection)
        .await
        .unwrap();
    let mut rows = 0.0;
    rows_read(&plan[0]["Plan"], &mut rows);
    rows
}

/// A statement of the product without what sqlx alone understands: the types of columns.
fn statement(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let sql = std::fs::read_to_string(folder.join("queue/queries/run").join(name)).unwrap();
    let mut rest = sql.as_str();
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once(" as \"") {
        plain.push_str(before);
        rest = after.split_once('"').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[tokio::test]
async fn every_filter_reads_few_rows() {
    let world = World::new().await;
    fill(&world).await;
    let mut connection = PgConnection::connect(&world.db.url).await.unwrap();
    // The settings of `link.rs`.
    connection
        .execute("set jit = off; set plan_cache_mode = force_custom_plan")
        .await
        .unwrap();
    for name in ["list", "count"] {
        let prepare = format!("prepare {name} as {}", statement(&format!("{name}.sql")));
        connection.execute(AssertSqlSafe(prepare)).await.unwrap();
    }
    let middle = world
        .db
        .text("select quote_literal(id) from ids where n = 50000")
        .await
        .unwrap();
    let mut slow = Vec::new();
    for Case { name, given, most } in cases(&middle) {
        let mut values = ["null"; 8];
        for (place, value) in &given {
            values[place - 1] = value;
        }
        let filter = values[..7].join(", ");
        let mut check = |what: &str, rows: f64, most: f64| {
            if rows > most {
                slow.push(format!("{name}, {what}: {rows} rows, not {most}"));
            }
        };
        for oldest_first in [false, true] {
            for (what, after, offset, more) in [
                ("first page", "null", 0, 0.0),
                ("later page", middle.as_str(), 0, 0.0),
                ("offset", "null", OFFSET, SKIPPED),
            ] {
                let execute =
                    format!("list ({filter}, {after}, {offset}, 51, {oldest_first}, false)");
                let rows = read_by(&mut connection, &execute).await;
                check(
                    &format!("{what}, oldest first {oldest_first}"),
                    rows,
                    most + more,
                );
            }
        }
        let rows = read_by(&mut connection, &format!("count ({filter}, {OFFSET})")).await;
        check(
            "count",
            rows,
            if most > MUCH { COUNTED } else { most + SKIPPED },
        );
    }
    assert!(slow.is_empty(), "{slow:#?}");
    connection.close().await.unwrap();
    world.end().await;
}

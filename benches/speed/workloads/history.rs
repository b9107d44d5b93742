//! What piles up around the work: runs that are over, runs that wait, runs whose time is to come.
//!
//! A real run of each kind is made by the product, and its rows are then written again and again
//! under other ids: UUIDv7 ids of the past days, in the partitions of those days. So the rows are
//! what the product writes, whatever columns they have.

use std::ops::Range;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use stepwell::queue::workflow::PlannedVersion;
use uuid::Uuid;

use super::CHAIN_STEPS;
use crate::scene::{Scene, Worker};

/// Days that history is spread over, yesterday the last.
pub(super) const DAYS: usize = 7;
/// Runs that one statement writes: some tens of megabytes.
const CHUNK: usize = 50_000;

/// The workflows and a run of each kind.
#[derive(Debug)]
pub(super) struct Scenery {
    pub(super) chain: PlannedVersion,
    pub(super) single: PlannedVersion,
    finished: Uuid,
    waiting: Uuid,
    timed: Uuid,
}

/// A UUIDv7 of that moment, the same for the same salt.
const ID: &str = "create function public.bench_id(at timestamptz, salt text) returns uuid
    language sql immutable as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')
            || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid
    from md5(salt) h $$";

/// The partitions of the days before yesterday, which the product never has to make.
const PARTITIONS: &str = "do $$
declare
    parent text;
    part text;
    day timestamp;
begin
    for n in 1 .. current_setting('bench.days')::int loop
        day := date_trunc('day', now() at time zone 'utc') - make_interval(days => n);
        foreach parent in array array['run', 'step', 'audit'] loop
            part := parent || '_' || to_char(day, 'YYYYMMDD');
            continue when to_regclass('stepwell.' || part) is not null;
            execute format('create table stepwell.%I (like stepwell.%I including all)', part, parent);
            execute format('alter table stepwell.%I attach partition stepwell.%I for values from (%L) to (%L)',
                parent, part, stepwell.uuid7_bound(day at time zone 'utc'),
                stepwell.uuid7_bound((day + interval '1 day') at time zone 'utc'));
        end loop;
    end loop;
end $$";

impl Scenery {
    /// Makes them, and retires the API.
    pub(super) async fn prepare(scene: &mut Scene) -> Self {
        let single = scene.chain(1).await;
        let chain = scene.chain(CHAIN_STEPS).await;
        let far = json!({"id": "far", "name": "far",
            "steps": [{"name": "w", "type": "wait", "config": {"signal": "far_away"}}]});
        scene.workflow(&far).await;
        let worker = Worker::start(scene, 0).await;
        let finished = start(scene, "chain1/execute?wait_ms=30000", json!({})).await;
        let waiting = start(scene, "far/execute", json!({})).await;
        let at = chrono::Utc::now() + chrono::Duration::days(300);
        let timed = start(scene, "chain1/execute", json!({"run_at": at})).await;
        let mut connection = scene.connect().await;
        loop {
            let parked = "select state = 'parked' from stepwell.job where run_id = $1";
            let parked: bool = sqlx::query_scalar(parked)
                .bind(waiting)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            if parked {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        worker.end().await;
        scene.retire_api().await;
        let days = format!("set bench.days = {DAYS}");
        connection.execute(AssertSqlSafe(days)).await.unwrap();
        connection.execute(ID).await.unwrap();
        connection.execute(PARTITIONS).await.unwrap();
        connection.close().await.unwrap();
        Self {
            chain,
            single,
            finished,
            waiting,
            timed,
        }
    }
}

async fn start(scene: &Scene, path: &str, body: serde_json::Value) -> Uuid {
    let run = scene.api().post(&format!("workflows/{path}"), &body).await;
    let id = run["id"].as_str().expect("a run has an id");
    id.parse().unwrap()
}

/// Writes finished runs of one step, with their steps and audit records.
pub(super) async fn finished(scene: &Scene, scenery: &Scenery, range: Range<usize>) {
    write(scene, "f", scenery.finished, range).await;
}

/// Writes runs that wait for a signal.
pub(super) async fn waiting(scene: &Scene, scenery: &Scenery, count: usize) {
    write(scene, "w", scenery.waiting, 0..count).await;
}

/// Writes runs whose time is far away.
pub(super) async fn timed(scene: &Scene, scenery: &Scenery, count: usize) {
    write(scene, "t", scenery.timed, 0..count).await;
}

async fn write(scene: &Scene, kind: &str, template: Uuid, range: Range<usize>) {
    if range.is_empty() {
        return;
    }
    let mut connection = scene.connect().await;
    // Nothing of this is measured, and a crash would end the measurement anyway.
    let quick = "set synchronous_commit = off";
    connection.execute(quick).await.unwrap();
    let mut statements = Vec::new();
    for (table, key) in [
        ("run", "id"),
        ("step", "run_id"),
        ("audit", "entity_id"),
        ("job", "run_id"),
    ] {
        let columns = columns(&mut connection, table).await;
        statements.push(statement(table, key, kind, &columns, &range));
    }
    let mut from = range.start;
    while from < range.end {
        let to = range.end.min(from + CHUNK);
        eprintln!("  {kind}: {to} of {} runs", range.end);
        let mut transaction = connection.begin().await.unwrap();
        for statement in &statements {
            sqlx::query(AssertSqlSafe(statement.as_str()))
                .bind(template)
                .bind(i64::try_from(from).unwrap())
                .bind(i64::try_from(to).unwrap())
                .execute(&mut *transaction)
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
        from = to;
    }
    // As autovacuum would have done in time.
    connection.execute("vacuum (analyze)").await.unwrap();
    connection.execute("checkpoint").await.unwrap();
    connection.close().await.unwrap();
}

/// A column, and whether it holds a moment.
type Column = (String, bool);

async fn columns(connection: &mut PgConnection, table: &str) -> Vec<Column> {
    sqlx::query_as(
        "select attname::text, atttypid = 'timestamptz'::regtype from pg_attribute
         where attrelid = ('stepwell.' || $1)::regclass and attnum > 0
           and not attisdropped and attgenerated = '' and attidentity = ''
         order by attnum",
    )
    .bind(table)
    .fetch_all(connection)
    .await
    .unwrap()
}

/// The rows of the template $1 in one table, written for the runs from $2 to before $3.
fn statement(
    table: &str,
    key: &str,
    kind: &str,
    columns: &[Column],
    range: &Range<usize>,
) -> String {
    let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let values: Vec<_> = columns
        .iter()
        .map(|column| value(table, key, column))
        .collect();
    format!(
        "with base as materialized (select created_at as at from stepwell.run where id = $1),
         moments as (
             select i, date_trunc('day', now() at time zone 'utc') at time zone 'utc'
                       - interval '{DAYS} days'
                       + interval '{DAYS} days' * ((i - {start})::float8 / {count}) as at
             from generate_series($2, $3 - 1) i),
         new as materialized (
             select i, at, public.bench_id(at, '{kind}' || i) as id from moments)
         insert into stepwell.{table} ({})
         select {} from new, base, stepwell.{table} t where t.{key} = $1",
        names.join(", "),
        values.join(", "),
        start = range.start,
        count = range.len(),
    )
}

fn value(table: &str, key: &str, (name, is_moment): &Column) -> String {
    match name.as_str() {
        name if name == key => "new.id".to_owned(),
        "id" if table == "audit" => "public.bench_id(new.at, t.id::text || new.i)".to_owned(),
        // What is to come stays to come.
        "run_at" | "wake_at" => format!("t.{name}"),
        name if *is_moment => format!("new.at + (t.{name} - base.at)"),
        name => format!("t.{name}"),
    }
}

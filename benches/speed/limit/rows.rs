//! The statements of the limit: the rows of a run by arrays, one statement per commit, and the claim that
//! hands runs out to whoever asks first, as a queue with several workers has to.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::scene::Scene;

/// $1 runs, $2 ids of records, $3 workflow, $4 steps of each.
const ENQUEUE: &str = r#"with new as materialized (select * from unnest($1::uuid[], $2::uuid[]) as n (id, audit_id)),
    runs as (insert into stepwell.run (id, workflow_id, workflow_name, version, queue, steps_total, input, triggered_by, created_at)
             select id, $3, 'bench', 1, 'default', $4, '{"user": "Ada"}', 'bench', now() from new),
    jobs as (insert into stepwell.job (run_id, queue, state) select id, 'default', 'ready' from new)
    insert into stepwell.audit (id, entity_type, entity_id, sequence, action, after, actor)
    select audit_id, 'run', id, 1, 'run.created', '"pending"', 'bench' from new"#;
/// $1 worker, $2 the last run that this connection has claimed, $3 how many. Gives runs and their input.
const CLAIM: &str = r#"with due as materialized (
        select ctid as place from stepwell.job
        where state = 'ready' and queue = 'default' and (rank, run_id) > (0, $2)
        order by rank, run_id limit $3 for update skip locked),
    leased as (update stepwell.job j set state = 'leased', worker_id = $1, fresh = false
               from due where j.ctid = due.place returning j.run_id)
    select l.run_id, r.input::text from leased l join stepwell.run r on r.id = l.run_id"#;
/// The first step, and with it the record that the runs began. $1 runs, $2 and $3 ids of records, $4 worker.
const FIRST: &str = r#"with owner as materialized (select id from stepwell.worker where id = $4 for key share),
    new as materialized (select * from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as n (id, begun_id, audit_id)),
    steps as (insert into stepwell.step (run_id, worker_id, started_at, finished_at, generation, status, step, attempt, max_attempts, name, kind, input, output)
              select new.id, owner.id, now(), now(), 1, 'completed', 0, 1, 3, 's0', 'task', '{}', 'null' from new, owner)
    insert into stepwell.audit (id, entity_type, entity_id, sequence, step, action, before, after, detail, actor)
    select a.id, a.about, new.id, a.sequence, a.step, a.action, a.before, a.after, a.detail, 'worker:' || $4
    from new, owner, lateral (values
        (begun_id, 'run', 2, null, 'run.started', json '"pending"', json '"running"', json '{"generation":1}'),
        (audit_id, 'step', 3, 's0', 'step.completed', '"running"', '"completed"', '{"attempt":1}'))
        as a (id, about, sequence, step, action, before, after, detail)"#;
/// A later step. $1 runs, $2 ids of records, $3 step, $4 worker.
const STEP: &str = r#"with owner as materialized (select id from stepwell.worker where id = $4 for key share),
    new as materialized (select * from unnest($1::uuid[], $2::uuid[]) as n (id, audit_id)),
    steps as (insert into stepwell.step (run_id, worker_id, started_at, finished_at, generation, status, step, attempt, max_attempts, name, kind, input, output)
              select new.id, owner.id, now(), now(), 1, 'completed', $3, 1, 3, 's' || $3, 'task', '{}', 'null' from new, owner)
    insert into stepwell.audit (id, entity_type, entity_id, sequence, step, action, before, after, detail, actor)
    select new.audit_id, 'step', new.id, $3 + 3, 's' || $3, 'step.completed', '"running"', '"completed"', '{"attempt":1}', 'worker:' || $4
    from new, owner"#;
/// $1 runs, $2 ids of records, $3 worker, $4 number of the record.
const FINISH: &str = r#"with new as materialized (select * from unnest($1::uuid[], $2::uuid[]) as n (id, audit_id)),
    gone as (delete from stepwell.job j using new where j.run_id = new.id and j.worker_id = $3 returning j.run_id),
    over as (update stepwell.run r set status = 'completed', output = 'null', started_at = now(), finished_at = now()
             from gone where r.id = gone.run_id)
    insert into stepwell.audit (id, entity_type, entity_id, sequence, action, before, after, actor)
    select audit_id, 'run', id, $4, 'run.completed', '"running"', '"completed"', 'worker:' || $3 from new"#;
/// The last step and the end of one run. $1 run, $2 two ids of records, $3 step, $4 worker.
pub(super) const LAST: &str = r#"with owner as materialized (select id from stepwell.worker where id = $4 for key share),
    steps as (insert into stepwell.step (run_id, worker_id, started_at, finished_at, generation, status, step, attempt, max_attempts, name, kind, input, output)
              select $1, owner.id, now(), now(), 1, 'completed', $3, 1, 3, 's' || $3, 'task', '{}', 'null' from owner),
    gone as (delete from stepwell.job j using owner where j.run_id = $1 and j.worker_id = owner.id returning j.run_id),
    over as (update stepwell.run r set status = 'completed', output = 'null', started_at = now(), finished_at = now()
             from gone where r.id = gone.run_id)
    insert into stepwell.audit (id, entity_type, entity_id, sequence, step, action, before, after, actor)
    select a.id, a.about, $1, a.sequence, a.step, a.about || '.completed', '"running"', '"completed"', 'worker:' || $4
    from owner, (values ($2[1], 'step', $3 + 3, 's' || $3), ($2[2], 'run', $3 + 4, null)) as a (id, about, sequence, step)"#;

/// A connection whose plans are made once, for whatever the tables hold, as the product's are.
pub(super) async fn connect(url: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(url).unwrap().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("jit", "off"),
    ]);
    options.connect().await.unwrap()
}

/// Writes a worker's row.
pub(super) async fn register(scene: &Scene) -> Uuid {
    let id = Uuid::now_v7();
    let mut connection = scene.connect().await;
    sqlx::query("insert into stepwell.worker (id, name, version, queues, slots, dead_after_ms) values ($1, 'limit', '', '{}', 1, 60000)")
        .bind(id)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    id
}

/// Claims so many runs behind this one.
pub(super) async fn claim(
    connection: &mut PgConnection,
    worker: Uuid,
    behind: Uuid,
    count: usize,
) -> Vec<Uuid> {
    let claimed: Vec<(Uuid, String)> = sqlx::query_as(CLAIM)
        .bind(worker)
        .bind(behind)
        .bind(i64::try_from(count).unwrap())
        .fetch_all(connection)
        .await
        .unwrap();
    claimed.into_iter().map(|(run, _)| run).collect()
}

/// Starts these runs, of so many steps each.
pub(super) async fn enqueue(
    connection: &mut PgConnection,
    runs: &[Uuid],
    workflow: Uuid,
    steps: i32,
) {
    let enqueue = sqlx::query(ENQUEUE)
        .bind(runs)
        .bind(ids(runs.len()))
        .bind(workflow)
        .bind(steps);
    enqueue.execute(connection).await.unwrap();
}

/// Writes the first step of these runs.
pub(super) async fn begin(connection: &mut PgConnection, worker: Uuid, runs: &[Uuid]) {
    let first = sqlx::query(FIRST)
        .bind(runs)
        .bind(ids(runs.len()))
        .bind(ids(runs.len()))
        .bind(worker);
    first.execute(connection).await.unwrap();
}

/// Writes a later step of these runs.
pub(super) async fn go_on(connection: &mut PgConnection, worker: Uuid, runs: &[Uuid], step: i16) {
    let step = sqlx::query(STEP)
        .bind(runs)
        .bind(ids(runs.len()))
        .bind(step)
        .bind(worker);
    step.execute(connection).await.unwrap();
}

/// Ends these runs; `sequence` is the number of the record.
pub(super) async fn finish(
    connection: &mut PgConnection,
    worker: Uuid,
    runs: &[Uuid],
    sequence: i64,
) {
    let finish = sqlx::query(FINISH)
        .bind(runs)
        .bind(ids(runs.len()))
        .bind(worker)
        .bind(sequence);
    finish.execute(connection).await.unwrap();
}

/// So many new ids.
pub(super) fn ids(count: usize) -> Vec<Uuid> {
    (0..count).map(|_| Uuid::now_v7()).collect()
}

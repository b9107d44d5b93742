//! The limit: the rows of Q1 and W1, written by arrays in one statement per commit over two connections,
//! and nothing else. No API, no engine, no function that is called. How near the product comes to it
//! is a figure that means the same on every machine.

pub(crate) mod alone;

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::arguments::Workload;
use crate::figures::Figures;
use crate::scene::{Scene, Stage};

/// Runs of one statement: two connections with so many make the 1,000 that a worker holds.
const BATCH: usize = 500;
const CONNECTIONS: usize = 2;

const ENQUEUE: &str = r#"with new as materialized (select * from unnest($1::uuid[], $2::uuid[]) as n (id, audit_id)),
    runs as (insert into stepwell.run (id, workflow_id, workflow_name, version, queue, steps_total, input, triggered_by, created_at)
             select id, $3, 'bench', 1, 'default', $4, '{"user": "Ada"}', 'bench', now() from new),
    jobs as (insert into stepwell.job (run_id, queue, state) select id, 'default', 'ready' from new)
    insert into stepwell.audit (id, entity_type, entity_id, sequence, action, after, actor)
    select audit_id, 'run', id, 1, 'run.created', '"pending"', 'bench' from new"#;
const CLAIM: &str = "update stepwell.job set state = 'leased', worker_id = $2, fresh = false
    where run_id = any ($1)";
const STEP: &str = r#"with owner as materialized (select id from stepwell.worker where id = $4 for key share),
    new as materialized (select * from unnest($1::uuid[], $2::uuid[]) as n (id, audit_id)),
    steps as (insert into stepwell.step (run_id, worker_id, started_at, finished_at, generation, status, step, attempt, max_attempts, name, kind, input, output)
              select new.id, owner.id, now(), now(), 1, 'completed', $3, 1, 3, 's' || $3, 'task', '{}', 'null' from new, owner)
    insert into stepwell.audit (id, entity_type, entity_id, sequence, step, action, before, after, detail, actor)
    select new.audit_id, 'step', new.id, $3 + 2, 's' || $3, 'step.completed', '"running"', '"completed"', '{"attempt":1}', 'worker:' || $4
    from new, owner"#;
const FINISH: &str = r#"with new as materialized (select * from unnest($1::uuid[], $2::uuid[]) as n (id, audit_id)),
    gone as (delete from stepwell.job j using new where j.run_id = new.id and j.worker_id = $3 returning j.run_id),
    over as (update stepwell.run r set status = 'completed', output = 'null', started_at = now(), finished_at = now()
             from gone where r.id = gone.run_id)
    insert into stepwell.audit (id, entity_type, entity_id, sequence, action, before, after, actor)
    select audit_id, 'run', id, $4, 'run.completed', '"running"', '"completed"', 'worker:' || $3 from new"#;

/// Measures it for runs of so many steps, on a database of its own.
pub(crate) async fn measure(
    stage: &Stage,
    workload: Workload,
    runs: usize,
    steps: usize,
    figures: &mut Figures,
) {
    let mut scene = Scene::set(stage).await;
    scene.retire_api().await;
    let worker = register(&scene).await;
    let share = runs.div_ceil(CONNECTIONS);
    let first = scene.meter.begin().await;
    let (mut enqueued, mut drained) = (Duration::ZERO, Duration::ZERO);
    let writers: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(write(scene.url.clone(), worker, share, steps)))
        .collect();
    for writer in writers {
        let (enqueue, drain) = writer.await.unwrap();
        enqueued = enqueued.max(enqueue);
        drained = drained.max(drain);
    }
    let cost = scene.meter.since(&first).await;
    let runs = share * CONNECTIONS;
    let name = format!("limit {}", workload.name());
    let seconds = drained.as_secs_f64();
    if workload == Workload::Q1 {
        let rate = runs as f64 / enqueued.as_secs_f64();
        figures.add("limit enqueue", "runs/s", rate);
        figures.add(name.as_str(), "runs/s", runs as f64 / seconds);
        figures.cost("limit Q1, both", "run", runs, &cost);
    } else {
        figures.add(name.as_str(), "steps/s", (runs * steps) as f64 / seconds);
        figures.cost("limit W1, both", "step", runs * steps, &cost);
    }
    scene.strike().await;
}

async fn register(scene: &Scene) -> Uuid {
    let id = Uuid::now_v7();
    let mut connection = PgConnection::connect(&scene.url).await.unwrap();
    sqlx::query("insert into stepwell.worker (id, name, version, queues, slots, dead_after_ms) values ($1, 'limit', '', '{}', 1, 60000)")
        .bind(id)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    id
}

/// One connection's share: enqueued, then claimed, stepped and finished. Gives the two times.
async fn write(url: String, worker: Uuid, runs: usize, steps: usize) -> (Duration, Duration) {
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let workflow = Uuid::now_v7();
    let ids = |count: usize| -> Vec<Uuid> { (0..count).map(|_| Uuid::now_v7()).collect() };
    let all = ids(runs);
    let began = Instant::now();
    for batch in all.chunks(BATCH) {
        let audit_ids = ids(batch.len());
        let enqueue = sqlx::query(ENQUEUE)
            .bind(batch)
            .bind(&audit_ids)
            .bind(workflow)
            .bind(i32::try_from(steps).unwrap());
        enqueue.execute(&mut connection).await.unwrap();
    }
    let enqueued = began.elapsed();
    let began = Instant::now();
    for batch in all.chunks(BATCH) {
        let claim = sqlx::query(CLAIM).bind(batch).bind(worker);
        claim.execute(&mut connection).await.unwrap();
        for step in 0..steps {
            let (audit_ids, step) = (ids(batch.len()), i16::try_from(step).unwrap());
            let steps = sqlx::query(STEP)
                .bind(batch)
                .bind(&audit_ids)
                .bind(step)
                .bind(worker);
            steps.execute(&mut connection).await.unwrap();
        }
        let audit_ids = ids(batch.len());
        let finish = sqlx::query(FINISH)
            .bind(batch)
            .bind(&audit_ids)
            .bind(worker)
            .bind(i64::try_from(steps + 3).unwrap());
        finish.execute(&mut connection).await.unwrap();
    }
    let drained = began.elapsed();
    connection.close().await.unwrap();
    (enqueued, drained)
}

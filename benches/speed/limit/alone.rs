//! The limit of W2: the seven commits of one run of five steps, one after the other over one
//! connection that is warm. No HTTP, no hint from one process to another, nobody who wakes up.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{CLAIM, ENQUEUE, STEP, register};
use crate::figures::Figures;
use crate::scene::{Scene, Stage};
use crate::workloads::CHAIN_STEPS;

/// As in W2.
const PAUSE: Duration = Duration::from_millis(30);
/// Runs before those that count, until each statement has a plan that is kept.
const WARM_UP: usize = 6;

/// The last step and the end of the run, as one statement.
const LAST: &str = r#"with owner as materialized (select id from stepwell.worker where id = $4 for key share),
    steps as (insert into stepwell.step (run_id, worker_id, started_at, finished_at, generation, status, step, attempt, max_attempts, name, kind, input, output)
              select $1, owner.id, now(), now(), 1, 'completed', $3, 1, 3, 's' || $3, 'task', '{}', 'null' from owner),
    gone as (delete from stepwell.job j using owner where j.run_id = $1 and j.worker_id = owner.id returning j.run_id),
    over as (update stepwell.run r set status = 'completed', output = 'null', started_at = now(), finished_at = now()
             from gone where r.id = gone.run_id)
    insert into stepwell.audit (id, entity_type, entity_id, sequence, step, action, before, after, actor)
    select a.id, a.about, $1, a.sequence, a.step, a.about || '.completed', '"running"', '"completed"', 'worker:' || $4
    from owner, (values ($2[1], 'step', $3 + 2, 's' || $3), ($2[2], 'run', $3 + 3, null)) as a (id, about, sequence, step)"#;

/// Measures so many of them.
pub(crate) async fn measure(stage: &Stage, samples: usize, figures: &mut Figures) {
    let mut scene = Scene::set(stage).await;
    scene.retire_api().await;
    let worker = register(&scene).await;
    let mut connection = PgConnection::connect(&scene.url).await.unwrap();
    let mut latencies = Vec::new();
    for sample in 0..WARM_UP + samples {
        tokio::time::sleep(PAUSE).await;
        let took = one_run(&mut connection, worker).await;
        if sample >= WARM_UP {
            latencies.push(took.as_secs_f64() * 1e3);
        }
    }
    connection.close().await.unwrap();
    figures.times("limit W2", latencies);
    scene.strike().await;
}

async fn one_run(connection: &mut PgConnection, worker: Uuid) -> Duration {
    let (run, workflow) = ([Uuid::now_v7()], Uuid::now_v7());
    let steps = i16::try_from(CHAIN_STEPS).unwrap();
    let began = Instant::now();
    let enqueue = sqlx::query(ENQUEUE)
        .bind(run.as_slice())
        .bind(vec![Uuid::now_v7()])
        .bind(workflow)
        .bind(i32::from(steps));
    enqueue.execute(&mut *connection).await.unwrap();
    let claim = sqlx::query(CLAIM).bind(run.as_slice()).bind(worker);
    claim.execute(&mut *connection).await.unwrap();
    for step in 0..steps - 1 {
        let step = sqlx::query(STEP)
            .bind(run.as_slice())
            .bind(vec![Uuid::now_v7()])
            .bind(step)
            .bind(worker);
        step.execute(&mut *connection).await.unwrap();
    }
    let last = sqlx::query(LAST)
        .bind(run[0])
        .bind(vec![Uuid::now_v7(), Uuid::now_v7()])
        .bind(steps - 1)
        .bind(worker);
    last.execute(&mut *connection).await.unwrap();
    began.elapsed()
}

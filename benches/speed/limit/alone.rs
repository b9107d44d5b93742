//! The limit of W2: the seven commits of one run of five steps, one after the other over one
//! connection that is warm. No HTTP, no hint from one process to another, nobody who wakes up.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::rows::{self, LAST, begin, claim, connect, go_on, ids, register};
use crate::figures::Figures;
use crate::scene::{Scene, Stage};
use crate::workloads::CHAIN_STEPS;

/// As in W2.
pub(super) const PAUSE: Duration = Duration::from_millis(30);
/// Runs before those that count, until each statement has its plan.
pub(super) const WARM_UP: usize = 6;

/// Measures so many of them.
pub(crate) async fn measure(stage: &Stage, samples: usize, figures: &mut Figures) {
    let mut scene = Scene::set(stage).await;
    scene.retire_api().await;
    let worker = register(&scene).await;
    let mut connection = connect(&scene.url).await;
    let mut latencies = Vec::new();
    for sample in 0..WARM_UP + samples {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        let run = enqueue(&mut connection).await;
        carry_out(&mut connection, worker, run).await;
        if sample >= WARM_UP {
            latencies.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    connection.close().await.unwrap();
    figures.times("limit W2", latencies);
    scene.strike().await;
}

/// Starts a run.
pub(super) async fn enqueue(connection: &mut PgConnection) -> Uuid {
    let run = Uuid::now_v7();
    let steps = i32::try_from(CHAIN_STEPS).unwrap();
    rows::enqueue(connection, &[run], Uuid::now_v7(), steps).await;
    run
}

/// Claims it and carries it out.
pub(super) async fn carry_out(connection: &mut PgConnection, worker: Uuid, run: Uuid) {
    let claimed = claim(connection, worker, Uuid::nil(), 1).await;
    assert_eq!(claimed, [run], "there is no other");
    let steps = i16::try_from(CHAIN_STEPS).unwrap();
    begin(connection, worker, &[run]).await;
    for step in 1..steps - 1 {
        go_on(connection, worker, &[run], step).await;
    }
    let last = sqlx::query(LAST)
        .bind(run)
        .bind(ids(2))
        .bind(steps - 1)
        .bind(worker);
    last.execute(connection).await.unwrap();
}

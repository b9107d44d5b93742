//! H1: many connections POST single runs over HTTP, each the next one when the last was answered.
//! No worker takes them meanwhile: this is what the API and the commit bear.

mod client;

use std::time::{Duration, Instant};

use crate::arguments::Extent;
use crate::figures::Figures;
use crate::scene::{Scene, Stage};
use client::Client;

const CONNECTIONS: usize = 64;
const TIME: Duration = Duration::from_secs(10);
/// POSTs of each connection before the time counts.
const WARM_UP: usize = 5;

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let mut scene = Scene::set(stage).await;
    scene.chain(1).await;
    // The warm-up is counted with what it cost: the server would count its transactions late.
    let reading = scene.meter.begin().await;
    let used = scene.api().spent();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(scene.api().port).await;
        for _ in 0..WARM_UP {
            client.post().await;
        }
        clients.push(client);
    }
    let began = Instant::now();
    let until = began + extent.time(TIME, TIME);
    let posting: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(post_until(client, until)))
        .collect();
    let mut latencies = Vec::new();
    for connection in posting {
        latencies.extend(connection.await.unwrap());
    }
    let seconds = began.elapsed().as_secs_f64();
    let spent = scene.api().spent().since(used);
    scene.retire_api().await;
    let cost = scene.meter.since(&reading).await;
    let count = latencies.len();
    let all = count + CONNECTIONS * WARM_UP;
    are_there(&scene, all).await;
    figures.add("H1", "POSTs/s", count as f64 / seconds);
    figures.times("H1", latencies);
    figures.cost("H1", "run", all, &cost);
    figures.spent("H1", "API", "run", all, spent);
    scene.strike().await;
}

/// POSTs until then; gives the milliseconds of each.
async fn post_until(mut client: Client, until: Instant) -> Vec<f64> {
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        client.post().await;
        latencies.push(began.elapsed().as_secs_f64() * 1e3);
    }
    latencies
}

/// What was answered 202 is in the database.
async fn are_there(scene: &Scene, answered: usize) {
    let mut connection = scene.connect().await;
    let runs: i64 = sqlx::query_scalar("select count(*) from stepwell.run")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(usize::try_from(runs).unwrap(), answered, "runs and answers");
}

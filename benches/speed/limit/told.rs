//! The limit of W2 where two processes are needed: the same seven commits, and what the two must tell each
//! other by way of Postgres. Whoever starts the run says so, the other hears it and carries it out, says
//! that it is over, and the first one hears that and reads the outcome. Still no HTTP and no engine.

use std::time::Instant;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use super::alone::{PAUSE, WARM_UP, carry_out, enqueue};
use super::rows::{connect, register};
use crate::figures::Figures;
use crate::scene::{Scene, Stage};

const SAY: &str = "select pg_notify($1, $2)";
const OUTCOME: &str = "select status::text, output::text from stepwell.run where id = $1";
const BEGUN: &str = "limit_begun";
const ENDED: &str = "limit_ended";

/// One of the two processes, by its connections.
struct Side {
    works: PgConnection,
    says: PgConnection,
    hears: PgListener,
}

impl Side {
    async fn open(scene: &Scene, hears_of: &str) -> Self {
        let options: PgConnectOptions = scene.url.parse().unwrap();
        // A hint need not be durable, here as in the product.
        let quick = options.clone().options([("synchronous_commit", "off")]);
        let pool = PgPoolOptions::new().max_connections(1);
        let pool = pool.connect_with(options).await.unwrap();
        let mut hears = PgListener::connect_with(&pool).await.unwrap();
        hears.listen(hears_of).await.unwrap();
        Self {
            works: connect(&scene.url).await,
            says: quick.connect().await.unwrap(),
            hears,
        }
    }

    async fn say(&mut self, channel: &str, run: Uuid) {
        let said = sqlx::query(SAY).bind(channel).bind(run.to_string());
        said.execute(&mut self.says).await.unwrap();
    }

    async fn hear(&mut self) -> Uuid {
        let heard = self.hears.recv().await.unwrap();
        heard.payload().parse().unwrap()
    }

    async fn close(self) {
        self.works.close().await.unwrap();
        self.says.close().await.unwrap();
    }
}

/// Measures so many of them.
pub(crate) async fn measure(stage: &Stage, samples: usize, figures: &mut Figures) {
    let mut scene = Scene::set(stage).await;
    scene.retire_api().await;
    let id = register(&scene).await;
    let mut client = Side::open(&scene, ENDED).await;
    let mut worker = Side::open(&scene, BEGUN).await;
    let mut latencies = Vec::new();
    for sample in 0..WARM_UP + samples {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        one_run(&mut client, &mut worker, id).await;
        if sample >= WARM_UP {
            latencies.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    client.close().await;
    worker.close().await;
    figures.times("limit W2, told", latencies);
    scene.strike().await;
}

async fn one_run(client: &mut Side, worker: &mut Side, id: Uuid) {
    let run = enqueue(&mut client.works).await;
    client.say(BEGUN, run).await;
    let heard = worker.hear().await;
    carry_out(&mut worker.works, id, heard).await;
    worker.say(ENDED, heard).await;
    let over = client.hear().await;
    let outcome: (String, String) = sqlx::query_as(OUTCOME)
        .bind(over)
        .fetch_one(&mut client.works)
        .await
        .unwrap();
    assert_eq!(outcome.0, "completed");
}

//! `stepwell bench`: what this machine and this Postgres give. It starts runs of steps that do nothing,
//! lets a worker of its own drain them, and then starts single ones. `./dev bench` measures more.

mod figures;
mod load;

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use stepwell::queue::Store;
use stepwell::queue::enqueue::Enqueued;
use stepwell::queue::workflow::PlannedVersion;
use stepwell::worker::{Runtime, WorkerSettings};
use tokio_util::sync::CancellationToken;

use figures::{Figures, tell};
use load::{ACTOR, TASK, actor, new_run, workflow};

use super::{Given, parts};
use crate::config::database;
use crate::embedded::{Options, Private};
use crate::shutdown;

/// Runs of one transaction: some hundreds cost little more than one.
const BATCH: usize = 500;
/// How often the worker's counters are looked at: far less than a drain takes.
const LOOK_EVERY: Duration = Duration::from_millis(2);

#[derive(Debug, clap::Args)]
pub(super) struct Bench {
    /// Runs that come in together and are drained.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Steps of each, one after the other.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    steps: u32,
    /// Runs that are started alone afterwards, each when the one before is over.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    singles: u32,
    #[command(flatten)]
    database: database::Layer,
    /// The directory of the Postgres server's programs, for the private one.
    #[arg(long, env = "STEPWELL_PG_BIN", value_name = "DIR")]
    pg_bin: Option<std::path::PathBuf>,
}

impl Bench {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let file = given.file;
        let mut database = self.database.clone().over(file.database).resolve()?;
        let stop = shutdown::install()?;
        let mut private = None;
        if database.url.is_none() {
            let started = Private::start(Options {
                data_dir: None,
                ephemeral: true,
                pg_bin: self.pg_bin.clone().or(file.embedded.pg_bin),
            })
            .await?;
            database.url = Some(started.url());
            private = Some(started);
        }
        let store = parts::open(&database)?;
        let measured = tokio::select! {
            measured = Box::pin(self.measure(&store, private.is_some())) => measured,
            () = stop.cancelled() => Err(anyhow::anyhow!("stopped before the end")),
        };
        store.close().await;
        if let Some(private) = private {
            private.stop().await;
        }
        tell(&measured?, given.json)
    }

    async fn measure(&self, store: &Store, is_private: bool) -> anyhow::Result<Figures> {
        if is_private {
            store.migrate_up().await.context("the migration failed")?;
        } else {
            parts::refuse_schema(store).await?;
        }
        let planned = workflow(store, self.steps).await?;
        let figures = self.run_all(store, &planned).await;
        // Its runs stay in the history; nobody starts more.
        store
            .delete_workflow(planned.workflow_id, None, &actor())
            .await
            .context("the workflow of the measurement is left")?;
        figures
    }

    async fn run_all(&self, store: &Store, planned: &PlannedVersion) -> anyhow::Result<Figures> {
        let began = Instant::now();
        let mut left = self.runs as usize;
        while left > 0 {
            let size = left.min(BATCH);
            let batch = (0..size).map(|_| new_run(planned, false)).collect();
            let enqueued = store.enqueue_batch(batch, None).await?;
            if !matches!(enqueued, Enqueued::Created) {
                bail!("the runs were refused: {enqueued:?}");
            }
            left -= size;
        }
        let enqueued = began.elapsed();
        let settings = WorkerSettings {
            name: ACTOR.to_owned(),
            queues: vec![planned.workflow_name.to_string()],
            ..WorkerSettings::default()
        };
        let runtime = Runtime::builder(store.clone())
            .settings(settings)
            .task(TASK, |_| async { Ok(Value::Null) })
            .build()?;
        let (metrics, ended) = (runtime.metrics(), CancellationToken::new());
        let watching = async {
            let began = Instant::now();
            while metrics
                .read()
                .runs_finished
                .iter()
                .map(|(_, n)| n)
                .sum::<u64>()
                < u64::from(self.runs)
            {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            let drained = began.elapsed();
            let singles = self.singles(store, planned).await;
            ended.cancel();
            singles.map(|singles| (drained, singles))
        };
        let working = runtime.run(ended.clone());
        let (worked, watched) = tokio::join!(Box::pin(working), Box::pin(watching));
        worked?;
        let (drained, singles) = watched?;
        let all = metrics.read().runs_finished;
        if let Some((status, n)) = all
            .iter()
            .find(|(status, n)| *status != "completed" && *n > 0)
        {
            bail!("{n} runs ended as {status}");
        }
        Ok(Figures::of(
            (self.runs, self.steps),
            enqueued,
            drained,
            singles,
        ))
    }

    /// Starts runs one after the other; gives how long each took.
    async fn singles(
        &self,
        store: &Store,
        planned: &PlannedVersion,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut all = Vec::with_capacity(self.singles as usize);
        for _ in 0..self.singles {
            let run = new_run(planned, true);
            let mut end = store.await_end(run.id).context("too many wait")?;
            let began = Instant::now();
            store.enqueue(run).await?;
            end.over().await;
            all.push(began.elapsed());
        }
        Ok(all)
    }
}

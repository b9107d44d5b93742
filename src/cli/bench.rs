//! `stepwell bench`: what this machine and this Postgres give. It starts runs of steps that do nothing,
//! lets a worker of its own drain them, and then starts single ones. `./dev bench` measures more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::Utc;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use stepwell::queue::enqueue::Enqueued;
use stepwell::queue::workflow::{NewWorkflow, PlannedVersion, Secrets, WorkflowText};
use stepwell::queue::{Actor, NewRun, Store};
use stepwell::worker::{Runtime, WorkerSettings};
use stepwell::workflow::validate::validate;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Given, parts, print};
use crate::config::database;
use crate::embedded::{Options, Private};
use crate::shutdown;

/// Who the audit says it was.
const ACTOR: &str = "bench";
/// The function that the steps call.
const TASK: &str = "noop";
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
        Ok(Figures::of(self, enqueued, drained, singles))
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

/// What came of it.
struct Figures {
    runs: u32,
    steps: u32,
    enqueue_per_second: f64,
    drain_per_second: f64,
    p50_ms: f64,
    p95_ms: f64,
}

impl Figures {
    fn of(
        asked: &Bench,
        enqueued: Duration,
        drained: Duration,
        mut singles: Vec<Duration>,
    ) -> Self {
        singles.sort_unstable();
        let at = |percent: usize| {
            let nth = singles.len().saturating_sub(1) * percent / 100;
            let took = singles.get(nth).copied().unwrap_or_default();
            took.as_secs_f64() * 1_000.0
        };
        let runs = f64::from(asked.runs);
        Self {
            runs: asked.runs,
            steps: asked.steps,
            enqueue_per_second: runs / enqueued.as_secs_f64(),
            drain_per_second: runs / drained.as_secs_f64(),
            p50_ms: at(50),
            p95_ms: at(95),
        }
    }
}

fn tell(figures: &Figures, as_json: bool) -> anyhow::Result<()> {
    let Figures {
        runs,
        steps,
        enqueue_per_second,
        drain_per_second,
        p50_ms,
        p95_ms,
    } = figures;
    let steps_per_second = drain_per_second * f64::from(*steps);
    if as_json {
        let rounded = |figure: f64| (figure * 100.0).round() / 100.0;
        return print::json(&json!({
            "runs": runs, "steps": steps,
            "enqueue_runs_per_second": rounded(*enqueue_per_second),
            "drain_runs_per_second": rounded(*drain_per_second),
            "drain_steps_per_second": rounded(steps_per_second),
            "single_run_ms": { "p50": rounded(*p50_ms), "p95": rounded(*p95_ms) },
        }));
    }
    print::line(format_args!(
        "{runs} runs of {steps} steps that do nothing, one worker, every result durable"
    ));
    let row = |what: &str, figure: String| vec![what.to_owned(), figure];
    print::table(
        &["", "figure"],
        &[
            row("enqueue", format!("{enqueue_per_second:.0} runs/s")),
            row(
                "drain",
                format!("{drain_per_second:.0} runs/s, {steps_per_second:.0} steps/s"),
            ),
            row(
                "one run alone",
                format!("p50 {p50_ms:.2} ms, p95 {p95_ms:.2} ms"),
            ),
        ],
    );
    Ok(())
}

fn actor() -> Actor {
    Actor {
        name: ACTOR.to_owned(),
        ..Actor::default()
    }
}

/// Makes the workflow, under a name that nobody else has; its queue has the same.
async fn workflow(store: &Store, steps: u32) -> anyhow::Result<PlannedVersion> {
    let id = Uuid::now_v7();
    let slug = format!("bench-{}", id.simple());
    let steps: Vec<_> = (1..=steps)
        .map(|n| json!({"name": format!("s{n}"), "type": "task", "config": {"task": TASK}}))
        .collect();
    let document = json!({"name": "Measurement", "steps": steps});
    let (definition, _) = validate(&document)?;
    let text = WorkflowText {
        name: definition.name.clone(),
        description: None,
        active: Some(true),
        labels: BTreeMap::new(),
        definition: RawValue::from_string(document.to_string())?,
        content_hash: definition.content_hash(),
        secrets: Secrets::default(),
        agents: Vec::new(),
    };
    let new = NewWorkflow {
        id,
        slug: slug.clone(),
        text,
        actor: actor(),
        created_at: Utc::now(),
        idempotency: None,
    };
    store.create_workflow(&new).await?;
    let planned = store.resolve(&slug, None).await?;
    planned.context("the workflow of the measurement is gone")
}

fn new_run(planned: &PlannedVersion, awaited: bool) -> NewRun {
    NewRun {
        id: Uuid::now_v7(),
        workflow_id: planned.workflow_id,
        workflow_name: Arc::clone(&planned.workflow_name),
        version: planned.version,
        steps_total: i32::try_from(planned.plan.forward).unwrap_or(i32::MAX),
        input: Arc::from(RawValue::NULL.to_owned()),
        queue: Arc::clone(&planned.workflow_name),
        priority: 0,
        run_at: None,
        timeout_ms: None,
        labels: BTreeMap::new(),
        dedupe_key: None,
        place: None,
        callback_url: None,
        parent: None,
        awaited,
        actor: actor(),
        created_at: Utc::now(),
        idempotency: None,
    }
}

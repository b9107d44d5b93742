//! One worker from its registration to its end.
//!
//! It ends in stages. Asked to stop, it claims nothing more and begins nothing more; what is in
//! flight may end. After the grace period what is still in flight is given back, and the attempt
//! does not count. Then the worker retires, and others go on with its runs at once. A worker that
//! the database held for dead, or that outlived some of what it had committed, drops all its runs
//! where they stand and registers anew. Events go out ([`delivery`]) as long as the worker works.

use std::sync::Arc;
use std::time::Duration;

use stepwell_queue::worker::WorkerOptions;
use stepwell_queue::{Error, Store, Worker};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::builder::{Builder, RuntimeError};
use super::context::{Context, Stages};
use super::delivery;
use super::detached;
use super::metrics::Metrics;
use super::settings::WorkerSettings;
use super::stack;
use super::steps::Steps;

/// How long the last commits may take when attempts were given back: beyond it the database is
/// away, and other workers find the runs once this worker's silence is noticed.
const FAREWELL: Duration = Duration::from_secs(5);
/// Between attempts to register while the database is away.
const REGISTER_RETRY: Duration = Duration::from_secs(1);

/// A worker, ready to run.
#[derive(Debug)]
pub struct Runtime {
    pub(super) store: Store,
    pub(super) settings: WorkerSettings,
    pub(super) steps: Arc<Steps>,
    pub(super) metrics: Arc<Metrics>,
}

/// How one registration came to its end.
enum Ended {
    Stopped,
    Fenced,
    /// An operator asked for it.
    Drained,
}

impl Runtime {
    /// Begins a worker on this store with default settings and no tasks.
    #[must_use]
    pub fn builder(store: Store) -> Builder {
        Builder::new(store)
    }

    /// Returns the worker's counters.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Works until `shutdown` is cancelled, or an operator lets it drain, and everything is given back
    /// or ended. Waits while the database is away.
    ///
    /// # Errors
    /// [`RuntimeError::Register`] when the database refuses the worker, as with a wrong schema.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RuntimeError> {
        let ended = shutdown.child_token();
        let sending = delivery::run(
            self.store.clone(),
            self.steps.outbound.clone(),
            ended.clone(),
        );
        let working = async {
            let worked = self.work(shutdown).await;
            ended.cancel();
            worked
        };
        let (worked, ()) = tokio::join!(Box::pin(working), Box::pin(sending));
        worked
    }

    /// Works under one registration after the other.
    async fn work(&self, shutdown: CancellationToken) -> Result<(), RuntimeError> {
        loop {
            let Some(worker) = self.register(&shutdown).await? else {
                return Ok(());
            };
            match self.serve(worker, &shutdown).await {
                Ended::Stopped | Ended::Drained => return Ok(()),
                Ended::Fenced => tracing::warn!("registering anew"),
            }
        }
    }

    /// Registers; `None` when the worker is to stop before the database answers.
    async fn register(&self, shutdown: &CancellationToken) -> Result<Option<Worker>, RuntimeError> {
        let settings = &self.settings;
        let options = WorkerOptions {
            name: settings.name.clone(),
            queues: settings.queues.clone(),
            slots: settings.slots,
            heartbeat: settings.heartbeat,
            dead_after: settings.dead_after,
            poll: settings.poll,
        };
        let mut told = false;
        while !shutdown.is_cancelled() {
            match self.store.register(options.clone()).await {
                Ok(worker) => return Ok(Some(worker)),
                Err(Error::Unavailable(error)) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "waiting for the database");
                    }
                }
                Err(error) => return Err(RuntimeError::Register(error)),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(REGISTER_RETRY) => {}
            }
        }
        Ok(None)
    }

    /// Works under one registration.
    async fn serve(&self, worker: Worker, shutdown: &CancellationToken) -> Ended {
        let worker_id = worker.id();
        self.steps.seats.register(worker.seating());
        let fenced = worker.fenced();
        let draining = worker.draining();
        let stop_claiming = CancellationToken::new();
        let stages = Stages {
            drain: shutdown.child_token(),
            give_back: CancellationToken::new(),
            dropped: CancellationToken::new(),
        };
        let backend = worker.backend(stop_claiming.clone());
        let context = Arc::new(Context {
            store: self.store.clone(),
            committer: worker.committer(),
            worker,
            steps: Arc::clone(&self.steps),
            metrics: Arc::clone(&self.metrics),
            stages: stages.clone(),
            errands: TaskTracker::new(),
        });
        tracing::info!(%worker_id, queues = ?self.settings.queues, "the worker is ready");
        let drivers = TaskTracker::new();
        let ended = {
            let driving = Box::pin(async {
                let (context, drivers) = (Arc::clone(&context), drivers.clone());
                let (slots, stop) = (self.settings.slots, stop_claiming.clone());
                let stack = stack::work(backend, context, drivers, slots, stop);
                // A task: every run passes through here when it begins and when it ends, and what stands on
                // the thread that called waits for a core of its own each time.
                if let Err(error) = AbortOnDropHandle::new(tokio::spawn(stack)).await {
                    tracing::error!(%error, "the backend broke");
                }
                if !stop_claiming.is_cancelled() {
                    // The backend broke, and all that this worker does ends with it.
                    stages.dropped.cancel();
                    stop_claiming.cancel();
                }
            });
            let making = Box::pin(detached::work(
                Arc::clone(&context),
                self.settings.slots,
                self.settings.poll,
                stop_claiming.clone(),
            ));
            let mut working = std::pin::pin!(async {
                tokio::join!(driving, making);
                // Some may still wait for their last commits.
                drivers.close();
                drivers.wait().await;
            });
            tokio::select! {
                // The backend broke: what it had was dropped, and a new one may do better.
                () = &mut working => Ended::Fenced,
                () = fenced.cancelled() => {
                    tracing::warn!(%worker_id, "the worker drops its runs, which others may have by now");
                    stop_claiming.cancel();
                    stages.dropped.cancel();
                    working.await;
                    Ended::Fenced
                }
                () = draining.cancelled() => {
                    stop_claiming.cancel();
                    stages.drain.cancel();
                    tracing::info!(%worker_id, "the worker was asked to drain: it claims nothing more");
                    self.finish(working, &stages, &fenced, shutdown).await;
                    Ended::Drained
                }
                () = shutdown.cancelled() => {
                    stop_claiming.cancel();
                    context.errands.spawn(context.worker.say_draining());
                    self.wind_down(working, &stages, &fenced).await;
                    Ended::Stopped
                }
            }
        };
        self.leave(context).await;
        ended
    }

    /// Lets the work come to its end, however long that takes, unless the process is to stop.
    async fn finish(
        &self,
        working: impl Future<Output = ()>,
        stages: &Stages,
        fenced: &CancellationToken,
        shutdown: &CancellationToken,
    ) {
        let mut working = std::pin::pin!(working);
        tokio::select! {
            () = &mut working => {}
            () = fenced.cancelled() => {
                stages.dropped.cancel();
                working.await;
            }
            () = shutdown.cancelled() => self.wind_down(working, stages, fenced).await,
        }
    }

    /// Lets the work come to its end, and hurries it along in stages.
    async fn wind_down(
        &self,
        working: impl Future<Output = ()>,
        stages: &Stages,
        fenced: &CancellationToken,
    ) {
        let grace = self.settings.grace;
        tracing::info!(?grace, "the worker stops: it claims nothing more");
        let mut working = std::pin::pin!(working);
        tokio::select! {
            () = &mut working => return,
            () = fenced.cancelled() => {}
            () = tokio::time::sleep(grace) => {
                tracing::warn!("the grace period is over: attempts in flight are given back");
                stages.give_back.cancel();
                tokio::select! {
                    () = &mut working => return,
                    () = fenced.cancelled() => {}
                    () = tokio::time::sleep(FAREWELL) => {
                        tracing::warn!("the database does not take the last commits");
                    }
                }
            }
        }
        stages.dropped.cancel();
        working.await;
    }

    /// Retires the worker, once nobody else holds it.
    async fn leave(&self, context: Arc<Context>) {
        context.errands.close();
        if tokio::time::timeout(FAREWELL, context.errands.wait())
            .await
            .is_err()
        {
            tracing::info!("not every agent heard of its aborted runs");
        }
        let Some(context) = Arc::into_inner(context) else {
            tracing::error!("a driver outlived its worker");
            return;
        };
        if tokio::time::timeout(FAREWELL, context.store.flush_logs())
            .await
            .is_err()
        {
            tracing::warn!("the last lines of steps' logs could not be kept");
        }
        if tokio::time::timeout(FAREWELL, context.worker.retire())
            .await
            .is_err()
        {
            tracing::warn!("the database does not hear that this worker retires");
        }
    }
}

//! The seam to apalis: its workers poll this backend, which yields the runs that the claim loop took.
//!
//! An `Err` from either stream would end an apalis worker, so there is none: a database that is away
//! is waited for. Heartbeat, commits and rescue are tasks of their own and go on while apalis drains.
//! A driver commits the end of its run itself, so there is nothing to acknowledge when it ends well;
//! when it broke, its run is given back and a death counted, so that the poison limit holds.

use std::convert::Infallible;
use std::sync::Arc;

use apalis_core::backend::TaskStream;
use apalis_core::error::BoxDynError;
use apalis_core::task::task_id::TaskId;
use apalis_core::task::{Parts, Task, builder::TaskBuilder};
use apalis_core::worker::context::WorkerContext;
use apalis_core::worker::ext::ack::{Acknowledge, AcknowledgeLayer};
use apalis_sql::config::Config;
use apalis_sql::context::SqlContext;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::claim::buffer::Buffer;
use crate::claim::desk::Desk;
use crate::link::Link;
use crate::worker::{Driving, Life};
use crate::{Claimed, Committed, Committer, Error};

/// What apalis knows of a run besides its [`Claimed`].
pub type Context = SqlContext<PgPool>;

/// Yields claimed runs to an apalis worker. Made by [`crate::Worker::backend`].
#[derive(Debug)]
pub struct Backend {
    life: Arc<Life>,
    committer: Committer,
    /// The connection of the claims.
    link: Link,
    stop: CancellationToken,
    config: Config,
}

impl Backend {
    pub(crate) fn new(
        life: Arc<Life>,
        committer: Committer,
        link: Link,
        stop: CancellationToken,
    ) -> Self {
        let queue = life.options.queues.first().map_or("", String::as_str);
        let config = Config::new(queue)
            .set_buffer_size(life.options.slots)
            .set_keep_alive(life.options.heartbeat)
            .set_reenqueue_orphaned_after(life.options.dead_after);
        Self {
            life,
            committer,
            link,
            stop,
            config,
        }
    }

    /// Looks at how drivers ended, and gives back the runs of those that broke.
    #[must_use]
    pub fn acknowledgement(&self) -> Acknowledgement {
        Acknowledgement {
            life: Arc::clone(&self.life),
            committer: self.committer.clone(),
        }
    }

    /// The settings in the words of apalis-sql.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

impl apalis_core::backend::Backend for Backend {
    type Args = Claimed;
    type IdType = Uuid;
    type Context = Context;
    type Error = Error;
    type Stream = TaskStream<Task<Claimed, Context, Uuid>, Error>;
    type Beat = BoxStream<'static, Result<(), Error>>;
    type Layer = AcknowledgeLayer<Acknowledgement>;

    /// Ticks with each heartbeat that the database took; ends when the worker is fenced.
    fn heartbeat(&self, _: &WorkerContext) -> Self::Beat {
        let beats = self.life.beats.subscribe();
        let fenced = self.life.fenced.clone();
        futures::stream::unfold((beats, fenced), |(mut beats, fenced)| async move {
            tokio::select! {
                () = fenced.cancelled() => None,
                changed = beats.changed() => changed.is_ok().then_some((Ok(()), (beats, fenced))),
            }
        })
        // apalis asks again after the end, which an unfold answers with a panic.
        .fuse()
        .boxed()
    }

    fn middleware(&self) -> Self::Layer {
        AcknowledgeLayer::new(self.acknowledgement())
    }

    fn poll(self, _: &WorkerContext) -> Self::Stream {
        let buffer = Arc::new(Buffer::default());
        let stop = self.stop.child_token();
        let slots = self.config.buffer_size();
        let desk = Desk::new(
            Arc::clone(&self.life),
            self.committer,
            Arc::clone(&buffer),
            self.link,
            slots,
        );
        self.life.tasks.spawn(desk.run(stop.clone()));
        // A stream that is dropped asks for no more.
        let asking = stop.drop_guard();
        futures::stream::unfold((buffer, asking), |(buffer, asking)| async move {
            let claimed = buffer.next().await?;
            Some((Ok(Some(task(claimed))), (buffer, asking)))
        })
        .fuse()
        .boxed()
    }
}

/// The context stays empty: its words would be copied for each run, and nobody reads them. A run knows
/// its queue, and its worker is this one.
fn task(claimed: Claimed) -> Task<Claimed, Context, Uuid> {
    let run_id = claimed.header.id;
    TaskBuilder::new(claimed)
        .with_ctx(Context::new())
        .with_task_id(TaskId::new(run_id))
        .build()
}

/// Looks at how a driver ended.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    pub(crate) life: Arc<Life>,
    pub(crate) committer: Committer,
}

impl Acknowledgement {
    /// Gives back a run whose driver broke, unless it was let go of before that.
    pub(crate) async fn broke(self, run_id: Uuid, error: String) {
        if !self.life.held.contains(run_id) {
            return;
        }
        let _driving = Driving::new(Arc::clone(&self.life), run_id);
        tracing::error!(%run_id, error, "a driver broke; its run is given back");
        if let Committed::Refused(reason) = self.committer.give_back_broken(run_id).await {
            tracing::error!(%run_id, reason, "it could not be given back");
        }
    }
}

impl<Res> Acknowledge<Res, Context, Uuid> for Acknowledgement {
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<(), Infallible>>;

    fn ack(
        &mut self,
        ended: &Result<Res, BoxDynError>,
        parts: &Parts<Context, Uuid>,
    ) -> Self::Future {
        let run_id = parts.task_id.as_ref().map(|id| *id.inner());
        let (Err(error), Some(run_id)) = (ended, run_id) else {
            return Box::pin(std::future::ready(Ok(())));
        };
        let giving_back = self.clone().broke(run_id, error.to_string());
        Box::pin(giving_back.map(Ok))
    }
}

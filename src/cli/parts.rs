//! What `up`, `api` and `worker` are put together from.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use stepwell::queue::migrate::Standing;
use stepwell::queue::{Error, Store};
use stepwell::worker::{Runtime, WorkerSettings, pulse};
use stepwell_web::auth::AuthOptions;
use stepwell_web::{Bound, Hosts, Patience, WebOptions, grpc};
use tokio_util::sync::CancellationToken;

use super::pulse::Pulse;
use crate::config::auth::Auth;
use crate::config::database::Database;
use crate::config::process::Process;
use crate::config::server::Server;

/// Between looks at a database that is away.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the start of an API is held up by a database that does not answer: then it serves, and
/// `/health` tells.
const GLANCE_MAX: Duration = Duration::from_secs(2);

/// How long answers about a worker may take once it has ended: none of them takes long.
const PROBES_GRACE: Duration = Duration::from_secs(1);

/// Opens the store. The database may be away.
pub(super) fn open(database: &Database) -> anyhow::Result<Store> {
    Store::open(database.store_options()?).context("the database URL cannot be used")
}

/// Fails when the schema is not the binary's. A database that is away, or takes too long to answer,
/// may have any: [`check_schema`] waits for it.
pub(super) async fn refuse_schema(store: &Store) -> anyhow::Result<()> {
    match tokio::time::timeout(GLANCE_MAX, schema(store)).await {
        Ok(Err(error)) if !is_away(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Waits for the database and fails unless its schema is the binary's. `false`: asked to stop
/// before it answered.
pub(super) async fn check_schema(store: &Store, stop: &CancellationToken) -> anyhow::Result<bool> {
    let mut told = false;
    loop {
        match schema(store).await {
            Ok(()) => return Ok(true),
            Err(error) if is_away(&error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(error = format!("{error:#}"), "waiting for the database");
                }
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Fails unless the schema is the binary's, or where statements cannot be sent at all.
async fn schema(store: &Store) -> anyhow::Result<()> {
    if !store.keeps_statements_apart().await? {
        bail!(
            "the pooler before the database mixes up the prepared statements of its clients: take PgBouncer 1.21 or \
             newer with max_prepared_statements = 500, or connect to Postgres itself"
        );
    }
    match store.standing().await {
        Ok(Standing::Current) => Ok(()),
        Ok(Standing::Behind) => bail!(
            "the schema is older than this program, or absent: run `stepwell migrate up` first"
        ),
        Ok(Standing::Ahead) => bail!(
            "the schema is newer than this program ({}): run a newer stepwell",
            env!("CARGO_PKG_VERSION")
        ),
        Err(error @ Error::Unavailable(_)) => Err(error.into()),
        Err(error) => Err(error).context("cannot tell the version of the schema"),
    }
}

fn is_away(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Unavailable(_)))
}

/// Binds the API's socket. `allow_private`: whether it may ask agents at private addresses.
pub(super) async fn bind(
    server: Server,
    auth: Auth,
    process: &Process,
    store: &Store,
    allow_private: bool,
    stop: &CancellationToken,
) -> anyhow::Result<Bound> {
    let options = WebOptions {
        auth: auth.options()?,
        hosts: server.hosts,
        ..web_options(server.address, process)
    };
    let agents = Arc::new(Pulse(pulse::Pulse::new(allow_private)?));
    let bound = stepwell_web::bind(options, store.clone(), agents, stop.clone()).await;
    bound.context("the API does not start (--port takes another port, 0 any free one)")
}

/// Binds the socket of the gRPC door.
pub(super) fn bind_grpc(
    server: &Server,
    process: &Process,
    rest: &Bound,
    stop: &CancellationToken,
) -> anyhow::Result<grpc::Bound> {
    let options = web_options(server.grpc, process);
    grpc::bind(options, rest.app(), stop.clone())
        .context("the gRPC door does not open (--grpc-port takes another port, 0 any free one)")
}

/// Binds the socket through which a worker is watched.
pub(super) async fn bind_probes(
    listen: SocketAddr,
    process: &Process,
    store: &Store,
    stop: &CancellationToken,
) -> anyhow::Result<Bound> {
    let options = WebOptions {
        stop_grace: PROBES_GRACE,
        ..web_options(listen, process)
    };
    let bound = stepwell_web::bind_probes(options, store.clone(), stop.clone()).await;
    bound.context("the worker cannot be watched there (--health-listen takes another address)")
}

fn web_options(listen: SocketAddr, process: &Process) -> WebOptions {
    WebOptions {
        listen,
        stop_grace: process.grace,
        environment: process.environment.clone(),
        auth: AuthOptions::Open,
        hosts: Hosts::default(),
        patience: Patience::default(),
    }
}

/// Makes a worker that offers no tasks of its own.
pub(super) fn worker(settings: WorkerSettings, store: &Store) -> anyhow::Result<Runtime> {
    Ok(Runtime::builder(store.clone()).settings(settings).build()?)
}

/// Ends `stop` with the first part that fails, and then returns that failure; the others end in order.
pub(super) async fn until_first_failure<T, E>(
    part: impl Future<Output = Result<T, E>>,
    name: &'static str,
    stop: &CancellationToken,
) -> anyhow::Result<()>
where
    E: Into<anyhow::Error>,
{
    let ended = part.await;
    let asked = stop.is_cancelled();
    stop.cancel();
    match ended {
        Ok(_) if asked => Ok(()),
        Ok(_) => Err(anyhow!("the {name} ended unasked")),
        Err(error) => Err(error.into()).with_context(|| format!("the {name} failed")),
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

//! `stepwell up`: everything in one process.

use std::time::Duration;

use anyhow::Context;
use stepwell::queue::{Error, Store};
use tokio_util::sync::CancellationToken;

use super::{Given, measure, parts, print};
use crate::config::{auth, database, embedded as embedded_config, process, server, worker};
use crate::embedded::{Options, Private};
use crate::shutdown;

/// How long a server that was named may take to answer: long enough for one that starts beside us.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(super) struct Up {
    #[command(flatten)]
    server: server::Layer,
    #[command(flatten)]
    auth: auth::Layer,
    #[command(flatten)]
    database: database::Layer,
    #[command(flatten)]
    embedded: embedded_config::Layer,
    /// Keep the data in a temporary directory that is removed at the end.
    #[arg(long, conflicts_with_all = ["data_dir", "url", "url_file"])]
    ephemeral: bool,
    #[command(flatten)]
    worker: worker::Layer,
    #[command(flatten)]
    process: process::Layer,
}

impl Up {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let file = given.file;
        let process = self.process.over(file.process).resolve();
        let auth = self.auth.over(file.auth).resolve()?;
        let server = self.server.over(file.server).resolve(auth.is_open())?;
        let worker = self.worker.over(file.worker);
        let elsewhere = worker.public_url.is_some();
        let worker = worker.resolve(true, process.grace)?;
        let mut database = self.database.over(file.database).resolve()?;
        let embedded = self.embedded.over(file.embedded);
        let stop = shutdown::install()?;

        let mut private = None;
        if database.url.is_none() {
            let options = Options {
                data_dir: embedded.data_dir,
                ephemeral: self.ephemeral,
                pg_bin: embedded.pg_bin,
            };
            // A first signal does not cut it off: a cluster is made whole, and then stopped in order.
            let started = Private::start(options).await?;
            database.url = Some(started.url());
            if database.master_key.is_none() {
                database.master_key = Some(started.master_key()?);
            }
            private = Some(started);
        }
        let parts = Parts {
            server,
            auth,
            worker,
            elsewhere,
            process,
            database,
            json: given.json,
        };
        let outcome = Box::pin(parts.run(private.as_mut(), &stop)).await;
        if let Some(private) = private {
            private.stop().await;
        }
        outcome
    }
}

/// What runs on a database that answers.
struct Parts {
    server: server::Server,
    auth: auth::Auth,
    worker: stepwell::worker::WorkerSettings,
    /// Whether agents reach the API by another address than it listens on.
    elsewhere: bool,
    process: process::Process,
    database: database::Database,
    json: bool,
}

impl Parts {
    async fn run(
        self,
        private: Option<&mut Private>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let store = parts::open(&self.database)?;
        migrate(&store, stop).await?;
        let allow_private = self.worker.allow_private_networks;
        let bound = parts::bind(
            self.server.clone(),
            self.auth,
            &self.process,
            &store,
            allow_private,
            stop,
        )
        .await?;
        let grpc = parts::bind_grpc(&self.server, &self.process, &bound, stop)?;
        let mut worker = self.worker;
        if !self.elsewhere {
            worker.public_url = format!("http://{}", reachable(bound.address()));
        }
        let runtime = parts::worker(worker, &store)?;
        measure::worker(&bound.app().metrics, &runtime);
        announce(&bound, &grpc, private.as_deref(), self.json)?;
        let working = async {
            runtime.run(stop.clone()).await?;
            // A worker that was drained leaves the API where it is.
            stop.cancelled().await;
            Ok::<_, anyhow::Error>(())
        };
        let served = async {
            let (api, called, worker) = tokio::join!(
                Box::pin(parts::until_first_failure(bound.serve(), "API", stop)),
                Box::pin(parts::until_first_failure(grpc.serve(), "gRPC door", stop)),
                Box::pin(parts::until_first_failure(working, "worker", stop)),
            );
            store.close().await;
            api.and(called).and(worker)
        };
        match private {
            None => served.await,
            Some(private) => tokio::select! {
                ended = served => ended,
                error = private.supervise() => Err(error),
            },
        }
    }
}

/// Returns an address by which this machine reaches what listens here.
fn reachable(mut listening: std::net::SocketAddr) -> std::net::SocketAddr {
    if listening.ip().is_unspecified() {
        listening.set_ip(match listening {
            std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    listening
}

/// Brings the schema to this version; waits a little for a server that is starting.
async fn migrate(store: &Store, stop: &CancellationToken) -> anyhow::Result<()> {
    let since = std::time::Instant::now();
    loop {
        match store.migrate_up().await {
            Ok(versions) if versions.is_empty() => return Ok(()),
            Ok(versions) => {
                tracing::info!(?versions, "the schema is at this version");
                return Ok(());
            }
            Err(error @ Error::Unavailable(_))
                if since.elapsed() < DATABASE_PATIENCE && !stop.is_cancelled() =>
            {
                tracing::warn!(error = parts::chain(&error), "waiting for the database");
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(error) => return Err(error).context("the schema could not be brought up to date"),
        }
    }
}

fn announce(
    bound: &stepwell_web::Bound,
    grpc: &stepwell_web::grpc::Bound,
    private: Option<&Private>,
    json: bool,
) -> anyhow::Result<()> {
    let url = format!("http://{}", bound.address());
    let grpc = grpc.address().to_string();
    let data = private.map(|private| private.path().display().to_string());
    if json {
        return print::json(&serde_json::json!({ "url": url, "grpc": grpc, "data_dir": data }));
    }
    print::line(format_args!("Stepwell is up: {url}"));
    print::line(format_args!("  API documentation  {url}/docs"));
    print::line(format_args!("  gRPC               {grpc}"));
    if let Some(data) = data {
        print::line(format_args!("  data directory     {data}"));
        print::line(format_args!(
            "  SQL                psql \"$(cat {data}/database.url)\""
        ));
    }
    print::line("  stop with Ctrl-C");
    Ok(())
}

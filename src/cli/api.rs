//! `stepwell api`: the API alone, on a database that others share.

use stepwell::queue::Store;
use tokio_util::sync::CancellationToken;

use super::{Given, parts, print};
use crate::config::{auth, database, process, server};
use crate::shutdown;

#[derive(Debug, clap::Args)]
pub(super) struct Api {
    #[command(flatten)]
    server: server::Layer,
    #[command(flatten)]
    auth: auth::Layer,
    #[command(flatten)]
    database: database::Layer,
    #[command(flatten)]
    process: process::Layer,
    /// Whether the health of agents at private and loopback addresses may be asked [default:
    /// false], as for the steps of a worker.
    #[arg(long, env = "STEPWELL_WORKER_ALLOW_PRIVATE", value_name = "BOOL")]
    allow_private: Option<bool>,
}

impl Api {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let file = given.file;
        let process = self.process.over(file.process).resolve();
        let auth = self.auth.over(file.auth).resolve()?;
        let server = self.server.over(file.server).resolve(auth.is_open())?;
        let database = self.database.over(file.database).resolve()?;
        let stop = shutdown::install()?;
        let store = parts::open(&database)?;
        // Nobody is to find an API that is about to give up.
        tokio::select! {
            () = stop.cancelled() => {}
            looked = parts::refuse_schema(&store) => looked?,
        }
        let allow_private = self.allow_private.or(file.worker.allow_private);
        let allow_private = allow_private.unwrap_or(false);
        let bound =
            parts::bind(server.clone(), auth, &process, &store, allow_private, &stop).await?;
        let grpc = parts::bind_grpc(&server, &process, &bound, &stop)?;
        let url = format!("http://{}", bound.address());
        if given.json {
            let grpc = grpc.address().to_string();
            print::json(&serde_json::json!({ "url": url, "grpc": grpc }))?;
        } else {
            print::line(format_args!("The API listens on {url}"));
            print::line(format_args!("gRPC listens on {}", grpc.address()));
        }
        // While the database is away it serves all the same: `/health` says so, and a supervisor
        // need not restart what is not broken.
        let (served, called, kept) = tokio::join!(
            parts::until_first_failure(bound.serve(), "API", &stop),
            parts::until_first_failure(Box::pin(grpc.serve()), "gRPC door", &stop),
            async {
                let kept = keep(&store, &stop).await;
                if kept.is_err() {
                    stop.cancel();
                }
                kept
            },
        );
        store.close().await;
        kept.and(served).and(called)
    }
}

/// Waits for the database, checks its schema, and then keeps partitions ahead of time and makes the
/// runs of schedules: an API may take runs for days before the first worker starts.
async fn keep(store: &Store, stop: &CancellationToken) -> anyhow::Result<()> {
    if parts::check_schema(store, stop).await? {
        tokio::select! {
            () = stop.cancelled() => {}
            () = store.maintain(stop.clone()) => {}
            () = store.keep_schedules(stop.clone()) => {}
        }
    }
    Ok(())
}

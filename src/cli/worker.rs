//! `stepwell worker`: a worker alone. It listens on no port, unless it is to be watched.

use stepwell_web::Bound;
use tokio_util::sync::CancellationToken;

use super::{Given, measure, parts, print};
use crate::config::{database, health, process, worker};
use crate::shutdown;

#[derive(Debug, clap::Args)]
pub(super) struct Work {
    #[command(flatten)]
    worker: worker::Layer,
    #[command(flatten)]
    health: health::Layer,
    #[command(flatten)]
    database: database::Layer,
    #[command(flatten)]
    process: process::Layer,
}

impl Work {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let file = given.file;
        let process = self.process.over(file.process).resolve();
        let settings = self
            .worker
            .over(file.worker)
            .resolve(false, process.grace)?;
        let database = self.database.over(file.database).resolve()?;
        let stop = shutdown::install()?;
        let store = parts::open(&database)?;
        let name = settings.name.clone();
        let runtime = parts::worker(settings, &store)?;
        let probes = match self.health.over(file.health).listen {
            Some(listen) => {
                let bound = parts::bind_probes(listen, &process, &store, &stop).await?;
                measure::worker(&bound.app().metrics, &runtime);
                Some(bound)
            }
            None => None,
        };
        let health = probes
            .as_ref()
            .map(|bound| format!("http://{}/health", bound.address()));
        let ended = CancellationToken::new();
        let work = async {
            let worked = async {
                if !parts::check_schema(&store, &stop).await? {
                    return Ok(());
                }
                if given.json {
                    print::json(&serde_json::json!({ "worker": name, "health": health }))?;
                } else {
                    print::line(format_args!("The worker {name} is working"));
                    if let Some(health) = &health {
                        print::line(format_args!("  health  {health}"));
                    }
                }
                let working = async {
                    runtime.run(stop.clone()).await?;
                    // Stopped, or drained: there is nothing left to do.
                    stop.cancel();
                    Ok::<_, anyhow::Error>(())
                };
                parts::until_first_failure(working, "worker", &stop).await
            }
            .await;
            ended.cancel();
            worked
        };
        let (worked, watched) = tokio::join!(work, watch(probes, &ended, &stop));
        store.close().await;
        worked.and(watched)
    }
}

/// Lets the worker be watched until it has ended, its drain included.
async fn watch(
    probes: Option<Bound>,
    ended: &CancellationToken,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    match probes {
        None => Ok(()),
        Some(bound) => {
            let served = Box::pin(bound.serve_until(ended.clone()));
            parts::until_first_failure(served, "health server", stop).await
        }
    }
}

//! `stepwell worker`: a worker alone. It listens on no port.

use super::{Given, parts, print};
use crate::config::{database, process, worker};
use crate::shutdown;

#[derive(Debug, clap::Args)]
pub(super) struct Work {
    #[command(flatten)]
    worker: worker::Layer,
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
        if !parts::check_schema(&store, &stop).await? {
            return Ok(());
        }
        if given.json {
            print::json(&serde_json::json!({ "worker": name }))?;
        } else {
            print::line(format_args!("The worker {name} is working"));
        }
        let worked = parts::until_first_failure(runtime.run(stop.clone()), "worker", &stop).await;
        store.close().await;
        worked
    }
}

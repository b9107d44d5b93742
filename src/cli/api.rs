//! `stepwell api`: the API alone, on a database that others share.

use super::{Given, parts, print};
use crate::config::{database, process, server};
use crate::shutdown;

#[derive(Debug, clap::Args)]
pub(super) struct Api {
    #[command(flatten)]
    server: server::Layer,
    #[command(flatten)]
    database: database::Layer,
    #[command(flatten)]
    process: process::Layer,
}

impl Api {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let file = given.file;
        let process = self.process.over(file.process).resolve();
        let server = self.server.over(file.server).resolve()?;
        let database = self.database.over(file.database).resolve()?;
        let stop = shutdown::install()?;
        let store = parts::open(&database)?;
        let bound = parts::bind(server, &process, &store, &stop).await?;
        let url = format!("http://{}", bound.address());
        if given.json {
            print::json(&serde_json::json!({ "url": url }))?;
        } else {
            print::line(format_args!("The API listens on {url}"));
        }
        // While the database is away it serves all the same: `/health` says so, and a supervisor
        // need not restart what is not broken.
        let (served, checked) = tokio::join!(
            parts::until_first_failure(bound.serve(), "API", &stop),
            async {
                let checked = parts::check_schema(&store, &stop).await;
                if checked.is_err() {
                    stop.cancel();
                }
                checked
            },
        );
        store.close().await;
        checked.map(|_| ()).and(served)
    }
}

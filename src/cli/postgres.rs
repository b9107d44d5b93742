//! `stepwell postgres`: the private Postgres alone. Whoever reads its standard output to the end of
//! the first line has a server that answers.

use secrecy::ExposeSecret;

use super::{Given, print};
use crate::config::embedded;
use crate::embedded::{Options, Private};
use crate::shutdown;

#[derive(Debug, clap::Args)]
pub(super) struct Postgres {
    #[command(flatten)]
    embedded: embedded::Layer,
    /// Keep the data in a temporary directory that is removed at the end.
    #[arg(long, conflicts_with = "data_dir")]
    ephemeral: bool,
}

impl Postgres {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let layer = self.embedded.over(given.file.embedded);
        let options = Options {
            data_dir: layer.data_dir,
            ephemeral: self.ephemeral,
            pg_bin: layer.pg_bin,
        };
        let stop = shutdown::install()?;
        let mut private = Private::start(options).await?;
        let url = private.tcp_url();
        if given.json {
            print::json(&serde_json::json!({
                "database_url": url.expose_secret(),
                "data_dir": private.path().display().to_string(),
            }))?;
        } else {
            print::line(url.expose_secret());
        }
        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            error = private.supervise() => Err(error),
        };
        private.stop().await;
        outcome
    }
}

//! `stepwell health`: asks a process of ours how it is, for containers that have no other program to
//! ask with. The exit code is the answer.

use std::time::Duration;

use anyhow::{Context, bail};
use url::Url;

use super::{Given, print};

/// Longer than the process itself waits for its database.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Health {
    /// What to ask: an API, or the --health-listen of a worker.
    #[arg(
        value_name = "URL",
        default_value = "http://127.0.0.1:8080/health/ready"
    )]
    url: Url,
}

impl Health {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        let answer = client.get(self.url.clone()).send().await;
        let answer = answer.with_context(|| format!("nobody answers at {}", self.url))?;
        let status = answer.status();
        let text = answer.text().await.context("the answer broke off")?;
        if given.json {
            print::json(&serde_json::json!({
                "url": self.url.as_str(), "http_status": status.as_u16(), "healthy": status.is_success(),
            }))?;
        } else {
            print::line(text.trim_end());
        }
        if !status.is_success() {
            bail!("{} answers {status}", self.url);
        }
        Ok(())
    }
}

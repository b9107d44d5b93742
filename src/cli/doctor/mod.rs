//! `stepwell doctor`: looks at everything that Stepwell rests on, and says what to do about what is
//! not well. It changes nothing.

mod clocks;
mod database;
mod deep;
mod descriptors;
mod finding;
mod schema;

use std::path::PathBuf;

use stepwell::queue::Store;

use self::finding::{Finding, State};
use super::{Given, parts, print};
use crate::config::database as settings;

#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    database: settings::Layer,

    /// Look at the data too: whether runs, jobs, leases, places, seats and the trail agree. It only reads, a
    /// statement at a time, and takes about a minute for each million runs.
    #[arg(long)]
    deep: bool,
}

impl Doctor {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let mut layer = self.database.over(given.file.database);
        // A key that cannot be read is a finding, not the end of the examination.
        let key = (layer.master_key.take(), layer.master_key_file.take());
        let store = parts::open(&layer.resolve()?)?;
        let mut findings = vec![master_key(key.0.is_some(), key.1), descriptors::examine()];
        findings.extend(examine(&store, self.deep).await);
        store.close().await;
        let worst = findings.iter().map(|finding| finding.state).max();
        let failed = worst == Some(State::Fail);
        if given.json {
            print::json(&serde_json::json!({ "healthy": !failed, "checks": findings }))?;
        } else {
            for finding in &findings {
                print::line(finding);
            }
        }
        if failed {
            anyhow::bail!("something is not well: see the lines that begin with fail");
        }
        Ok(())
    }
}

async fn examine(store: &Store, deep: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if database::examine(store, &mut findings).await {
        let current = schema::examine(store, &mut findings).await;
        if deep && current {
            deep::examine(store, &mut findings).await;
        }
    }
    findings
}

fn master_key(in_environment: bool, file: Option<PathBuf>) -> Finding {
    const CHECK: &str = "master key";
    if in_environment {
        return Finding::ok(CHECK, "it is in the environment");
    }
    let Some(path) = file else {
        return Finding::warn(
            CHECK,
            "there is none: agents with credentials are refused",
            "point STEPWELL_MASTER_KEY_FILE at a file with 32 bytes (openssl rand -hex 32), the \
             same for every process",
        );
    };
    match settings::read_key(&path) {
        Ok(_) => Finding::ok(CHECK, format!("{} holds one", path.display())),
        Err(mistake) => Finding::fail(
            CHECK,
            mistake.0,
            "let the user of the process read it; 64 hexadecimal digits or base64 of 32 bytes",
        ),
    }
}

//! `stepwell secret`: what is encrypted at rest.

use anyhow::{Context, bail};
use clap::Subcommand;
use stepwell::queue::Actor;
use stepwell::queue::rotate::Rotation;

use super::{Given, parts, print};
use crate::config::database;

/// Who rotates, in the audit records.
const ACTOR: &str = "cli";

#[derive(Debug, clap::Args)]
pub(super) struct Secret {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    database: database::Layer,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Encrypt everything anew under the first master key. Doing it twice changes nothing.
    Rotate,
}

impl Secret {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let database = self.database.over(given.file.database).resolve()?;
        let store = parts::open(&database)?;
        let Verb::Rotate = self.verb;
        let actor = Actor {
            name: ACTOR.into(),
            ..Actor::default()
        };
        let rotated = store.rotate_secrets(&actor).await;
        store.close().await;
        match rotated.context("not everything could be encrypted anew")? {
            Rotation::NoMasterKey => {
                bail!("there is no master key: set STEPWELL_MASTER_KEY_FILE")
            }
            Rotation::Done(done) if given.json => print::json(&serde_json::json!({
                "agents": done.agents, "workflow_versions": done.versions, "subscriptions": done.subscriptions,
            })),
            Rotation::Done(done) => {
                print::line(format_args!(
                    "encrypted anew: {} agents, {} versions of workflows, {} subscriptions",
                    done.agents, done.versions, done.subscriptions
                ));
                Ok(())
            }
        }
    }
}

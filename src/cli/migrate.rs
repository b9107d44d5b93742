//! `stepwell migrate`: the schema's version.

use anyhow::Context;
use clap::Subcommand;
use stepwell::queue::migrate::Standing;

use super::{Given, parts, print};
use crate::config::database;

#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    database: database::Layer,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Apply what is missing. Several at once are safe: one applies, the others wait.
    Up,
    /// Take back the newest migrations, and with them what they hold.
    Down {
        /// How many.
        #[arg(default_value_t = 1)]
        count: usize,
    },
    /// List the migrations, and how the schema stands against this program.
    Status,
}

impl Migrate {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let database = self.database.over(given.file.database).resolve()?;
        let store = parts::open(&database)?;
        let outcome = async {
            match self.verb {
                Verb::Up => {
                    let versions = store.migrate_up().await.context("the migration failed")?;
                    told("applied", &versions, given.json)
                }
                Verb::Down { count } => {
                    let versions = store
                        .migrate_down(count)
                        .await
                        .context("taking the migration back failed")?;
                    told("taken_back", &versions, given.json)
                }
                Verb::Status => status(&store, given.json).await,
            }
        }
        .await;
        store.close().await;
        outcome
    }
}

fn told(what: &str, versions: &[i32], json: bool) -> anyhow::Result<()> {
    if json {
        return print::json(&serde_json::json!({ what: versions }));
    }
    if versions.is_empty() {
        print::line("nothing to do");
    }
    for version in versions {
        print::line(format_args!("{} V{version}", what.replace('_', " ")));
    }
    Ok(())
}

async fn status(store: &stepwell::queue::Store, json: bool) -> anyhow::Result<()> {
    let standing = store
        .standing()
        .await
        .context("cannot tell the version of the schema")?;
    let migrations = store
        .migrations()
        .await
        .context("cannot list the migrations")?;
    let (word, sentence) = match standing {
        Standing::Current => ("current", "the schema is at the version of this program"),
        Standing::Behind => (
            "behind",
            "the schema is older than this program: stepwell migrate up",
        ),
        Standing::Ahead => (
            "ahead",
            "the schema is newer than this program, which must not run on it",
        ),
    };
    if json {
        return print::json(&serde_json::json!({ "standing": word, "migrations": migrations }));
    }
    let rows: Vec<Vec<String>> = migrations
        .iter()
        .map(|step| {
            let applied = if step.applied { "applied" } else { "missing" };
            vec![
                format!("V{}", step.version),
                step.name.clone(),
                applied.to_owned(),
            ]
        })
        .collect();
    print::table(&["version", "name", "state"], &rows);
    print::line(sentence);
    Ok(())
}

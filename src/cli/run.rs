//! `stepwell run`: runs, through the API.

mod list;
mod show;

use anyhow::bail;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use self::show::show;
use super::Given;
use super::client::{Answer, Client, ServerArgument};
use super::watch::watch;
use crate::config::Mistake;

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    server: ServerArgument,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a run of a workflow.
    Start {
        /// The workflow's name or id.
        workflow: String,
        /// The input, as JSON.
        #[arg(long, short, default_value = "{}", value_name = "JSON")]
        input: String,
        /// Start nothing twice under the same key.
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
        /// Follow it to its end; the exit code is 0 only if it completes.
        #[arg(long)]
        watch: bool,
    },
    /// Show a run.
    Get { id: String },
    /// List runs, the newest first.
    List(Box<list::List>),
    /// Cancel a run.
    Cancel {
        id: String,
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Go on with a failed, cancelled or timed out run from where it failed.
    Retry {
        id: String,
        /// From this step on, also what had completed.
        #[arg(long, value_name = "STEP", conflicts_with = "reset")]
        from_step: Option<String>,
        /// Every step, also what had completed.
        #[arg(long)]
        reset: bool,
    },
    /// Follow a run to its end, a line for each event, and then show it; the exit code is 0 only if
    /// it completes.
    Watch { id: String },
}

impl Run {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let client = Client::new(&self.server)?;
        match self.verb {
            Verb::Start {
                workflow,
                input,
                idempotency_key,
                watch,
            } => {
                let input: Value = serde_json::from_str(&input)
                    .map_err(|error| Mistake::new(format!("the input is not JSON: {error}")))?;
                let url = client.at(&["workflows", &workflow, "execute"], &[])?;
                let headers = idempotency_key.map(|key| ("Idempotency-Key", key));
                let body = json!({ "input": input });
                let headers: Vec<_> = headers.into_iter().collect();
                let run = match client.ask(Method::POST, url, Some(&body), &headers).await? {
                    Answer::Found(run) => run,
                    Answer::NotFound(refused) => return Err(refused.into()),
                };
                if !watch {
                    return show(&run, given.json);
                }
                follow(&client, text(&run, "id"), given.json).await
            }
            Verb::Get { id } => {
                let url = client.at(&["runs", &id], &[])?;
                show(&client.get(Method::GET, url, None).await?, given.json)
            }
            Verb::List(wanted) => wanted.run(&client, given.json).await,
            Verb::Cancel { id, reason } => {
                let body = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
                let url = client.at(&["runs", &id, "cancel"], &[])?;
                show(
                    &client.get(Method::POST, url, Some(&body)).await?,
                    given.json,
                )
            }
            Verb::Retry {
                id,
                from_step,
                reset,
            } => {
                let body = match from_step {
                    Some(step) => json!({ "from_step": step }),
                    None => json!({ "reset": reset }),
                };
                let url = client.at(&["runs", &id, "retry"], &[])?;
                show(
                    &client.get(Method::POST, url, Some(&body)).await?,
                    given.json,
                )
            }
            Verb::Watch { id } => follow(&client, &id, given.json).await,
        }
    }
}

/// Prints what happens until the run is over, and then the run.
async fn follow(client: &Client, id: &str, json: bool) -> anyhow::Result<()> {
    let run = watch(client, id, json).await?;
    show(&run, json)?;
    match text(&run, "status") {
        "completed" => Ok(()),
        status => bail!("the run is {status}"),
    }
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

//! `stepwell run`: runs, through the API.

use anyhow::bail;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Answer, Client, ServerArgument};
use super::watch::watch;
use super::{Given, print};
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
    List(Box<List>),
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
        #[arg(long, value_name = "STEP")]
        from_step: Option<String>,
    },
    /// Follow a run to its end, a line for each event, and then show it; the exit code is 0 only if
    /// it completes.
    Watch { id: String },
}

/// Which runs are listed: those that every filter lets through.
#[derive(Debug, clap::Args)]
struct List {
    /// Only runs that are so; may be repeated.
    #[arg(long, value_name = "STATUS")]
    status: Vec<String>,
    /// Only runs of this workflow, by its name or id.
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// Only runs of this queue.
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Only runs with this label; may be repeated.
    #[arg(long, value_name = "KEY:VALUE")]
    label: Vec<String>,
    /// Only runs that this run started.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// Only runs created at this time or later, as 2026-03-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    created_after: Option<String>,
    /// Only runs created before this time.
    #[arg(long, value_name = "TIME")]
    created_before: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u16,
    /// Go on after the page that named this cursor.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl List {
    fn query(self) -> Vec<(&'static str, String)> {
        let mut query = vec![("limit", self.limit.to_string())];
        let once = [
            ("workflow_id", self.workflow),
            ("queue", self.queue),
            ("parent_id", self.parent),
            ("created_after", self.created_after),
            ("created_before", self.created_before),
            ("cursor", self.cursor),
        ];
        query.extend(
            once.into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        query.extend(self.status.into_iter().map(|status| ("status", status)));
        query.extend(self.label.into_iter().map(|label| ("label", label)));
        query
    }
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
                    Answer::NotFound(words) => bail!("{words}"),
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
            Verb::List(wanted) => list(&client, *wanted, given.json).await,
            Verb::Cancel { id, reason } => {
                let body = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
                let url = client.at(&["runs", &id, "cancel"], &[])?;
                show(
                    &client.get(Method::POST, url, Some(&body)).await?,
                    given.json,
                )
            }
            Verb::Retry { id, from_step } => {
                let body = from_step.map_or_else(|| json!({}), |step| json!({ "from_step": step }));
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

async fn list(client: &Client, wanted: List, json: bool) -> anyhow::Result<()> {
    let query = wanted.query();
    let page = client
        .get(Method::GET, client.at(&["runs"], &query)?, None)
        .await?;
    if json {
        return print::json(&page);
    }
    let rows: Vec<Vec<String>> = page
        .get("items")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|run| {
            let cell = |name| text(run, name).to_owned();
            vec![
                cell("id"),
                cell("workflow_name"),
                cell("status"),
                cell("created_at"),
                cell("finished_at"),
            ]
        })
        .collect();
    print::table(&["id", "workflow", "status", "created", "finished"], &rows);
    if let Some(cursor) = page.get("next_cursor").and_then(Value::as_str) {
        print::line(format_args!("more: --cursor {cursor}"));
    }
    Ok(())
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

fn show(run: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        return print::json(run);
    }
    print::line(format_args!("run       {}", text(run, "id")));
    print::line(format_args!("workflow  {}", text(run, "workflow_name")));
    print::line(format_args!("status    {}", text(run, "status")));
    for name in ["blocked_on", "error", "output"] {
        if let Some(value) = run.get(name).filter(|value| !value.is_null()) {
            print::line(format_args!("{name:<9} {value}"));
        }
    }
    Ok(())
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

//! `stepwell run list`. What can be told to be wrong without the server is told by the arguments.

use chrono::DateTime;
use clap::builder::PossibleValuesParser;
use reqwest::Method;
use serde_json::Value;
use stepwell_web::limits::PAGE_MAX;
use stepwell_web::runs::limits::STATUSES;
use uuid::Uuid;

use super::text;
use crate::cli::client::Client;
use crate::cli::print;

/// Which runs are listed: those that every filter lets through.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only runs that are so; may be repeated.
    #[arg(long, value_name = "STATUS", value_parser = PossibleValuesParser::new(STATUSES))]
    status: Vec<String>,
    /// Only runs of this workflow, by its name or id.
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// Only runs of this queue.
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Only runs with this label; may be repeated.
    #[arg(long, value_name = "KEY:VALUE", value_parser = label)]
    label: Vec<String>,
    /// Only runs that this run started.
    #[arg(long, value_name = "ID")]
    parent: Option<Uuid>,
    /// Only runs created at this time or later, as 2026-03-01T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    created_after: Option<String>,
    /// Only runs created before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    created_before: Option<String>,
    /// At most so many, 1–200.
    #[arg(
        long,
        default_value_t = 50,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX))
    )]
    limit: u32,
    /// Go on after the page that named this cursor.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// Takes a label as it is sent.
fn label(text: &str) -> Result<String, &'static str> {
    match text.split_once(':') {
        Some((key, _)) if !key.is_empty() => Ok(text.to_owned()),
        _ => Err("a label is KEY:VALUE"),
    }
}

/// Takes a time as it is sent.
fn time(text: &str) -> Result<String, &'static str> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a time is as 2026-03-01T00:00:00Z"),
    }
}

impl List {
    fn query(self) -> Vec<(&'static str, String)> {
        let mut query = vec![("limit", self.limit.to_string())];
        let once = [
            ("workflow_id", self.workflow),
            ("queue", self.queue),
            ("parent_id", self.parent.map(|id| id.to_string())),
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

    /// Prints a page of runs.
    pub(super) async fn run(self, client: &Client, json: bool) -> anyhow::Result<()> {
        let url = client.at(&["runs"], &self.query())?;
        let page = client.get(Method::GET, url, None).await?;
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
}

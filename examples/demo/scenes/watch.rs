//! Watches a run: a line whenever a step moves.

use std::collections::HashMap;
use std::time::Instant;

use serde_json::Value;

use super::text;
use crate::api::{Client, until};
use crate::show::Show;

/// Shows the steps of a new run as they move until it has ended; gives the run.
pub(crate) async fn until_finished(api: &Client, show: &Show, id: &str) -> anyhow::Result<Value> {
    until_finished_since(api, show, id, &[]).await
}

/// The same for a run whose steps stood as `before`.
pub(crate) async fn until_finished_since(
    api: &Client,
    show: &Show,
    id: &str,
    before: &[Value],
) -> anyhow::Result<Value> {
    let begun = Instant::now();
    let mut seen: HashMap<String, String> = before
        .iter()
        .map(|step| (text(step, "name").to_owned(), standing(step)))
        .collect();
    until("the run ends", async || {
        // The run first: what its steps show is then at least as late.
        let run = api.run(id).await?;
        for step in api.steps(id).await? {
            let now = standing(&step);
            let before = seen.insert(text(&step, "name").to_owned(), now.clone());
            if !now.is_empty() && before.as_ref() != Some(&now) {
                show.moment(begun, &format!("{:<9} {now}", text(&step, "name")));
            }
        }
        Ok(run["finished_at"].is_string().then_some(run))
    })
    .await
}

/// Waits for the end of a run and shows nothing; gives the run.
pub(crate) async fn silently(api: &Client, id: &str) -> anyhow::Result<Value> {
    until("the run ends", async || {
        let run = api.run(id).await?;
        Ok(run["finished_at"].is_string().then_some(run))
    })
    .await
}

/// Where a step stands, empty while nothing has happened to it.
fn standing(step: &Value) -> String {
    let status = text(step, "status");
    match (status, step["attempt"].as_u64()) {
        ("pending", _) => String::new(),
        (_, Some(attempt)) if attempt > 1 => format!("{status}, attempt {attempt}"),
        _ => status.to_owned(),
    }
}

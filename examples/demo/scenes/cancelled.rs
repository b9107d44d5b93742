//! A run is cancelled while an agent works for it: the call is hung up on within a second.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{text, watch};
use crate::api::{Client, until};
use crate::show::Show;

/// From the request until the agent sees that it was hung up on.
const WITHIN: Duration = Duration::from_secs(1);

/// Plays it.
pub(crate) async fn play(api: &Client, show: &mut Show) -> anyhow::Result<()> {
    show.scene("A running step is cancelled");
    let id = api.start("slow", json!({})).await?;
    until("the slow agent is called", async || {
        let calls = api.calls_of(&id).await?;
        Ok(calls.iter().any(|call| call.path == "/slow").then_some(()))
    })
    .await?;
    show.line("the agent thinks, and would for 20 s; POST …/cancel");
    let asked = Instant::now();
    api.cancel(&id, "no longer needed").await?;
    until("the agent is hung up on", async || {
        let calls = api.calls_of(&id).await?;
        let is_aborted = calls
            .iter()
            .any(|call| call.path == "/slow" && call.aborted);
        Ok(is_aborted.then_some(()))
    })
    .await?;
    let took = asked.elapsed();
    show.expect_in(
        took < WITHIN,
        "the agent saw its caller hang up within a second",
        took,
        format!("{took:?}"),
    );
    let told = until("the agent is told", async || {
        let path = format!("/slow/runs/{id}");
        let calls = api.calls().await?;
        let is_told = calls.iter().any(|c| c.method == "DELETE" && c.path == path);
        Ok(is_told.then_some(()))
    });
    show.expect_in(
        told.await.is_ok(),
        "the agent was told that the run is cancelled",
        asked.elapsed(),
        "no DELETE",
    );
    let run = watch::silently(api, &id).await?;
    let steps = api.steps(&id).await?;
    let standing: Vec<_> = steps
        .iter()
        .map(|step| format!("{} {}", text(step, "name"), text(step, "status")))
        .collect();
    show.expect(
        run["status"] == "cancelled"
            && standing == ["charge completed", "think cancelled", "ship skipped"],
        "the run is cancelled, and what came after was skipped",
        format!("{}: {standing:?}", run["status"]),
    );
    show.expect(
        run["cancel_reason"] == "no longer needed",
        "the reason is kept",
        &run["cancel_reason"],
    );
    Ok(())
}

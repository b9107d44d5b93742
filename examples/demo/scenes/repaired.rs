//! A run fails, its agent is repaired, and a retry goes on from the step that failed. And a
//! refusal that no retry would change.

use std::time::Instant;

use serde_json::json;

use super::watch;
use crate::api::{Client, until};
use crate::show::Show;

/// Fails, repairs, retries.
pub(crate) async fn play(api: &Client, show: &mut Show) -> anyhow::Result<()> {
    show.scene("A retry from the failed step");
    let begun = Instant::now();
    let id = api.start("fragile", json!({"seat": "12A"})).await?;
    let run = watch::until_finished(api, show, &id).await?;
    show.expect_in(
        run["status"] == "failed" && run["error"]["step"] == "book",
        "the run failed at the step book, and says so",
        begun.elapsed(),
        format!("{}, error {}", run["status"], run["error"]),
    );
    api.repair().await?;
    show.line("the agent is repaired; POST …/retry");
    let before = counts(api, &id).await?;
    let steps = api.steps(&id).await?;
    let begun = Instant::now();
    api.retry(&id).await?;
    until("the next generation has begun", async || {
        let run = api.run(&id).await?;
        Ok((run["generation"] == 2).then_some(()))
    })
    .await?;
    let run = watch::until_finished_since(api, show, &id, &steps).await?;
    show.expect_in(
        run["status"] == "completed",
        "the retried run is completed",
        begun.elapsed(),
        format!("{}, error {}", run["status"], run["error"]),
    );
    let after = counts(api, &id).await?;
    show.expect(
        before == [1, 2, 0] && after == [1, 3, 1],
        "the card was charged once: only the failed step and those after it ran",
        format!("{before:?}, then {after:?}"),
    );
    Ok(())
}

/// Calls an agent that refuses for good.
pub(crate) async fn hopeless(api: &Client, show: &mut Show) -> anyhow::Result<()> {
    let begun = Instant::now();
    let id = api.start("hopeless", json!({})).await?;
    let run = watch::silently(api, &id).await?;
    let calls = api.calls_of(&id).await?.len();
    show.expect_in(
        run["status"] == "failed" && calls == 1,
        "an agent that answers 422 is not asked again",
        begun.elapsed(),
        format!("{} after {calls} calls", run["status"]),
    );
    Ok(())
}

/// The calls of a run to each agent.
async fn counts(api: &Client, run: &str) -> anyhow::Result<[usize; 3]> {
    let calls = api.calls_of(run).await?;
    let count = |path: &str| calls.iter().filter(|call| call.path == path).count();
    Ok([count("/charge"), count("/broken"), count("/ship")])
}

//! A delay, then a webhook.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{text, watch};
use crate::api::Client;
use crate::show::Show;

/// What the delay is set to.
const DELAY: Duration = Duration::from_secs(2);
/// How much later the webhook may come, on a machine with other things to do.
const SLACK: Duration = Duration::from_secs(2);

/// Plays it; gives the id of the worker, which is the only one so far.
pub(crate) async fn play(api: &Client, show: &mut Show) -> anyhow::Result<String> {
    show.scene("A delay of two seconds, then a webhook");
    let begun = Instant::now();
    let id = api.start("my-workflow", json!({"user": "Ada"})).await?;
    let run = watch::until_finished(api, show, &id).await?;
    let took = begun.elapsed();
    let calls = api.calls().await?;
    let bodies: Vec<&Value> = calls
        .iter()
        .filter(|call| call.path == "/post")
        .map(|call| &call.body)
        .collect();
    show.expect_in(
        bodies == [&json!({"message": "Hello Ada"})],
        "the webhook came once, with “Hello Ada”",
        took,
        format!("{bodies:?}, run {}", run["status"]),
    );
    show.expect(
        took >= DELAY && took < DELAY + SLACK,
        "it came after the delay, and soon after it",
        format!("{took:?}"),
    );
    let steps = api.steps(&id).await?;
    let notify = steps.iter().find(|step| text(step, "name") == "notify");
    let worker = notify.map(|step| text(step, "worker")).unwrap_or_default();
    anyhow::ensure!(
        !worker.is_empty(),
        "the step notify names no worker: {steps:?}"
    );
    Ok(worker.to_owned())
}

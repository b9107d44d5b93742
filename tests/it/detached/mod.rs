//! Work that is done elsewhere, and what is logged of it.

mod callbacks;
mod external;
mod logs;
mod queues;

use serde_json::Value;

use crate::harness::{Agent, App};

/// The path of the callback that a call to this path carries.
pub(crate) async fn callback(agent: &Agent, path: &str, number: usize) -> String {
    let call = agent.called(path, number).await;
    let url = call.body["callback_url"].as_str().unwrap().to_owned();
    let at = url.find("/api/v1/callbacks/").unwrap();
    url[at..].to_owned()
}

/// Waits until a step of the run waits for this.
async fn waits_for(app: &App, run: &str, step: &str, kind: &str) -> Value {
    crate::harness::until(
        &format!("{step} waits for {kind}"),
        crate::harness::PATIENCE,
        async || {
            let step = app.api.step(run, step).await;
            (step["blocked_on"]["kind"] == kind).then_some(step)
        },
    )
    .await
}

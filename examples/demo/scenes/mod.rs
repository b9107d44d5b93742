//! The scenes, in order. Each one shows one promise and checks it.

mod cancelled;
mod decided;
mod greeting;
mod killed;
mod order;
mod repaired;
mod setting;
mod trail;
mod watch;

use crate::processes::Processes;
use crate::show::Show;

/// The two workers.
pub(crate) const WORKERS: [&str; 2] = ["worker-1", "worker-2"];

/// Plays all scenes.
pub(crate) async fn all(processes: &mut Processes, show: &mut Show) -> anyhow::Result<()> {
    let api = setting::up(processes, show).await?;
    let first = greeting::play(&api, show).await?;
    setting::second_worker(processes, show).await?;
    let order = order::play(&api, show).await?;
    decided::three_ways(&api, show).await?;
    decided::impact(&api, show).await?;
    killed::play(&api, processes, show, &first).await?;
    repaired::play(&api, show).await?;
    repaired::hopeless(&api, show).await?;
    cancelled::play(&api, show).await?;
    trail::play(&api, show, &order).await
}

/// The text of a field, empty if it is none.
fn text<'a>(value: &'a serde_json::Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The beginning of an id would be its time; its end tells runs apart.
fn short(id: &str) -> &str {
    id.rsplit('-').next().unwrap_or(id)
}

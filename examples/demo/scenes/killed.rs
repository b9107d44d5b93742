//! A worker is killed in the middle of its runs; another finishes them, and repeats no step that
//! was completed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::{Value, json};

use super::{WORKERS, short, text, watch};
use crate::api::{Call, Client, until};
use crate::processes::Processes;
use crate::show::Show;

/// So many that either worker has some, most likely.
const RUNS: usize = 6;
/// Steps of each that call an agent.
const AGENT_STEPS: usize = 4;

/// Plays it; `first` is the id of the first worker.
pub(crate) async fn play(
    api: &Client,
    processes: &mut Processes,
    show: &mut Show,
    first: &str,
) -> anyhow::Result<()> {
    show.scene("A worker is killed in the middle of its work");
    let mut runs = Vec::new();
    for number in 0..RUNS {
        runs.push(api.start("long", json!({"number": number})).await?);
    }
    let (holder, completed) = until("a worker is in the middle of something", async || {
        underway(api, &runs).await
    })
    .await?;
    let victim = usize::from(holder != first);
    processes.kill(WORKERS[victim]).await?;
    let killed = Instant::now();
    let done: usize = completed.values().map(BTreeSet::len).sum();
    show.line(&format!(
        "{RUNS} runs are under way, {done} steps completed: kill -9 {}",
        WORKERS[victim]
    ));
    let mut statuses = Vec::new();
    let mut moved = Vec::new();
    for run in &runs {
        statuses.push(watch::silently(api, run).await?["status"].clone());
        let workers = workers(&api.steps(run).await?);
        if workers.len() > 1 && workers.contains(&holder) {
            moved.push(short(run));
        }
    }
    let other = WORKERS[1 - victim];
    show.expect_in(
        statuses.iter().all(|status| status == "completed"),
        &format!("all {RUNS} runs are completed, by {other} alone"),
        killed.elapsed(),
        format!("{statuses:?}"),
    );
    show.expect(
        !moved.is_empty(),
        &format!("{} of them moved from one to the other", moved.len()),
        "no run has steps of both workers",
    );
    let calls = api.calls().await?;
    let repeated = repeated(&calls, &completed);
    show.expect(
        repeated.is_empty(),
        "no completed step was executed twice: the agents' own list says so",
        format!("{repeated:?}"),
    );
    let ours = calls.iter().filter(|call| is_of(call, &runs));
    let (answered, cut_off) = ours.partition::<Vec<_>, _>(|call| call.finished);
    let keys: BTreeSet<_> = answered.iter().map(|call| &call.idempotency_key).collect();
    let again = cut_off
        .iter()
        .all(|call| keys.contains(&call.idempotency_key));
    let count = cut_off.len();
    show.expect(
        count > 0 && again,
        &format!("{count} calls were cut off, and made again with the same Idempotency-Key"),
        format!("{count} cut off, made again: {again}"),
    );
    show.expect(
        answered.len() == keys.len() && keys.len() == RUNS * AGENT_STEPS,
        "every step was answered exactly once",
        format!("{} answers to {} keys", answered.len(), keys.len()),
    );
    Ok(())
}

type Completed = BTreeMap<String, BTreeSet<String>>;

/// Which steps are completed, once each run has one; and a worker that has an agent weighing.
async fn underway(api: &Client, runs: &[String]) -> anyhow::Result<Option<(String, Completed)>> {
    let calls = api.calls().await?;
    let is_weighing = |call: &Call| call.path == "/weigh" && !call.finished && !call.aborted;
    let busy: BTreeSet<_> = calls
        .iter()
        .filter(|call| is_weighing(call))
        .filter_map(|call| call.run_id.as_ref())
        .collect();
    let mut completed = Completed::new();
    let mut holder = None;
    for run in runs {
        let steps = api.steps(run).await?;
        let done: BTreeSet<String> = steps
            .iter()
            .filter(|step| text(step, "status") == "completed")
            .map(|step| text(step, "name").to_owned())
            .collect();
        if !done.contains("charge") {
            return Ok(None);
        }
        if busy.contains(run) && !done.contains("weigh") {
            // Nothing lies between the two steps: who did the one is at the other.
            holder = holder.or_else(|| workers(&steps).pop_first());
        }
        completed.insert(run.clone(), done);
    }
    Ok(holder.map(|holder| (holder, completed)))
}

/// The workers of a run's steps.
fn workers(steps: &[Value]) -> BTreeSet<String> {
    let named = steps.iter().map(|step| text(step, "worker"));
    named
        .filter(|worker| !worker.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The steps that were completed at the kill and were called more than once.
fn repeated<'a>(calls: &'a [Call], completed: &'a Completed) -> Vec<(&'a str, &'a str)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for call in calls {
        if let (Some(run), Some(step)) = (&call.run_id, &call.step)
            && completed.get(run).is_some_and(|steps| steps.contains(step))
        {
            *counts.entry((run, step)).or_default() += 1;
        }
    }
    let twice = counts.into_iter().filter(|(_, count)| *count > 1);
    twice.map(|(step, _)| step).collect()
}

fn is_of(call: &Call, runs: &[String]) -> bool {
    call.run_id.as_ref().is_some_and(|run| runs.contains(run))
}

//! Agents in sequence and side by side, with a join and an agent that is overloaded at first.

use std::time::Instant;

use serde_json::{Value, json};

use super::watch;
use crate::api::{Call, Client};
use crate::show::Show;

/// Plays it; gives the run.
pub(crate) async fn play(api: &Client, show: &mut Show) -> anyhow::Result<String> {
    show.scene("An order: five agents, two branches, one join");
    let begun = Instant::now();
    let input = json!({"order_id": "A-1", "items": [{"sku": "tea", "quantity": 2}]});
    let id = api.start("order", input).await?;
    let run = watch::until_finished(api, show, &id).await?;
    let took = begun.elapsed();
    let shipped = run["output"]["shipment"].is_string();
    show.expect_in(
        run["status"] == "completed" && shipped,
        "the order is shipped",
        took,
        &run,
    );
    let calls = api.calls_of(&id).await?;
    let count = |step: &str| of_step(&calls, step).count();
    let counts = ["charge", "reserve", "pack", "label", "ship"].map(count);
    show.expect(
        counts == [1, 1, 1, 3, 1],
        "every agent was called once, the overloaded one until it answered",
        format!("{counts:?}"),
    );
    let last = calls.last().and_then(|call| call.step.as_deref());
    show.expect(
        last == Some("ship"),
        "shipping waited for both branches",
        format!("{last:?} came last"),
    );
    let mut keys: Vec<&Option<String>> = of_step(&calls, "label")
        .map(|call| &call.idempotency_key)
        .collect();
    keys.dedup();
    show.expect(
        keys.len() == 1,
        "all attempts of a step carried the same Idempotency-Key",
        format!("{keys:?}"),
    );
    let refused = api.is_refused("order", json!({"order_id": "A-2", "items": Value::Null}));
    show.expect(
        refused.await?,
        "an order that breaks the input schema is refused with 422",
        "another answer",
    );
    Ok(id)
}

fn of_step<'a>(calls: &'a [Call], step: &'a str) -> impl Iterator<Item = &'a Call> {
    calls
        .iter()
        .filter(move |call| call.step.as_deref() == Some(step))
}

//! Drives runs of five steps through `advance`, as a worker would without a database, and says
//! what an event costs: `cargo run --release --example drive`.
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use stepwell_workflow::{Effect, Event, Outcome, Plan, RunHeader, RunState, RunStatus, Time};
use uuid::Uuid;

const RUNS: u32 = 20_000;
const STEPS: u32 = 5;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let steps: Vec<_> = (0..STEPS)
        .map(|n| {
            json!({
                "name": format!("step{n}"),
                "type": "task",
                "config": { "task": "work", "input": { "order": "${input.order}" } },
            })
        })
        .collect();
    let document = json!({ "name": "five", "steps": steps });
    let (definition, _) = stepwell_workflow::validate::validate(&document)?;
    let plan = Plan::compile(&definition)?;
    let mut events = 0;
    let begun = Instant::now();
    for _ in 0..RUNS {
        events += drive(&plan)?;
    }
    let nanoseconds = begun.elapsed().as_nanos() / u128::from(events.max(1));
    println!("{RUNS} runs of {STEPS} steps: {events} events, {nanoseconds} ns each");
    Ok(())
}

/// Drives one run to its end and returns the number of events.
fn drive(plan: &Plan) -> Result<u32, Failed> {
    let now = Time::UNIX_EPOCH;
    let mut run = RunState::restore(plan, header(now), Vec::new());
    let mut decision = run.advance(plan, Event::Begin { deaths: 0 }, now);
    let mut events = 1;
    while let Some(Effect::Start(attempt)) = decision.effects.pop() {
        let rows = decision.touched.iter().map(|&key| run.snapshot(plan, key));
        std::hint::black_box(rows.collect::<Vec<_>>());
        run.mark_stored(&decision.touched);
        let outcome = Event::Outcome {
            key: attempt.key,
            attempt: attempt.attempt,
            agent_policy: None,
            outcome: Outcome::Completed(json!({ "done": attempt.name })),
        };
        decision = run.advance(plan, outcome, now);
        events += 1;
    }
    if run.status == RunStatus::Completed {
        Ok(events)
    } else {
        Err(format!("the run is {}", run.status.as_str()).into())
    }
}

fn header(now: Time) -> RunHeader {
    RunHeader {
        id: Uuid::from_u128(1),
        workflow_id: Uuid::from_u128(2),
        workflow_name: "five".into(),
        version: 1,
        generation: 1,
        status: RunStatus::Pending,
        input: Arc::new(json!({ "order": 7 })),
        created_at: now,
        started_at: None,
        timeout_ms: None,
        sequence: 0,
        paused: false,
        parent: None,
    }
}

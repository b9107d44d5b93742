//! Delays and the run's own timeout.

use serde_json::json;

use super::driver::Driver;
use super::{attempts, task, with};
use crate::RunStatus;

#[test]
fn a_delay_lasts_as_long_as_it_says() {
    let delay = json!({ "name": "d", "type": "delay", "config": { "duration": 2 } });
    let mut run = Driver::begun(json!([delay, task("b", json!({}))]));
    run.expect("waiting: d waiting, b pending");
    run.crash();
    run.begin();
    run.pass(1);
    run.expect("waiting: d waiting, b pending");
    assert_eq!(run.run.blocked_on(&run.plan).unwrap().kind, "delay");
    run.pass(2);
    run.expect("running: d completed, b running#1");
    assert_eq!(run.output("d"), json!({ "waited_ms": 3000 }));
}

#[test]
fn a_delay_takes_no_longer_than_its_timeout() {
    for (timeout_ms, expected) in [
        (1_000, "failed: d timed_out"),
        (2_000, "completed: d completed"),
    ] {
        let config = json!({ "duration": 2 });
        let delay =
            json!({ "name": "d", "type": "delay", "config": config, "timeout_ms": timeout_ms });
        let mut run = Driver::begun(json!([delay]));
        run.crash();
        run.begin();
        run.expect("waiting: d waiting");
        run.pass(timeout_ms / 1_000);
        run.expect(expected);
    }
}

#[test]
fn what_a_run_waits_for_ends_at_the_latest_with_the_run() {
    let wait = json!({ "name": "w", "type": "wait", "config": { "signal": "go" } });
    let definition = json!({ "name": "tested", "timeout_ms": 60_000, "steps": [wait] });
    let mut run = Driver::of(definition, json!({}));
    run.begin();
    let last = Some(run.now + chrono::TimeDelta::minutes(1));
    assert_eq!(run.run.blocked_on(&run.plan).unwrap().until, last);
    run.pause();
    assert_eq!(run.run.blocked_on(&run.plan).unwrap().until, last);
}

#[test]
fn a_delay_may_be_computed() {
    for (config, seconds) in [
        (json!({ "duration": "${input.seconds}" }), 90),
        (json!({ "duration": "${input.iso}" }), 90),
        (json!({ "duration": "PT1M30S" }), 90),
        (json!({ "until": "${input.at}" }), 60),
    ] {
        let delay = json!({ "name": "d", "type": "delay", "config": config });
        let input = json!({ "seconds": 90, "iso": "PT90S", "at": "2027-01-15T08:01:00Z" });
        let mut run = Driver::of(json!({ "name": "tested", "steps": [delay] }), input);
        run.begin();
        run.pass(seconds - 1);
        run.expect("waiting: d waiting");
        run.pass(1);
        run.expect("completed: d completed");
    }
}

#[test]
fn a_delay_that_makes_no_sense_fails() {
    for value in [
        json!(-1),
        json!("soon"),
        json!(null),
        json!(1e300),
        json!("P400D"),
    ] {
        let config = json!({ "duration": "${input.d}" });
        let delay = json!({ "name": "d", "type": "delay", "config": config });
        let input = json!({ "d": value });
        let mut run = Driver::of(json!({ "name": "tested", "steps": [delay] }), input);
        run.begin();
        run.expect("failed: d failed");
        assert_eq!(run.run.error.as_ref().unwrap().kind, "expression");
    }
}

#[test]
fn a_time_that_is_past_is_not_waited_for() {
    let config = json!({ "until": "2001-01-01T00:00:00Z" });
    let run = Driver::begun(json!([{ "name": "d", "type": "delay", "config": config }]));
    run.expect("completed: d completed");
}

#[test]
fn a_run_that_takes_too_long_times_out_even_while_paused() {
    for paused in [false, true] {
        let steps = json!([task("a", json!({}))]);
        let definition = json!({ "name": "tested", "timeout_ms": 60_000, "steps": steps });
        let mut run = Driver::of(definition, json!({}));
        run.begin();
        if paused {
            run.pause();
        }
        run.pass(59);
        assert_eq!(
            run.run.next_wake(),
            Some(run.now + chrono::TimeDelta::seconds(1))
        );
        run.pass(1);
        run.expect("timed_out: a cancelled");
        assert_eq!(run.aborted, ["a"]);
        assert_eq!(run.run.error.as_ref().unwrap().kind, "run_timeout");
        run.retry(None, false);
        run.pass(59);
        run.done("a");
        assert_eq!(
            run.run.status,
            RunStatus::Completed,
            "the timeout counts anew"
        );
    }
}

/// Returns the longest fraction of a second in a text: its digits.
fn longest_fraction(text: &str) -> usize {
    let fractions = text.split('.').skip(1);
    let digits = fractions.map(|rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    digits.max().unwrap_or(0)
}

#[test]
fn times_are_kept_in_whole_microseconds() {
    let thirds = json!({ "max_attempts": 3, "initial_interval_ms": 1000,
        "backoff_coefficient": 1.0, "jitter": 0.333_333_33 });
    let tried = task("s", json!({ "retry": thirds }));
    let step = |kind, config| step(kind, config, json!({})).take()[0].take();
    for step in [
        step("delay", json!({ "duration": 0.333_333_333 })),
        step("delay", json!({ "duration": "${1.0 / 3.0}" })),
        step(
            "delay",
            json!({ "until": "2027-01-15T08:01:00.123456789Z" }),
        ),
        step("wait", json!({ "signal": "go", "timeout_ms": 1 })),
        step("workflow", json!({ "workflow": "other" })),
        tried,
    ] {
        let mut run = Driver::new(json!([step]));
        run.now += chrono::TimeDelta::nanoseconds(123_456_789);
        run.begin();
        if run.calls.contains_key(&run.key("s")) {
            run.trips("s");
        }
        let blocked = run.run.blocked_on(&run.plan).unwrap();
        let row = run.run.snapshot(&run.plan, run.key("s"));
        assert_eq!(blocked.until, row.wake_at, "{step}");
        let records = run.store.records.iter();
        let details: Vec<_> = records.map(|record| record.detail.clone()).collect();
        let since = serde_json::to_string(&blocked).unwrap();
        assert_eq!(longest_fraction(&since), 6, "{since}");
        let shown = format!("{} {:?}", json!(details), row);
        assert!(longest_fraction(&shown) <= 6, "{shown}");
    }
}

fn step(kind: &str, config: serde_json::Value, more: serde_json::Value) -> serde_json::Value {
    let step = json!({ "name": "s", "type": kind, "config": config, "timeout_ms": 2000 });
    json!([with(step, more)])
}

#[test]
fn a_child_may_be_given_only_so_much_time() {
    let child = json!({ "workflow": "other" });
    let mut run = Driver::begun(step(
        "workflow",
        child.clone(),
        json!({ "retry": attempts(2) }),
    ));
    let blocked = run.run.blocked_on(&run.plan).unwrap();
    assert_eq!(
        (blocked.kind, blocked.until),
        ("child", run.run.next_wake())
    );
    let first = *run.store.children.keys().next().unwrap();
    run.crash();
    run.begin();
    run.pass(2);
    assert_eq!(run.cancelled_children, [first]);
    assert_eq!(run.run.blocked_on(&run.plan).unwrap().kind, "retry");
    run.pass(1);
    assert_eq!(run.store.children.len(), 1, "its next child");
    run.pass(2);
    run.expect("failed: s timed_out");
    assert_eq!(run.run.error.as_ref().unwrap().kind, "timeout");
    assert!(run.store.children.is_empty());

    // One that ends in time leaves no alarm behind.
    let mut run = Driver::begun(step("workflow", child, json!({ "retry": attempts(2) })));
    let (&child_run_id, &key) = run.store.children.iter().next().unwrap();
    run.store.children.clear();
    let result = Err(crate::Failure::fatal("task_error", "no luck"));
    run.feed(crate::Event::ChildEnded {
        key,
        child_run_id,
        result,
    });
    run.pass(1);
    run.pass(1);
    run.expect("waiting: s waiting");
}

#[test]
fn a_map_may_be_given_only_so_much_time() {
    let inner = json!({ "type": "wait", "config": { "signal": "go" } });
    let config = json!({ "items": "[1, 2]", "step": inner });
    let mut run = Driver::begun(step("map", config, json!({ "on_error": "continue" })));
    run.expect("waiting: s running");
    assert_eq!(run.run.blocked_on(&run.plan).unwrap().kind, "signal");
    run.signal("go", json!(1));
    run.crash();
    run.begin();
    run.pass(1);
    run.expect("waiting: s running");
    run.pass(1);
    run.expect("completed: s timed_out");
    let rows = run.store.newest();
    assert!(rows.iter().all(|row| row.status.is_terminal()), "{rows:?}");
}

#[test]
fn a_wait_has_the_patience_of_its_step_where_it_has_none_itself() {
    let mut run = Driver::begun(step("wait", json!({ "signal": "go" }), json!({})));
    run.pass(2);
    run.expect("failed: s timed_out");
    let config = json!({ "signal": "go", "timeout_ms": 5000, "on_timeout": "continue" });
    let mut run = Driver::begun(step("wait", config, json!({})));
    run.pass(4);
    run.expect("waiting: s waiting");
    run.pass(1);
    run.expect("completed: s completed");
}

#[test]
fn the_record_of_a_run_that_timed_out_says_why() {
    let definition = json!({ "name": "tested", "timeout_ms": 1000,
        "steps": [{ "name": "w", "type": "wait", "config": { "signal": "go" } }] });
    let mut run = Driver::of(definition, json!({}));
    run.begin();
    run.pass(1);
    let record = run.store.records.last().unwrap();
    assert_eq!(record.action, "run.timed_out");
    assert_eq!(
        record.detail.as_ref().unwrap()["error"]["type"],
        "run_timeout"
    );
}

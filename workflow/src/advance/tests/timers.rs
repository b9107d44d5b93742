//! Delays and the run's own timeout.

use serde_json::json;

use super::driver::Driver;
use super::task;
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
    let step = |kind: &str, config| json!({ "name": "s", "type": kind, "config": config });
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

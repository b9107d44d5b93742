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

//! Runs that do not complete, and what they undo.

use serde_json::{Value, json};

use super::driver::{Dies, Driver};
use super::{attempts, task, transform, with};
use crate::{Event, Failure, Outcome, RunStatus};

/// A task that another one undoes.
fn undoable(name: &str, more: Value) -> Value {
    let undo = json!({
        "type": "task",
        "config": { "task": "work", "input": { "of": "${step.output}", "why": "${error.type}" } },
    });
    task(
        name,
        with(json!({ "compensate": with(undo, more) }), json!({})),
    )
}

fn saga() -> Driver {
    Driver::begun(json!([
        undoable("a", json!({})),
        undoable("b", json!({})),
        task("c", json!({ "retry": attempts(1) })),
    ]))
}

#[test]
fn what_completed_is_undone_in_reverse_and_then_the_run_fails() {
    let mut run = saga();
    run.done("a");
    run.pass(1);
    run.done("b");
    run.breaks("c");
    run.expect("running: a completed, b completed, c failed, undo:* running, undo:b running#1");
    assert!(run.run.error.is_none() && run.run.is_undoing());
    let input = &run.calls[&run.key("undo:b")].call;
    let given = format!("{input:?}");
    assert!(
        given.contains("b done") && given.contains("task_error"),
        "{given}"
    );
    run.done("undo:b");
    run.done("undo:a");
    run.expect(
        "failed: a completed, b completed, c failed, undo:* completed, undo:a completed, \
         undo:b completed",
    );
    let error = run.run.error.clone().unwrap();
    assert_eq!(
        (error.kind.as_str(), error.step.as_deref()),
        ("task_error", Some("c"))
    );
    let audit = run.audit();
    let from = audit.iter().position(|line| line == "run.undoing").unwrap();
    let expected = [
        "run.undoing",
        "step.completed undo:b",
        "step.completed undo:a",
        "step.completed undo:*",
        "run.failed",
    ];
    assert_eq!(audit[from..], expected);
}

#[test]
fn parallel_steps_are_undone_by_their_ends_and_not_by_their_places() {
    let mut run = Driver::begun(json!([
        with(undoable("a", json!({})), json!({ "needs": [] })),
        with(undoable("b", json!({})), json!({ "needs": [] })),
        task("c", json!({ "needs": ["a", "b"], "retry": attempts(1) })),
    ]));
    run.done("b");
    run.pass(1);
    run.done("a");
    run.breaks("c");
    assert_eq!(run.started.last().unwrap(), "undo:a#1");
    run.done("undo:a");
    assert_eq!(run.started.last().unwrap(), "undo:b#1");
}

#[test]
fn a_compensation_has_its_own_retry_and_its_failure_stops_nobody() {
    let mut run = Driver::begun(json!([
        undoable("a", json!({})),
        undoable("b", json!({ "retry": attempts(2) })),
        task("c", json!({ "retry": attempts(1) })),
    ]));
    run.done("a");
    run.done("b");
    run.breaks("c");
    run.trips("undo:b");
    assert_eq!(run.run.status, RunStatus::Waiting);
    assert_eq!(run.run.blocked_on(&run.plan).unwrap().kind, "retry");
    run.now = run.run.next_wake().unwrap();
    run.feed(Event::Tick);
    run.trips("undo:b");
    run.done("undo:a");
    run.expect(
        "failed: a completed, b completed, c failed, undo:* completed, undo:a completed, \
         undo:b failed",
    );
    assert_eq!(run.run.error.as_ref().unwrap().step.as_deref(), Some("c"));
}

#[test]
fn a_crash_at_any_line_goes_on_where_it_was() {
    for dies in [Dies::BeforeCommit, Dies::AfterCommit] {
        for line in 0..5 {
            let mut run = saga();
            let mut events: Vec<&dyn Fn(&mut Driver)> = vec![
                &|run| run.done("a"),
                &|run| run.done("b"),
                &|run| run.breaks("c"),
                &|run| run.done("undo:b"),
                &|run| run.done("undo:a"),
            ];
            for (n, event) in events.drain(..).enumerate() {
                run.now += chrono::TimeDelta::seconds(1);
                if n == line {
                    run.dies = dies;
                    event(&mut run);
                    run.dead = 0;
                    if run.run.status.is_terminal() {
                        break;
                    }
                    run.begin();
                    // What was not committed is made again, and comes to the same.
                    if dies == Dies::BeforeCommit {
                        event(&mut run);
                    }
                } else {
                    event(&mut run);
                }
            }
            assert_eq!(
                run.run.status,
                RunStatus::Failed,
                "{dies:?} {line}: {}",
                run.shows()
            );
            let ends = |name: &str| run.audit().iter().filter(|line| *line == name).count();
            assert_eq!(ends("step.completed undo:a"), 1, "{dies:?} {line}");
            assert_eq!(ends("step.completed undo:b"), 1, "{dies:?} {line}");
            assert_eq!(run.store.header.status, RunStatus::Failed);
        }
    }
}

#[test]
fn a_cancel_undoes_and_a_second_one_changes_nothing() {
    let mut run = saga();
    run.done("a");
    run.cancel();
    run.expect("running: a completed, b cancelled, c skipped, undo:* running, undo:a running#1");
    assert_eq!(run.aborted, ["b"]);
    run.cancel();
    assert!(run.audit().contains(&"run.cancel_ignored".to_owned()));
    run.crash();
    run.begin();
    run.done("undo:a");
    assert_eq!(run.run.status, RunStatus::Cancelled);
    assert_eq!(run.run.cancelled_by.as_deref(), Some("tester"));
    assert_eq!(run.run.cancel_reason.as_deref(), Some("enough"));
    assert!(run.run.error.is_none());
}

#[test]
fn a_run_out_of_time_takes_its_time_to_undo() {
    let mut run = Driver::of(
        json!({ "name": "tested", "timeout_ms": 5_000, "steps": [
            undoable("a", json!({})), { "name": "d", "type": "delay", "config": { "duration": 60 } },
        ], "on_failure": [transform("tell", json!("${error.type}"))] }),
        json!({}),
    );
    run.begin();
    run.done("a");
    run.pass(6);
    assert!(run.run.next_wake().is_none() && run.run.is_undoing());
    run.pass(60);
    run.done("undo:a");
    assert_eq!(run.run.status, RunStatus::TimedOut);
    assert_eq!(run.output("tell"), json!("run_timeout"));
}

#[test]
fn on_failure_runs_last_and_not_after_a_cancel() {
    let definition = json!({ "name": "tested",
        "steps": [undoable("a", json!({})), task("b", json!({ "retry": attempts(1) }))],
        "on_failure": [
            task("tell", json!({ "when": "steps.a.status == 'completed'" })),
            transform("note", json!("${steps.tell.status}")),
            with(transform("never", json!(1)), json!({ "when": "error.type == 'x'" })),
        ] });
    let mut run = Driver::of(definition.clone(), json!({}));
    run.begin();
    run.done("a");
    run.breaks("b");
    run.done("undo:a");
    run.breaks("tell");
    run.expect(
        "failed: a completed, b failed, undo:* completed, undo:a completed, tell failed, \
         note completed, never skipped",
    );
    assert_eq!(run.output("note"), json!("failed"));

    let mut run = Driver::of(definition, json!({}));
    run.begin();
    run.done("a");
    run.cancel();
    run.done("undo:a");
    assert_eq!(run.run.status, RunStatus::Cancelled);
    assert!(!run.has_row("tell"));
}

#[test]
fn a_pause_holds_the_undoing_up() {
    let mut run = saga();
    run.done("a");
    run.done("b");
    run.pause();
    run.breaks("c");
    run.expect("paused: a completed, b completed, c failed, undo:* running");
    run.resume();
    assert_eq!(run.started.last().unwrap(), "undo:b#1");
}

#[test]
fn a_retry_runs_again_what_was_undone_and_what_came_after() {
    let mut run = Driver::begun(json!([
        task("first", json!({})),
        undoable("a", json!({})),
        transform("sum", json!("${steps.a.output}")),
        task("c", json!({ "retry": attempts(1) })),
    ]));
    run.done("first");
    run.done("a");
    run.breaks("c");
    run.done("undo:a");
    assert_eq!(run.run.status, RunStatus::Failed);
    run.retry(None, false);
    run.expect("running: first completed, a running#1, sum pending, c pending");
    // A crash here must not take the first undoing for one of this generation.
    run.crash();
    run.begin();
    run.expect("running: first completed, a running#1, sum pending, c pending");
    run.done("a");
    run.breaks("c");
    run.done("undo:a");
    assert_eq!(run.run.status, RunStatus::Failed);
    run.retry(None, false);
    run.done("a");
    run.done("c");
    assert_eq!(run.run.status, RunStatus::Completed);
}

#[test]
fn a_compensation_that_failed_for_good_leaves_its_step_to_run_again() {
    let mut run = saga();
    run.done("a");
    run.done("b");
    run.breaks("c");
    run.done("undo:b");
    run.end(
        "undo:a",
        super::deeds::failed(Failure::fatal("task_error", "no way back")),
    );
    run.retry(None, false);
    run.expect("running: a running#1, b pending, c pending");
}

#[test]
fn workers_that_die_over_the_undoing_end_it() {
    let mut run = saga();
    run.done("a");
    run.done("b");
    run.breaks("c");
    run.dead = 3;
    run.reload_with_deaths();
    assert_eq!(run.run.status, RunStatus::Failed);
    let error = run.run.error.as_ref().unwrap();
    assert_eq!(error.step.as_deref(), Some("c"));
    assert!(run.audit().contains(&"step.failed undo:*".to_owned()));
}

#[test]
fn an_output_that_cannot_be_made_undoes_as_well() {
    let mut run = Driver::of(
        json!({ "name": "tested", "output": "${steps.a.output.nothing}",
            "steps": [undoable("a", json!({}))] }),
        json!({}),
    );
    run.begin();
    run.end("a", Outcome::Completed(json!({})));
    run.done("undo:a");
    assert_eq!(run.run.status, RunStatus::Failed);
    assert_eq!(run.run.error.as_ref().unwrap().kind, "expression");
}

#[test]
fn an_event_is_told_in_the_record_of_it() {
    let mut run = Driver::begun(json!([
        { "name": "tell", "type": "emit", "config": { "type": "order.paid", "data": { "n": "${1 + 1}" } } },
        { "name": "bare", "type": "emit", "config": { "type": "done" } },
    ]));
    run.commit();
    let told = |step: &str| {
        let mut records = run.store.records.iter();
        let of =
            |r: &&crate::Record| r.action == "event.emitted" && r.step.as_deref() == Some(step);
        records.find(of).unwrap().detail.clone().unwrap()
    };
    let detail = told("tell");
    assert_eq!(detail["type"], "order.paid");
    assert_eq!(detail["data"], json!({ "n": 2 }));
    assert_eq!(detail["event_id"], run.output("tell"));
    assert_eq!(told("bare")["data"], json!(null));
    assert_ne!(told("bare")["event_id"], detail["event_id"]);
}

#[test]
fn a_person_decides_by_one_of_the_choices() {
    let ask = json!({ "name": "ask", "type": "wait", "config": {
        "approval": { "prompt": "Pay ${input.sum}?", "choices": ["yes", "no"], "approvers": ["tester"] },
        "timeout_ms": 5_000, "on_timeout": "continue",
    } });
    let definition = json!({ "name": "tested", "steps": [ask] });
    let mut run = Driver::of(definition.clone(), json!({ "sum": 3 }));
    run.begin();
    let shown = run.run.at(run.key("ask")).input.clone().unwrap();
    assert_eq!(
        *shown,
        json!({ "prompt": "Pay 3?", "choices": ["yes", "no"], "approvers": ["tester"] })
    );
    assert_eq!(run.run.blocked_on(&run.plan).unwrap().kind, "approval");
    for wrong in [
        json!(null),
        json!({ "choice": "maybe" }),
        json!({ "choice": "yes", "x": 1 }),
    ] {
        run.signal("ask", wrong);
        assert_eq!(run.run.status, RunStatus::Waiting);
    }
    run.feed(Event::Signal {
        name: "ask".to_owned(),
        payload: json!({ "choice": "yes" }),
        actor: "stranger".to_owned(),
        request_id: None,
    });
    assert_eq!(run.run.status, RunStatus::Waiting);
    let refused = run
        .audit()
        .iter()
        .filter(|l| *l == "signal.refused ask")
        .count();
    assert_eq!(refused, 4);
    run.signal("ask", json!({ "choice": "yes", "comment": "fine" }));
    assert_eq!(run.run.status, RunStatus::Completed);
    let output = run.output("ask");
    assert_eq!(output["choice"], "yes");
    assert_eq!(output["comment"], "fine");
    assert_eq!(output["decided_by"], "tester");
    assert_eq!(output["decided_at"], json!(run.now));

    let mut run = Driver::of(definition, json!({ "sum": 3 }));
    run.begin();
    run.pass(6);
    assert_eq!(
        (run.run.status, run.output("ask")),
        (RunStatus::Completed, json!(null))
    );
}

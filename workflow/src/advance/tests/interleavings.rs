//! Any small workflow, any order of events, a crash at any line: the driver's checks hold after
//! each event, and in the end the run finishes.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use serde_json::{Value, json};

use super::deeds::failed;
use super::driver::{Dies, Driver};
use super::elsewhere::Report;
use super::{attempts, with};
use crate::{Event, Failure, Outcome, RunStatus, StepKey, StepStatus};

/// One thing that happens. The numbers choose among what is there.
#[derive(Clone, Debug)]
enum Happening {
    Done(u8),
    Trips(u8),
    Breaks(u8),
    TimesOut(u8),
    Defers(u8),
    Stale(u8),
    Lingers(u8),
    ChildEnds(u8, bool),
    Detaches(u8),
    Reports(u8, Report),
    CallsBackEarly(u8),
    Wakes,
    Passes,
    Commits,
    Crashes,
    Dies(bool),
    LetsGo,
    Drains,
    Cancels,
    Signals(bool),
    Pauses,
    Resumes,
    Retries(Option<u8>, bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::{
        Breaks, CallsBackEarly, Cancels, ChildEnds, Commits, Crashes, Defers, Detaches, Dies, Done,
        Drains, LetsGo, Lingers, Passes, Pauses, Reports, Resumes, Retries, Signals, Stale,
        TimesOut, Trips, Wakes,
    };
    let n = any::<u8>;
    let report = prop_oneof![
        4 => Just(Report::Done),
        2 => Just(Report::Trips),
        1 => Just(Report::Breaks),
        1 => Just(Report::CallsBackLater),
        1 => Just(Report::Stale),
    ];
    prop_oneof![
        12 => n().prop_map(Done),
        4 => n().prop_map(Trips),
        2 => n().prop_map(Breaks),
        2 => n().prop_map(TimesOut),
        2 => n().prop_map(Defers),
        1 => n().prop_map(Stale),
        3 => n().prop_map(Lingers),
        3 => (n(), any::<bool>()).prop_map(|(n, ok)| ChildEnds(n, ok)),
        3 => n().prop_map(Detaches),
        6 => (n(), report).prop_map(|(n, report)| Reports(n, report)),
        1 => n().prop_map(CallsBackEarly),
        6 => Just(Wakes),
        2 => Just(Passes),
        1 => Just(Commits),
        3 => Just(Crashes),
        3 => any::<bool>().prop_map(Dies),
        1 => Just(LetsGo),
        1 => Just(Drains),
        1 => Just(Cancels),
        3 => any::<bool>().prop_map(Signals),
        1 => Just(Pauses),
        3 => Just(Resumes),
        2 => (prop::option::of(n()), any::<bool>()).prop_map(|(from, reset)| Retries(from, reset)),
    ]
}

fn call() -> Value {
    json!({ "type": "task", "config": { "task": "work", "input": 1 } })
}

/// A step without its name and needs, that may stand in a map.
fn simple() -> impl Strategy<Value = Value> {
    let waits = prop_oneof![
        Just(json!({ "signal": "go" })),
        Just(json!({ "signal": "go", "timeout_ms": 3000 })),
        Just(json!({ "signal": "come", "timeout_ms": 3000, "on_timeout": "continue" })),
    ];
    let tasks = (1..4_u32, prop::bool::weighted(0.2));
    let elsewhere = (1..4_u32, prop::bool::weighted(0.2), any::<bool>());
    prop_oneof![
        6 => tasks.prop_map(|(max, once)| {
            let delivery = if once { "at_most_once" } else { "at_least_once" };
            with(call(), json!({ "retry": attempts(max), "delivery": delivery }))
        }),
        3 => elsewhere.prop_map(|(max, once, queued)| {
            let delivery = if once { "at_most_once" } else { "at_least_once" };
            let step = if queued {
                with(call(), json!({ "queue": "gpu" }))
            } else {
                json!({ "type": "external", "config": { "topic": "work", "input": 1 } })
            };
            with(step, json!({ "retry": attempts(max), "delivery": delivery }))
        }),
        1 => Just(json!({ "type": "transform", "config": { "value": [1] } })),
        1 => Just(json!({ "type": "delay", "config": { "duration": 2 } })),
        2 => waits.prop_map(|config| json!({ "type": "wait", "config": config })),
        1 => (1..3_u32, any::<bool>(), prop::bool::weighted(0.3)).prop_map(|(max, wait, refused)| {
            let workflow = if refused { "refused" } else { "other" };
            let config = json!({ "workflow": workflow, "input": {}, "wait": wait });
            json!({ "type": "workflow", "retry": attempts(max), "config": config })
        }),
    ]
}

fn step() -> impl Strategy<Value = Value> {
    let map = (simple(), 0..5_usize, 1..4_u8, 0..3_u8);
    let map = map.prop_map(|(step, items, parallel, tolerated)| {
        json!({ "type": "map", "config": {
            "items": format!("{:?}", vec![1; items]), "step": step,
            "max_parallel": parallel, "tolerated_failures": tolerated,
        } })
    });
    let kinds = prop_oneof![3 => simple(), 1 => map];
    let on_error = prop_oneof![4 => Just("fail"), 2 => Just("continue"), 1 => Just("skip_rest")];
    let patience = prop::option::weighted(0.3, 1_000..6_000_u32);
    let wanted = prop::bool::weighted(0.85);
    let undo = prop::option::weighted(0.4, ending());
    (kinds, on_error, wanted, patience, undo).prop_map(
        |(step, on_error, wanted, patience, undo)| {
            let when = if wanted { "[1] == [1]" } else { "1 > 2" };
            let mut step = with(step, json!({ "on_error": on_error, "when": when }));
            if let Some(undo) = undo {
                step["compensate"] = undo;
            }
            match patience {
                Some(ms) => with(step, json!({ "timeout_ms": ms })),
                None => step,
            }
        },
    )
}

/// What runs when the run does not complete.
fn ending() -> impl Strategy<Value = Value> {
    let tasks = (1..4_u32, prop::bool::weighted(0.2));
    prop_oneof![
        4 => tasks.prop_map(|(max, once)| {
            let delivery = if once { "at_most_once" } else { "at_least_once" };
            with(call(), json!({ "retry": attempts(max), "delivery": delivery }))
        }),
        1 => Just(json!({ "type": "transform", "config": { "value": "${error.message}" } })),
        1 => Just(json!({ "type": "transform", "config": { "value": "${error.nothing}" } })),
        1 => Just(json!({ "type": "emit", "config": { "type": "undone", "data": "${error}" } })),
    ]
}

fn definition() -> impl Strategy<Value = Value> {
    let steps = prop::collection::vec((step(), prop::option::of(any::<u8>())), 1..7);
    let last = prop::collection::vec((ending(), prop::bool::weighted(0.8)), 0..3);
    let last = prop_oneof![2 => Just(Vec::new()), 1 => last];
    let frame = (steps, 1..4_u8, prop::bool::weighted(0.1), last);
    frame.prop_map(|(steps, parallel, hurried, last)| {
        let steps: Vec<_> = steps.into_iter().enumerate().map(named).collect();
        let mut definition = json!({ "name": "tested", "steps": steps, "max_parallel": parallel });
        let last = last.into_iter().enumerate().map(|(n, (step, wanted))| {
            let when = if wanted { "true" } else { "false" };
            with(step, json!({ "name": format!("f{n}"), "when": when }))
        });
        definition["on_failure"] = last.collect();
        if hurried {
            definition["timeout_ms"] = json!(20_000);
        }
        definition
    })
}

/// Names a step, and lets each set bit of `needs` ask for the step of that number.
fn named((n, (step, needs)): (usize, (Value, Option<u8>))) -> Value {
    let step = with(json!({ "name": format!("s{n}") }), step);
    match needs {
        None => step,
        Some(bits) => {
            let needs = (0..n).filter(|i| bits & (1 << i) != 0);
            let needs: Vec<_> = needs.map(|i| format!("s{i}")).collect();
            with(step, json!({ "needs": needs }))
        }
    }
}

impl Driver {
    fn meets(&mut self, happening: &Happening) {
        if !self.run.begun && !matches!(happening, Happening::Cancels | Happening::Pauses) {
            self.begin();
        }
        match *happening {
            Happening::Done(n) => self.flying_ends(n, Outcome::Completed(json!(1))),
            Happening::Trips(n) => {
                self.flying_ends(n, failed(Failure::retryable("task_error", "it tripped")));
            }
            Happening::Breaks(n) => {
                self.flying_ends(n, failed(Failure::fatal("task_error", "it broke")));
            }
            Happening::TimesOut(n) => {
                let after = std::time::Duration::from_secs(1);
                self.flying_ends(n, Outcome::TimedOut { after });
            }
            Happening::Defers(n) => {
                if let Some(call) = pick(n, self.calls.keys()).map(|key| &self.calls[&key]) {
                    self.made_once
                        .remove(&(call.key, call.generation, call.attempt));
                }
                let failure = Failure::retryable("agent_busy", "it has enough to do");
                self.flying_ends(n, Outcome::Busy { failure });
            }
            Happening::Stale(n) => self.stale_outcome(n),
            Happening::Lingers(n) => {
                if let Some(key) = pick(n, self.calls.keys()) {
                    self.feed(Event::Linger {
                        key,
                        agent_policy: None,
                    });
                }
            }
            Happening::ChildEnds(n, ok) => self.child_ends(n, ok),
            Happening::Detaches(n) => self.flying_detaches(n),
            Happening::Reports(n, report) => self.elsewhere_ends(n, report),
            Happening::CallsBackEarly(n) => self.calls_back_early(n),
            Happening::Wakes => self.wakes(),
            Happening::Passes => self.pass(1),
            Happening::Commits => self.commit(),
            Happening::Crashes => {
                self.crash();
                self.dead = 0;
            }
            Happening::Dies(late) => {
                self.dies = if late {
                    Dies::AfterCommit
                } else {
                    Dies::BeforeCommit
                };
            }
            Happening::LetsGo => self.let_go(),
            Happening::Drains => self.run.draining = true,
            Happening::Cancels => self.cancel(),
            Happening::Signals(go) => self.signal(if go { "go" } else { "come" }, json!("heard")),
            Happening::Pauses => self.pause(),
            Happening::Resumes => self.resume(),
            Happening::Retries(from, reset) => self.is_retried(from, reset),
        }
    }

    fn flying_ends(&mut self, n: u8, outcome: Outcome) {
        if let Some(key) = pick(n, self.calls.keys()) {
            let attempt = self.calls.remove(&key).unwrap().attempt;
            self.feed(Event::Outcome {
                key,
                attempt,
                agent_policy: None,
                outcome,
            });
        }
    }

    /// An outcome that nobody waits for, of a step or item that may not even exist.
    fn stale_outcome(&mut self, n: u8) {
        let step = u16::from(n % 8);
        for key in [StepKey::step(step), StepKey::item(step, u32::from(n / 8))] {
            let flying = self.calls.get(&key).map(|call| call.attempt);
            for attempt in (0..5).filter(|attempt| Some(*attempt) != flying) {
                let outcome = Outcome::Completed(json!("stale"));
                self.feed(Event::Outcome {
                    key,
                    attempt,
                    agent_policy: None,
                    outcome,
                });
                assert!(self.last.records.is_empty() && self.last.touched.is_empty());
            }
        }
    }

    fn child_ends(&mut self, n: u8, ok: bool) {
        if let Some(child_run_id) = pick(n, self.store.children.keys()) {
            let key = self.store.children.remove(&child_run_id).unwrap();
            let result = if ok {
                Ok(json!(2))
            } else {
                Err(Failure::fatal("task_error", "the child broke"))
            };
            // Its end is a message, so it is told until somebody committed what it led to.
            self.dies = Dies::Not;
            self.feed(Event::ChildEnded {
                key,
                child_run_id,
                result,
            });
        }
    }

    fn wakes(&mut self) {
        if let Some(at) = self.run.next_wake() {
            self.now = self.now.max(at);
            self.feed(Event::Tick);
        }
    }

    fn is_retried(&mut self, from: Option<u8>, reset: bool) {
        let over = self.store.header.status;
        if over.is_terminal() && over != RunStatus::Completed {
            let from = from.map(|n| {
                let n = usize::from(n) % self.plan.forward;
                self.plan.steps[n].name.to_string()
            });
            self.dies = Dies::Not;
            self.retry(from.as_deref(), reset);
        }
    }

    /// Delivers everything that the run waits for, until it is over.
    fn goes_to_its_end(&mut self) {
        self.dies = Dies::Not;
        if self.run.draining {
            self.let_go();
        }
        for _ in 0..500 {
            if self.run.status.is_terminal() {
                self.commit();
                return;
            }
            if !self.run.begun {
                self.begin();
            } else if self.run.header.paused {
                self.resume();
            } else if !self.calls.is_empty() {
                self.flying_ends(0, Outcome::Completed(json!(1)));
            } else if !self.store.elsewhere.is_empty() {
                self.elsewhere_ends(0, Report::Done);
            } else if !self.store.children.is_empty() {
                self.child_ends(0, true);
            } else if self.run.next_wake().is_some() {
                self.wakes();
            } else {
                let blocked = self.run.blocked_on(&self.plan).unwrap();
                assert_eq!(blocked.kind, "signal", "{}", self.shows());
                self.signal(&blocked.detail.unwrap(), json!("heard"));
            }
        }
        panic!("the run does not end: {}", self.shows());
    }
}

pub(super) fn pick<'a, T: Copy + 'a>(
    n: u8,
    mut from: impl ExactSizeIterator<Item = &'a T>,
) -> Option<T> {
    let len = from.len().max(1);
    from.nth(usize::from(n) % len).copied()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 400,
        ..proptest::prelude::ProptestConfig::default()
    })]

    #[test]
    fn any_run_keeps_the_rules_and_ends(
        definition in definition(),
        happenings in prop::collection::vec(happening(), 0..60),
        units in prop::option::of(0..12_u64),
    ) {
        let mut run = Driver::of(definition, json!({}));
        run.units = units;
        for happening in &happenings {
            run.meets(happening);
        }
        run.goes_to_its_end();
        let rows = run.store.newest();
        for step in &run.run.steps[..run.plan.forward] {
            assert!(step.status.is_terminal() && step.status != StepStatus::Paused);
        }
        let open = rows.iter().filter(|row| !row.status.is_terminal()).count();
        assert_eq!(open, 0, "what is stored is over as well");
        assert!(run.store.children.is_empty(), "no child is left behind");
        assert!(run.store.elsewhere.is_empty(), "nothing is made for nobody");
        let last = run.store.records.last().unwrap();
        assert!(last.action.starts_with("run."), "the run's end comes last");
    }
}

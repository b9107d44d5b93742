//! A model driver: feeds events, commits what was decided, keeps the effects, and checks after
//! each event that the run stands where it may stand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::store::Store;
use crate::expression::Allowance;
use crate::limits::EXPRESSION_COST_INLINE;
use crate::plan::Delivery;
use crate::state::{name_of, planned};
use crate::{
    Attempt, Decision, Effect, Event, Failure, Plan, Record, RunHeader, RunState, RunStatus,
    StepKey, StepStatus, Time, WantedChild,
};

pub(super) struct Driver {
    pub(super) plan: Arc<Plan>,
    pub(super) run: RunState,
    pub(super) store: Store,
    pub(super) now: Time,
    pub(super) calls: BTreeMap<StepKey, Attempt>,
    /// Every attempt that was started, aborted ones included: `a#1`.
    pub(super) started: Vec<String>,
    pub(super) aborted: Vec<String>,
    pub(super) cancelled_children: Vec<Uuid>,
    pub(super) last: Decision,
    /// When the worker dies, next time it takes in an event.
    pub(super) dies: Dies,
    /// Owners that died in a row.
    pub(super) dead: u16,
    /// Why no run of the workflow `refused` is started.
    pub(super) refusal: Failure,
    /// Units that are allowed before a whole allowance is asked for; `None`: all at once.
    pub(super) units: Option<u64>,
    unsaved_records: Vec<Record>,
    unsaved_rows: BTreeSet<StepKey>,
    /// Steps that completed for good, by what was committed.
    completed: BTreeSet<StepKey>,
    /// Attempts of steps that may be made at most once.
    pub(super) made_once: BTreeSet<(StepKey, i32, u32)>,
}

/// The line at which a worker dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dies {
    Not,
    BeforeCommit,
    AfterCommit,
}

impl Driver {
    /// Makes a run of these steps, not begun.
    pub(super) fn new(steps: Value) -> Self {
        Self::of(json!({ "name": "tested", "steps": steps }), json!({}))
    }

    pub(super) fn of(definition: Value, input: Value) -> Self {
        let (definition, _) = crate::validate::validate(&definition)
            .unwrap_or_else(|findings| panic!("{findings:?}"));
        let plan = Arc::new(Plan::compile(&definition).unwrap());
        let now = Time::from_timestamp(1_800_000_000, 0).unwrap();
        let header = RunHeader {
            id: Uuid::from_u128(7),
            workflow_id: Uuid::from_u128(8),
            workflow_name: "tested".into(),
            version: 1,
            generation: 1,
            status: RunStatus::Pending,
            input: Arc::new(input),
            created_at: now,
            started_at: None,
            timeout_ms: None,
            sequence: 0,
            paused: false,
            parent: None,
        };
        Self {
            run: RunState::restore(&plan, header.clone(), Vec::new()),
            plan,
            store: Store::new(header),
            now,
            calls: BTreeMap::new(),
            started: Vec::new(),
            aborted: Vec::new(),
            cancelled_children: Vec::new(),
            last: Decision::default(),
            dies: Dies::Not,
            dead: 0,
            refusal: Failure::fatal("unknown_workflow", "there is no workflow `refused`"),
            units: None,
            unsaved_records: Vec::new(),
            unsaved_rows: BTreeSet::new(),
            completed: BTreeSet::new(),
            made_once: BTreeSet::new(),
        }
    }

    /// Makes a run and begins it.
    pub(super) fn begun(steps: Value) -> Self {
        let mut driver = Self::new(steps);
        driver.begin();
        driver
    }

    pub(super) fn begin(&mut self) {
        self.feed(Event::Begin { deaths: self.dead });
    }

    /// Feeds an event, and then ticks for as long as there is more.
    pub(super) fn feed(&mut self, event: Event) {
        self.feed_once(event);
        while self.last.more {
            self.feed_once(Event::Tick);
        }
    }

    pub(super) fn feed_once(&mut self, event: Event) {
        let shown = format!("{event:?}");
        let before = self.run.status;
        let allowance = self.allowance(&event);
        let (plan, now) = (&self.plan, self.now);
        let mut decision = self.run.advance_within(plan, event, now, allowance);
        self.answer(&mut decision);
        if before.is_terminal() {
            assert!(decision.records.is_empty() && decision.effects.is_empty());
            assert!(decision.touched.is_empty());
        }
        let once: BTreeSet<_> = decision.touched.iter().copied().collect();
        assert_eq!(once.len(), decision.touched.len(), "touched once");
        let for_another = !decision.touched.is_empty()
            || (self.run.status.is_terminal() && !before.is_terminal())
            || decision
                .effects
                .iter()
                .any(|e| matches!(e, Effect::StartChild(_) | Effect::Detach { .. }));
        assert!(decision.commit_first || !for_another, "after {shown}");
        let dies = std::mem::replace(&mut self.dies, Dies::Not);
        if dies == Dies::BeforeCommit {
            self.last = Decision::default();
            return self.crash();
        }
        self.unsaved_records.append(&mut decision.records);
        self.unsaved_rows.extend(once);
        if decision.commit_first {
            self.commit();
        }
        let effects = std::mem::take(&mut decision.effects);
        for effect in effects {
            let in_commit = matches!(
                effect,
                Effect::StartChild(_)
                    | Effect::CancelChild { .. }
                    | Effect::Detach { .. }
                    | Effect::Recall(_)
            );
            if in_commit || dies == Dies::Not {
                self.act(effect);
            }
        }
        self.last = decision;
        if dies == Dies::AfterCommit {
            self.last.more = false;
            return self.crash();
        }
        self.check(&shown);
    }

    fn allowance(&self, event: &Event) -> Allowance {
        let Some(units) = self.units else {
            return Allowance::whole();
        };
        if matches!(event, Event::Tick) && self.last.apart {
            // Enough for any step, and for few of them together.
            return match units {
                EXPRESSION_COST_INLINE => Allowance::whole(),
                _ => Allowance::of(20),
            };
        }
        Allowance::inline(EXPRESSION_COST_INLINE - units)
    }

    /// Commits what is decided and not yet written.
    pub(super) fn commit(&mut self) {
        let rows: Vec<_> = std::mem::take(&mut self.unsaved_rows).into_iter().collect();
        let records = std::mem::take(&mut self.unsaved_records);
        self.store.commit(&self.plan, &self.run, &rows, records);
        self.run.mark_stored(&rows);
        let done = |key: &StepKey| self.run.at(*key).status == StepStatus::Completed;
        self.completed.extend(rows.into_iter().filter(done));
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Start(attempt) => {
                let key = attempt.key;
                assert!(!self.completed.contains(&key), "{} completed", attempt.name);
                if planned(&self.plan, key).delivery == Delivery::AtMostOnce {
                    let start = (key, attempt.generation, attempt.attempt);
                    assert!(self.made_once.insert(start), "{} made twice", attempt.name);
                    assert!(self.store.rows.contains_key(&(key, attempt.generation)));
                }
                self.started
                    .push(format!("{}#{}", attempt.name, attempt.attempt));
                let twice = self.calls.insert(attempt.key, attempt);
                assert!(twice.is_none(), "one attempt at a time: {twice:?}");
            }
            Effect::Abort(key) => {
                let attempt = self
                    .calls
                    .remove(&key)
                    .expect("what is aborted is in flight");
                self.aborted.push(attempt.name);
            }
            Effect::Forget(key) => {
                assert!(self.calls.remove(&key).is_some(), "it was in flight");
            }
            Effect::Detach { attempt, once, .. } => {
                let key = attempt.key;
                let start = (attempt.generation, attempt.attempt);
                if once {
                    let made = (key, attempt.generation, attempt.attempt);
                    assert!(self.made_once.insert(made), "{} put up twice", attempt.name);
                }
                assert!(self.store.rows.contains_key(&(key, attempt.generation)));
                self.started
                    .push(format!("{}#{}", attempt.name, attempt.attempt));
                let twice = self.store.elsewhere.insert(key, start);
                assert!(twice.is_none(), "one attempt at a time: {twice:?}");
            }
            Effect::Recall(key) => {
                let recalled = self.store.elsewhere.remove(&key);
                assert!(recalled.is_some(), "what is recalled is made elsewhere");
                self.aborted.push(name_of(&self.plan, key));
            }
            Effect::StartChild(WantedChild {
                key, run_id, wait, ..
            }) => {
                assert_eq!(run_id.get_version_num(), 7);
                if wait {
                    let twice = self.store.children.insert(run_id, key);
                    assert!(twice.is_none(), "every child has an id of its own");
                }
            }
            Effect::CancelChild { run_id, .. } => {
                assert!(self.store.children.remove(&run_id).is_some());
                self.cancelled_children.push(run_id);
            }
        }
    }

    /// Drops all that was not committed, and loads the run anew.
    pub(super) fn crash(&mut self) {
        self.dead += 1;
        self.unsaved_rows.clear();
        self.reload();
    }

    /// Lets go of the run in order, and loads it anew.
    pub(super) fn let_go(&mut self) {
        self.run.draining = true;
        for key in self.calls.keys().copied().collect::<Vec<_>>() {
            self.calls.remove(&key);
            self.feed_once(Event::GivenBack { key, begun: true });
        }
        self.commit();
        self.dead = 0;
        self.reload();
    }

    /// Takes the run over from workers that died.
    pub(super) fn reload_with_deaths(&mut self) {
        self.unsaved_rows.clear();
        self.reload();
        self.begin();
    }

    fn reload(&mut self) {
        self.unsaved_records.clear();
        self.calls.clear();
        let header = self.store.header.clone();
        self.run = RunState::restore(&self.plan, header, self.store.newest());
    }

    /// Opens the next generation and begins it.
    pub(super) fn retry(&mut self, from_step: Option<&str>, reset: bool) {
        self.store.open_generation();
        self.dead = 0;
        self.reload();
        let from = from_step.and_then(|name| self.plan.step_no(name));
        let mut anew: Vec<_> = from.into_iter().chain(self.run.undone.clone()).collect();
        let forward = self.plan.forward;
        self.completed.retain(|key| usize::from(key.step) < forward);
        while let Some(step) = anew.pop() {
            self.completed.retain(|key| key.step != step);
            anew.extend(&self.plan.steps[usize::from(step)].dependents);
        }
        if reset {
            self.completed.clear();
        }
        self.feed(Event::Retry {
            from_step: from_step.map(str::to_owned),
            reset,
        });
        self.begin();
    }

    pub(super) fn key(&self, name: &str) -> StepKey {
        let (step, item) = match name.strip_suffix(']').and_then(|n| n.split_once('[')) {
            Some((step, item)) => (step, Some(item.parse().unwrap())),
            None => (name, None),
        };
        let mut steps = self.plan.steps.iter();
        let step = steps.position(|planned| &*planned.name == step).unwrap();
        StepKey {
            step: u16::try_from(step).unwrap(),
            item,
        }
    }

    pub(super) fn output(&self, name: &str) -> Value {
        let output = self.run.at(self.key(name)).output.as_deref();
        output.cloned().unwrap_or_default()
    }

    /// Says where everything stands: `running: a completed, b running#2`.
    pub(super) fn shows(&self) -> String {
        let step = |(n, step): (u16, &crate::state::StepState)| {
            let key = StepKey::step(n);
            let name = name_of(&self.plan, key);
            let calls = crate::state::is_call(&planned(&self.plan, key).kind);
            let attempt = match step.status {
                StepStatus::Running | StepStatus::Waiting if calls => format!("#{}", step.attempt),
                _ => String::new(),
            };
            format!("{name} {}{attempt}", step.status.as_str())
        };
        let forward = self.plan.forward;
        let begun = |(n, step): &(u16, &crate::state::StepState)| {
            usize::from(*n) < forward || step.status != StepStatus::Pending
        };
        let all = (0..).zip(&self.run.steps);
        let steps: Vec<_> = all.filter(begun).map(step).collect();
        format!("{}: {}", self.run.status.as_str(), steps.join(", "))
    }

    #[track_caller]
    pub(super) fn expect(&self, shows: &str) {
        assert_eq!(self.shows(), shows);
    }

    /// Returns the audit log: `step.completed a`.
    pub(super) fn audit(&self) -> Vec<String> {
        let all = self.store.records.iter().chain(&self.unsaved_records);
        all.map(|record| match &record.step {
            Some(step) => format!("{} {step}", record.action),
            None => record.action.to_owned(),
        })
        .collect()
    }

    pub(super) fn has_row(&self, name: &str) -> bool {
        let generation = self.store.header.generation;
        self.store.rows.contains_key(&(self.key(name), generation))
    }
}

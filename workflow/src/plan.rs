//! A definition made ready to run: one graph, every expression compiled, every default filled in.

mod ancestors;
mod approval;
mod compile;
mod concurrency;
mod delay;
mod kind;
mod order;
mod site;
mod step;
mod undo;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::expression::{Expression, Template};
use crate::retry::RetryPolicy;
use crate::state::{name_of, planned};
use crate::told::Told;
use crate::validate::{Finding, Findings, InputSchema};
use crate::{StepKey, Time};

pub use approval::{Approval, Refusal};
pub(crate) use compile::{compile, too_large};
pub use concurrency::{Concurrency, OnLimit};

/// The place of a step in [`Plan::steps`].
pub type StepNo = u16;

/// A compiled workflow version. Immutable; shared by all runs of that version.
#[derive(Debug)]
pub struct Plan {
    pub name: Arc<str>,
    /// In an order in which every step stands after those it needs. After the steps that make up
    /// the workflow come, where it has any, those of a run that does not complete: `undo:*`, which
    /// stands for all of them, the compensations, and the steps of `on_failure`.
    pub steps: Vec<PlannedStep>,
    /// How many steps make up the workflow.
    pub forward: usize,
    pub concurrency: Option<Concurrency>,
    pub input_schema: Option<InputSchema>,
    /// The run's output; without it, the output of the last step that completed.
    pub output: Option<Template>,
    /// From the start of the run, waits included.
    pub timeout: Option<Duration>,
    /// Attempts in flight at once over the whole run.
    pub max_parallel: usize,
}

/// One node of the graph.
#[derive(Debug)]
pub struct PlannedStep {
    pub name: Arc<str>,
    /// Its type in the definition's own word: `webhook`, where that is what was written.
    pub word: &'static str,
    pub kind: Kind,
    pub needs: Vec<StepNo>,
    /// Whether it names them itself; else its place in the definition does.
    pub names_needs: bool,
    /// The steps whose results its expressions name.
    pub reads: Vec<StepNo>,
    pub dependents: Vec<StepNo>,
    pub when: Option<Expression>,
    /// `None`: the agent's policy for agent steps, [`RetryPolicy::default`] for the rest.
    pub retry: Option<RetryPolicy>,
    /// Of one attempt, `None`: the agent's, else the worker's default. Of a map it is that of all
    /// its items, of a `workflow` that of one child, of a `wait` its patience where its config sets
    /// none; there `None` is for ever.
    pub timeout: Option<Duration>,
    pub on_error: OnError,
    pub delivery: Delivery,
    pub lane: Lane,
    /// Its compensation.
    pub undo: Option<StepNo>,
    /// The step that it compensates.
    pub undoes: Option<StepNo>,
}

/// Who makes the attempts of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    /// The worker that drives the run.
    #[default]
    Here,
    /// Any worker of the run's own queue.
    Shared,
    /// Any worker of this queue.
    Queue(Arc<str>),
}

/// What the failure of a step does to its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The run fails: what is in flight is aborted, what has not started is skipped.
    Fail,
    /// The steps after it go on; its output is null and `steps.<name>.error` is set.
    Continue,
    /// The rest is skipped and the run completes.
    SkipRest,
}

/// Whether an attempt may be repeated after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    AtLeastOnce,
    /// Its start is committed before it runs; after a crash it fails with `lost`.
    AtMostOnce,
}

/// What a step does.
#[derive(Debug)]
pub enum Kind {
    Agent {
        agent: Arc<str>,
        input: Template,
    },
    /// `http` and `webhook`.
    Http {
        method: Arc<str>,
        url: Template,
        headers: Vec<(String, Template)>,
        body: Option<Template>,
        expect_status: Vec<u16>,
        sign: Option<Template>,
    },
    Delay(Delay),
    Transform {
        value: Template,
    },
    Decide {
        rules: Vec<Rule>,
        default: Option<Template>,
    },
    Map(Box<Map>),
    Wait {
        signal: Arc<str>,
        timeout: Option<Duration>,
        on_timeout: OnTimeout,
        approval: Option<Box<Approval>>,
    },
    /// A child run.
    Workflow {
        workflow: Template,
        version: Option<i32>,
        input: Template,
        wait: bool,
    },
    Task {
        task: Arc<str>,
        input: Template,
    },
    /// Work that somebody outside polls for.
    External {
        topic: Arc<str>,
        input: Template,
    },
    /// Tells the world.
    Emit {
        event: Arc<str>,
        data: Option<Template>,
    },
    /// Stands for all that runs because a run did not complete; its input says how the run ends.
    Undo,
}

/// How long a `delay` lasts; [`Delay::due`] says until when.
#[derive(Debug)]
pub enum Delay {
    For(Duration),
    /// An expression giving seconds, an ISO 8601 duration, or (for `until`) a time.
    Computed {
        value: Template,
        until: bool,
    },
    Until(Time),
}

/// The first rule whose `when` holds gives the value.
#[derive(Debug)]
pub struct Rule {
    pub when: Expression,
    pub value: Template,
    pub reason: Option<Template>,
}

/// One step for each item of a list.
#[derive(Debug)]
pub struct Map {
    pub items: Expression,
    /// What runs for each item; its `name` is the map's. Never a `Map` itself.
    pub step: PlannedStep,
    pub max_parallel: usize,
    /// So many items may fail before the map fails; a failed item's output is null.
    pub tolerated_failures: usize,
}

/// What a `wait` comes to when nobody signals in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// The step times out, and `on_error` applies.
    Fail,
    /// The step completes with null.
    Continue,
}

impl PlannedStep {
    /// Returns how many attempts it has, as far as the definition says: for an agent step without
    /// a policy of its own, the default stands until its agent's is known.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        let own = self.retry.as_ref().map(|policy| policy.max_attempts);
        match self.kind {
            Kind::Agent { .. } | Kind::Http { .. } | Kind::Task { .. } | Kind::External { .. } => {
                own.unwrap_or_else(|| RetryPolicy::default().max_attempts)
            }
            Kind::Workflow { .. } => own.unwrap_or(1),
            _ => 1,
        }
    }
}

impl PlannedStep {
    /// Says whether its attempts are put up for others to make.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.lane != Lane::Here || matches!(self.kind, Kind::External { .. })
    }

    /// Returns the topic or the queue that its attempts are put up on; `None`: they are made where
    /// the run is, or on its own queue.
    #[must_use]
    pub fn put_up_on(&self) -> Option<&str> {
        match (&self.kind, &self.lane) {
            (Kind::External { topic, .. }, _) => Some(topic),
            (_, Lane::Queue(queue)) => Some(queue),
            _ => None,
        }
    }
}

impl Plan {
    /// Compiles a definition that [`crate::validate`] found sound.
    ///
    /// # Errors
    /// The findings, if it is not.
    pub fn compile(definition: &crate::Definition) -> Result<Self, Findings> {
        let document = serde_json::to_value(definition)
            .map_err(|error| Findings(vec![Finding::malformed("", error.to_string())].into()))?;
        crate::validate::check(&document).map(|(plan, _)| plan)
    }

    /// Checks a run's input against the version's JSON Schema; an empty list means it fits.
    #[must_use]
    pub fn check_input(&self, input: &Value) -> Told<Finding> {
        self.input_schema
            .as_ref()
            .map(|schema| schema.violations(input))
            .unwrap_or_default()
    }

    /// Returns the agent that a step or item calls.
    #[must_use]
    pub fn agent(&self, key: StepKey) -> Option<&Arc<str>> {
        self.steps.get(usize::from(key.step))?;
        match &planned(self, key).kind {
            Kind::Agent { agent, .. } => Some(agent),
            _ => None,
        }
    }

    /// Says whether a step or item is put up for others to make.
    #[must_use]
    pub fn is_detached(&self, key: StepKey) -> bool {
        planned(self, key).is_detached()
    }

    /// Returns the name of a step or item: `score` or `score[17]`.
    #[must_use]
    pub fn step_name(&self, key: StepKey) -> Option<String> {
        self.steps.get(usize::from(key.step))?;
        Some(name_of(self, key))
    }

    /// Returns the step of the workflow with this name.
    #[must_use]
    pub fn step_no(&self, name: &str) -> Option<StepNo> {
        self.steps
            .iter()
            .take(self.forward)
            .position(|s| &*s.name == name)
            .and_then(|n| StepNo::try_from(n).ok())
    }
}

#[cfg(test)]
mod tests;

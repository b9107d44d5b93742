//! How many runs with the same key there may be at once.

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::Plan;
use super::site::Site;
use crate::expression::{self, Expression, Scope, Sight};
use crate::limits::{CONCURRENCY_KEY_CHARS_MAX, CONCURRENCY_MAX};
use crate::{RunHeader, RunState, RunStatus, Time};

/// How many runs with the same key there may be at once.
#[derive(Debug)]
pub struct Concurrency {
    /// Over the run's input; `None`: all runs of the workflow have the same.
    pub key: Option<Expression>,
    pub limit: u32,
    pub on_limit: OnLimit,
}

/// What becomes of one run too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLimit {
    /// It waits for its turn.
    Queue,
    /// The oldest are cancelled.
    CancelRunning,
    /// It is not started.
    Reject,
}

impl OnLimit {
    /// Returns the word of the definition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::CancelRunning => "cancel_running",
            Self::Reject => "reject",
        }
    }
}

/// Compiles the field `concurrency`.
pub(super) fn compile(site: &mut Site<'_, '_, '_>) -> Option<Concurrency> {
    let fields: &Map<String, Value> = site.fields.get("concurrency")?.as_object()?;
    let pointer = site.pointer_of("concurrency");
    let sight = std::mem::replace(&mut site.gathered.sight, Sight::Input);
    let mut below = site.at(pointer, fields, false);
    let key = below.expression("key");
    let limit = below.number("limit", 1..=CONCURRENCY_MAX as u64, "runs");
    let on_limit = match below.text("on_limit") {
        Some("cancel_running") => OnLimit::CancelRunning,
        Some("reject") => OnLimit::Reject,
        _ => OnLimit::Queue,
    };
    for (pointer, used) in std::mem::take(&mut site.gathered.uses) {
        let name = used.name;
        let detail = format!("there is no run yet here, so no step `{name}`; use `input`");
        site.finding_at(pointer, detail);
    }
    site.gathered.sight = sight;
    Some(Concurrency {
        key,
        limit: u32::try_from(limit?).ok()?,
        on_limit,
    })
}

impl Plan {
    /// Returns the concurrency key of a run with this input.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    pub fn concurrency_key(&self, input: &Value) -> Result<String, String> {
        let Some(expression) = self.concurrency.as_ref().and_then(|c| c.key.as_ref()) else {
            return Ok(String::new());
        };
        let run = RunState::restore(self, nobody(input), Vec::new());
        let scope = Scope {
            run: &run,
            plan: self,
            item: None,
        };
        let key = match expression.evaluate(scope)? {
            Value::String(text) => text,
            value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
            other => {
                let got = expression::kind(&other);
                return Err(format!(
                    "the concurrency key must come to a text, a number or a boolean, but it came \
                     to {got}"
                ));
            }
        };
        if key.chars().count() > CONCURRENCY_KEY_CHARS_MAX {
            return Err(format!(
                "the concurrency key has more than {CONCURRENCY_KEY_CHARS_MAX} characters"
            ));
        }
        Ok(key)
    }
}

/// Returns the header of a run that has nothing but an input.
fn nobody(input: &Value) -> RunHeader {
    RunHeader {
        id: Uuid::nil(),
        workflow_id: Uuid::nil(),
        workflow_name: "".into(),
        version: 0,
        generation: 1,
        status: RunStatus::Pending,
        input: Arc::new(input.clone()),
        created_at: Time::UNIX_EPOCH,
        started_at: None,
        timeout_ms: None,
        sequence: 0,
        paused: false,
        parent: None,
    }
}

//! The variables of an evaluation. Only what the expression asks for becomes a CEL value.

use std::sync::{Arc, OnceLock};

use cel::Context;
use cel::common::types::{CelBool, CelInt, CelMap, CelMapKey, CelNull, CelString, CelTimestamp};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use serde_json::Value;

use super::{Scope, Use, budget, json, operators, sentence};
use crate::plan::StepNo;

/// What the expressions of one template share.
pub(super) struct Frame<'a> {
    pub(super) scope: Scope<'a>,
    item: OnceLock<Box<dyn Val>>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(scope: Scope<'a>) -> Self {
        Self {
            scope,
            item: OnceLock::new(),
        }
    }

    /// Returns a step's output, if it has one.
    pub(super) fn output(&self, step: StepNo) -> Option<&'a Arc<Value>> {
        self.state(step)?.output.as_ref()
    }

    /// Returns what a step was given, if it was given anything.
    pub(super) fn given(&self, step: StepNo) -> Option<&'a Arc<Value>> {
        self.state(step)?.input.as_ref()
    }

    /// Returns why the run does not complete; null while it may.
    pub(super) fn run_error(&self) -> &'a Value {
        let ending = self.scope.run.ending.as_ref();
        ending.map_or(&Value::Null, |ending| &ending.shown)
    }

    /// Returns the word for where a step stands.
    pub(super) fn status(&self, step: StepNo) -> Value {
        self.state(step)
            .map_or(Value::Null, |state| Value::from(state.status.as_str()))
    }

    /// Returns a step's error; null when there is none.
    pub(super) fn error(&self, step: StepNo) -> Value {
        self.state(step)
            .and_then(|state| state.error.as_ref())
            .and_then(|error| serde_json::to_value(error).ok())
            .unwrap_or(Value::Null)
    }

    fn state(&self, step: StepNo) -> Option<&'a crate::state::StepState> {
        self.scope.run.steps.get(usize::from(step))
    }
}

/// Evaluates a tree to JSON. Must be called on enough stack.
pub(super) fn evaluate(
    tree: &cel::IdedExpr,
    uses: &[Use],
    frame: &Frame<'_>,
    level: usize,
) -> Result<Value, String> {
    let resolver = Resolver { frame, uses };
    let mut context = Context::with_env(Arc::clone(operators::environment()));
    context.set_variable_resolver(&resolver);
    let result = cel::Value::resolve_val(tree, &context);
    if budget::is_spent() {
        return Err(sentence::problem(&budget::why()));
    }
    let value = result.map_err(|error| sentence::problem(&error))?;
    json::from_cel(value.as_ref(), level)
}

struct Resolver<'a> {
    frame: &'a Frame<'a>,
    uses: &'a [Use],
}

impl VariableResolver for Resolver<'_> {
    /// The evaluator asks for the whole path first (`input.user.name`), then for ever shorter ones,
    /// and selects the rest itself. A path to a scalar is answered at once; for anything larger the
    /// whole root is given, which is kept and so costs once.
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let (root, path) = split(variable);
        let scope = self.frame.scope;
        match root {
            "input" => {
                let input = &scope.run.header.input;
                scalar_or_root(input, path, || scope.run.cache.input(input))
            }
            "item" => {
                let (item, _) = scope.item?;
                scalar_or_root(item, path, || {
                    let kept = self.frame.item.get_or_init(|| json::to_cel(item));
                    CowVal::Borrowed(kept.as_ref())
                })
            }
            "index" if path.is_empty() => {
                let index = i64::try_from(scope.item?.1).ok()?;
                Some(CowVal::owned(CelInt::from(index)))
            }
            "run" => self.run(path),
            "error" => {
                let error = self.frame.run_error();
                scalar_or_root(error, path, || CowVal::Owned(json::to_cel(error)))
            }
            "steps" => {
                let (name, path) = split(path);
                let step = self.uses.iter().find(|known| &*known.name == name)?.step;
                self.step(step, path)
            }
            _ => None,
        }
    }
}

impl<'a> Resolver<'a> {
    fn step(&self, step: StepNo, path: &str) -> Option<CowVal<'a, 'a>> {
        let (field, path) = split(path);
        match field {
            "output" => match self.frame.output(step) {
                Some(output) => scalar_or_root(output, path, || {
                    let run = self.frame.scope.run;
                    run.cache.output(step, run.steps.len(), output)
                }),
                None => path.is_empty().then(|| CowVal::owned(CelNull)),
            },
            "input" => match self.frame.given(step) {
                Some(input) => scalar_or_root(input, path, || CowVal::Owned(json::to_cel(input))),
                None => path.is_empty().then(|| CowVal::owned(CelNull)),
            },
            "status" if path.is_empty() => {
                Some(CowVal::Owned(json::to_cel(&self.frame.status(step))))
            }
            "error" if path.is_empty() => {
                Some(CowVal::Owned(json::to_cel(&self.frame.error(step))))
            }
            "" => {
                let output = self.step(step, "output")?.into_owned();
                let status = json::to_cel(&self.frame.status(step));
                let error = json::to_cel(&self.frame.error(step));
                Some(object([
                    ("output", output),
                    ("status", status),
                    ("error", error),
                ]))
            }
            _ => None,
        }
    }

    fn run(&self, path: &str) -> Option<CowVal<'a, 'a>> {
        let header = &self.frame.scope.run.header;
        let text = |text: String| -> Box<dyn Val + 'a> { Box::new(CelString::from(text)) };
        let time = |time: crate::Time| -> Box<dyn Val + 'a> {
            Box::new(CelTimestamp::from(time.fixed_offset()))
        };
        let number = |int: i32| -> Box<dyn Val + 'a> { Box::new(CelInt::from(i64::from(int))) };
        let field = |name: &str| -> Option<Box<dyn Val + 'a>> {
            Some(match name {
                "id" => text(header.id.to_string()),
                "workflow" => text(header.workflow_name.to_string()),
                "version" => number(header.version),
                "generation" => number(header.generation),
                "created_at" => time(header.created_at),
                "started_at" => header.started_at.map_or(Box::new(CelNull), time),
                _ => return None,
            })
        };
        if path.is_empty() {
            const FIELDS: [&str; 6] = [
                "id",
                "workflow",
                "version",
                "generation",
                "created_at",
                "started_at",
            ];
            return Some(object(
                FIELDS.iter().filter_map(|name| Some((*name, field(name)?))),
            ));
        }
        field(path).map(CowVal::Owned)
    }
}

/// Answers a path to a scalar with the scalar, the empty path with the root, and else nothing.
fn scalar_or_root<'b>(
    value: &'b Value,
    path: &str,
    root: impl FnOnce() -> CowVal<'b, 'b>,
) -> Option<CowVal<'b, 'b>> {
    if path.is_empty() {
        return Some(root());
    }
    let found = path
        .split('.')
        .try_fold(value, |value, key| value.get(key))?;
    match found {
        Value::Null => Some(CowVal::owned(CelNull)),
        Value::Bool(b) => Some(CowVal::owned(CelBool::from(*b))),
        Value::Number(_) => Some(CowVal::Owned(json::to_cel(found))),
        Value::String(text) => Some(CowVal::owned(CelString::from(text.as_str()))),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn object<'v>(
    fields: impl IntoIterator<Item = (&'static str, Box<dyn Val + 'v>)>,
) -> CowVal<'v, 'v> {
    let fields: std::collections::HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = fields
        .into_iter()
        .map(|(name, value)| (CelMapKey::from(name), value))
        .collect();
    CowVal::owned(CelMap::from(fields))
}

/// Splits a path at its first dot.
fn split(path: &str) -> (&str, &str) {
    path.split_once('.').unwrap_or((path, ""))
}

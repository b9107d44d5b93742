//! `${ … }` in JSON: templates over expressions of the Common Expression Language.
//!
//! An [`Expression`] is compiled once, when its workflow is saved or loaded, and knows which steps
//! it names. It can see `input`, `steps.<name>.output|status|error` (also `steps["my-step"]`),
//! `run.id|workflow|version|generation|created_at|started_at`, and inside a map `item` and `index`.
//!
//! Numbers: whole JSON numbers are CEL ints, the others doubles. They compare with each other
//! (`42 == 42.0`), and `+ - * /` of an int and a double give a double, so that an expression does
//! not depend on whether a client sent 42 or 42.0. `int / int` divides without remainder.
//!
//! Untrusted text cannot take the process down: characters and brackets are counted before the
//! parser runs, the parser and the evaluator run on enough stack, and every evaluation has a budget
//! of work ([`crate::limits::EXPRESSION_COST_MAX`]).
//!
//! A plain path (`input.user.name`) is read from the JSON directly. For the rest, values become CEL
//! values once per run, in the run's [`Cache`], and `item` once per template.

mod analyse;
mod budget;
mod cache;
mod json;
mod kinds;
mod loops;
mod metered;
mod operators;
mod parse;
mod path;
mod pattern;
mod scan;
mod sentence;
mod template;
mod tree;
mod variables;
mod weigh;

use std::collections::HashMap;

use serde_json::Value;

pub use budget::Allowance;
pub(crate) use budget::Meter;
pub use cache::Cache;
pub(crate) use json::kind;
pub(crate) use kinds::Kind;
pub use template::Template;

use crate::plan::StepNo;

/// A compiled CEL expression.
#[derive(Debug)]
pub struct Expression {
    /// The text without `${` and `}`.
    pub source: String,
    program: Program,
    uses: Vec<Use>,
    gives: Option<Kind>,
}

/// How an expression is evaluated.
#[derive(Debug)]
enum Program {
    Path(path::Path),
    Cel {
        tree: Box<cel::IdedExpr>,
        /// Bytes of stack that an evaluation may need.
        stack: usize,
    },
}

/// A step that an expression names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) name: Box<str>,
    pub(crate) step: StepNo,
}

/// What an expression may name, known when it is compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) steps: &'a HashMap<&'a str, StepNo>,
    /// Whether there is an `item` and an `index`.
    pub(crate) item: bool,
    pub(crate) sight: Sight,
}

/// What an expression can see by where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// A step of the workflow, or its output: `input`, `steps` and `run`.
    Step,
    /// What runs because the run did not complete: also `error`, and in the compensation of a step
    /// `step` with its input and output.
    Ending(Option<StepNo>),
    /// Before there is a run: `input` alone.
    Input,
}

/// What expressions can see. Borrowed from the run's state; made once per evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub run: &'a crate::state::RunState,
    pub plan: &'a crate::Plan,
    /// The item and its index, inside a map.
    pub item: Option<(&'a Value, usize)>,
}

impl Expression {
    /// Compiles the text of an expression, without `${` and `}`. Returns everything that is wrong
    /// with it, one sentence each.
    pub(crate) fn compile(source: &str, names: Names<'_>) -> Result<Self, Vec<String>> {
        let source = source.trim();
        stacker::maybe_grow(
            crate::limits::PARSE_STACK_BYTES / 2,
            crate::limits::PARSE_STACK_BYTES,
            || {
                let tree = parse::parse(source).map_err(|problem| vec![problem])?;
                let mut problems = Vec::new();
                let gives = kinds::of(&tree, &mut problems);
                let analysed = match analyse::analyse(tree, names) {
                    Ok(analysed) if problems.is_empty() => analysed,
                    Ok(_) => return Err(problems),
                    Err(others) => return Err([others, problems].concat()),
                };
                let program = match analysed.path {
                    Some(path) => Program::Path(path),
                    None => Program::Cel {
                        tree: Box::new(analysed.tree),
                        stack: parse::evaluation_stack(analysed.depth),
                    },
                };
                Ok(Self {
                    source: source.to_owned(),
                    program,
                    uses: analysed.uses,
                    gives,
                })
            },
        )
    }

    /// Compiles a condition or a list, which may be written bare or in `${ … }`.
    pub(crate) fn compile_bare(source: &str, names: Names<'_>) -> Result<Self, Vec<String>> {
        let inner = scan::whole(source.trim()).unwrap_or(source);
        Self::compile(inner, names)
    }

    /// Returns the kind of what it gives, where it is the same for every run.
    pub(crate) const fn gives(&self) -> Option<Kind> {
        self.gives
    }

    /// Returns the steps that it names.
    pub(crate) fn uses(&self) -> &[Use] {
        &self.uses
    }

    /// Evaluates to JSON.
    ///
    /// # Errors
    /// A sentence that names the expression and what went wrong.
    pub fn evaluate(&self, scope: Scope<'_>) -> Result<Value, String> {
        let _meter = Meter::begin_alone();
        self.evaluate_in(&variables::Frame::new(scope), 0)
    }

    /// Evaluates a condition.
    ///
    /// # Errors
    /// A sentence that names the expression and what went wrong; a value that is neither true nor
    /// false is an error.
    pub fn holds(&self, scope: Scope<'_>) -> Result<bool, String> {
        match self.evaluate(scope)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(sentence::about(
                &self.source,
                &format!(
                    "it gives {}, but a condition must give true or false",
                    kind(&other)
                ),
            )),
        }
    }

    /// Evaluates within `frame`; `level` says how deep in a template it stands.
    fn evaluate_in(&self, frame: &variables::Frame<'_>, level: usize) -> Result<Value, String> {
        match &self.program {
            Program::Path(path) => path
                .read(frame)
                .and_then(|value| json::within_depth(value, level))
                .map_err(|problem| sentence::about(&self.source, &problem)),
            Program::Cel { tree, stack } => stacker::maybe_grow(*stack, *stack * 2, || {
                variables::evaluate(tree, &self.uses, frame, level)
                    .map_err(|problem| sentence::about(&self.source, &problem))
            }),
        }
    }
}

#[cfg(test)]
mod tests;

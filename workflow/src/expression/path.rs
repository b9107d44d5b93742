//! Expressions that only walk into a value, such as `input.user.name`: most are. They are read
//! from the JSON, without CEL.

use std::borrow::Cow;

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};
use serde_json::Value;

use super::Use;
use super::variables::Frame;
use super::{json, sentence, weigh};
use crate::plan::StepNo;

/// Where to start and which way to go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    root: Root,
    segments: Vec<Segment>,
}

#[derive(Debug, PartialEq, Eq)]
enum Root {
    Input,
    Item,
    Index,
    /// What a step was given.
    Given(StepNo),
    Output(StepNo),
    Status(StepNo),
    Error(StepNo),
    /// Why the run does not complete.
    RunError,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Element(usize),
}

impl Path {
    /// Returns the path that a tree is, if it is one. Names were checked before.
    pub(super) fn of(tree: &IdedExpr, uses: &[Use]) -> Option<Self> {
        let mut segments = Vec::new();
        let mut node = tree;
        let root = loop {
            match &node.expr {
                Expr::Ident(name) => break name,
                Expr::Select(select) if !select.test => {
                    segments.push(Segment::Key(select.field.clone()));
                    node = &select.operand;
                }
                Expr::Call(call) if call.func_name == operators::INDEX => {
                    let [operand, index] = call.args.as_slice() else {
                        return None;
                    };
                    segments.push(index_segment(index)?);
                    node = operand;
                }
                _ => return None,
            }
        };
        segments.reverse();
        let root = match root.as_str() {
            "input" => Root::Input,
            "item" => Root::Item,
            "index" => Root::Index,
            "error" => Root::RunError,
            "steps" => {
                let mut taken = segments.drain(..segments.len().min(2));
                let (Some(Segment::Key(name)), Some(Segment::Key(field))) =
                    (taken.next(), taken.next())
                else {
                    return None;
                };
                let step = uses.iter().find(|known| *known.name == *name)?.step;
                match field.as_str() {
                    "input" => Root::Given(step),
                    "output" => Root::Output(step),
                    "status" => Root::Status(step),
                    "error" => Root::Error(step),
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(Self { root, segments })
    }

    /// Reads the value.
    pub(super) fn read(&self, frame: &Frame<'_>) -> Result<Value, String> {
        let scope = frame.scope;
        let start: Cow<'_, Value> = match self.root {
            Root::Input => Cow::Borrowed(&*scope.run.header.input),
            Root::Item => match scope.item {
                Some((item, _)) => Cow::Borrowed(item),
                None => return Err("there is no `item` here".to_owned()),
            },
            Root::Index => match scope.item {
                Some((_, index)) => Cow::Owned(Value::from(index)),
                None => return Err("there is no `index` here".to_owned()),
            },
            Root::Given(step) => match frame.given(step) {
                Some(input) => Cow::Borrowed(&**input),
                None => Cow::Owned(Value::Null),
            },
            Root::RunError => Cow::Borrowed(frame.run_error()),
            Root::Output(step) => match frame.output(step) {
                Some(output) => Cow::Borrowed(&**output),
                None => Cow::Owned(Value::Null),
            },
            Root::Status(step) => Cow::Owned(frame.status(step)),
            Root::Error(step) => Cow::Owned(frame.error(step)),
        };
        match start {
            Cow::Borrowed(value) => {
                let found = self.walk(value)?;
                weigh::spend_on_json(found).map_err(|error| sentence::problem(&error))?;
                Ok(found.clone())
            }
            Cow::Owned(value) if self.segments.is_empty() => Ok(value),
            Cow::Owned(value) => self.walk(&value).cloned(),
        }
    }

    fn walk<'v>(&self, mut value: &'v Value) -> Result<&'v Value, String> {
        for segment in &self.segments {
            value = match (segment, value) {
                (Segment::Key(key), Value::Object(fields)) => fields
                    .get(key)
                    .ok_or_else(|| format!("there is no key `{key}`"))?,
                (Segment::Element(index), Value::Array(items)) => items
                    .get(*index)
                    .ok_or_else(|| format!("the list has no element {index}"))?,
                (Segment::Key(key), other) => {
                    return Err(format!("{} has no key `{key}`", json::kind(other)));
                }
                (Segment::Element(index), other) => {
                    return Err(format!("{} has no element {index}", json::kind(other)));
                }
            };
        }
        Ok(value)
    }
}

fn index_segment(index: &IdedExpr) -> Option<Segment> {
    match &index.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(Segment::Key(text.inner().to_owned())),
        Expr::Literal(LiteralValue::Int(int)) => {
            usize::try_from(*int.inner()).ok().map(Segment::Element)
        }
        _ => None,
    }
}

//! What went wrong in an evaluation, in a sentence that shows types and keys but no payload.

use cel::{ExecutionError, Value};

use super::{budget, metered};
use crate::limits::EXPRESSION_COST_MAX;

/// Characters of an expression that a message repeats.
const SHOWN_CHARS_MAX: usize = 200;

/// Names the expression in front of a problem.
pub(super) fn about(source: &str, problem: &str) -> String {
    let mut shown: String = source.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < source.len() {
        shown.push('…');
    }
    format!("`${{{shown}}}`: {problem}")
}

/// Says what an evaluator's error means.
pub(super) fn problem(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no key `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("there is no `{name}`"),
        ExecutionError::NoSuchOverload(overload) => format!(
            "`{}` cannot be applied to {}",
            shown_operator(overload.function()),
            overload.argument_types().join(" and ")
        ),
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} cannot be compared with {}", kind(left), kind(right))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!(
                "`{operator}` cannot be applied to {} and {}",
                kind(left),
                kind(right)
            )
        }
        ExecutionError::UnsupportedIndex(index, of) => {
            format!("{} cannot be indexed with {}", kind(of), kind(index))
        }
        ExecutionError::UnsupportedTargetType { target } => {
            format!("the function cannot be applied to {}", kind(target))
        }
        ExecutionError::NotSupportedAsMethod { method, target } => {
            format!("`{method}` cannot be called on {}", kind(target))
        }
        ExecutionError::UnsupportedKeyType(key) => format!("{} cannot be a key", kind(key)),
        ExecutionError::UnexpectedType { got, want } => format!("found {got}, needed {want}"),
        ExecutionError::FunctionError { function, .. } if function == budget::SPENT => format!(
            "it works on too much data (all expressions of a step together may take \
             {EXPRESSION_COST_MAX} units); use a map step, or split it over several steps"
        ),
        ExecutionError::FunctionError { function, .. } if function == budget::STOPPED => {
            "it was stopped, as the expressions of its step took too long; use a map step, or split \
             it over several steps"
                .to_owned()
        }
        ExecutionError::FunctionError { function, message } => format!("`{function}`: {message}"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "it divides by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number became too large".to_owned(),
        ExecutionError::IndexOutOfBounds(Value::Int(index)) => {
            format!("the list has no element {index}")
        }
        ExecutionError::IndexOutOfBounds(_) => "the list has no such element".to_owned(),
        ExecutionError::DuplicateKey(_) => "a map has the same key twice".to_owned(),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function needs {expected} arguments, not {actual}")
        }
        _ => "it cannot be evaluated".to_owned(),
    }
}

/// Shows an operator as people write it.
fn shown_operator(name: &str) -> &str {
    match metered::written(name) {
        super::operators::ADD => "+",
        super::operators::SUBTRACT => "-",
        super::operators::MULTIPLY => "*",
        super::operators::DIVIDE => "/",
        "_._" => ".",
        "_[_]" => "[]",
        "@in" => "in",
        other => other.trim_matches('_'),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "a list",
        Value::Map(_) => "an object",
        Value::Int(_) | Value::UInt(_) => "an integer",
        Value::Float(_) => "a number",
        Value::String(_) => "a string",
        Value::Bool(_) => "a boolean",
        Value::Null => "null",
        Value::Timestamp(_) => "a timestamp",
        Value::Duration(_) => "a duration",
        _ => "such a value",
    }
}

//! Functions and operators whose work grows with the text or the values that they are given. The tree
//! is rewritten to call these in place of the standard ones ([`super::analyse`]): each spends what its
//! work costs before it begins.

use std::cmp::Ordering;

use cel::common::ast::operators;
use cel::common::types::{CelBool, CelMap, CelString, DYN_TYPE};
use cel::common::value::CowVal;
use cel::{Env, ExecutionError};

use super::budget::spend;
use super::operators::{Answer, Arguments, environment, pair};
use super::{pattern, weigh};

/// One of them: the name that is written, the name that is called, how many arguments, the function.
type Metered = (
    &'static str,
    &'static str,
    usize,
    for<'b, 'v> fn(Arguments<'b, 'v>) -> Answer<'b, 'v>,
);

/// A method's target is its first argument.
const METERED: &[Metered] = &[
    ("contains", "@contains", 2, contains),
    ("startsWith", "@startsWith", 2, starts_with),
    ("endsWith", "@endsWith", 2, ends_with),
    ("matches", "@matches", 2, matches),
    ("size", "@size", 1, |args| standard("size", args)),
    ("bool", "@bool", 1, |args| standard("bool", args)),
    ("bytes", "@bytes", 1, |args| standard("bytes", args)),
    ("double", "@double", 1, |args| standard("double", args)),
    ("duration", "@duration", 1, |args| {
        standard("duration", args)
    }),
    ("int", "@int", 1, |args| standard("int", args)),
    ("string", "@string", 1, |args| standard("string", args)),
    ("timestamp", "@timestamp", 1, |args| {
        standard("timestamp", args)
    }),
    ("uint", "@uint", 1, |args| standard("uint", args)),
    (operators::IN, "@within", 2, within),
    (operators::EQUALS, "@equals", 2, |args| equals(args, true)),
    (operators::NOT_EQUALS, "@differs", 2, |args| {
        equals(args, false)
    }),
    (operators::LESS, "@less", 2, |args| {
        compare(operators::LESS, args, Ordering::is_lt)
    }),
    (operators::LESS_EQUALS, "@lessEquals", 2, |args| {
        compare(operators::LESS_EQUALS, args, Ordering::is_le)
    }),
    (operators::GREATER, "@greater", 2, |args| {
        compare(operators::GREATER, args, Ordering::is_gt)
    }),
    (operators::GREATER_EQUALS, "@greaterEquals", 2, |args| {
        compare(operators::GREATER_EQUALS, args, Ordering::is_ge)
    }),
];

/// Returns what is called in place of a function or an operator, where its work has to be counted.
pub(super) fn in_place_of(name: &str, arguments: usize) -> Option<&'static str> {
    let found = METERED
        .iter()
        .find(|(written, _, takes, _)| *written == name && *takes == arguments);
    found.map(|(_, called, ..)| *called)
}

/// Returns the name that was written.
pub(super) fn written(name: &str) -> &str {
    let found = METERED.iter().find(|(_, called, ..)| *called == name);
    found.map_or(name, |(written, ..)| *written)
}

/// Makes them known.
pub(super) fn add_to(env: &mut Env) {
    for &(_, name, arity, function) in METERED {
        let types = std::iter::repeat_with(|| DYN_TYPE).take(arity).collect();
        env.add_overload(name, name, types, function)
            .expect("no standard function has a name with @");
    }
}

/// Calls the standard function, which goes through its arguments' text once.
fn standard<'b, 'v>(name: &'static str, args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    args.iter()
        .try_for_each(|arg| weigh::spend_on_text(arg.as_ref()))?;
    match environment().find_overload(name, &args) {
        Some(function) => function(args),
        None => Err(no_overload(name, &args)),
    }
}

fn contains<'b, 'v>(args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    let args = pair(args)?;
    let (text, part) = texts("contains", &args)?;
    spend(weigh::of_bytes(text.len()) + weigh::of_bytes(part.len()))?;
    Ok(truth(text.contains(part)))
}

fn starts_with<'b, 'v>(args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    let args = pair(args)?;
    let (text, part) = texts("startsWith", &args)?;
    spend(weigh::of_bytes(part.len()))?;
    Ok(truth(text.starts_with(part)))
}

fn ends_with<'b, 'v>(args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    let args = pair(args)?;
    let (text, part) = texts("endsWith", &args)?;
    spend(weigh::of_bytes(part.len()))?;
    Ok(truth(text.ends_with(part)))
}

fn matches<'b, 'v>(args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    let args = pair(args)?;
    let (text, pattern) = texts("matches", &args)?;
    pattern::matches(text, pattern).map(truth)
}

fn equals<'b, 'v>(args: Arguments<'b, 'v>, wanted: bool) -> Answer<'b, 'v> {
    let [left, right] = pair(args)?;
    weigh::spend_on(left.as_ref())?;
    weigh::spend_on(right.as_ref())?;
    Ok(truth((left == right) == wanted))
}

fn compare<'b, 'v>(
    operator: &'static str,
    args: Arguments<'b, 'v>,
    wanted: fn(Ordering) -> bool,
) -> Answer<'b, 'v> {
    let args = pair(args)?;
    let [left, right] = &args;
    weigh::spend_on_text(left.as_ref())?;
    weigh::spend_on_text(right.as_ref())?;
    let order = left
        .as_comparer()
        .and_then(|comparer| comparer.compare(right.as_ref()).ok());
    order
        .map(|order| truth(wanted(order)))
        .ok_or_else(|| no_overload(operator, &args))
}

/// Looks a value up: in a list by going through it, in an object at once.
fn within<'b, 'v>(args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    let args = pair(args)?;
    let [value, container] = &args;
    weigh::spend_on(value.as_ref())?;
    if container.downcast_ref::<CelMap<'_>>().is_none() {
        weigh::spend_on(container.as_ref())?;
    }
    let found = container
        .as_container()
        .and_then(|container| container.contains(value.as_ref()).ok());
    found
        .map(truth)
        .ok_or_else(|| no_overload(operators::IN, &args))
}

fn texts<'a>(
    function: &'static str,
    args: &'a [CowVal<'_, '_>; 2],
) -> Result<(&'a str, &'a str), ExecutionError> {
    match args
        .each_ref()
        .map(|arg| arg.downcast_ref::<CelString<'_>>())
    {
        [Some(left), Some(right)] => Ok((left.inner(), right.inner())),
        _ => Err(no_overload(function, args)),
    }
}

fn no_overload(function: &str, args: &[CowVal<'_, '_>]) -> ExecutionError {
    let types = args.iter().map(|arg| arg.get_type().name().to_owned());
    ExecutionError::no_such_overload(function, types.collect())
}

fn truth<'b, 'v>(value: bool) -> CowVal<'b, 'v> {
    CowVal::owned(CelBool::from(value))
}

//! The environment that expressions run in: the standard functions, and the operators that a tree
//! is rewritten to.

use std::sync::{Arc, LazyLock};

use cel::common::types::{CelDouble, CelInt, CelList, CelMap, CelUInt, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};

use super::{budget, metered, weigh};

/// `+ - * /` that also take an int and a double.
pub(super) const ADD: &str = "@add";
pub(super) const SUBTRACT: &str = "@subtract";
pub(super) const MULTIPLY: &str = "@multiply";
pub(super) const DIVIDE: &str = "@divide";
/// `@cost(x)` is x, and its weight is spent.
pub(super) const COST: &str = "@cost";
/// `@turn(item, x)` is x, and a turn of a loop over `item` is spent.
pub(super) const TURN: &str = "@turn";
/// `@each(x)` is what a loop over x goes through: for a map its keys in order, so that equal inputs
/// give equal outputs.
pub(super) const EACH: &str = "@each";
/// `@unless_spent(x)` is x, a condition of a loop: one whose turns fail goes on otherwise.
pub(super) const UNLESS_SPENT: &str = "@unless_spent";

/// Functions that are called as `f(x)`.
pub(super) const FUNCTIONS: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "int",
    "matches",
    "size",
    "string",
    "timestamp",
    "type",
    "uint",
];
/// Functions that are called as `x.f()`.
pub(super) const METHODS: &[&str] = &[
    "contains",
    "endsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "hasValue",
    "matches",
    "or",
    "orValue",
    "size",
    "startsWith",
    "value",
];
/// Functions that are called as `optional.f(x)`.
pub(super) const OPTIONAL_FUNCTIONS: &[&str] = &["none", "of", "ofNonZeroValue"];
/// Loops and tests that the parser turns into trees, named in messages only.
pub(super) const MACROS: &[&str] = &[
    "all",
    "exists",
    "exists_one",
    "existsOne",
    "filter",
    "has",
    "map",
    "optFlatMap",
    "optMap",
];
/// Names of types, for `type(x) == string`.
pub(super) const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

pub(super) type Arguments<'b, 'v> = Vec<CowVal<'b, 'v>>;
pub(super) type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// Returns the one environment of all expressions.
pub(super) fn environment() -> &'static Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        let mut add = |name: &str, arity: usize, function| {
            env.add_overload(
                name,
                name,
                std::iter::repeat_with(|| DYN_TYPE).take(arity).collect(),
                function,
            )
            .expect("no standard function has a name with @");
        };
        add(ADD, 2, |args| arithmetic(ADD, args));
        add(SUBTRACT, 2, |args| arithmetic(SUBTRACT, args));
        add(MULTIPLY, 2, |args| arithmetic(MULTIPLY, args));
        add(DIVIDE, 2, |args| arithmetic(DIVIDE, args));
        add(COST, 1, cost);
        add(TURN, 2, turn);
        add(EACH, 1, each);
        add(UNLESS_SPENT, 1, unless_spent);
        metered::add_to(&mut env);
        Arc::new(env)
    });
    &ENVIRONMENT
}

fn arithmetic<'b, 'v>(operator: &'static str, args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    let [left, right] = pair(args)?;
    let mixed = is_double(&left) != is_double(&right);
    if mixed && let (Some(l), Some(r)) = (as_double(&left), as_double(&right)) {
        return Ok(CowVal::owned(CelDouble::from(match operator {
            ADD => l + r,
            SUBTRACT => l - r,
            MULTIPLY => l * r,
            _ => l / r,
        })));
    }
    let unsupported = || {
        let types = [&left, &right].map(|v| v.get_type().name().to_owned());
        ExecutionError::no_such_overload(operator, types.into())
    };
    // What is made is as large as both.
    weigh::spend_on(left.as_ref())?;
    weigh::spend_on(right.as_ref())?;
    // The operand's own operator. Its result may borrow the operands, so it is copied.
    let result = match operator {
        ADD => left.as_adder().ok_or_else(unsupported)?.add(right.as_ref()),
        SUBTRACT => left
            .as_subtractor()
            .ok_or_else(unsupported)?
            .sub(right.as_ref()),
        MULTIPLY => left
            .as_multiplier()
            .ok_or_else(unsupported)?
            .mul(right.as_ref()),
        _ => left
            .as_divider()
            .ok_or_else(unsupported)?
            .div(right.as_ref()),
    };
    let result = result
        .map_err(|error| match error {
            ExecutionError::UnsupportedBinaryOperator(..) => unsupported(),
            other => other,
        })?
        .into_owned();
    Ok(CowVal::Owned(result))
}

fn cost<'b, 'v>(mut args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    let value = args
        .pop()
        .ok_or_else(ExecutionError::missing_argument_or_target)?;
    weigh::spend_on(value.as_ref())?;
    Ok(value)
}

fn turn<'b, 'v>(args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    let [item, value] = pair(args)?;
    weigh::spend_on(item.as_ref())?;
    weigh::spend_on(value.as_ref())?;
    Ok(value)
}

fn each<'b, 'v>(mut args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    budget::spend(1)?;
    let value = args
        .pop()
        .ok_or_else(ExecutionError::missing_argument_or_target)?;
    let Some(map) = value.downcast_ref::<CelMap<'_>>() else {
        return Ok(value);
    };
    map.keys()
        .try_for_each(|key| weigh::spend_on(key.inner()))?;
    let mut keys: Vec<_> = map.keys().collect();
    keys.sort();
    let keys: Vec<Box<dyn Val + 'v>> = keys
        .into_iter()
        .map(|key| key.inner().clone_as_boxed())
        .collect();
    Ok(CowVal::owned(CelList::from(keys)))
}

fn unless_spent<'b, 'v>(mut args: Arguments<'b, 'v>) -> Answer<'b, 'v> {
    if budget::is_spent() {
        return Err(budget::why());
    }
    args.pop()
        .ok_or_else(ExecutionError::missing_argument_or_target)
}

pub(super) fn pair<'b, 'v>(args: Arguments<'b, 'v>) -> Result<[CowVal<'b, 'v>; 2], ExecutionError> {
    <[CowVal<'b, 'v>; 2]>::try_from(args)
        .map_err(|args| ExecutionError::invalid_argument_count(2, args.len()))
}

fn is_double(value: &CowVal<'_, '_>) -> bool {
    value.downcast_ref::<CelDouble>().is_some()
}

fn as_double(value: &CowVal<'_, '_>) -> Option<f64> {
    if let Some(double) = value.downcast_ref::<CelDouble>() {
        Some(*double.inner())
    } else if let Some(int) = value.downcast_ref::<CelInt>() {
        Some(*int.inner() as f64)
    } else {
        value
            .downcast_ref::<CelUInt>()
            .map(|uint| *uint.inner() as f64)
    }
}

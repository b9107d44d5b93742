//! The errors of a JSON Schema, one by one, without all of them at once in memory.
//!
//! The validator can tell the first error, or gather every one: some two hundred bytes each, and a
//! value of 4 MiB can have millions. So they are gathered only where there cannot be many.

use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// Pairs of a schema's parts and a value's parts up to which all errors are gathered: each pair can be
/// one, so they take some 20 MB at the most. Beyond it the first error is told alone.
const PAIRS_MAX: usize = 100_000;

/// Hands out the errors of a value until somebody has enough (`false`). `parts`: how many the schema has.
pub(super) fn each(
    validator: &Validator,
    parts: usize,
    value: &Value,
    mut tell: impl FnMut(&ValidationError<'_>) -> bool,
) {
    if validator.is_valid(value) {
        return;
    }
    let mut left = PAIRS_MAX / parts.max(1);
    if count_down(value, &mut left) {
        let _ = validator.iter_errors(value).all(|error| tell(&error));
    } else if let Err(error) = validator.validate(value) {
        tell(&error);
    }
}

/// Returns in how many parts a schema looks at a value: its own, and those that it refers to as often
/// as it does. [`usize::MAX`] where that has no end, or is not easy to tell.
pub(super) fn parts(schema: &Value) -> usize {
    let mut left = PAIRS_MAX;
    if unfold(schema, schema, &mut Vec::new(), &mut left) {
        PAIRS_MAX - left
    } else {
        usize::MAX
    }
}

fn unfold<'s>(
    root: &'s Value,
    part: &'s Value,
    within: &mut Vec<&'s str>,
    left: &mut usize,
) -> bool {
    let Some(rest) = left.checked_sub(1) else {
        return false;
    };
    *left = rest;
    match part {
        Value::Array(items) => items.iter().all(|item| unfold(root, item, within, left)),
        Value::Object(fields) => fields
            .iter()
            .all(|(key, field)| match (key.as_str(), field) {
                ("$dynamicRef", _) => false,
                // What is defined counts where it is referred to.
                ("$defs", _) => true,
                ("$ref", Value::String(to)) => {
                    if within.contains(&to.as_str()) {
                        return false;
                    }
                    let Some(meant) = to.strip_prefix('#').and_then(|to| root.pointer(to)) else {
                        return false;
                    };
                    within.push(to);
                    let ends = unfold(root, meant, within, left);
                    within.pop();
                    ends
                }
                _ => unfold(root, field, within, left),
            }),
        _ => true,
    }
}

/// Says whether a value has no more parts than are left.
fn count_down(value: &Value, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else {
        return false;
    };
    *left = rest;
    match value {
        Value::Array(items) => items.iter().all(|item| count_down(item, left)),
        Value::Object(fields) => fields.values().all(|field| count_down(field, left)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parts;

    #[test]
    fn what_is_referred_to_counts_each_time() {
        assert_eq!(parts(&json!({"type": "string"})), 2);
        let twice = json!({"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}],
                           "$defs": {"a": {"type": "string"}}});
        assert_eq!(parts(&twice), 8);
        let endless = json!({"items": {"$ref": "#"}});
        assert_eq!(parts(&endless), usize::MAX);
    }
}

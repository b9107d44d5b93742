//! JSON that came in a message: as protobuf's own value, or as text. The value's numbers are doubles:
//! whole ones become whole again, so that a schema that wants an integer takes `1`.

use prost_types::value::Kind;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::body::storable;
use crate::problem::{Fault, Faults};

/// The largest whole number up to which a double tells each from its neighbours.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Writes a value as JSON. What is wrong goes into `faults`.
pub(super) fn raw(
    given: prost_types::Value,
    at: &str,
    faults: &mut Faults,
) -> Option<Box<RawValue>> {
    let Some(value) = json(given) else {
        faults.push(Fault::at(at, "holds a number that is none in JSON"));
        return None;
    };
    storable::value(&value, at, faults);
    serde_json::value::to_raw_value(&value).ok()
}

/// Reads JSON text, and keeps it to the letter. What is wrong goes into `faults`.
pub(super) fn read(text: &str, at: &str, faults: &mut Faults) -> Option<Box<RawValue>> {
    match serde_json::from_str::<Box<RawValue>>(text) {
        Ok(raw) => {
            storable::json(raw.get().as_bytes(), at, faults);
            Some(raw)
        }
        Err(error) => {
            faults.push(Fault::at(at, format!("is not JSON: {error}")));
            None
        }
    }
}

/// Turns it into JSON. `None`: a number that JSON cannot say.
fn json(value: prost_types::Value) -> Option<Value> {
    Some(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(flag)) => Value::Bool(flag),
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::NumberValue(number)) => {
            Value::Number(whole(number).or_else(|| Number::from_f64(number))?)
        }
        Some(Kind::ListValue(list)) => {
            Value::Array(list.values.into_iter().map(json).collect::<Option<_>>()?)
        }
        Some(Kind::StructValue(fields)) => Value::Object(
            fields
                .fields
                .into_iter()
                .map(|(name, value)| Some((name, json(value)?)))
                .collect::<Option<Map<_, _>>>()?,
        ),
    })
}

fn whole(number: f64) -> Option<Number> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole, and within bounds"
    )]
    let whole = (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then_some(number as i64);
    whole.map(Number::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: f64) -> Option<String> {
        let kind = Some(Kind::NumberValue(number));
        json(prost_types::Value { kind }).map(|value| value.to_string())
    }

    #[test]
    fn whole_numbers_stay_whole() {
        assert_eq!(number(3.0).as_deref(), Some("3"));
        assert_eq!(number(-1.5).as_deref(), Some("-1.5"));
        assert_eq!(number(1e300).as_deref(), Some("1e+300"));
        assert_eq!(number(f64::NAN), None);
    }
}
